"""The study in small: its page says what the runs say, and a study that was stopped goes on where it ended."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import study
import study_tables
from methods import Compared
from null_campaign import NullRun
from pieces import Cell, Pieces, code_version, tasks
from study_page import BEGIN, END, Study, claims
from threshold_study import ThresholdRun

#: One run of each world, one heart a dip, one through the box, one ramp of each kind.
SCALE = 0.0001


def compared(name: str, dip_bpm: float, run: int, *, is_coupled: bool, score: float) -> Compared:
    """A run in which every method says the same; its interval holds the truth when it is coupled."""
    edge = dip_bpm + 1.0 if is_coupled else dip_bpm - 0.5
    interval = (dip_bpm - 1.0, edge, dip_bpm - 1.0, edge)
    verdict = "coupled" if is_coupled else "not_shown"
    return Compared(
        *(name, "sim", dip_bpm, 1, run, 0, 0, verdict, 0.01, score, dip_bpm, dip_bpm, *interval),
        *(is_coupled, score) * 5,
    )


def a_study(coupled_of_ten: int) -> Study:
    """Simulated Dash and iTBS of 10 runs a dip, of which some are coupled."""
    runs: Pieces[Compared] = Pieces(None, "code", Compared)
    for name in ("dash", "itbs"):
        for run in range(40):
            runs.add([compared(name, 0.0, run, is_coupled=False, score=run / 40.0)])
        for dip_bpm in (1.0, 2.0, 3.0):
            for run in range(10):
                is_coupled = run < coupled_of_ten
                runs.add([compared(name, dip_bpm, run, is_coupled=is_coupled, score=2.0 if is_coupled else 0.0)])
    nulls: Pieces[NullRun] = Pieces(None, "code", NullRun)
    nulls.add(
        [NullRun("dash", "quiet", 1, run, "coupled" if run < coupled_of_ten else "not_shown") for run in range(60)]
    )
    ramps: Pieces[ThresholdRun] = Pieces(None, "code", ThresholdRun)
    ramps.add([ThresholdRun("sim", 1, 3.0, 1, 0, "found", 40.0, 40.0 + coupled_of_ten, 30.0, 60.0, 2.0, 50.0)])
    ramps.add([ThresholdRun("sim", 1, 0.0, 1, 0, "none_found", math.nan, math.nan, math.nan, math.nan, math.nan, 40.0)])
    return Study(nulls, runs, Pieces(None, "code", Compared), ramps, "make study", {"nulls": 1})


def lines_of(coupled_of_ten: int) -> dict[str, str]:
    """Measured and met of each claim."""
    return {line.split(" | ")[0]: " | ".join(line.split(" | ")[2:]) for line in claims(a_study(coupled_of_ten))}


def test_a_goal_is_met_by_the_runs_or_it_is_not() -> None:
    all_found, some_found = lines_of(10), lines_of(5)
    power = "power, Dash, simulated, 1 / 2 / 3 bpm, "
    assert all_found[f"{power}by the verdict"] == "1.000 / 1.000 / 1.000 | yes"
    assert some_found[f"{power}by the verdict"] == ".500 / .500 / .500 | **no**"
    assert some_found[f"{power}at one matched cut-off"] == ".500 / .500 / .500 | **no**"
    assert all_found["95 % interval covers"].startswith(".000 to 1.000 in 8 cells")
    # 10 of 60 at 5 % each happen once in 900 times, 5 of 60 once in 4.
    null = '"coupled" where no train slows the heart'
    assert all_found[null].endswith("**no**")
    assert some_found[null].endswith("yes")
    # Errors of 10 and of 5 percent of output are 5 and 2.5 steps; the goal is 1.5.
    threshold = "threshold, 1 a step, 3 bpm: median error, steps"
    assert all_found[threshold] == "simulated 5.00 | **no**"
    assert lines_of(2)[threshold] == "simulated 1.00 | yes"
    assert all_found['"none found" or "not determined" without response'] == "1 of 1 | yes"


def test_a_matched_cut_off_is_what_five_percent_exceed() -> None:
    null = [compared("dash", 0.0, run, is_coupled=False, score=run / 40.0) for run in range(40)]
    limit = study_tables.cut_off(null, lambda one: one.score)
    assert sum(one.score > limit for one in null) <= 2
    silent = [compared("dash", 0.0, run, is_coupled=False, score=-math.inf) for run in range(40)]
    assert study_tables.cut_off(silent, lambda one: one.score) == -math.inf


def test_all_cells_grow_together() -> None:
    pieces: Pieces[NullRun] = Pieces(None, "code", NullRun)
    cells: list[Cell] = [("dash", "few"), ("dash", "many")]
    pieces.add([NullRun("dash", "few", 7, 0, "not_shown")])
    todo = tasks(cells, 7, lambda cell: 40 if cell[1] == "few" else 80, pieces)
    assert [cell[1] for cell, _, _ in todo] == ["many", "few", "many", "many", "few", "many"]
    assert sorted(run for cell, _, runs in todo if cell[1] == "few" for run in runs) == list(range(1, 40))


def test_a_version_knows_what_an_estimate_is_made_of() -> None:
    assert code_version("coupling") == code_version("coupling")
    assert code_version("coupling") != code_version("coupling", worlds=("null_worlds.py",))
    assert code_version("coupling") != code_version("threshold")
    assert code_version("coupling") != code_version("coupling", without=("intervals",))
    assert code_version("bayes") != code_version("response")
    assert code_version("bayes") != code_version("bayes", folders=("native/src",))


def test_the_study_writes_its_page_and_goes_on_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Simulated hearts only, so that it is the same with and without recordings."""
    page = tmp_path / "page.md"
    monkeypatch.setattr(study, "CHAIN_N", 1)
    words = ["--scale", str(SCALE), "--jobs", "1", "--keep", str(tmp_path / "kept"), "--page", str(page)]
    monkeypatch.setattr(sys, "argv", ["study.py", *words, "--data", str(tmp_path / "absent")])
    with pytest.raises(SystemExit):  # found before the hours of work
        study.main()
    assert BEGIN in capsys.readouterr().err
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    study.main()
    assert "real RR series are left out" in capsys.readouterr().out
    whole = page.read_text()
    assert whole.startswith(f"before\n{BEGIN}\n")
    assert whole.endswith(f"{END}\nafter\n")
    assert "\nold\n" not in whole
    for heading in (
        "Goals",
        "Where no train slows",
        "Power, and errors",
        "Through the box",
        "Effect and",
        "Thresholds",
    ):
        assert f"### {heading}" in whole
    assert "real RR" not in whole.split("### Where")[1]
    kept = {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()}
    study.main()
    assert capsys.readouterr().out.count(": 0 runs to be made") == 4
    assert page.read_text() == whole
    assert {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()} == kept

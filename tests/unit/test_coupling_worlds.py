"""A small version of the null campaign: nothing slows these hearts, so hardly any of them may be called coupled."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import null_campaign as campaign
import numpy as np
import pytest
from hbc_host.coupling import estimate_coupling
from hbc_host.trains import parse_protocol
from null_runs import NullRun, one_run
from null_verdict import verdict_of
from null_worlds import WORLDS
from pieces import Pieces

#: With a true rate of 5 % more than 6 of 38 happen in 0.4 % of series. Seeds are fixed, so the count is too.
POSITIVE_MAX_N = 6


def test_hardly_any_world_without_response_is_called_coupled() -> None:
    found: Counter[str] = Counter()
    for number, world in enumerate(WORLDS.values()):
        for name in ("dash", "itbs"):
            one = one_run(world, parse_protocol(name), (200 + number,), 0)
            verdict = estimate_coupling(one.beats_s, one.onsets_s, train_s=one.train_s, gaps_s=one.gaps_s).verdict
            assert verdict_of(one) == verdict
            found[verdict] += 1
    assert found.total() == 2 * len(WORLDS)
    assert found["coupled"] <= POSITIVE_MAX_N, found
    assert found["unusable"] <= 2, found


def test_a_share_is_marked_when_it_is_above_or_below_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    def shown(**verdicts: int) -> tuple[int, str]:
        pieces: Pieces[NullRun] = Pieces(None, "code", NullRun)
        each = [verdict for verdict, count in verdicts.items() for _ in range(count)]
        pieces.add([NullRun("dash", "quiet", 1, run, verdict) for run, verdict in enumerate(each)])
        return campaign.table([("dash", "quiet"), ("itbs", "quiet")], pieces), capsys.readouterr().out

    code, text = shown(coupled=30, not_shown=170)
    assert code == 1
    assert "above 5 %" in text
    code, text = shown(coupled=10, not_shown=190, unusable=3)
    assert code == 0
    assert "| quiet | dash | 200 | 0.050 |" in text
    assert "below 3 %" in shown(coupled=2, cannot_tell=98)[1]
    assert shown(unusable=1)[0] == 0
    # What one row may show is too much for none of forty.
    some = campaign.NullCell([NullRun("dash", "quiet", 1, n, "coupled" if n < 18 else "not_shown") for n in range(200)])
    assert some.is_above(1)
    assert not some.is_above(40)
    assert campaign.excess_p(0, 0) == 1.0


def test_worlds_are_what_they_say() -> None:
    dash = parse_protocol("dash")
    gaps = WORLDS["30 % in gaps"](np.random.default_rng(1), dash)
    lost_s = sum(end_s - start_s for start_s, end_s in gaps.gaps_s)
    assert 0.28 < lost_s / gaps.beats_s[-1] < 0.36
    jittered = WORLDS["jittered cycles"](np.random.default_rng(1), dash)
    assert np.ptp(np.diff(jittered.onsets_s)) > 2.0
    wrong = WORLDS["train 20 % wrong"](np.random.default_rng(1), dash)
    assert abs(wrong.train_s / dash.train_s - 1.0) == pytest.approx(0.2)
    again = WORLDS["train 20 % wrong"](np.random.default_rng(1), dash)
    assert np.array_equal(wrong.beats_s, again.beats_s)


def test_a_campaign_that_was_stopped_goes_on_where_it_ended_and_seeds_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "nulls.csv"

    def call(*more: str) -> str:
        words = ["--worlds", "quiet", "--protocol", "dash", "--data", str(tmp_path), "--out", str(out), *more]
        monkeypatch.setattr(sys, "argv", ["null_campaign.py", *words])
        assert campaign.main() == 0
        return capsys.readouterr().out

    assert "| quiet | dash | 3 |" in call("--runs", "3", "--seed", "7")
    whole = out.read_text()
    # A crash cut off the last line; another version of the estimator wrote into the same file.
    first, second, last = whole.splitlines()[1:]
    other = "0123456789ab" + first[first.index(",") :]
    out.write_text("\n".join((whole.splitlines()[0], first, second, other, last[:-12])))
    shown = call("--runs", "3", "--seed", "7")
    assert "another version of the estimator: 1\n" in shown
    assert "| quiet | dash | 3 |" in shown
    kept = [line for line in out.read_text().splitlines() if not line.startswith("0123456789ab")]
    assert kept == whole.splitlines()
    assert "| quiet | dash | 5 |" in call("--runs", "2", "--seed", "8")
    assert "| quiet | dash | 5 |" in call("--runs", "0")
    assert len(out.read_text().splitlines()) == 7

"""`hbc hil run` end to end: the real firmware, the real record path, one judgement; and that it bites."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import pytest
from hbc_hil import rig as rig_module
from hbc_hil.bench.finding import FAIL
from hbc_hil.bench.generator_bench import _settings, lead_changes, programme_of
from hbc_hil.bench.generator_sim import simulated_generator
from hbc_hil.bench.plan import Limits, Plan, fault_names, load_plan, scenario_names
from hbc_hil.errors import ScenarioError
from hbc_hil.rig import RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.cli import app
from typer.testing import CliRunner

SHORT = """
duration_s = 14
rest_s = 4
pattern = "itbs_gentle"
[limits]
beats_share = 0.9
"""


def hil(*words: object) -> Any:
    return CliRunner().invoke(app, ["hil", "run", *(str(word) for word in words)])


def verdicts(path: Path) -> dict[str, str]:
    return {row["check"]: row["verdict"] for row in json.loads(path.read_text())["checks"]}


@pytest.fixture
def short(tmp_path: Path) -> Path:
    path = tmp_path / "short.toml"
    path.write_text(SHORT)
    return path


def test_quick_passes_and_tells_people_and_machines_the_same(tmp_path: Path) -> None:
    result = hil("quick", "--junit", tmp_path / "j.xml", "--json", tmp_path / "j.json", "--keep", tmp_path / "kept")
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "j.json").read_text())
    assert document["passed"] is True
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert suite.tag == "testsuite"
    assert suite.attrib["failures"] == "0"
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) == len(document["checks"]) > 20
    assert [case.attrib["name"] for case in suite] == [row["check"] for row in document["checks"]]
    assert {"edges silent", "interval max", "edge vs samples", "R-peak rms", "lead-off told"} <= verdicts(
        tmp_path / "j.json"
    ).keys()
    for row in document["checks"]:
        assert row["check"] in result.output
    assert "PASS: " in result.output
    assert (tmp_path / "kept" / "session" / "wire.hbclog").exists()


def test_a_limit_that_is_missed_is_a_failure_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "strict.toml"
    path.write_text(SHORT.replace("beats_share = 0.9", "interval_ns = 1.0"))
    result = hil(path, "--junit", tmp_path / "j.xml", "--json", tmp_path / "j.json")
    assert result.exit_code == 1
    assert "FAIL (interval p50, interval p99, interval max)" in result.output
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()
    failures = [case.attrib["name"] for case in suite if case.find("failure") is not None]
    assert failures == ["interval p50", "interval p99", "interval max"]
    assert suite.attrib["failures"] == "3"
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "limit ≤ 1 ns" in str(failure.text)


@contextmanager
def sabotaged(file: str, old: str, new: str) -> Iterator[None]:
    """Within, boxes are flashed with this one change to the firmware."""
    flash = rig_module.flash_folder

    def flash_folder(target: Path, *rest: str) -> None:
        flash(target, *rest)
        text = (target / file).read_text()
        assert text.count(old) >= 1, f"{file} no longer holds {old!r}"
        (target / file).write_text(text.replace(old, new, 1))

    with mock.patch.object(rig_module, "flash_folder", flash_folder):
        yield


@pytest.mark.parametrize(
    ("file", "old", "new", "caught_by"),
    [
        ("hbc_fw/capture.py", "return rest % COUNTS_PER_US", "return 0", "interval p99"),
        ("hbc_fw/capture.py", "narrowest * 500 + 13", "narrowest * 50", "edge vs samples"),
        ("hbc_fw/health.py", "lost[1] = self._trigger.lost_n", "lost[1] = 0", "edges silent"),
    ],
)
def test_a_bug_in_the_firmware_is_caught_by_the_check_for_it(
    file: str, old: str, new: str, caught_by: str, short: Path, tmp_path: Path
) -> None:
    faults = ["--faults", "bounce_fast"] if caught_by == "edges silent" else []
    with sabotaged(file, old, new):
        result = hil(short, *faults, "--json", tmp_path / "j.json")
    assert result.exit_code == 1, result.output
    assert verdicts(tmp_path / "j.json")[caught_by] == FAIL


def test_overruns_on_a_slow_processor_are_all_counted(tmp_path: Path) -> None:
    path = tmp_path / "slow.toml"
    path.write_text('duration_s = 16\nrest_s = 4\nfaults = ["costs_x10"]\npattern = "stress_1khz"\n')
    result = hil(path, "--json", tmp_path / "j.json")
    document = json.loads((tmp_path / "j.json").read_text())
    assert document["facts"]["captures_overwritten_n"] > 20, "nothing was overrun: this test shows nothing"
    assert verdicts(tmp_path / "j.json")["edges silent"] == "PASS"
    assert result.exit_code == 0, result.output


def test_a_brown_out_is_survived_and_both_boots_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "dip.toml"
    path.write_text(SHORT.replace("beats_share = 0.9", "beats_share = 0.5") + "[rig]\nbrownouts_s = [6.6]\n")
    result = hil(path, "--json", tmp_path / "j.json")
    assert result.exit_code == 0, result.output
    rows = {row["check"]: row for row in json.loads((tmp_path / "j.json").read_text())["checks"]}
    assert rows["boots"]["value"] == 2
    assert 0.5 < rows["recovery"]["value"] < 3.0


def test_generator_and_box_are_judged_without_an_oracle(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    off = 'lead_off = [{ start_s = 6.3, end_s = 8.4, electrode = "LA" }]'
    two = SHORT.replace("duration_s = 14", f'world = "generator"\nduration_s = 16\n{off}')
    path.write_text(two + "[rig]\ndrift_ppm = -30.0\n")
    result = hil(path, "--json", tmp_path / "j.json")
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "j.json").read_text())
    drift = next(row for row in document["checks"] if row["check"] == "drift")
    assert "drift -30.000 ppm found" in drift["requirement"]
    assert {"list starts", "interval max", "lead-off told", "R-peak rms", "edges silent"} <= verdicts(
        tmp_path / "j.json"
    ).keys()


def test_two_ports_are_driven_as_two_real_boards_would_be(tmp_path: Path) -> None:
    """The path for real boards, on two ports; what answers there is simulated."""
    path = tmp_path / "ports.toml"
    pattern = "[pattern]\ntrain_s = 0.5\npause_s = 1.0\nburst_hz = 20\n"
    path.write_text(f"duration_s = 10\nrest_s = 3\n{pattern}[limits]\nbeats_share = 0.8\n")
    with simulated_generator(12.0) as generator:
        options = RigOptions(world_source=generator.chunks())
        with rig(Scenario(seed=1, duration_s=12.0), options) as box:
            result = hil(path, "--port", box.port, "--generator", generator.port, "--json", tmp_path / "j.json")
    assert result.exit_code == 0, result.output
    assert "drift" in verdicts(tmp_path / "j.json")
    assert f"box at {box.port}" in result.output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nowhere"], "no scenario 'nowhere'"),
        (["quick", "--faults", "flu"], "no fault 'flu'"),
        (["quick", "--port", "/dev/null"], "give both --port"),
        (["drifting.toml", "--port", "a", "--generator", "b"], "can be had in the rig only"),
        (["unknown.toml"], "knows no"),
        (["rigless.toml"], "the rig has no option warp"),
        (["pattern.toml"], "no pattern 'waltz'"),
        (["broken.toml"], "is no TOML file"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_exit_code_2(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("drifting.toml").write_text("[rig]\ndrift_ppm = 3.0\n")
    Path("unknown.toml").write_text("colour = 1\n")
    Path("rigless.toml").write_text("[rig]\nwarp = 9\n")
    Path("pattern.toml").write_text('pattern = "waltz"\n')
    Path("broken.toml").write_text("= 1\n")
    result = hil(*words)
    assert result.exit_code == 2
    assert why in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_every_shipped_scenario_and_fault_can_be_read_and_says_why() -> None:
    assert {"quick", "10hz", "itbs", "stress_1khz", "generator", "hour_itbs"} <= set(scenario_names())
    for name in scenario_names():
        plan = load_plan(name)
        assert plan.why
        assert plan.scenario().timetable() or not plan.stimulation
        if plan.world == "generator":
            assert programme_of(plan)["trains_n"] >= 1
    for name in fault_names():
        plan = load_plan("quick", faults=[name])
        assert plan.faults == (name,)
        assert plan != load_plan("quick")


def test_of_two_widened_limits_the_wider_holds_and_none_is_tightened() -> None:
    both = load_plan("quick", faults=["uart_noise", "costs_x10"]).limits
    each = [load_plan("quick", faults=[name]).limits for name in ("uart_noise", "costs_x10")]
    assert both.samples_missed_share == max(limits.samples_missed_share for limits in each)
    assert both.told_missed_n == each[1].told_missed_n
    assert both.interval_ns == Limits().interval_ns, "no fault excuses a wrong time"


def test_a_generator_plays_the_plan_and_refuses_what_it_cannot() -> None:
    programme = programme_of(load_plan("itbs"))
    assert (programme["burst_us"], programme["pulses_n"], programme["pulse_us"]) == (200_000, 3, 20_000)
    assert programme["cycle_us"] == 10_000_000
    assert lead_changes(load_plan("quick")) == [(24.3, 2), (25.9, 0)]
    with pytest.raises(ScenarioError, match="hold no train"):
        programme_of(Plan("x", duration_s=5.0))


def test_a_box_that_never_speaks_ends_the_run_with_its_reason(short: Path) -> None:
    began_s = time.monotonic()
    for sabotage, said in (
        (("main.py", "from hbc_fw import startup", "raise RuntimeError('dead')"), "dead"),
        (("main.py", "from hbc_boards import choose", "raise RuntimeError('dead')"), "not one good frame"),  # safe mode
    ):
        with sabotaged(*sabotage):
            result = hil(short)
        assert result.exit_code == 2, result.output
        assert said in result.stderr
    assert time.monotonic() - began_s < 300.0, "it ends by itself; this computer may be busy"
    assert not any(thread.name == "hbc-link" for thread in threading.enumerate())


def test_settings_of_a_real_box_are_put_in_force_and_back() -> None:
    with rig(Scenario(seed=1, duration_s=400.0)) as box:
        before = _settings(box.port, {"trigger_hold_off_us": 5000})
        assert before == {"trigger_hold_off_us": 0}
        assert _settings(box.port, before) == {"trigger_hold_off_us": 5000}
        assert _settings(box.port, {}) == {}

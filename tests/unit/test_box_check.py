"""The check: steps that end when the box has seen them, and rows that say PASS only when it is so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.ecg import EcgSettings
from hbc_hil.scenario import LeadOff, Scenario
from hbc_host.box.check import judge
from hbc_host.box.check_heart import height
from hbc_host.box.check_report import check_document, write_check
from hbc_host.box.guide import DONE, NOT_TRIED, TIMED_OUT, Guide, Watch, off_words, steps_for
from hbc_host.box.tables import row_table
from hbc_host.box.verdicts import FAIL, NOTE, PASS, SKIP, Row, passed
from hbc_host.clocksync import Ping
from hbc_host.detection import find_beats
from hbc_host.io.ecg_signal import session_signal
from hbc_host.record import record
from hbc_host.session import Session, load_session
from hbc_wire import messages
from support import FakeTransport, a_meta, values_of
from support_rig import messages_of, run_scenario

READ_N = 512
LIFTED = (LeadOff(15.0, 18.0, "LA"), LeadOff(21.0, 24.0, "RA"))


class Told:
    """A guide's clock that is the box's own time, so that nothing depends on the speed of this computer."""

    def __init__(self, steps: tuple, said: list[str]) -> None:
        self.seconds = 0.0
        self.taken_n = 0
        self.guide = Guide(steps, said.append, clock=lambda: self.seconds)

    def take(self, message: Any) -> None:
        self.taken_n += 1
        self.guide.watch.take(message)
        self.seconds = getattr(message, "status_us", self.seconds * 1e6) * 1e-6


def checked(folder: Path, scenario: Scenario, **how: Any) -> tuple[Session, Guide, list[str]]:
    """A check of the simulated box, as fast as it runs: what was recorded, the guide, what the person was told."""
    said: list[str] = []
    told = Told(steps_for(10, **how), said)
    _, data = run_scenario(scenario)
    box = FakeTransport([data[at : at + READ_N] for at in range(0, len(data), READ_N)])
    all_n = len(messages_of(data))
    record(
        box, folder / "s", meta=a_meta(), on_message=told.take,
        stop=lambda: told.guide.stop() or told.taken_n == all_n,
    )  # fmt: skip
    return load_session(folder / "s"), told.guide, said


@pytest.fixture(scope="module")
def good(micropython: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Guide, list[str]]:
    scenario = replace(Scenario.short(3, 50.0, rest_s=28.0), lead_off=LIFTED)
    return checked(tmp_path_factory.mktemp("check"), scenario, attended=True, trigger=True)


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def pinged(session: Session) -> Session:
    """With pings as a quiet computer has them: the listening host above asks nothing."""
    pings = tuple(Ping(t, int((t + 0.002) * 1e6), 100, t + 0.004) for t in np.arange(0.0, 60.0, 0.97))
    return replace(session, pings=pings)


def test_a_good_box_is_led_through_all_steps_and_passes(good: tuple[Session, Guide, list[str]]) -> None:
    session, guide, said = good
    assert [outcome.state for outcome in guide.outcomes] == [DONE] * 7
    assert [line.split(":")[0] for line in said[:2]] == ["now", "     electrodes on"]
    assert any("take the electrode LA" in line for line in said)
    rows = judge(pinged(session), guide)
    assert [row for row in rows if row.status not in (PASS, NOTE)] == []
    assert passed(rows)
    named = by_name(rows)
    assert named["electrode RA off is seen"].measured == "off: done, back: done"
    assert named["edge jitter"].measured.startswith("none: latched in steps of 12.5 ns")
    assert named["trigger polarity"].measured.endswith("0 falling at the pin")


@pytest.mark.parametrize(("gain", "status"), [(1.0, PASS), (0.2, NOTE), (2.0, NOTE)])
def test_the_height_of_the_r_wave_is_measured_at_the_electrodes(
    good: tuple[Session, Guide, list[str]], gain: float, status: str
) -> None:
    signal = session_signal(good[0])
    row = height(replace(signal, ecg_mv=gain * signal.ecg_mv), find_beats(signal))
    # The simulated R wave is 1 mV over the baseline; the AD8232's corners and the ADC take some per cent.
    assert float(row.measured.split()[0]) == pytest.approx(gain * EcgSettings().r_mv, rel=0.25)
    assert row.status == status


def test_without_pings_the_clock_is_not_called_good(good: tuple[Session, Guide, list[str]]) -> None:
    row = by_name(judge(good[0], good[1]))["clock against the computer's"]
    assert row.status == FAIL
    assert "0 clock pings" in row.measured


def test_a_short_check_says_that_it_cannot_tell_the_drift(good: tuple[Session, Guide, list[str]]) -> None:
    session = pinged(good[0])
    row = by_name(judge(replace(session, pings=session.pings[:12]), good[1]))["clock against the computer's"]
    assert row.status == NOTE
    assert "too short" in row.what_to_do


CHANGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("firmware", {}, {"firmware": "hbc 0.0.1"}),
    ("runs without restart", {"boots_n": 2}, {}),
    ("line to the computer", {"frames_lost_n": 1}, {}),
    ("line to the computer", {"frames_bad_n": 1}, {}),
    ("samples", {"samples_lost_n": 1}, {}),
    ("edge clock against sample clock", {}, {"bracket_half_ns": 10_001}),
    ("trigger edge", {"edges_lost_n": 1}, {}),
    ("box and computer agree", {"beats_us": 3_000}, {}),
    ("samples", {"ecg_us": 1_500}, {}),
]


@pytest.mark.parametrize(
    ("name", "fields", "hello"), CHANGES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_fault_of_a_recording_fails_its_row_alone(
    good: tuple[Session, Guide, list[str]], name: str, fields: dict[str, Any], hello: dict[str, Any]
) -> None:
    session = pinged(good[0])
    if name == "box and computer agree":  # every beat two and a half samples late
        fields = {"beats_us": session.beats_us + 5_000}
    elif "ecg_us" in fields:  # one sample in forty is late
        late_us = np.where(np.arange(session.ecg_us.size) % 40 == 0, 1_500, 0)
        fields = {"ecg_us": session.ecg_us + late_us}
    rows = judge(replace(session, **fields, hello=session.hello._replace(**hello)), good[1])
    assert [row.name for row in rows if row.status == FAIL] == [name]
    assert not passed(rows)
    assert by_name(rows)[name].what_to_do


@pytest.mark.parametrize(("late_n", "status"), [(1, PASS), (2, FAIL)])
def test_one_beat_of_few_that_box_and_computer_place_differently_is_no_fault(
    good: tuple[Session, Guide, list[str]], late_n: int, status: str
) -> None:
    session = pinged(good[0])
    few = session.beats_us[:12].copy()
    few[-late_n:] += 5_000
    row = by_name(judge(replace(session, beats_us=few), good[1]))["box and computer agree"]
    assert row.status == status


HEALTH_CHANGES = [
    ("edge jitter", {"jitter_ns": 1_000_001}),
    ("edge clock holds", {"anchor_error_ns": -20_001}),
    ("slowest turn of its loop", {"loop_max_us": 20_001}),
    ("battery", {"battery_mv": 3_399}),
    ("runs without restart", {"boot_faults_n": 1}),
]


@pytest.mark.parametrize(("name", "fields"), HEALTH_CHANGES, ids=[name for name, _ in HEALTH_CHANGES])
def test_each_fault_of_the_boxs_own_health_fails_its_row_alone(
    good: tuple[Session, Guide, list[str]], name: str, fields: dict[str, int]
) -> None:
    session, guide, _ = good
    worse = Guide((), lambda _: None)
    worse.outcomes = guide.outcomes
    worse.watch = replace(guide.watch, healths=[*guide.watch.healths, guide.watch.healths[-1]._replace(**fields)])
    rows = judge(pinged(session), worse)
    assert [row.name for row in rows if row.status == FAIL] == [name]


def test_a_box_that_stamps_by_software_passes_with_the_jitter_that_it_measured(
    good: tuple[Session, Guide, list[str]],
) -> None:
    session, guide, _ = good
    soft = Guide((), lambda _: None)
    soft.outcomes = guide.outcomes
    soft.watch = replace(guide.watch, healths=[health._replace(jitter_ns=151_000) for health in guide.watch.healths])
    rows = judge(pinged(replace(session, hello=session.hello._replace(bracket_half_ns=160_999))), soft)
    assert passed(rows)
    assert by_name(rows)["edge jitter"].measured == "151.0 us, measured by the box"
    rows = judge(pinged(replace(session, hello=session.hello._replace(bracket_half_ns=161_001))), soft)
    assert [row.name for row in rows if row.status == FAIL] == ["edge clock against sample clock"]


def test_an_electrode_that_is_off_all_the_time_fails_and_names_it(micropython: str, tmp_path: Path) -> None:
    scenario = Scenario(seed=3, duration_s=45.0, lead_off=(LeadOff(0.0, 45.0, "RA"),))
    session, guide, _ = checked(tmp_path, scenario, attended=False, trigger=False)
    assert guide.state_of("electrodes on") == TIMED_OUT
    assert guide.state_of("trigger") == guide.state_of("LA off") == NOT_TRIED
    rows = by_name(judge(pinged(session), guide))
    assert (rows["electrodes"].status, rows["electrodes"].measured) == (FAIL, "RA off")
    assert rows["heart beats"].status == FAIL
    assert rows["ECG is clean"].status == FAIL
    assert rows["trigger edge"].status == rows["electrode LA off is seen"].status == SKIP


def test_a_step_ends_by_its_time_when_the_box_never_sees_it() -> None:
    seconds = 0.0
    said: list[str] = []
    shown: list[str] = []
    guide = Guide(steps_for(5, attended=False, trigger=True), said.append, shown.append, clock=lambda: seconds)
    ended = False
    while not ended:
        ended = guide.stop()
        seconds += 0.5
        assert seconds < 100.0
    assert [outcome.state for outcome in guide.outcomes] == [TIMED_OUT] * 3
    assert "not seen within 20 s" in said[-1]
    assert "electrodes not reported yet" in shown[0]


def test_a_watch_sorts_messages_and_electrodes_have_names() -> None:
    watch = Watch()
    for row, known in (
        (messages.Status, {"leads": messages.LEAD_LA_OFF | messages.LEAD_RA_OFF}),
        (messages.RPeak, {"quality": 127}),
        (messages.RPeak, {"quality": 128}),
        (messages.TriggerEdge, {"level": 1}),
        (messages.Note, {"text": "after a fault: x"}),
    ):
        watch.take(row.make(*values_of(row, **known)))
    assert (watch.beats_n, watch.good_beats_n, watch.edges_n, watch.edge_levels) == (2, 1, 1, [1])
    assert watch.notes == ["after a fault: x"]
    assert off_words(watch.leads) == "LA and RA off"
    assert off_words(0) == "on"


@pytest.fixture
def rows() -> list[Row]:
    return [Row("a <b>", "<= 1", "2", FAIL, "do & see"), Row("c", "", "3", PASS), Row("d", "", "?", SKIP, "try")]


def test_the_report_is_one_file_and_text_stays_text(tmp_path: Path, rows: list[Row]) -> None:
    hello = messages.Hello.make(*values_of(messages.Hello, unique_id="24dc<", board="esp32-ad8232", wire_version=1))
    document = check_document(rows, hello, datetime(2026, 5, 4, tzinfo=UTC), "/dev/x")
    page = write_check(document, tmp_path).read_text("utf-8")
    assert document["result"] == "FAIL"
    assert "FAIL" in page
    assert "a &lt;b&gt;" in page
    assert "24dc&lt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert json.loads((tmp_path / "check.json").read_text())["rows"][0]["what_to_do"] == "do & see"
    assert row_table(rows).row_count == 3

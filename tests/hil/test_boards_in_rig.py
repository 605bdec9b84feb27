"""The same heart and the same edges on each kind of box: the same firmware, other registers, the same result."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.boxes import BOXES
from hbc_hil.demo import score_session
from hbc_hil.rig import Rig, RigOptions
from hbc_hil.scenario import LeadOff, Scenario
from hbc_hil.score import edge_errors
from hbc_hil.world import WIRE_TRIGGER
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.recorder import Log
from hbc_host.session import Session, decode_log
from hbc_host.session_model import SessionMeta
from hbc_wire import messages
from support_rig import HandWorld, messages_of, run_on_chip, run_scenario

CHECKS = Path(__file__).resolve().parent / "device" / "soft_checks.py"
HARDWARE = [name for name, box in BOXES.items() if box.capture == "hardware"]
SOFT = "esp32c3-ad8232"
META = SessionMeta(datetime(2026, 1, 1, tzinfo=UTC), "rig", "dash", (), None, "test", "rig")
Run = tuple[Rig, list[Any], Session]


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """A train of 50 pulses on each board."""
    scenario = Scenario.short(7, 26.0, rest_s=9.0)
    done = {}
    for board in BOXES:
        box, data = run_scenario(scenario, RigOptions(board=board))
        session = decode_log(Log((Chunk(FROM_BOX, 0.0, data),), 0, 0, False), Path("rig"), META)
        done[board] = box, messages_of(data), session
    return done


def of_kind(found: list[Any], row: Any) -> list[Any]:
    return [message for message in found if isinstance(message, row.make)]


@pytest.mark.parametrize("board", BOXES)
def test_each_board_finds_every_beat_and_every_edge_and_says_who_it_is(board: str, runs: dict[str, Run]) -> None:
    box, found, session = runs[board]
    assert session.hello.board == board
    assert [cause for _, cause in box.boots] == [1]
    losses = (session.frames_lost_n, session.frames_bad_n, session.samples_lost_n, session.edges_lost_n)
    assert losses == (0, 0, 0, 0)
    assert session.edges_tick.size == box.world.truth.edges_ns.size == 50
    score = score_session(box, session)
    assert (score.se, score.ppv) == (1.0, 1.0)
    assert score.rms_ms < 2.0
    assert not any(status.leads or status.saturated_n for status in of_kind(found, messages.Status))


@pytest.mark.parametrize("board", BOXES)
def test_an_electrode_off_is_named_and_either_rail_is_seen_on_each_board(board: str) -> None:
    scenario = Scenario(seed=4, duration_s=6.5, lead_off=(LeadOff(1.0, 3.5, "RA"), LeadOff(4.0, 6.5, "LA")))
    _, data = run_scenario(scenario, RigOptions(board=board))
    reports = of_kind(messages_of(data), messages.Status)
    for bit in (messages.LEAD_RA_OFF, messages.LEAD_LA_OFF):
        assert max(status.saturated_n for status in reports if status.leads == bit) > 400


@pytest.mark.parametrize("board", HARDWARE)
def test_hardware_edges_are_exact_on_each_board(board: str, runs: dict[str, Run]) -> None:
    """Interval error at most 25 ns, and against the sample clock within the half-bracket, at most 10 us."""
    box, found, session = runs[board]
    interval_ns, clock_us = edge_errors(box.world.truth.edges_ns, session.edges_tick, box.boot_s)
    assert interval_ns <= 25.0
    assert clock_us <= session.hello.bracket_half_ns * 1e-3 <= 10.0
    assert session.hello.capture_tick_ps == 12500
    assert session.hello.capture.startswith("hardware 12.5 ns")
    assert {health.jitter_ns for health in of_kind(found, messages.Health)} == {0}


def test_the_soft_board_says_so_and_its_edges_are_as_late_as_it_says(runs: dict[str, Run]) -> None:
    box, found, session = runs[SOFT]
    hello = of_kind(found, messages.Hello)[-1]
    assert hello.capture.startswith("software, measured ")
    assert hello.capture_tick_ps == 1_000_000
    jitter_us = max(health.jitter_ns for health in of_kind(found, messages.Health)) * 1e-3
    true_us = (box.world.truth.edges_ns * 1e-9 + box.boot_s) * 1e6
    late_us = session.edges_tick / 80.0 - true_us
    assert late_us.min() > -5.0, "a stamp earlier than its edge"
    assert late_us.max() <= jitter_us + 5.0, "later than the box says"
    assert 50.0 < jitter_us < 2000.0
    assert hello.bracket_half_ns * 1e-3 > late_us.max(), "the bracket does not hold the jitter"


def test_the_electrode_signal_is_the_same_in_millivolts_on_each_board(runs: dict[str, Run]) -> None:
    """Converter range, divider and gain differ; millivolts at the electrodes must not."""
    reference: np.ndarray[Any, np.dtype[np.float64]] | None = None
    for board, (_, _, session) in runs.items():
        hello = session.hello
        mv = (session.ecg_lsb[2000:9000].astype(float) * hello.adc_lsb_nv / hello.gain) * 1e-6
        mv = mv - np.median(mv)
        if reference is None:
            reference = mv
            assert 0.5 < np.ptp(mv) < 3.0
        else:
            assert np.corrcoef(reference, mv)[0, 1] > 0.98, board
            assert np.ptp(mv) == pytest.approx(np.ptp(reference), rel=0.1), board


def pulses(*rows: tuple[int, int]) -> list[tuple[int, int, int]]:
    return [event for start, width in rows for event in ((start, WIRE_TRIGGER, 1), (start + width, WIRE_TRIGGER, 0))]


def test_the_measured_jitter_is_that_of_the_truth(tmp_path: Path) -> None:
    """Edges at random, while a program naps and is stalled for 350 us at a time: measured and true spread agree.

    The measure is the worst of some 200 probes, so that the rarest of 1200 edges may be later still.
    """
    rng = np.random.default_rng(5)
    starts_ns = np.cumsum(rng.integers(8_000_000, 30_000_000, 1200)) + 300_000_000
    world = HandWorld(28.0, events=pulses(*[(int(t), 60_000) for t in starts_ns]))
    options = RigOptions(board=SOFT, stall_us=350, stall_every_us=15_000)
    seen, _, _ = run_on_chip(CHECKS, "jitter", world, tmp_path, options)
    late_us = np.array(seen["edges_us"]) - starts_ns * 1e-3 - 250_000.0
    assert late_us.size == starts_ns.size
    assert late_us.min() > -5.0
    spread_us = late_us.max() - late_us.min()
    assert spread_us > 300.0, "the program was hardly busy: this test shows nothing"
    assert np.mean(late_us > seen["jitter_us"] + 5.0) < 0.02
    assert 0.5 * spread_us <= seen["jitter_us"] <= 1.2 * spread_us, "the measure is not that of the truth"
    assert seen["at_rest_us"] < 60.0 < seen["jitter_us"]


def test_a_full_scheduler_queue_is_counted_and_so_is_a_full_ring(tmp_path: Path) -> None:
    flood = pulses(*[(500_000_000 + k * 1_000_000, 60_000) for k in range(30)])
    seen, box, _ = run_on_chip(CHECKS, "flood", HandWorld(1.0, events=flood), tmp_path, RigOptions(board=SOFT))
    dropped_n = box.report["scheduled_dropped_n"]
    assert dropped_n > 10
    assert seen["taken_n"] < 30
    assert seen["counted_n"] > seen["taken_n"], "edges were dropped and nothing tells of it"
    assert seen["counted_n"] <= 30


def test_callbacks_that_vanish_are_the_faults_of_the_scenario(tmp_path: Path) -> None:
    """Lost without a trace, as no counter knows of them on this chip: the simulator can do that, and counts it."""
    calm = pulses(*[(500_000_000 + k * 20_000_000, 60_000) for k in range(200)])
    options = RigOptions(board=SOFT, drop_callbacks=0.2)
    seen, box, _ = run_on_chip(CHECKS, "calm", HandWorld(5.0, events=calm), tmp_path, options)
    assert 20 <= 200 - seen["taken_n"] <= 60
    assert box.report["scheduled_dropped_n"] >= 200 - seen["taken_n"]


def test_the_leading_edge_can_be_the_falling_one(tmp_path: Path) -> None:
    calm = pulses(*[(500_000_000 + k * 20_000_000, 5_000_000) for k in range(20)])
    seen, _, _ = run_on_chip(CHECKS, "falling", HandWorld(1.5, events=calm), tmp_path, RigOptions(board=SOFT))
    first_us = np.array(seen["edges_us"]) - 250_000.0
    assert first_us.size == 20
    assert np.abs(first_us - (505_000.0 + 20_000.0 * np.arange(20))).max() < 400.0
    assert seen["level"] == 0

"""The real firmware on the simulated chip: exact, counted, repeatable. Free-running, so virtual minutes in seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.demo import score_session
from hbc_hil.rig import Rig, RigOptions
from hbc_hil.scenario import LeadOff, Scenario, SiteScenario
from hbc_hil.score import edge_errors
from hbc_hil.stimulator import PulsePattern
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.recorder import Log
from hbc_host.redetect import blanked_of, redetect
from hbc_host.session import Session, decode_log
from hbc_host.session_model import SessionMeta
from hbc_wire import messages
from support_rig import messages_of, run_scenario

BURSTS = PulsePattern("bursts", 2.0, 4.0, burst_hz=5.0, burst_pulses_n=6, burst_pulse_hz=1000.0)
FLOOD = PulsePattern("flood", 4.5, 6.5, burst_hz=1000.0)
STRESS = PulsePattern("stress", 0.5, 5.5, burst_hz=1000.0)
WRAP_US = 2**30
META = SessionMeta(datetime(2026, 1, 1, tzinfo=UTC), "rig", "dash", (), None, "test", "rig")


def session_of(data: bytes) -> Session:
    return decode_log(Log((Chunk(FROM_BOX, 0.0, data),), 0, 0, False), Path("rig"), META)


def trains_of(pattern: PulsePattern, duration_s: float, *, seed: int = 6, rest_s: float = 8.0) -> Scenario:
    trains_n = int((duration_s - rest_s) // pattern.cycle_s)
    return Scenario(
        seed=seed,
        sites=(SiteScenario("BF3-L"),),
        pattern=pattern,
        intensities_pct=(40.0,) * trains_n,
        rest_first_s=rest_s,
        rest_cycles_n=0,
        duration_s=duration_s,
    )


def of_kind(data: bytes, row: Any) -> list[Any]:
    return [message for message in messages_of(data) if isinstance(message, row.make)]


def assert_peaks_are_replayed(data: bytes, session: Session) -> None:
    """The box's peaks and those detected again from its samples are equal in every field."""
    sent = of_kind(data, messages.RPeak)
    again = redetect(session)
    rows = [(p.peak_us, p.sample_idx, p.sample_frac_q8, p.quality) for p in sent]
    assert rows == again.tolist()[: len(rows)]
    # Peaks of the last blocks may have been found too late to be sent.
    assert len(rows) >= len(again) - 2
    assert [p.peak_n for p in sent] == list(range(len(sent)))


@pytest.fixture(scope="module")
def dash() -> tuple[Rig, bytes, Session]:
    box, data = run_scenario(Scenario.short(7, 45.0, rest_s=10.0))
    return box, data, session_of(data)


def test_an_undisturbed_recording_loses_nothing_and_is_exact(dash: tuple[Rig, bytes, Session]) -> None:
    box, _, session = dash
    counts = (session.frames_lost_n, session.frames_bad_n, session.samples_lost_n, session.edges_lost_n)
    assert counts == (0, 0, 0, 0)
    interval_ns, clock_us = edge_errors(box.world.truth.edges_ns, session.edges_tick, box.boot_s)
    assert interval_ns <= 25.0
    assert clock_us <= session.hello.bracket_half_ns * 1e-3 <= 10.0
    assert np.all(np.diff(session.ecg_idx) == 1)
    assert session.ecg_idx[0] == 0
    assert np.all(np.diff(session.ecg_us) > 0)
    score = score_session(box, session)
    assert (score.se, score.ppv) == (1.0, 1.0)
    assert score.rms_ms < 2.0


def test_peaks_of_the_box_are_found_again_bit_for_bit(dash: tuple[Rig, bytes, Session]) -> None:
    _, data, session = dash
    assert_peaks_are_replayed(data, session)


def test_every_pulse_blanks_the_samples_around_it(dash: tuple[Rig, bytes, Session]) -> None:
    box, _, session = dash
    spoiled_s = session.ecg_s[blanked_of(session)]
    edges_s = session.edges_s
    assert edges_s.size == box.world.truth.edges_ns.size > 90
    for edge_s in edges_s:
        near = (session.ecg_s >= edge_s - 0.004) & (session.ecg_s < edge_s + 0.008)
        assert near.sum() >= 5
        assert np.isin(session.ecg_s[near], spoiled_s).all()
    assert spoiled_s.size <= 7 * edges_s.size


def test_the_replay_sees_the_blanking(dash: tuple[Rig, bytes, Session]) -> None:
    """Break it: without the mask, or with one edge missing, the peaks of the box do not come out."""
    from dataclasses import replace

    _, _, session = dash
    right = redetect(session)
    for wrong in (replace(session, edges_tick=session.edges_tick[:0]), replace(session, ecg_lsb=session.ecg_lsb[::-1])):
        assert redetect(wrong).tolist() != right.tolist()


def test_itbs_and_real_ecg_are_replayed_bit_for_bit() -> None:
    _, data = run_scenario(Scenario.short(8, 30.0, rest_s=8.0, protocol="itbs"))
    assert_peaks_are_replayed(data, session_of(data))
    _, data = run_scenario(Scenario.recording(8, "toy", 30.0))
    assert_peaks_are_replayed(data, session_of(data))


def test_a_slow_processor_counts_every_edge_and_every_sample_that_it_misses() -> None:
    box, data = run_scenario(trains_of(BURSTS, 24.0), RigOptions(cost_scale=10))
    session = session_of(data)
    edges, lost = of_kind(data, messages.TriggerEdge), of_kind(data, messages.Lost)[-1]
    assert box.report["captures_overwritten_n"] > 20, "nothing was overrun: this test shows nothing"
    assert 0 < lost.edges_n <= box.report["captures_overwritten_n"]
    assert len(edges) + lost.edges_n == box.world.truth.edges_ns.size
    assert [edge.edge_n for edge in edges] == list(range(len(edges)))
    assert session.edges_lost_n == lost.edges_n
    # What did arrive is right to the tick, whatever was lost around it.
    true_tick = np.round((box.world.truth.edges_ns + box.boot_s * 1e9) / 12.5)
    nearest = np.abs(session.edges_tick[:, None] - true_tick[None, :]).min(axis=1)
    assert nearest.max() <= 0.08 * session.hello.bracket_half_ns + 1
    status = of_kind(data, messages.Status)[-1]
    missed = session.ecg_missed[session.ecg_idx < status.samples_n]
    assert lost.samples_n == missed.sum() > 100
    assert lost.lost_us == status.status_us
    assert_peaks_are_replayed(data, session)


def test_a_detector_that_is_behind_blanks_with_every_edge_that_touches_its_block() -> None:
    """A slow processor under 1 kHz: half a second of edges is in the log before the block of the first is looked at."""
    box, data = run_scenario(trains_of(STRESS, 27.0), RigOptions(cost_scale=10))
    session = session_of(data)
    assert box.report["captures_overwritten_n"] > 500, "nothing was overrun: this test shows nothing"
    assert max(status.blocks_max_n for status in of_kind(data, messages.Status)) > 8, "the detector was never behind"
    assert_peaks_are_replayed(data, session)


def test_a_flood_of_edges_drops_blocks_and_old_edges_and_all_of_it_is_known() -> None:
    """1000 edges a second are more than the line can carry: both queues run over, and the box says by how much."""
    box, data = run_scenario(trains_of(FLOOD, 28.0, rest_s=6.0))
    session = session_of(data)
    lost = of_kind(data, messages.Lost)[-1]
    edges_n = {edge.edge_n for edge in of_kind(data, messages.TriggerEdge)}
    status = of_kind(data, messages.Status)[-1]
    assert len(edges_n) < status.edges_n, "the edge log never ran over: this test shows nothing"
    assert status.edges_n + lost.edges_n == box.world.truth.edges_ns.size
    assert session.edges_lost_n == box.world.truth.edges_ns.size - len(edges_n)
    jumps = np.diff(session.ecg_idx) - 1
    assert jumps.max() > 0, "no block was dropped: this test shows nothing"
    known = session.ecg_idx < status.samples_n
    assert lost.samples_n == jumps.sum() + session.ecg_missed[known].sum()


def test_blocks_that_were_dropped_restart_detector_and_replay_alike() -> None:
    _, data = run_scenario(trains_of(FLOOD, 28.0, rest_s=6.0, seed=9))
    session = session_of(data)
    jump = np.flatnonzero(np.diff(session.ecg_idx) > 1)
    assert jump.size
    sent = of_kind(data, messages.RPeak)
    again = redetect(session)
    after = [p for p in sent if p.sample_idx > session.ecg_idx[jump[-1] + 1]]
    assert len(after) > 3
    found = set(again.tolist())
    # Edges that never reached the host blanked samples on the box; where they all came, peaks are the same.
    last_hole_us = session.edges_tick[np.flatnonzero(np.diff(session.edge_n) > 1).max() + 1] // 80
    exact = [p for p in after if p.peak_us > last_hole_us + 3_000_000]
    assert exact
    assert all((p.peak_us, p.sample_idx, p.sample_frac_q8, p.quality) in found for p in exact)


def test_ticks_us_may_wrap_in_mid_recording() -> None:
    box, data = run_scenario(Scenario.short(4, 26.0, rest_s=4.0), RigOptions(ticks_at_boot_us=WRAP_US - 5_000_000))
    session = session_of(data)
    assert session.ecg_us[0] < WRAP_US < session.ecg_us[-1]
    assert session.edges_tick[0] < 80 * WRAP_US < session.edges_tick[-1], "the wrap lies within the first train"
    interval_ns, clock_us = edge_errors(box.world.truth.edges_ns, session.edges_tick, box.boot_s)
    assert interval_ns <= 25.0
    assert clock_us <= session.hello.bracket_half_ns * 1e-3
    np.testing.assert_array_equal(np.diff(session.ecg_idx), 1)
    grid_us = session.ecg_us[0] + 2000 * (session.ecg_idx - session.ecg_idx[0])
    assert np.abs(session.ecg_us - grid_us).max() < 2000
    score = score_session(box, session)
    assert (score.se, score.ppv) == (1.0, 1.0)
    assert_peaks_are_replayed(data, session)
    reports_us = [status.status_us for status in of_kind(data, messages.Status)]
    assert np.abs(np.diff(reports_us) - 1_000_000).max() < 20_000


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    runs = [run_scenario(Scenario.short(seed, 20.0, rest_s=3.0))[1] for seed in (21, 21, 22)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_each_electrode_that_falls_off_is_named() -> None:
    lead_off = (LeadOff(3.0, 5.0, "RA"), LeadOff(8.0, 10.0, "LA"))
    box, data = run_scenario(Scenario(seed=2, duration_s=12.0, lead_off=lead_off))
    seen = {0: set(), messages.LEAD_RA_OFF: set(), messages.LEAD_LA_OFF: set()}
    for status in of_kind(data, messages.Status):
        seen[status.leads].add(round(status.status_us * 1e-6 - box.boot_s))
    assert seen[messages.LEAD_RA_OFF] == {3, 4} or seen[messages.LEAD_RA_OFF] == {4, 5}, seen
    assert seen[messages.LEAD_LA_OFF] == {8, 9} or seen[messages.LEAD_LA_OFF] == {9, 10}, seen


def test_the_boot_counter_outlives_the_power(tmp_path: Path) -> None:
    boots = []
    for _ in range(3):
        _, data = run_scenario(Scenario(seed=1, duration_s=2.5), flash=tmp_path)
        boots += [{hello.boot_n for hello in of_kind(data, messages.Hello)}]
        assert not of_kind(data, messages.Note)
    assert boots == [{1}, {2}, {3}]


def test_a_damaged_boot_counter_does_not_keep_the_box_from_starting(tmp_path: Path) -> None:
    (tmp_path / "boot_n.txt").write_bytes(b"\xff\x00rubbish")
    _, data = run_scenario(Scenario(seed=1, duration_s=2.0), flash=tmp_path)
    assert of_kind(data, messages.Hello)[0].boot_n == 1

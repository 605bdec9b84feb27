"""What ``hbc detect`` says about an ECG: intervals, states, quality, and how it agrees with a person's marks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hbc_native
import numpy as np
import pytest
from hbc_host import detection
from hbc_host.detection import Marks, Signal, compare, find_beats, matched, state_durations
from hbc_host.errors import InputError

RATE_HZ = 250.0


def an_ecg(duration_s: float = 30.0, rr_s: float = 0.8, r_mv: float = 1.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """R waves of 24 ms at 0.4 s, 0.4 s + rr_s ..., each with a T wave."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    phase_s = np.remainder(time_s, rr_s) - 0.4
    t_wave_mv = 0.15 * r_mv * np.exp(-(((phase_s - 0.25) / 0.05) ** 2))
    return np.asarray(r_mv * np.exp(-((phase_s / 0.012) ** 2)) + t_wave_mv)


def a_signal(ecg_mv: np.ndarray[Any, np.dtype[np.float64]], **changed: Any) -> Signal:
    n = ecg_mv.size
    signal = Signal("test", ecg_mv, RATE_HZ, np.arange(n) / RATE_HZ, np.zeros(n, np.bool_), ((0, n),))
    return replace(signal, **changed)


def saying(monkeypatch: pytest.MonkeyPatch, states: list[list[int]]) -> None:
    """A detector that finds nothing and reports these states, run by run."""
    turns = iter(states)

    def fake(ecg_mv: Any, rate_hz: float, blanked: Any) -> Any:
        nothing = np.empty(0)
        found = np.array(next(turns), np.uint8)
        return hbc_native.Detection(nothing, nothing.astype(np.uint8), nothing.astype(np.int8), found)

    monkeypatch.setattr(hbc_native, "detect_beats", fake)


def test_beats_carry_time_interval_quality_and_polarity() -> None:
    beats = find_beats(a_signal(an_ecg()))
    assert beats.time_s == pytest.approx(0.4 + 0.8 * np.arange(37), abs=0.002)
    assert beats.position_idx == pytest.approx(beats.time_s * RATE_HZ)
    assert np.isnan(beats.rr_ms[0])
    assert beats.rr_ms[1:] == pytest.approx(800.0, abs=2.0)
    assert beats.mean_hr_bpm == pytest.approx(75.0, abs=0.01)
    assert set(beats.polarity.tolist()) == {1}
    assert not beats.low.any()


def test_an_inverted_lead_has_downward_beats() -> None:
    assert set(find_beats(a_signal(-an_ecg())).polarity.tolist()) == {-1}


def test_times_count_from_where_the_recording_says(monkeypatch: pytest.MonkeyPatch) -> None:
    ecg_mv = an_ecg()
    shifted = find_beats(a_signal(ecg_mv, sample_s=100.25 + np.arange(ecg_mv.size) / RATE_HZ))
    plain = find_beats(a_signal(ecg_mv))
    assert shifted.time_s == pytest.approx(plain.time_s + 100.25)
    assert np.array_equal(shifted.position_idx, plain.position_idx)


def test_no_interval_is_measured_across_missing_samples() -> None:
    ecg_mv = an_ecg()
    ecg_mv[round(10.6 * RATE_HZ) : round(11.0 * RATE_HZ)] = np.nan  # between two beats
    beats = find_beats(a_signal(ecg_mv))
    across = int(np.searchsorted(beats.time_s, 10.8))
    assert np.flatnonzero(np.isnan(beats.rr_ms)).tolist() == [0, across]
    assert beats.mean_hr_bpm == pytest.approx(75.0, abs=0.2)


def test_a_single_beat_has_no_heart_rate() -> None:
    beats = find_beats(a_signal(an_ecg()))
    assert np.isnan(replace(beats, rr_ms=beats.rr_ms[:1]).mean_hr_bpm)


def test_seconds_of_one_state_become_one_span_and_the_last_ends_with_the_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saying(monkeypatch, [[0, 0, 1, 1, 0]])
    beats = find_beats(a_signal(an_ecg(4.6)))
    assert [(span.state, span.start_s, span.end_s) for span in beats.states] == [
        ("good", 0.0, 2.0),
        ("noisy", 2.0, 4.0),
        ("good", 4.0, 4.6),
    ]
    assert state_durations(beats) == pytest.approx({"good": 2.6, "noisy": 2.0})


def test_each_run_has_its_own_seconds_and_what_lies_between_has_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, [[0, 0], [0, 4]])
    beats = find_beats(a_signal(an_ecg(10.0), runs=((0, 375), (1000, 1500))))
    assert [(span.state, span.start_s, span.end_s) for span in beats.states] == [
        ("good", 0.0, 1.5),
        ("good", 4.0, 5.0),
        ("flat", 5.0, 6.0),
    ]


def test_the_detector_begins_anew_at_each_run() -> None:
    ecg_mv = an_ecg(20.0)
    both = find_beats(a_signal(ecg_mv, runs=((0, 2500), (2500, 5000))))
    second = find_beats(a_signal(ecg_mv[2500:]))
    assert np.array_equal(both.position_idx[both.position_idx >= 2500], second.position_idx + 2500)


def test_a_blanked_spike_is_no_beat() -> None:
    ecg_mv = an_ecg()
    at = round(10.4 * RATE_HZ)  # midway between two beats
    ecg_mv[at : at + 3] = 3.0
    blanked = np.zeros(ecg_mv.size, np.bool_)
    assert np.abs(find_beats(a_signal(ecg_mv)).position_idx - at).min() < 4
    blanked[at : at + 3] = True
    assert np.abs(find_beats(a_signal(ecg_mv, blanked=blanked)).position_idx - at).min() > 40


def test_a_rate_outside_the_detectors_range_is_the_users_to_solve() -> None:
    with pytest.raises(InputError, match=r"60 Hz is outside 100\.\.1000 Hz.*resample"):
        find_beats(a_signal(an_ecg(), rate_hz=60.0))


def test_matching_is_one_to_one() -> None:
    found_s, marks_s = np.array([1.00, 1.10, 2.00, 3.0]), np.array([1.02, 2.05, 3.2])
    first, second = matched(found_s, marks_s, 0.15)
    assert (first.tolist(), second.tolist()) == ([0, 2], [0, 1])
    assert matched(np.empty(0), marks_s, 0.15)[0].size == 0


def test_agreement_counts_found_missed_and_extra_and_says_which_way_they_lie() -> None:
    marks_s = np.arange(1.0, 11.0)
    found_s = np.concatenate([marks_s[:8] + 0.012, [8.5]])
    agreement = compare(found_s, Marks(marks_s))
    assert (agreement.marked_n, agreement.matched_n, agreement.extra_n) == (10, 8, 1)
    assert agreement.offset_ms == pytest.approx(12.0)
    assert np.isnan(compare(np.array([0.1]), Marks(marks_s)).offset_ms)


def test_nobody_is_judged_where_nobody_marked() -> None:
    marks_s = np.arange(1.0, 11.0)
    found_s = np.concatenate([marks_s, [4.5, 8.5]])
    agreement = compare(np.sort(found_s), Marks(marks_s, ((3.9, 6.1),)))
    assert (agreement.marked_n, agreement.matched_n, agreement.extra_n) == (7, 7, 1)


def test_true_spans_are_the_stretches_of_a_mask() -> None:
    mask = np.array([1, 1, 0, 0, 1, 0, 1], np.bool_)
    assert list(detection.true_spans(mask)) == [(0, 2), (4, 5), (6, 7)]
    assert list(detection.true_spans(np.zeros(3, np.bool_))) == []

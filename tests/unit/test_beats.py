"""Beats that are no beats, beats that are missing and gaps are found; hearts that answer are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from hbc_host.beats import ECTOPIC, EXTRA, GAP, MISSED, NORMAL, classify_beats
from hbc_host.errors import InputError


def steady_beats_s(count: int = 200, rr_s: float = 0.9, spread_s: float = 0.012, seed: int = 1) -> np.ndarray:
    """Beats with some beat-to-beat spread and a slow wave."""
    rng = np.random.default_rng(seed)
    wave_s = 0.03 * np.sin(2.0 * np.pi * np.arange(count) * 0.23)
    return np.cumsum(rr_s + wave_s + rng.normal(0.0, spread_s, count))


@pytest.mark.parametrize("rr_s", [60.0 / 40.0, 1.0, 60.0 / 140.0])
def test_a_healthy_rhythm_is_kept_almost_whole(rr_s: float) -> None:
    beats = classify_beats(steady_beats_s(400, rr_s, 0.02 * rr_s))
    assert beats.excluded_share < 0.02
    assert np.all(beats.starts_s[1:] == beats.ends_s[:-1])


def test_a_missed_beat_is_split_into_two_excluded_cycles() -> None:
    whole = steady_beats_s()
    beats = classify_beats(np.delete(whole, 100))
    assert beats.kinds[100] == MISSED
    assert beats.rate_bpm.size == whole.size - 1
    assert np.flatnonzero(beats.weights == 0.0).tolist() == [99, 100]


def test_two_missed_beats_in_a_row_are_split_into_three_cycles() -> None:
    whole = steady_beats_s()
    beats = classify_beats(np.delete(whole, [100, 101]))
    assert beats.rate_bpm.size == whole.size - 1
    assert beats.count(MISSED) == 1


def test_an_extra_beat_is_dropped_and_costs_nothing() -> None:
    whole = steady_beats_s()
    beats = classify_beats(np.sort(np.append(whole, whole[100] + 0.4)))
    assert beats.kinds[101] == EXTRA
    assert beats.excluded_share == 0.0
    np.testing.assert_allclose(beats.starts_s, whole[:-1])


def test_an_ectopic_beat_excludes_the_short_and_the_long_interval() -> None:
    whole = steady_beats_s()
    whole[100] -= 0.35
    beats = classify_beats(whole)
    assert beats.kinds[100:102].tolist() == [ECTOPIC, ECTOPIC]
    assert beats.count(NORMAL) == whole.size - 2


def test_a_burst_of_false_beats_at_the_start_is_excluded() -> None:
    whole = steady_beats_s(rr_s=1.3)
    noise_s = np.arange(whole[0] - 6.0, whole[0] - 0.3, 0.45)
    beats = classify_beats(np.concatenate((noise_s, whole)))
    kept = beats.rate_bpm[beats.weights > 0.0]
    assert kept.max() < 60.0
    assert beats.weights[beats.starts_s >= whole[0]].mean() > 0.97


def test_a_gap_is_bridged_by_the_beats_that_fit_and_is_excluded() -> None:
    whole = steady_beats_s()
    inside = (whole > 60.0) & (whole < 80.0)
    beats = classify_beats(whole[~inside], [(60.0, 80.0)])
    assert beats.count(GAP) == 1
    assert beats.rate_bpm.size == pytest.approx(whole.size - 1, abs=1)
    assert beats.share_excluded(62.0, 78.0) == 1.0
    assert beats.share_excluded(100.0, 150.0) < 0.05
    assert beats.in_gap.sum() > 20


def test_beats_inside_a_gap_are_not_trusted() -> None:
    beats = classify_beats(steady_beats_s(), [(60.0, 63.0)])
    assert beats.share_excluded(60.0, 63.0) == 1.0


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_beats_have_no_intervals(count: int) -> None:
    beats = classify_beats(np.arange(count, dtype=float))
    assert beats.rate_bpm.size == 0
    assert beats.excluded_share == 1.0


def test_five_beats_are_enough_not_to_fail() -> None:
    assert classify_beats([0.0, 1.0, 2.0, 3.0, 9.0]).rate_bpm.size >= 4


def test_times_that_go_back_are_refused_with_the_beat() -> None:
    with pytest.raises(InputError, match=r"beat 3 is -0\.500 s after beat 2"):
        classify_beats([0.0, 1.0, 0.5])
    with pytest.raises(InputError, match="finite"):
        classify_beats([0.0, float("inf")])

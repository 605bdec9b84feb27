"""What the demonstration is judged by: pairs of beats, excluded spans, edge errors."""

from __future__ import annotations

import numpy as np
import pytest
from hbc_hil.score import edge_errors, match_beats, outside, score_beats

NONE = np.empty(0)


def scored(truth: np.ndarray, found: np.ndarray, *spans: tuple[float, float]):  # type: ignore[no-untyped-def]
    return score_beats(truth, found, excluded=spans, start_s=0.0, end_s=1000.0, within_s=0.05)


def test_perfect_beats_score_one_and_their_common_delay_is_the_bias() -> None:
    truth = np.arange(1.0, 60.0, 0.8)
    score = scored(truth, truth + 0.003)
    assert (score.se, score.ppv, score.truth_n, score.found_n) == (1.0, 1.0, truth.size, truth.size)
    assert score.rms_ms == pytest.approx(3.0)
    assert score.bias_ms == pytest.approx(3.0)


def test_a_missed_and_an_invented_beat_each_cost_what_they_should() -> None:
    truth = np.arange(1.0, 81.0, 0.8)
    missed = scored(truth, np.delete(truth, 10))
    assert (missed.se, missed.ppv) == (1 - 1 / truth.size, 1.0)
    invented = scored(truth, np.sort(np.append(truth, 30.3)))
    assert (invented.se, invented.ppv) == (1.0, truth.size / (truth.size + 1))


def test_one_beat_cannot_satisfy_two() -> None:
    truth, found = np.array([1.0, 1.04, 3.0]), np.array([1.02, 3.0])
    truth_i, found_i = match_beats(truth, found, 0.05)
    assert len(set(truth_i)) == truth_i.size == len(set(found_i)) == found_i.size == 2
    assert scored(truth, found).se == pytest.approx(2 / 3)


def test_pairs_are_matched_as_by_trying_all() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        truth, found = np.sort(rng.uniform(0, 5, rng.integers(0, 12))), np.sort(rng.uniform(0, 5, rng.integers(0, 12)))
        pairs = []
        for i, t in enumerate(truth):
            for j, f in enumerate(found):
                nearest = abs(t - f) <= min(np.abs(found - t).min(), np.abs(truth - f).min())
                if nearest and abs(t - f) <= 0.05:
                    pairs.append((i, j))
        assert list(zip(*match_beats(truth, found, 0.05), strict=True)) == pairs


def test_beats_within_an_excluded_span_do_not_count_for_or_against() -> None:
    truth = np.arange(1.0, 41.0, 1.0)
    found = np.concatenate((truth[truth < 10], [12.5, 13.5], truth[truth > 20]))
    score = scored(truth, found, (9.5, 20.5))
    assert (score.se, score.ppv) == (1.0, 1.0)
    assert score.truth_n == truth.size - 11
    assert outside(np.array([1.0, 2.0, 3.0]), [(1.5, 2.5)]).tolist() == [True, False, True]


def test_a_pair_is_not_torn_apart_by_the_rim_of_a_span() -> None:
    assert scored(np.array([5.0, 9.99]), np.array([5.0, 10.01]), (10.0, 20.0)).se == 1.0


def test_beats_outside_the_window_do_not_count() -> None:
    truth = np.array([0.5, 1.5, 2.5])
    score = score_beats(truth, NONE, excluded=(), start_s=1.0, end_s=2.0, within_s=0.05)
    assert (score.se, score.truth_n) == (0.0, 1)


def test_no_beats_at_all_give_no_number_instead_of_a_good_one() -> None:
    score = scored(NONE, NONE)
    assert np.isnan(score.se)
    assert np.isnan(score.ppv)
    assert np.isnan(score.rms_ms)
    assert scored(np.array([1.0]), NONE).se == 0.0
    assert scored(NONE, np.array([1.0])).ppv == 0.0


def test_a_common_offset_of_edges_shows_in_the_clock_error_only() -> None:
    truth_ns = np.arange(1, 100, dtype=np.int64) * 100_000_000
    ticks = np.round((truth_ns + 250_000_000 + 2_500) / 12.5).astype(np.int64)
    interval_ns, clock_us = edge_errors(truth_ns, ticks, 0.25)
    assert interval_ns == 0.0
    assert clock_us == pytest.approx(2.5)
    ticks[50] += 3
    interval_ns, clock_us = edge_errors(truth_ns, ticks, 0.25)
    assert interval_ns == pytest.approx(37.5)
    assert clock_us == pytest.approx(2.5375)


def test_a_lost_or_invented_edge_makes_the_errors_infinite() -> None:
    truth_ns = np.arange(1, 10, dtype=np.int64) * 1_000_000
    ticks = np.round(truth_ns / 12.5).astype(np.int64)
    for wrong in (ticks[1:], np.append(ticks, ticks[-1] + 80)):
        assert edge_errors(truth_ns, wrong, 0.0) == (float("inf"), float("inf"))
    assert all(np.isnan(edge_errors(truth_ns[:0], ticks[:0], 0.0)))
    assert edge_errors(truth_ns[:1], ticks[:1], 0.0)[0] == 0.0

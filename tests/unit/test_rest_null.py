"""The band of rest behind a mean response: how far such a mean strays when nothing happens to the heart."""

from __future__ import annotations

import numpy as np
import pytest
from hbc_host.beats import Beats, classify_beats
from hbc_host.response import mean_response, train_changes
from hbc_host.rest_null import rest_null

TRAINS_N, CYCLE_S, REST_S = 15, 16.0, 400.0


def quiet_heart(seed: int, duration_s: float, breathing_s: float = 0.03) -> Beats:
    """Beats of a heart that wanders and breathes, and that nothing happens to."""
    rng = np.random.default_rng(seed)
    rr_s, wander, at_s, phase = [], 0.0, 0.0, rng.uniform(0, 2 * np.pi)
    while at_s < duration_s:
        wander = 0.9 * wander + rng.normal(0, 0.012)
        rr_s.append(0.9 + wander + breathing_s * np.sin(2 * np.pi * 0.23 * at_s + phase))
        at_s += rr_s[-1]
    return classify_beats(np.cumsum(rr_s))


@pytest.mark.parametrize(
    ("breathing_s", "least", "most"),
    [(0.0, 0.84, 0.96), (0.03, 0.9, 1.0)],  # breathing as regular as this averages out better than chance does
    ids=["wandering", "breathing"],
)
def test_the_band_holds_nine_of_ten_means_of_a_heart_without_response(
    breathing_s: float, least: float, most: float
) -> None:
    inside = []
    for seed in range(40):
        beats = quiet_heart(seed, REST_S + TRAINS_N * CYCLE_S + 20.0, breathing_s)
        band = rest_null([(beats, 0.0, REST_S)], after_s=CYCLE_S, trains_n=TRAINS_N)
        mean = mean_response(beats, REST_S + CYCLE_S * np.arange(TRAINS_N), after_s=CYCLE_S)
        assert band is not None
        assert mean is not None
        after = mean.time_s > 0.5
        inside.append(np.mean(np.abs(mean.change_bpm[after]) <= band.half_bpm[after]))
    assert least <= np.mean(inside) <= most


def test_a_band_has_the_times_of_the_response_that_it_stands_behind() -> None:
    beats = quiet_heart(1, REST_S)
    band = rest_null([(beats, 0.0, REST_S)], after_s=CYCLE_S, trains_n=TRAINS_N)
    mean = mean_response(beats, 20.0 + CYCLE_S * np.arange(8), after_s=CYCLE_S)
    assert band is not None
    assert mean is not None
    assert band.time_s == pytest.approx(mean.time_s)
    assert 0.0 < float(band.half_bpm.max()) < 3.0


def test_more_trains_make_it_narrower() -> None:
    rests = [(quiet_heart(1, REST_S), 0.0, REST_S)]
    few = rest_null(rests, after_s=CYCLE_S, trains_n=4)
    many = rest_null(rests, after_s=CYCLE_S, trains_n=16)
    assert few is not None
    assert many is not None
    assert few.half_bpm == pytest.approx(2.0 * many.half_bpm)


def test_stretches_of_rest_add_up_and_too_little_gives_none() -> None:
    beats = quiet_heart(1, REST_S)
    assert rest_null([(beats, 0.0, 50.0)], after_s=CYCLE_S, trains_n=15) is None
    assert rest_null([], after_s=CYCLE_S, trains_n=15) is None
    both = rest_null([(beats, 0.0, 50.0), (beats, 100.0, 150.0)], after_s=CYCLE_S, trains_n=15)
    assert both is not None
    assert both.rest_s == 100.0


def test_a_gap_is_no_rest() -> None:
    rng = np.random.default_rng(1)
    beats = classify_beats(np.cumsum(rng.uniform(0.8, 1.0, 200)), [(0.0, 300.0)])
    assert rest_null([(beats, 0.0, 150.0)], after_s=CYCLE_S, trains_n=15) is None


def test_the_mean_response_is_the_mean_of_the_changes() -> None:
    beats = quiet_heart(3, 200.0)
    onsets_s = 20.0 + CYCLE_S * np.arange(8)
    mean, changes = mean_response(beats, onsets_s, after_s=CYCLE_S), train_changes(beats, onsets_s, after_s=CYCLE_S)
    assert mean is not None
    assert changes is not None
    assert mean.change_bpm == pytest.approx(changes[1].mean(axis=0))
    assert mean.trains_n == changes[1].shape[0]

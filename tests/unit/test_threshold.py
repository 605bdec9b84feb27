"""estimate_threshold finds a threshold that is there, and says so when there is none or none can be told."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import replace

import numpy as np
import pytest
from hbc_host.coupling import fit_run
from hbc_host.errors import InputError, NoTrainsError
from hbc_host.response import Shape
from hbc_host.threshold import FOUND, NONE_FOUND, NOT_DETERMINED, ThresholdResult, estimate_threshold, threshold_of_run
from hbc_host.threshold_notes import (
    ABOVE_LAST_STEP,
    CATCH_RESPONSE,
    DOSE_FOLLOWS_TIME,
    FROM_FIRST_STEP,
    NOT_MONOTONE,
)

TRAIN_S, CYCLE_S, FIRST_S = 5.0, 16.0, 170.0
SHAPE = Shape(1.2, 2.0, 3.0)
LEVELS_PCT = 30.0 + 2.0 * np.arange(15)
#: Ten levels twice: short enough for a test, and still several trains a level.
TEN_PCT = 30.0 + 2.0 * np.arange(10)
TWICE = np.repeat(TEN_PCT, 2)


def onsets(trains_n: int) -> np.ndarray:
    return np.asarray(FIRST_S + CYCLE_S * np.arange(trains_n))


def heart(falls_bpm: np.ndarray, *, noise_bpm: float = 1.0, seed: int = 3) -> np.ndarray:
    """Beats of a heart with breathing and slow noise whose rate falls after each train by the given amount."""
    rng = np.random.default_rng(seed)
    step_s = 0.02
    time_s = np.arange(0.0, onsets(falls_bpm.size)[-1] + CYCLE_S, step_s)
    wander = np.cumsum(rng.standard_normal(time_s.size))
    wander -= np.linspace(wander[0], wander[-1], wander.size)
    breath = np.sin(2.0 * np.pi * 0.24 * time_s + np.cumsum(rng.standard_normal(time_s.size)) * 0.02)
    rate = 65.0 + noise_bpm * (wander / wander.std() + breath)
    for onset_s, fall_bpm in zip(onsets(falls_bpm.size), falls_bpm, strict=True):
        rate -= fall_bpm * SHAPE.fall(time_s - onset_s, TRAIN_S)
    phase = np.cumsum(rate) * step_s / 60.0
    beats_s = np.interp(np.arange(1.0, phase[-1]), phase, time_s)
    return np.asarray(beats_s + rng.normal(0.0, 0.006 * noise_bpm, beats_s.size))


def sigmoid(intensities_pct: np.ndarray, midpoint_pct: float, width_pct: float = 1.0) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp((midpoint_pct - intensities_pct) / width_pct)))


def estimate(beats_s: np.ndarray, intensities_pct: np.ndarray) -> ThresholdResult:
    return estimate_threshold(beats_s, onsets(intensities_pct.size), intensities_pct, train_s=TRAIN_S)


def shuffled(values: np.ndarray, seed: int = 1) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).permutation(values))


@functools.cache
def ramp(seed: int) -> ThresholdResult:
    """A clear response in one ramp of 15 steps; shared, for an estimate takes a quarter of a second."""
    return estimate(heart(6.0 * sigmoid(LEVELS_PCT, 44.0), seed=seed), LEVELS_PCT)


@functools.cache
def silent(seed: int) -> ThresholdResult:
    return estimate(heart(np.zeros(15), seed=seed), LEVELS_PCT)


@pytest.mark.parametrize(
    ("intensities", "midpoint_pct"),
    [(LEVELS_PCT, 35.0), (LEVELS_PCT, 53.0), (TWICE, 40.0), (shuffled(TWICE), 37.0)],
    ids=["early", "late", "two trains a step", "random order"],
)
def test_without_noise_the_threshold_is_exact_to_half_a_step(intensities: np.ndarray, midpoint_pct: float) -> None:
    result = estimate(heart(4.0 * sigmoid(intensities, midpoint_pct), noise_bpm=0.0), intensities)
    assert result.found == FOUND
    assert result.threshold_pct == pytest.approx(midpoint_pct, abs=1.0)
    assert result.ci95_pct[0] <= midpoint_pct <= result.ci95_pct[1]
    assert result.width_steps <= 2.0
    assert result.p_value < 0.05


def test_with_noise_threshold_and_curve_are_right() -> None:
    truth = 6.0 * sigmoid(LEVELS_PCT, 44.0)
    inside = []
    for seed in range(4):
        result = ramp(seed)
        assert result.found == FOUND
        assert result.threshold_pct == pytest.approx(44.0, abs=4.0)
        assert result.ci95_pct[0] < result.threshold_pct < result.ci95_pct[1]
        curve = result.curve
        assert curve is not None
        np.testing.assert_array_equal(curve.intensities_pct, LEVELS_PCT)
        assert np.all((curve.low_bpm >= 0.0) & (curve.low_bpm <= curve.response_bpm))
        assert np.all(curve.response_bpm <= curve.high_bpm)
        inside.append((curve.low_bpm <= truth + 0.1) & (truth - 0.1 <= curve.high_bpm))
    # 60 intervals of 95 %, which are not independent of one another.
    assert np.mean(inside) >= 0.85


def test_a_heart_that_does_not_respond_has_no_threshold() -> None:
    results = [silent(seed) for seed in range(6)]
    none = [result for result in results if result.found == NONE_FOUND]
    assert len(none) >= 4
    assert not any(result.found == FOUND for result in results)
    for result in none:
        assert math.isnan(result.threshold_pct)
        assert math.isnan(result.ci95_pct[0])
        assert math.isnan(result.width_steps)
        assert result.p_value >= 0.05
        assert "no slowing" in result.reasons[0]


def test_a_heart_that_speeds_up_has_no_threshold() -> None:
    result = estimate(heart(-6.0 * sigmoid(LEVELS_PCT, 40.0)), LEVELS_PCT)
    assert result.found == NONE_FOUND
    assert result.p_value > 0.5


def test_a_wide_interval_is_not_determined_and_three_trains_a_step_are_advised() -> None:
    # Seven levels that the rise spans as a whole: there is a response, but hardly a place for it.
    intensities = 30.0 + np.arange(7.0)
    falls = 6.0 * sigmoid(intensities, 33.0, 3.0)
    results = [estimate(heart(falls, noise_bpm=1.5, seed=seed), intensities) for seed in range(4)]
    wide = [result for result in results if result.found == NOT_DETERMINED and result.width_steps > 5.0]
    assert wide
    for result in wide:
        assert 29.0 <= result.threshold_pct <= 37.0
        assert f"{result.width_steps:.1f} steps" in result.reasons[0]
        assert "give 3 trains a step (now 1)" in result.reasons[0]


def test_three_trains_a_step_narrow_the_interval() -> None:
    once = [ramp(seed).width_steps for seed in range(4)]
    thrice = np.repeat(LEVELS_PCT, 3)
    three = [estimate(heart(6.0 * sigmoid(thrice, 44.0), seed=seed), thrice).width_steps for seed in range(2)]
    assert np.median(three) < 0.8 * np.median(once)


def test_only_the_order_of_intensities_places_the_threshold() -> None:
    linear = ramp(1)
    bent_pct = LEVELS_PCT**2 / 20.0
    bent = estimate(heart(6.0 * sigmoid(LEVELS_PCT, 44.0), seed=1), bent_pct)
    step = np.interp(linear.threshold_pct, LEVELS_PCT, np.arange(15))
    assert np.interp(bent.threshold_pct, bent_pct, np.arange(15)) == pytest.approx(step, abs=1e-6)
    assert bent.width_steps == pytest.approx(linear.width_steps)
    assert bent.p_value == linear.p_value


def test_the_unit_of_intensity_and_the_clock_do_not_matter() -> None:
    beats_s = heart(6.0 * sigmoid(LEVELS_PCT, 44.0), seed=1)
    later = estimate_threshold(beats_s + 7000.0, onsets(15) + 7000.0, LEVELS_PCT / 100.0, train_s=TRAIN_S)
    assert later.threshold_pct == pytest.approx(ramp(1).threshold_pct / 100.0, rel=1e-4)
    assert later.found == ramp(1).found


def test_the_same_input_gives_the_same_numbers() -> None:
    first, second = ramp(2), ramp.__wrapped__(2)
    assert replace(first, curve=None) == replace(second, curve=None)
    assert first.curve is not None
    assert second.curve is not None
    for left, right in zip(dataclasses.astuple(first.curve), dataclasses.astuple(second.curve), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_threshold_rises_with_the_intensity_at_which_the_heart_begins_to_slow() -> None:
    found = [estimate(heart(6.0 * sigmoid(TWICE, pct)), TWICE).threshold_pct for pct in (34.0, 39.0, 44.0)]
    assert found[0] < found[1] < found[2]


def test_a_rising_ramp_is_flagged_and_a_shuffled_one_is_not() -> None:
    assert DOSE_FOLLOWS_TIME in ramp(0).flags
    assert any("rank correlation 1.00" in reason for reason in ramp(0).reasons)
    assert DOSE_FOLLOWS_TIME in silent(0).flags
    mixed = shuffled(TWICE)
    assert DOSE_FOLLOWS_TIME not in estimate(heart(6.0 * sigmoid(mixed, 39.0)), mixed).flags


def test_slowing_from_the_very_first_step_on_is_no_threshold() -> None:
    result = estimate(heart(np.full(20, 6.0)), TWICE)
    assert result.found == NOT_DETERMINED
    assert FROM_FIRST_STEP in result.flags
    assert result.ci95_pct[0] == 28.0
    assert any("below 30 %" in reason for reason in result.reasons)
    assert any("may not enclose" in reason for reason in result.reasons)


def test_slowing_that_reaches_no_plateau_is_no_threshold() -> None:
    result = estimate(heart(8.0 * sigmoid(TWICE, 50.0, 4.0), noise_bpm=0.2), TWICE)
    assert result.found == NOT_DETERMINED
    assert ABOVE_LAST_STEP in result.flags
    assert result.ci95_pct[1] == 50.0


def test_a_response_in_a_confined_range_is_flagged_and_its_rise_is_found() -> None:
    rise = sigmoid(LEVELS_PCT, 37.0, 0.5)
    result = estimate(heart(8.0 * rise * (1.0 - sigmoid(LEVELS_PCT, 51.0, 0.5))), LEVELS_PCT)
    assert NOT_MONOTONE in result.flags
    assert result.threshold_pct == pytest.approx(37.0, abs=2.0)
    assert any("lost again" in reason for reason in result.reasons)
    habituating = estimate(heart(8.0 * rise * np.linspace(1.0, 0.5, 15)), LEVELS_PCT)
    assert NOT_MONOTONE not in habituating.flags
    assert habituating.threshold_pct == pytest.approx(37.0, abs=2.0)


def test_catch_trains_are_no_level_and_leave_a_threshold_alone() -> None:
    intensities = shuffled(np.concatenate((TWICE, np.zeros(5))))
    result = estimate(heart(np.where(intensities > 0.0, 6.0 * sigmoid(intensities, 39.0), 0.0)), intensities)
    assert result.found == FOUND
    assert CATCH_RESPONSE not in result.flags
    assert result.curve is not None
    assert result.curve.intensities_pct[0] == 30.0
    assert result.threshold_pct == pytest.approx(39.0, abs=3.0)


def test_slowing_after_catch_trains_too_is_flagged_and_no_threshold() -> None:
    intensities = shuffled(np.concatenate((TWICE, np.zeros(8))))
    result = estimate(heart(3.0 + 4.0 * sigmoid(intensities, 39.0)), intensities)
    assert result.found == NOT_DETERMINED
    assert CATCH_RESPONSE in result.flags
    assert any("without stimulation" in reason for reason in result.reasons)


def test_an_unusable_run_says_why_and_gives_no_numbers() -> None:
    beats_s = heart(5.0 * sigmoid(LEVELS_PCT, 44.0))
    result = estimate_threshold(beats_s, onsets(15), LEVELS_PCT, train_s=TRAIN_S, gaps_s=[(FIRST_S, FIRST_S + 200.0)])
    assert result.found == NOT_DETERMINED
    assert math.isnan(result.threshold_pct)
    assert result.curve is None
    assert any("excluded" in reason for reason in result.reasons)


def test_a_run_that_cannot_tell_gives_no_threshold_and_passes_on_why() -> None:
    run = fit_run(heart(6.0 * sigmoid(TWICE, 39.0)), onsets(20), train_s=TRAIN_S, intensities_pct=TWICE)
    assert threshold_of_run(run, TWICE).found == FOUND
    doubtful = replace(run, result=replace(run.result, verdict="cannot_tell", reasons=("breathing is on the cycle",)))
    result = threshold_of_run(doubtful, TWICE)
    assert result.found == NOT_DETERMINED
    assert "breathing is on the cycle" in result.reasons


def test_where_the_start_is_uncertain_the_likeliest_shift_is_used() -> None:
    late_s = onsets(20) - 3.0
    beats_s = heart(6.0 * sigmoid(TWICE, 39.0))
    run = fit_run(beats_s, late_s, train_s=TRAIN_S, intensities_pct=TWICE, start_uncertainty_s=4.0)
    result = threshold_of_run(run, TWICE)
    assert result.found == FOUND
    assert result.threshold_pct == pytest.approx(39.0, abs=3.0)


def test_a_gap_over_a_train_leaves_the_threshold() -> None:
    gap_s = (FIRST_S + 4 * CYCLE_S, FIRST_S + 5 * CYCLE_S)
    beats_s = heart(6.0 * sigmoid(TWICE, 39.0))
    result = estimate_threshold(beats_s, onsets(20), TWICE, train_s=TRAIN_S, gaps_s=[gap_s])
    assert result.found == FOUND
    assert result.threshold_pct == pytest.approx(39.0, abs=3.0)


def test_without_rest_a_threshold_is_found_too() -> None:
    beats_s = heart(6.0 * sigmoid(TWICE, 39.0))
    result = estimate(beats_s[beats_s > FIRST_S - 5.0], TWICE)
    assert result.found == FOUND
    assert result.threshold_pct == pytest.approx(39.0, abs=3.0)


@pytest.mark.parametrize(
    ("intensities", "message"),
    [
        (LEVELS_PCT[:7], "7 intensities for 15 trains"),
        (np.where(LEVELS_PCT == 40.0, np.nan, LEVELS_PCT), "not a number"),
        (LEVELS_PCT - 31.0, "below 0"),
        (np.full(15, 40.0), "1 different intensities"),
        (np.repeat([0.0, 40.0, 50.0, 60.0, 0.0], 3), "at least 4"),
    ],
)
def test_intensities_that_do_not_fit_are_refused(intensities: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        estimate_threshold(heart(np.zeros(15)), onsets(15), intensities, train_s=TRAIN_S)


def test_no_trains_are_refused() -> None:
    with pytest.raises(NoTrainsError):
        estimate_threshold(heart(np.zeros(15)), np.zeros(0), np.zeros(0), train_s=TRAIN_S)

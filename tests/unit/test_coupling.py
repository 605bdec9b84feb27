"""estimate_coupling finds what is there, says what it cannot, and keeps its promises."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from backgrounds import TrueResponse, warp
from hbc_host.beats import classify_beats
from hbc_host.coupling import CouplingResult, estimate_coupling
from hbc_host.errors import InputError, NoTrainsError
from hbc_host.response import Shape, mean_response
from hbc_host.trains import parse_protocol
from null_worlds import recording

TRAIN_S, CYCLE_S, FIRST_S = 5.0, 16.0, 170.0
ONSETS_S = FIRST_S + CYCLE_S * np.arange(15)
SHAPE = Shape(1.0, 2.0, 3.0)


def heart(
    dip_bpm: float, *, seed: int = 3, rate_bpm: float = 65.0, dose: np.ndarray | None = None, noise_bpm: float = 1.2
) -> np.ndarray:
    """Beats of an integral pulse frequency modulator with breathing, slow noise and a fall after every train."""
    rng = np.random.default_rng(seed)
    step_s = 0.02
    time_s = np.arange(0.0, ONSETS_S[-1] + CYCLE_S, step_s)
    slow = np.cumsum(rng.standard_normal(time_s.size))
    slow -= np.linspace(slow[0], slow[-1], slow.size)
    breath = np.sin(2.0 * np.pi * 0.24 * time_s + np.cumsum(rng.standard_normal(time_s.size)) * 0.02)
    rate = rate_bpm + noise_bpm * (slow / slow.std() + breath)
    amounts = np.ones(ONSETS_S.size) if dose is None else dose
    for onset_s, amount in zip(ONSETS_S, amounts, strict=True):
        rate -= dip_bpm * amount * SHAPE.fall(time_s - onset_s, TRAIN_S)
    phase = np.cumsum(rate) * step_s / 60.0
    beats_s = np.interp(np.arange(1.0, phase[-1]), phase, time_s)
    return np.asarray(beats_s + rng.normal(0.0, 0.003, beats_s.size))


@pytest.mark.parametrize("dip_bpm", [3.0, 6.0])
def test_the_mean_error_of_the_effect_is_below_half_a_bpm(dip_bpm: float) -> None:
    results = [estimate_coupling(heart(dip_bpm, seed=seed), ONSETS_S, train_s=TRAIN_S) for seed in range(8)]
    errors = [result.effect_bpm - dip_bpm for result in results]
    assert abs(np.mean(errors)) < 0.5
    assert all(result.verdict == "coupled" for result in results)
    covered = sum(result.ci95_bpm[0] <= dip_bpm <= result.ci95_bpm[1] for result in results)
    assert covered >= 6


@pytest.mark.parametrize("rate_bpm", [40.0, 65.0, 140.0])
def test_a_clear_response_is_found_at_any_heart_rate(rate_bpm: float) -> None:
    result = estimate_coupling(heart(4.0, rate_bpm=rate_bpm), ONSETS_S, train_s=TRAIN_S)
    assert result.verdict == "coupled"
    assert result.effect_bpm == pytest.approx(4.0, abs=1.5)
    expected_ms = 60e3 / (rate_bpm - 4.0) - 60e3 / rate_bpm
    assert result.effect_ms == pytest.approx(expected_ms, rel=0.5)
    assert result.ci95_ms[0] < result.effect_ms < result.ci95_ms[1]
    assert 0.0 < result.latency_s < 3.0


def test_the_same_input_gives_the_same_numbers() -> None:
    beats_s = heart(1.0)
    assert estimate_coupling(beats_s, ONSETS_S, train_s=TRAIN_S) == estimate_coupling(
        beats_s, ONSETS_S, train_s=TRAIN_S
    )


def test_a_shift_of_the_clock_changes_nothing() -> None:
    beats_s = heart(2.0)
    here = estimate_coupling(beats_s, ONSETS_S, train_s=TRAIN_S)
    later = estimate_coupling(beats_s + 5000.0, ONSETS_S + 5000.0, train_s=TRAIN_S)
    assert later.effect_bpm == pytest.approx(here.effect_bpm, abs=1e-6)
    assert later.p_value == here.p_value


def test_speeding_is_not_coupling_and_is_said() -> None:
    result = estimate_coupling(heart(-4.0), ONSETS_S, train_s=TRAIN_S)
    assert result.verdict == "not_shown"
    assert result.p_value > 0.95
    assert result.effect_bpm < 0.0
    assert any("speeds up" in reason for reason in result.reasons)


def test_ectopic_missed_and_extra_beats_and_a_gap_do_not_hide_a_response() -> None:
    rng = np.random.default_rng(8)
    beats_s = heart(4.0)
    spoilt = beats_s.copy()
    spoilt[rng.choice(np.arange(20, beats_s.size - 20), 12, replace=False)] -= 0.25
    spoilt = np.delete(spoilt, rng.choice(spoilt.size, 8, replace=False))
    spoilt = np.sort(np.append(spoilt, beats_s[40::60] + 0.4))
    spoilt = spoilt[(spoilt < 250.0) | (spoilt > 270.0)]
    spoilt = spoilt[np.concatenate(([True], np.diff(spoilt) > 0.0))]
    result = estimate_coupling(spoilt, ONSETS_S, train_s=TRAIN_S, gaps_s=[(250.0, 270.0)])
    assert result.verdict == "coupled"
    assert result.effect_bpm == pytest.approx(4.0, abs=1.2)
    assert 0.08 < result.excluded_share < 0.4
    assert any("trains left out" in reason for reason in result.reasons)


def test_a_response_that_grows_with_intensity_is_found_by_dose() -> None:
    intensities_pct = 20.0 + 5.0 * np.arange(15)
    dose = (np.arange(15) >= 9).astype(float)
    beats_s = heart(3.0, dose=dose, noise_bpm=2.0, seed=5)
    aware = estimate_coupling(beats_s, ONSETS_S, train_s=TRAIN_S, intensities_pct=intensities_pct)
    blind = estimate_coupling(beats_s, ONSETS_S, train_s=TRAIN_S)
    assert aware.p_value <= blind.p_value
    assert aware.effect_bpm == pytest.approx(3.0 * 6 / 15, abs=0.7)


def test_an_uncertain_start_still_finds_a_shifted_response() -> None:
    beats_s = heart(6.0)
    result = estimate_coupling(beats_s, ONSETS_S - 5.0, train_s=TRAIN_S, start_uncertainty_s=6.0)
    assert result.verdict == "coupled"
    assert result.latency_s == pytest.approx(6.0, abs=2.5)
    assert any("+-6 s" in reason for reason in result.reasons)


@pytest.mark.parametrize("latency_s", [0.6, 3.0])
def test_a_start_known_to_a_fraction_of_a_second_loses_no_latency(latency_s: float) -> None:
    response = TrueResponse(latency_s, 1.5, 3.0, 3.0, 0.0)
    onsets_s = 160.0 + 10.0 * np.arange(20)
    for seed in range(3):
        rest = recording(np.random.default_rng((4, seed)), parse_protocol("itbs"), level=0.3)
        beats_s = warp(rest.beats_s, response, onsets_s, 2.0)
        exact = estimate_coupling(beats_s, onsets_s, train_s=2.0)
        nearly = estimate_coupling(beats_s, onsets_s, train_s=2.0, start_uncertainty_s=0.3)
        assert exact.verdict == nearly.verdict == "coupled"
        assert nearly.effect_bpm == pytest.approx(exact.effect_bpm, abs=0.6)
        assert nearly.latency_s == pytest.approx(latency_s, abs=0.9)


@pytest.mark.parametrize("rest_s", [None, 60.0, (20.0, 140.0), 0.0])
def test_any_amount_of_rest_works(rest_s: float | tuple[float, float] | None) -> None:
    assert estimate_coupling(heart(5.0), ONSETS_S, train_s=TRAIN_S, rest_s=rest_s).verdict == "coupled"


def assert_unusable(result: CouplingResult, reason: str) -> None:
    """The verdict, its reason, and no number that could be mistaken for a result."""
    assert result.verdict == "unusable"
    assert any(reason in text for text in result.reasons), result.reasons
    assert math.isnan(result.effect_bpm)
    assert math.isnan(result.p_value)
    assert math.isnan(result.ci95_ms[0])


def test_too_little_data_is_a_normal_outcome_with_a_reason() -> None:
    beats_s = heart(3.0)
    assert_unusable(estimate_coupling([], ONSETS_S, train_s=TRAIN_S), "0 measured beats in the run, 60 are needed")
    assert_unusable(estimate_coupling(beats_s, ONSETS_S[:3], train_s=TRAIN_S), "3 of 3 trains")
    gaps_s = [(180.0, 350.0)]
    assert_unusable(estimate_coupling(beats_s, ONSETS_S, train_s=TRAIN_S, gaps_s=gaps_s), "% of the run is excluded")
    fast_s = np.arange(0.0, 420.0, 0.3)
    assert_unusable(estimate_coupling(fast_s, ONSETS_S, train_s=TRAIN_S), "mean heart rate of 200 bpm")


def test_beats_without_any_variability_do_not_break_the_numbers() -> None:
    result = estimate_coupling(np.arange(0.0, 420.0, 0.8), ONSETS_S, train_s=TRAIN_S)
    assert result.verdict == "not_shown"
    assert all(not isinstance(value, float) or math.isfinite(value) for value in astuple(result))


def test_impossible_arguments_are_refused_in_one_line() -> None:
    beats_s = heart(0.0)
    with pytest.raises(NoTrainsError, match="no pulse train"):
        estimate_coupling(beats_s, [], train_s=TRAIN_S)
    with pytest.raises(InputError, match="train length of 0 s"):
        estimate_coupling(beats_s, ONSETS_S, train_s=0.0)
    with pytest.raises(InputError, match="2 intensities for 15 trains"):
        estimate_coupling(beats_s, ONSETS_S, train_s=TRAIN_S, intensities_pct=[1.0, 2.0])
    with pytest.raises(InputError, match="increasing"):
        estimate_coupling(beats_s, ONSETS_S[::-1], train_s=TRAIN_S)
    with pytest.raises(InputError, match="start uncertainty"):
        estimate_coupling(beats_s, ONSETS_S, train_s=TRAIN_S, start_uncertainty_s=-1.0)


def test_the_mean_response_shows_the_fall() -> None:
    response = mean_response(classify_beats(heart(5.0)), ONSETS_S, after_s=CYCLE_S)
    assert response is not None
    assert response.trains_n == 15
    lowest = int(np.argmin(response.change_bpm))
    assert response.time_s[lowest] == pytest.approx(6.0, abs=1.5)
    assert response.change_bpm[lowest] == pytest.approx(-5.0, abs=1.5)
    assert np.all(response.low_bpm <= response.change_bpm)
    assert mean_response(classify_beats(heart(5.0)), ONSETS_S[:2], after_s=CYCLE_S) is None

"""The parts of the threshold agree with brute force: levels, dose responses, evidence, products, rank correlation."""

from __future__ import annotations

import numpy as np
import pytest
from hbc_host.threshold_grid import CELLS_PER_STEP_N, CONFINED_PRIOR, dose_grid, find_levels
from hbc_host.threshold_model import Posterior, _half_normal, _products, _quadratic
from hbc_host.threshold_notes import FROM_FIRST_STEP, Note, against, time_correlation
from scipy.integrate import quad
from scipy.stats import norm, spearmanr


def test_levels_are_numbered_from_one_and_catch_trains_are_zero() -> None:
    levels = find_levels([50.0, 0.0, 20.0, 30.0, 20.0, 35.0], 6)
    np.testing.assert_array_equal(levels.intensities_pct, [20.0, 30.0, 35.0, 50.0])
    np.testing.assert_array_equal(levels.of_train, [4, 0, 1, 2, 1, 3])
    assert levels.trains_per_level_n == 1.25


def test_intensities_are_interpolated_between_levels_and_end_a_step_outside() -> None:
    levels = find_levels([5.0, 20.0, 35.0, 40.0], 4)
    assert [levels.intensity_pct(step) for step in (1.0, 1.5, 3.0, 4.0)] == [5.0, 12.5, 35.0, 40.0]
    assert levels.intensity_pct(0.0) == 0.0
    assert levels.intensity_pct(5.0) == 45.0


@pytest.mark.parametrize("levels_n", [4, 5, 15, 45])
def test_every_dose_response_is_a_share_and_the_prior_is_one(levels_n: int) -> None:
    grid = dose_grid(levels_n)
    assert grid.dose.min() >= 0.0
    assert grid.dose.max() <= 1.0 + 1e-12
    assert np.exp(grid.log_prior).sum() == pytest.approx(1.0, abs=CONFINED_PRIOR + 1e-9)
    np.testing.assert_allclose(grid.cells.sum(axis=1), 1.0)
    assert np.all(np.diff(grid.dose[~grid.confined], axis=1) >= 0.0)
    confined = grid.dose[grid.confined]
    assert np.all(confined[:, -1] < 0.5)
    assert grid.edges_steps[-1] == levels_n + 1.0


def test_half_the_plateau_lies_at_the_midpoint_cell() -> None:
    grid = dose_grid(15)
    levels = np.arange(1.0, 16.0)
    for dose, cells in zip(grid.dose[~grid.confined], grid.cells[~grid.confined], strict=True):
        middle = (np.argmax(cells) + 0.5) / CELLS_PER_STEP_N
        assert np.all(dose[levels > middle] >= 0.5)
        assert np.all(dose[levels < middle] <= 0.5)


def test_the_evidence_is_the_integral_over_the_half_normal_prior() -> None:
    for fall, se in ((2.0, 1.0), (-1.0, 0.7), (0.3, 3.0)):
        log_bayes, _, _ = _half_normal(np.array([fall]), np.array([se]))
        top = quad(lambda a, f=fall, s=se: 2.0 * norm.pdf(a, 0.0, 4.0) * norm.pdf(f, a, s), 0.0, 60.0, epsabs=1e-12)[0]
        assert log_bayes[0] == pytest.approx(np.log(top / norm.pdf(fall, 0.0, se)), abs=1e-6)


def test_products_of_spectra_are_products_of_filtered_series() -> None:
    rng = np.random.default_rng(5)
    row, signals = rng.standard_normal((1, 200)), rng.standard_normal((2, 3, 200))
    filter_ = np.array([1.0, -0.7, 0.2, 0.1])
    gram, overlap = _products(row, signals, filter_)
    white = np.array([[np.convolve(signal, filter_) for signal in shape] for shape in signals])
    np.testing.assert_allclose(gram, white @ white.transpose(0, 2, 1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(overlap, white @ np.convolve(row[0], filter_), rtol=1e-9, atol=1e-9)
    dose = rng.uniform(size=(4, 3))
    np.testing.assert_allclose(_quadratic(gram, dose), np.einsum("ki,sij,kj->sk", dose, gram, dose))


def test_quantiles_of_a_single_cell_lie_in_it_and_open_ends_are_a_step_outside() -> None:
    grid = dose_grid(15)
    weights = np.zeros((1, 1, grid.log_prior.size))
    nothing = np.zeros_like(weights)
    weights[0, 0, 30] = 1.0
    inside = Posterior(grid, weights, nothing, nothing, float("nan"), float("nan"))
    low, high = inside.interval_steps()
    assert 29 / CELLS_PER_STEP_N < low < inside.quantile_step(0.5) < high < 32 / CELLS_PER_STEP_N
    assert 1.0 < (high - low) * CELLS_PER_STEP_N < 2.0
    spread = np.zeros_like(weights)
    spread[0, 0, [1, 62]] = 0.5
    outside = Posterior(grid, spread, nothing, nothing, float("nan"), float("nan"))
    assert outside.interval_steps() == (0.0, 16.0)
    assert outside.outside_shares == (0.5, 0.5)


def test_the_rank_correlation_is_spearmans_and_leaves_catch_trains_out() -> None:
    rng = np.random.default_rng(2)
    intensities = np.repeat([20.0, 30.0, 40.0, 50.0], 5)
    mixed = rng.permutation(intensities)
    onsets_s = 10.0 * np.arange(20.0)
    assert time_correlation(find_levels(intensities, 20), onsets_s) == pytest.approx(
        spearmanr(intensities, onsets_s).statistic
    )
    assert time_correlation(find_levels(mixed, 20), onsets_s) == pytest.approx(spearmanr(mixed, onsets_s).statistic)
    with_catch = np.concatenate((mixed, np.zeros(4)))
    late_s = np.concatenate((onsets_s, 1000.0 + 10.0 * np.arange(4.0)))
    assert time_correlation(find_levels(with_catch, 24), late_s) == pytest.approx(spearmanr(mixed, onsets_s).statistic)


@pytest.mark.parametrize(("trains_n", "advice"), [(1, "give 3 trains a step (now 1)"), (3, "with more than 3 trains")])
def test_the_advice_for_a_wide_interval_knows_how_many_trains_were_given(trains_n: int, advice: str) -> None:
    levels = find_levels(np.repeat([20.0, 30.0, 40.0, 50.0, 60.0], trains_n), 5 * trains_n)
    (reason,) = against(levels, (), 5.4)
    assert "spans 5.4 steps, at most 5 may be" in reason
    assert advice in reason
    assert against(levels, (), 5.0) == ()
    assert len(against(levels, (Note(FROM_FIRST_STEP, ""),), 5.4)) == 2

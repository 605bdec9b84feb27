"""The arithmetic under the estimator, against the slow way of doing the same."""

from __future__ import annotations

import numpy as np
import pytest
from hbc_host import noise
from hbc_host.blocks import Block
from hbc_host.evidence import evidence


def test_sums_of_products_at_lags_are_those_of_the_definition() -> None:
    series = np.random.default_rng(1).standard_normal((3, 101))
    found = noise.autocovariance(series, 7)
    for lag in range(8):
        expected = np.sum(series[:, : 101 - lag] * series[:, lag:], axis=1)
        assert found[:, lag] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("samples_n", [7, 97, 290, 331])
def test_a_transform_is_long_enough_and_no_longer_than_a_quarter_more(samples_n: int) -> None:
    n = noise.transform_n(samples_n, 36)
    assert samples_n + 36 <= n <= 1.25 * (samples_n + 36)


def test_levinson_solves_the_yule_walker_equations() -> None:
    covariance = noise.autocovariance(np.random.default_rng(2).standard_normal((2, 400)).cumsum(axis=1), 5)
    filters, variance = noise.levinson(covariance)
    for row in range(2):
        toeplitz = covariance[row][np.abs(np.subtract.outer(np.arange(5), np.arange(5)))]
        solved = np.linalg.solve(toeplitz, -covariance[row, 1:])
        assert filters[row, 1:] == pytest.approx(solved, rel=1e-6, abs=1e-9)
        assert variance[row] == pytest.approx(covariance[row] @ filters[row], rel=1e-9)


def test_surrogates_have_the_spectrum_they_were_asked_for() -> None:
    filter_ = np.array([1.0, -1.2, 0.6])
    rows = noise.surrogates(filter_, 400, 200, 0)
    found = noise.autocovariance(rows, 3).mean(axis=0) / 200.0
    impulse = np.zeros(400)
    impulse[0] = 1.0
    for at in range(1, 400):
        impulse[at] = -filter_[1] * impulse[at - 1] - (filter_[2] * impulse[at - 2] if at > 1 else 0.0)
    expected = np.array([impulse[: 400 - lag] @ impulse[lag:] for lag in range(4)])
    assert found == pytest.approx(expected, rel=0.05, abs=0.1)


def test_a_known_response_in_noise_is_fitted_without_bias() -> None:
    count = 240
    block = Block(np.ones(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_), np.ones((count, 1)), np.ones(count))
    signal = block.scaled(-np.maximum(np.sin(np.arange(count) / 3.0), 0.0)[None, :])
    rows = block.scaled(2.0 * signal + noise.surrogates(np.array([1.0, -0.7]), 300, count, 9))
    fit = evidence(rows, None, signal, block.dof)
    assert fit.fall_bpm.mean() == pytest.approx(2.0, abs=0.1)
    # Noise fitted to what the best response leaves is too calm; the bootstrap of the estimator pays for that.
    assert 1.0 < np.std((fit.fall_bpm - 2.0) / fit.se_bpm) < 1.4
    assert np.mean(fit.slowing > fit.speeding) > 0.99


def test_rest_of_another_state_mispredicts_the_run_and_rest_of_the_same_does_not() -> None:
    slow, fast = np.array([1.0, -0.8]), np.array([1.0, 0.8])
    run = noise.surrogates(slow, 1, 280, 3)
    same = [noise.mismatch(run, 5.0 * noise.surrogates(slow, 1, 180, stream), 12) for stream in range(4, 12)]
    assert max(same) < 0.28
    assert noise.mismatch(run, noise.surrogates(fast, 1, 180, 4), 12) > 1.0

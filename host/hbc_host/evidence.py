"""Evidence for a train-locked response in autoregressive noise, for the run and for its surrogates alike.

The same few matrix products treat the recorded run (one row) and hundreds of surrogates (rows), so that everything
that is done to the data, noise refit included, is inside the calibrated p-value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import noise
from hbc_host.bayes import log_bayes, log_mean_shares
from hbc_host.blocks import Block

FloatArray = npt.NDArray[np.float64]

#: One-sided level of the verdict; the 90 % interval agrees with it.
ALPHA = 0.05
#: Memory of the noise in surrogates in beats, where the run is long enough. A Mayer wave (0.1 Hz) that stays on the
#: cycle frequency of iTBS needs this much: with 16 beats 12 % of simulated null runs were positive, with 36 beats 7 %.
ORDER_MAX = 36
#: Memory of the noise by which responses are weighed, in data and surrogates alike: a short one learns less of the
#: response. In restless real hearts .46 of Dash dips of 2 bpm were found with 36, .49 with 10, .48 with 14 and 16;
#: 16 leaves the intervals of published recordings narrower than 14.
TEST_ORDER = 16
ORDER_PER_BEATS = 5
SURROGATES_N = 399
#: Rows whose evidence is weighed at a time.
PART_N = 32
#: Rest whose noise predicts the run this much worse than the run's own (log of variance, order 12) was recorded in
#: another state and is not used: with it 10 % of simulated Dash runs after stale rest were positive (seeds 1 and 101,
#: 140 runs). Without a change of state 95 % of simulated runs are below 0.21; of real ones a fifth is above the limit.
STALE_ORDER, STALE_MAX = 12, 0.28
#: Odds of a response before the data, for :func:`null_residual` only. With 0.01 simulated power is 0.03 lower.
PRIOR_ODDS = 1.0


@dataclass(frozen=True)
class Fit:
    """What the rows say about each of k regressors: fall in bpm, its standard error, weight and log evidence.

    ``fall_bpm``, ``se_bpm``, ``weights`` are (rows, k), the weights for the likelier direction; ``slowing``,
    ``speeding`` (rows,) are log Bayes factors against no response; ``filters`` (rows, order + 1), ``sigma_bpm``
    (rows,) describe the noise.
    """

    fall_bpm: FloatArray
    se_bpm: FloatArray
    weights: FloatArray
    slowing: FloatArray
    speeding: FloatArray
    filters: FloatArray
    sigma_bpm: FloatArray


def order_for(beats_n: int) -> int:
    """Memory of the noise model for a run of this many beats."""
    return min(ORDER_MAX, beats_n // ORDER_PER_BEATS)


def fit_noise(run: FloatArray, rest: FloatArray | None) -> FloatArray:
    """Prediction-error filters (rows, order + 1) from run and, scaled to the same variance, rest.

    ``rest`` may have one row for all rows of the run.
    """
    order = order_for(run.shape[1])
    at_rest = None if rest is None else noise.autocovariance(rest, order) / rest.shape[1]
    return _filters(noise.autocovariance(run, order), run.shape[1], at_rest, 0 if rest is None else rest.shape[1])


def _filters(covariance: FloatArray, run_n: int, at_rest: FloatArray | None, rest_n: int) -> FloatArray:
    """Filters from sums of products of the run and mean products at rest."""
    total = covariance.copy()
    if at_rest is not None:
        size = covariance[:, 0] / run_n / np.maximum(at_rest[:, 0], 1e-12)
        total += at_rest * (rest_n * size)[:, None]
    return noise.levinson(total + noise.ridge(total))[0]


def is_stale(fit: Fit, run: FloatArray, rest: FloatArray, signals: FloatArray) -> bool:
    """Was rest recorded in another state than the run (1, n), less its fitted response?"""
    residual = run - (fit.weights * fit.fall_bpm) @ signals
    return noise.mismatch(residual, rest, STALE_ORDER) > STALE_MAX


class _Rows:
    """Rows and signals with everything about them that does not depend on the noise.

    Transforms are kept as real and imaginary parts: products of real matrices cost half of those of complex ones.
    """

    def __init__(self, run: FloatArray, rest: FloatArray | None, signals: FloatArray, dof: int) -> None:
        self.run_n, self.rest_n, self.dof = run.shape[1], 0 if rest is None else rest.shape[1], dof
        order = min(TEST_ORDER, order_for(self.run_n))
        n = noise.transform_n(self.run_n, order)
        self.waves = noise.lag_waves(n, order)
        self.rows, self.signals = _parts(run, n), _parts(signals, n)
        self.covariance = _power(*self.rows) @ self.waves
        self.signal_covariance = _power(*self.signals) @ self.waves
        self.at_rest = None if rest is None else noise.autocovariance(rest, order) / self.rest_n

    def fit(self, without: FloatArray | None, stretch: float = 1.0) -> Fit:
        """Fit the noise of the rows, less ``without`` (rows, k) times the signals, and weigh the evidence."""
        covariance = self.covariance
        if without is not None:
            left = (row - without @ signal for row, signal in zip(self.rows, self.signals, strict=True))
            covariance = _power(*left) @ self.waves
        filters = _filters(covariance, self.run_n, self.at_rest, self.rest_n)
        products = noise.filter_products(filters)
        information = np.maximum(products @ self.signal_covariance.T, 1e-12)
        energy = np.einsum("rl,rl->r", products, self.covariance)
        gain = products @ self.waves.T
        real, imaginary = ((row * gain) @ signal.T for row, signal in zip(self.rows, self.signals, strict=True))
        overlap = real + imaginary
        # In parts that stay in the cache of the processor; rows do not depend on each other.
        parts = [
            _weigh(
                overlap[at : at + PART_N], information[at : at + PART_N], energy[at : at + PART_N], self.dof, stretch
            )
            for at in range(0, overlap.shape[0], PART_N)
        ]
        fall, se, weights, slowing, speeding, sigma = map(np.concatenate, zip(*parts, strict=True))
        return Fit(fall, se, weights, slowing, speeding, filters, sigma)


def _parts(series: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Real and imaginary part of the n-point transform of each row."""
    transform = np.fft.rfft(series, n, axis=1)
    return np.ascontiguousarray(transform.real), np.ascontiguousarray(transform.imag)


def _power(real: FloatArray, imaginary: FloatArray) -> FloatArray:
    return np.asarray(real**2 + imaginary**2)


def _weigh(
    overlap: FloatArray, information: FloatArray, energy: FloatArray, dof: int, stretch: float
) -> tuple[FloatArray, ...]:
    """Fall, standard error, weights (rows, k), evidence of slowing and of speeding, size of the noise (rows,)."""
    explained = np.max(overlap**2 / information, axis=1)
    variance = np.maximum((energy - explained) / dof, 1e-9)
    fall, se = overlap / information, np.sqrt(variance[:, None] / information)
    fall *= stretch
    slow, fast = log_bayes(fall, se)
    (slowing, slow_shares), (speeding, fast_shares) = log_mean_shares(slow), log_mean_shares(fast)
    weights = np.where((slowing > speeding)[:, None], slow_shares, fast_shares)
    weights /= weights.sum(axis=1, keepdims=True)
    return fall, se, weights, slowing, speeding, np.sqrt(variance)


def fit_rows(run: FloatArray, rest: FloatArray | None, signals: FloatArray, dof: int) -> Fit:
    """Fit the noise of each row, then each signal alone by generalised least squares, and weigh the evidence.

    Parameters
    ----------
    run : array (rows, n)
        Heart rate during the run after :meth:`Block.scaled`, bpm.
    rest : array (rows or 1, m) or None
        The same at rest.
    signals : array (k, n)
        Regressors after the same treatment, for a largest fall of 1 bpm (so they are mostly negative).
    dof : int
        Degrees of freedom of the run.
    """
    return _Rows(run, rest, signals, dof).fit(None)


def evidence(run: FloatArray, rest: FloatArray | None, signals: FloatArray, dof: int, stretch: float = 1.0) -> Fit:
    """Both fits, for data, surrogates and data less a supposed response: what test and interval stand on.

    The falls of the second fit are multiplied by ``stretch`` (:func:`hbc_host.peaks.caution`).
    """
    rows = _Rows(run, rest, signals, dof)
    first = rows.fit(None)
    return rows.fit(first.weights * first.fall_bpm, stretch)


def null_residual(fit: Fit, run: FloatArray, signals: FloatArray) -> FloatArray:
    """The run (1, n) less its response times the probability that there is one: what surrogates are made after.

    Taking the response out for certain makes surrogates too calm, as the best of many shapes takes noise with it;
    leaving a large one in makes them so restless that it hides itself.
    """
    odds = PRIOR_ODDS * np.exp(np.minimum(np.logaddexp(fit.slowing, fit.speeding), 50.0)) / 2.0
    share = odds / (1.0 + odds)
    return np.asarray(run - (share[:, None] * fit.weights * fit.fall_bpm) @ signals)


def surrogate_rows(
    filter_: FloatArray, sigma_bpm: float, run: Block, rest: Block | None, rows_n: int = SURROGATES_N
) -> tuple[FloatArray, FloatArray | None]:
    """Rows without any response from noise of a filter (order + 1,), scaled bpm, repaired like the data."""
    run_rows = run.repair(sigma_bpm * noise.surrogates(filter_, rows_n, run.beats_n, 0))
    if rest is None:
        return run_rows, None
    return run_rows, rest.repair(sigma_bpm * noise.surrogates(filter_, rows_n, rest.beats_n, 1))


def p_value(fit: Fit, null: Fit) -> float:
    """One-sided p of slowing in a one-row fit against surrogate rows.

    Turning a surrogate upside down swaps slowing and speeding, so every row counts for both signs and the null
    distribution is exactly symmetric. Where speeding explains the run better, p is above 0.5.
    """
    slowing, speeding = float(fit.slowing[0]), float(fit.speeding[0])
    either = np.maximum(null.slowing, null.speeding)
    tail = (1.0 + np.count_nonzero(either >= max(slowing, speeding))) / (2.0 * (1.0 + either.size))
    return float(tail if slowing > speeding else 1.0 - tail)


def critical(null: Fit, alpha: float) -> float:
    """Evidence that :func:`p_value` calls below ``alpha`` when it is exceeded."""
    either = np.sort(np.maximum(null.slowing, null.speeding))
    rank = math.ceil(2.0 * alpha * (1 + either.size) - 1.0 - 1e-9)
    return float(either[-rank])


def inflation(null: Fit) -> float:
    """Factor by which standard errors are too small, from the surrogates' own fits; at least 1."""
    return max(1.0, float(np.median(np.std(null.fall_bpm / null.se_bpm, axis=0))))

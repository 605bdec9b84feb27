"""Evidence for a train-locked response in autoregressive noise, for the run and for its surrogates alike.

The same few matrix products treat the recorded run (one row) and a thousand surrogates (rows), so that everything
that is done to the data, noise refit included, is inside the calibrated p-value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import noise

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Memory of the noise in beats. 16 beats hold two breaths and a Mayer wave at 60 bpm.
ORDER = 16
SURROGATES_N = 999
#: Scale of the half-normal prior on the fall, bpm: most published responses are of one to a few bpm.
PRIOR_BPM = 3.0


@dataclass(frozen=True)
class Block:
    """A stretch of consecutive heart cycles and the linear repair that data, regressors and surrogates all get.

    ``measured`` and ``in_gap`` are (n,); ``smooth`` (n, q) are slow regressors that are projected out.
    """

    measured: BoolArray
    in_gap: BoolArray
    smooth: FloatArray

    @property
    def beats_n(self) -> int:
        """Number of heart cycles."""
        return int(self.measured.size)

    @property
    def dof(self) -> int:
        """Measured heart cycles less what the slow regressors take."""
        return int(np.count_nonzero(self.measured)) - int(self.smooth.shape[1])

    def repair(self, rows: FloatArray) -> FloatArray:
        """Bridge excluded cycles linearly, project out what is slow, silence gaps; shape (rows, n) in and out."""
        index = np.arange(self.beats_n)
        good = index[self.measured]
        bad = index[~self.measured]
        filled = rows.copy()
        if bad.size:
            right = np.clip(np.searchsorted(good, bad), 0, good.size - 1)
            left = np.clip(right - (good[right] > bad), 0, good.size - 1)
            span = np.maximum(good[right] - good[left], 1)
            part = np.clip((bad - good[left]) / span, 0.0, 1.0)
            filled[:, bad] = (1.0 - part) * filled[:, good[left]] + part * filled[:, good[right]]
        keep = ~self.in_gap
        coefficients = filled[:, keep] @ np.linalg.pinv(self.smooth[keep]).T
        filled -= coefficients @ self.smooth.T
        filled[:, self.in_gap] = 0.0
        return np.asarray(filled)


@dataclass(frozen=True)
class Fit:
    """What the rows say about each of k regressors: fall in bpm, its standard error, weight and log evidence.

    ``fall_bpm``, ``se_bpm``, ``weights`` are (rows, k); ``slowing``, ``speeding`` (rows,) are log Bayes factors
    against no response; ``filters`` (rows, order + 1), ``sigma_bpm`` (rows,) describe the noise.
    """

    fall_bpm: FloatArray
    se_bpm: FloatArray
    weights: FloatArray
    slowing: FloatArray
    speeding: FloatArray
    filters: FloatArray
    sigma_bpm: FloatArray


def _fit_noise(run: FloatArray, rest: FloatArray | None) -> FloatArray:
    """Prediction-error filters (rows, order + 1) from run and, scaled to the same variance, rest."""
    covariance = noise.autocovariance(run, ORDER)
    if rest is not None:
        rest_covariance = noise.autocovariance(rest, ORDER)
        scale = covariance[:, 0] / run.shape[1] / np.maximum(rest_covariance[:, 0] / rest.shape[1], 1e-12)
        covariance = covariance + rest_covariance * scale[:, None]
    covariance[:, 0] = covariance[:, 0] * (1.0 + 1e-6) + 1e-9
    return noise.levinson(covariance)[0]


def _lag_products(filters: FloatArray) -> FloatArray:
    """Autocorrelation of each filter with lags above zero counted twice, (rows, order + 1)."""
    products = noise.autocovariance(filters, ORDER)
    products[:, 1:] *= 2.0
    return products


def _log_mean(values: FloatArray) -> FloatArray:
    top = values.max(axis=1, keepdims=True)
    return np.asarray(top[:, 0] + np.log(np.exp(values - top).mean(axis=1)))


def _evaluate(run: FloatArray, signals: FloatArray, signal_cov: FloatArray, filters: FloatArray, dof: int) -> Fit:
    """Generalised least squares of each row on each signal alone, and the evidence that follows."""
    from scipy.special import log_ndtr  # costs 0.3 s to import, so only when a run is analysed

    products = _lag_products(filters)
    n = noise.transform_n(run.shape[1])
    whitened_twice = np.fft.irfft(np.fft.rfft(run, n, axis=1) * noise.inverse_spectrum(filters, n), n, axis=1)
    overlap = whitened_twice[:, : run.shape[1]] @ signals.T
    information = np.maximum(products @ signal_cov.T, 1e-12)
    energy = np.sum(products * noise.autocovariance(run, ORDER), axis=1)
    fall = overlap / information
    explained = overlap**2 / information
    likelihood = explained - explained.max(axis=1, keepdims=True)
    variance = (energy - explained.max(axis=1)) / dof
    variance = np.maximum(variance, 1e-9)
    weights = np.exp(likelihood / (2.0 * variance[:, None]))
    weights /= weights.sum(axis=1, keepdims=True)
    se = np.sqrt(variance[:, None] / information)
    shrink = PRIOR_BPM**2 / (PRIOR_BPM**2 + se**2)
    z = fall / se
    even = np.log(2.0) + 0.5 * np.log1p(-shrink) + 0.5 * z**2 * shrink
    arm = z * np.sqrt(shrink)
    return Fit(
        fall, se, weights, _log_mean(even + log_ndtr(arm)), _log_mean(even + log_ndtr(-arm)), filters,
        np.sqrt(variance),
    )


def fit_rows(run: FloatArray, rest: FloatArray | None, signals: FloatArray, dof: int) -> Fit:
    """Fit noise and responses to repaired rows.

    The noise is fitted twice: to the rows as they are, then to what the mean fitted response leaves.

    Parameters
    ----------
    run : array (rows, n)
        Heart rate during the run after :meth:`Block.repair`, bpm.
    rest : array (rows, m) or None
        The same at rest.
    signals : array (k, n)
        Regressors after the same repair; 1 = a fall of 1 bpm, so entries are mostly negative.
    dof : int
        Degrees of freedom of the run.
    """
    signal_cov = noise.autocovariance(signals, ORDER)
    first = _evaluate(run, signals, signal_cov, _fit_noise(run, rest), dof)
    residual = run - (first.weights * first.fall_bpm) @ signals
    return _evaluate(run, signals, signal_cov, _fit_noise(residual, rest), dof)


def surrogate_rows(
    fit: Fit, run: Block, rest: Block | None, rows_n: int = SURROGATES_N
) -> tuple[FloatArray, FloatArray | None]:
    """Rows without any response from the noise of a one-row fit, in bpm, repaired like the data."""
    filter_, sigma_bpm = fit.filters[0], float(fit.sigma_bpm[0])
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

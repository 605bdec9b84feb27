"""The heart's own variability as autoregressive noise over beat number: fit, spectrum, surrogates.

Everything here works on many series at once (rows), because the p-value of one run refits the noise of a thousand
surrogates. Series are indexed by *beat number*, not by time: an even time grid would interpolate between beats and
leave a spectral hole above the beat Nyquist frequency that whitening would blow up.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

SEED = 20230


def transform_n(samples_n: int, lags_n: int | None = None) -> int:
    """Length of a zero-padded Fourier transform in which no lag up to ``lags_n`` (default: any) wraps onto another.

    The next product of small primes: transforms of such lengths are quick.
    """
    n = samples_n + (samples_n if lags_n is None else lags_n)
    while _largest_factor(n) > 5:
        n += 1
    return n


@functools.lru_cache(maxsize=4096)
def _largest_factor(n: int) -> int:
    """What is left of n without its factors 2, 3 and 5, and 1 if nothing is."""
    for prime in (2, 3, 5):
        while n % prime == 0:
            n //= prime
    return n


@functools.lru_cache(maxsize=64)
def lag_waves(n: int, lags_n: int) -> FloatArray:
    """Cosines (n // 2 + 1, lags_n + 1) that turn the power of an n-point transform into sums of products at lags."""
    frequency = np.arange(n // 2 + 1)
    waves = np.cos(2.0 * np.pi / n * np.outer(frequency, np.arange(lags_n + 1)))
    # Of a real series' transform only half is kept: all but the first and, if n is even, last frequency count twice.
    weight = np.full(frequency.size, 2.0 / n)
    weight[0] = 1.0 / n
    if n % 2 == 0:
        weight[-1] = 1.0 / n
    return np.asarray(waves * weight[:, None])


def power(transform: ComplexArray) -> FloatArray:
    """Squared size of each number of a transform."""
    return np.asarray(transform.real**2 + transform.imag**2)


def autocovariance(series: FloatArray, lags_n: int) -> FloatArray:
    """Sums of products at lags 0..lags_n of each row, shape (rows, lags_n + 1)."""
    n = transform_n(series.shape[-1], lags_n)
    return np.asarray(power(np.fft.rfft(series, n, axis=-1)) @ lag_waves(n, lags_n))


def levinson(autocov: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Prediction-error filters from autocovariances (Yule-Walker, Levinson recursion), row by row.

    Parameters
    ----------
    autocov : array (rows, order + 1)
        Lag 0 must be positive.

    Returns
    -------
    filters : array (rows, order + 1)
        First coefficient 1; filtering a row with it leaves white noise.
    variance : array (rows,)
        Variance of that white noise, in the unit of ``autocov``.
    """
    # Lags first: each step of the recursion then walks through memory in order.
    lags = np.ascontiguousarray(autocov.T)
    order = lags.shape[0] - 1
    filters = np.zeros_like(lags)
    filters[0] = 1.0
    variance = lags[0].copy()
    for k in range(1, order + 1):
        reflection = -np.einsum("kr,kr->r", filters[:k], lags[k:0:-1]) / variance
        filters[1 : k + 1] += reflection * filters[k - 1 :: -1][:k]
        variance *= 1.0 - reflection**2
    return np.ascontiguousarray(filters.T), variance


def burg(stretches: list[FloatArray], order: int) -> tuple[FloatArray, float]:
    """Prediction-error filter (order + 1,) of stretches (n,) of one noise, and its innovations' variance.

    After Burg 1968: forward and backward errors together, nothing assumed beyond the ends. Rhythms come out narrower
    than by :func:`levinson`, and slow noise leaks less into what is faster.
    """
    forward, backward = ([stretch.copy() for stretch in stretches] for _ in range(2))
    filter_ = np.ones(1)
    for _ in range(order):
        ahead, behind = [row[1:] for row in forward], [row[:-1] for row in backward]
        products = sum(float(f @ b) for f, b in zip(ahead, behind, strict=True))
        energy = sum(float(f @ f + b @ b) for f, b in zip(ahead, behind, strict=True))
        reflection = -2.0 * products / max(energy, 1e-12)
        longer = np.append(filter_, 0.0)
        filter_ = longer + reflection * longer[::-1]
        forward = [f + reflection * b for f, b in zip(ahead, behind, strict=True)]
        backward = [b + reflection * f for f, b in zip(ahead, behind, strict=True)]
    left = sum(float(f @ f + b @ b) for f, b in zip(forward, backward, strict=True))
    return filter_, max(left / (2.0 * sum(row.size for row in forward)), 1e-9)


def filter_products(filters: FloatArray) -> FloatArray:
    """Sums of products of each filter with itself at lags 0..order, lags above zero counted twice.

    The whitened product of two series is the sum over lags of these times their sums of products. (rows, order + 1)
    """
    products = autocovariance(filters, filters.shape[1] - 1)
    products[:, 1:] *= 2.0
    return products


@functools.lru_cache(maxsize=24)  # some 2 MB each; runs of a cohort have a few dozen lengths
def _white(rows_n: int, n: int, stream: int) -> ComplexArray:
    """Transform of fixed white noise; the same numbers in every run, so that a result can be reproduced."""
    rng = np.random.default_rng((SEED, n, stream))
    return np.asarray(np.fft.rfft(rng.standard_normal((rows_n, n)), axis=-1))


def surrogates(filter_: FloatArray, rows_n: int, samples_n: int, stream: int) -> FloatArray:
    """Stationary Gaussian series with the spectrum of an AR filter and innovations of variance 1.

    Parameters
    ----------
    filter_ : array (order + 1,)
    rows_n, samples_n : int
    stream : int
        Different streams are independent.

    Returns
    -------
    array (rows_n, samples_n)
    """
    # Twice the length: the shaped noise is circular, and its two ends must not be neighbours.
    n = transform_n(samples_n)
    shaped = _white(rows_n, n, stream) / np.fft.rfft(filter_, n)
    return np.asarray(np.fft.irfft(shaped, n, axis=-1)[:, :samples_n])


def mismatch(left: FloatArray, right: FloatArray, order: int) -> float:
    """By how much the noise of the right row (1, m) predicts the left one (1, n) worse than its own, log of variance.

    Half of it is the divergence of the two spectra per sample, whatever their sizes.
    """
    own, other = autocovariance(left, order), autocovariance(right, order)
    energy = [float(np.sum(filter_products(levinson(c + ridge(c))[0]) * own)) for c in (own, other)]
    return float(np.log(energy[1] / energy[0]))


def ridge(covariance: FloatArray) -> FloatArray:
    """What makes lag zero a little larger, so that a constant row has a filter too."""
    ridge = np.zeros_like(covariance)
    ridge[:, 0] = 1e-6 * covariance[:, 0] + 1e-9
    return ridge

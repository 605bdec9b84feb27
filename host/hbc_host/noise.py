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


def transform_n(samples_n: int) -> int:
    """Length of the zero-padded Fourier transform for series of ``samples_n``: no lag wraps onto another."""
    return 1 << (2 * samples_n - 1).bit_length()


def autocovariance(series: FloatArray, lags_n: int) -> FloatArray:
    """Sums of products at lags 0..lags_n of each row, shape (rows, lags_n + 1)."""
    n = transform_n(series.shape[-1])
    power = np.abs(np.fft.rfft(series, n, axis=-1)) ** 2
    return np.asarray(np.fft.irfft(power, n, axis=-1)[..., : lags_n + 1])


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
    rows_n, order = autocov.shape[0], autocov.shape[1] - 1
    filters = np.zeros((rows_n, order + 1))
    filters[:, 0] = 1.0
    variance = autocov[:, 0].copy()
    for k in range(1, order + 1):
        reflection = -np.sum(filters[:, :k] * autocov[:, k:0:-1], axis=1) / variance
        filters[:, 1 : k + 1] += reflection[:, None] * filters[:, k - 1 :: -1][:, :k]
        variance *= 1.0 - reflection**2
    return filters, variance


def inverse_spectrum(filters: FloatArray, n: int) -> FloatArray:
    """Squared gain of each prediction-error filter at the n // 2 + 1 frequencies of an n-point transform."""
    gain = np.fft.rfft(filters, n, axis=-1)
    return np.asarray(gain.real**2 + gain.imag**2)


@functools.lru_cache(maxsize=8)
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

"""Log Bayes factors of an effect whose size and direction were measured with a normal error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: Scale of the half-normal prior on the fall, bpm: most published responses are of one to a few bpm.
PRIOR_BPM = 3.0


def log_mean(values: FloatArray) -> FloatArray:
    """Log of the mean of the exponentials along the last axis."""
    return log_mean_shares(values)[0]


def log_mean_shares(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """:func:`log_mean`, and the exponentials relative to the largest of their row."""
    top = values.max(axis=1, keepdims=True)
    shares = np.exp(values - top)
    return np.asarray(top[:, 0] + np.log(shares.mean(axis=1))), shares


def log_bayes(fall: FloatArray, se: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log Bayes factors of slowing and of speeding, (rows, k) each, under a half-normal prior on the size of either."""
    from scipy.special import log_ndtr  # costs 0.3 s to import, so only when a run is analysed

    shrink = PRIOR_BPM**2 / (PRIOR_BPM**2 + se**2)
    z = fall / se
    even = np.log(2.0) + 0.5 * np.log1p(-shrink) + 0.5 * z**2 * shrink
    arm = z * np.sqrt(shrink)
    # One tail of the normal distribution gives the other, which is the costly part of this function.
    tail = log_ndtr(-np.abs(arm))
    rest = np.log1p(-np.exp(tail))
    return even + np.where(arm > 0.0, rest, tail), even + np.where(arm > 0.0, tail, rest)


def log_bayes_either(size: FloatArray, se: FloatArray) -> FloatArray:
    """Log Bayes factors of an effect of either sign under a normal prior of the same scale, same shape."""
    shrink = PRIOR_BPM**2 / (PRIOR_BPM**2 + se**2)
    return np.asarray(0.5 * np.log1p(-shrink) + 0.5 * (size / se) ** 2 * shrink)

"""How far an estimate of coupling lies from the truth: measured on simulated hearts, used to correct for it.

``python tests/study/cohort_study.py --errors`` simulates runs, estimates each with the same code as a real run, and
compares with the truth. Two things matter for a cohort: how much a larger true response raises the estimate when the
start is in doubt, relative to a run with exact onsets (``slope``), and how large the error is beside the standard error
that the run's own 95 % interval implies (``share``; intervals are wide on purpose, so that the error is smaller).
The scale is that of estimates with exact onsets: an odds ratio per standard deviation does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.pooling import Z975

FloatArray = npt.NDArray[np.float64]

#: Uncertainty of the start (s); slope of estimate on truth, relative to exact onsets; variance of the error relative
#: to what the interval implies.
#: The last line of tests/study/cohort_study.py --errors --runs 400 --seed 28 (docs/cohort.md); a change of the estimate
#: of coupling asks for a new one.
START_S = (0.0, 1.0, 2.0, 4.0, 8.0)
SLOPE = (1.0, 0.97, 0.97, 0.96, 1.0)
SHARE = (0.41, 0.24, 0.35, 0.73, 1.23)
#: No run is known better than this.
ERROR_MIN_BPM = 0.15


@dataclass(frozen=True)
class Calibrated:
    """Effects on the scale of estimates with exact onsets, bpm, and the size of their errors; arrays (n,)."""

    effects_bpm: FloatArray
    errors_bpm: FloatArray


def calibrate(
    effects_bpm: FloatArray, low_bpm: FloatArray, high_bpm: FloatArray, start_uncertainty_s: FloatArray
) -> Calibrated:
    """Put measured effects on one scale.

    Parameters
    ----------
    effects_bpm, low_bpm, high_bpm : array (n,), bpm
        Effects and their 95 % intervals.
    start_uncertainty_s : array (n,), seconds

    Returns
    -------
    Calibrated
    """
    slope = np.interp(start_uncertainty_s, START_S, SLOPE)
    share = np.interp(start_uncertainty_s, START_S, SHARE)
    implied_bpm = (high_bpm - low_bpm) / (2.0 * Z975)
    errors_bpm = np.maximum(np.sqrt(share) * implied_bpm, ERROR_MIN_BPM) / slope
    return Calibrated(effects_bpm / slope, errors_bpm)

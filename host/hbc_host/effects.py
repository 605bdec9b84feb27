"""Size of the response in the units that people read: fall of heart rate, longer interval between beats."""

from __future__ import annotations

import math

import numpy as np

from hbc_host.design import Hypothesis, RunDesign
from hbc_host.evidence import Fit

#: 97.5 % point of the normal distribution.
Z975 = 1.959963984540054


def interval_change_ms(rate_bpm: float, fall_bpm: float) -> float:
    """Change of the interval between beats when the rate falls; a fall to below 1 bpm has no finite interval."""
    return 60e3 / max(rate_bpm - fall_bpm, 1.0) - 60e3 / rate_bpm


def weighted_effect_bpm(
    design: RunDesign, candidates: tuple[Hypothesis, ...], fit: Fit, inflation: float
) -> tuple[float, float, float]:
    """Mean largest fall over accepted trains with its 95 % interval, bpm, averaged over the candidates."""
    gain = np.array([mean_fall(design, item) for item in candidates])
    fall = fit.fall_bpm[0] * gain
    weights = fit.weights[0]
    mean = float(weights @ fall)
    within = (inflation * fit.se_bpm[0] * gain) ** 2
    sd = math.sqrt(float(weights @ (within + (fall - mean) ** 2)))
    return mean, mean - Z975 * sd, mean + Z975 * sd


def mean_fall(design: RunDesign, item: Hypothesis) -> float:
    """Mean over accepted trains of the fall from onset to the lowest rate, per unit of the candidate's amplitude.

    What is left of the previous response at onset is not counted twice.
    """
    onsets_s = design.onsets_s
    peak_s = item.shape.peak_s(design.train_s)
    falls = []
    for onset_s in onsets_s[design.accepted]:
        since_s = onset_s - onsets_s
        lowest = item.dose @ item.shape.fall(since_s + peak_s, design.train_s)
        falls.append(float(lowest - item.dose @ item.shape.fall(since_s, design.train_s)))
    return float(np.mean(falls))

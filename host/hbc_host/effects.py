"""Size of the response in the units that people read: fall of heart rate, longer interval between beats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hbc_host.design import Hypothesis, RunDesign
from hbc_host.response import Shape

FloatArray = npt.NDArray[np.float64]


def interval_change_ms(rate_bpm: float, fall_bpm: float) -> float:
    """Change of the interval between beats when the rate falls; a fall to below 1 bpm has no finite interval."""
    return 60e3 / max(rate_bpm - fall_bpm, 1.0) - 60e3 / rate_bpm


def weighted_fall(design: RunDesign, candidates: tuple[Hypothesis, ...], weights: FloatArray) -> float:
    """:func:`mean_fall` of the weighted mean response."""
    # Doses share shapes: what a shape does to each train is needed once.
    total = 0.0
    found: dict[Shape, FloatArray] = {}
    for item, weight in zip(candidates, weights, strict=True):
        if item.shape not in found:
            found[item.shape] = train_falls(design, item.shape)
        total += weight * float(found[item.shape] @ item.dose)
    return total


def mean_fall(design: RunDesign, item: Hypothesis) -> float:
    """Mean over accepted trains of the fall from onset to the lowest rate, per unit of the candidate's amplitude."""
    return float(train_falls(design, item.shape) @ item.dose)


def train_falls(design: RunDesign, shape: Shape) -> FloatArray:
    """What each train adds to the mean fall from onset to the lowest rate, (trains,), at equal dose.

    What is left of the previous response at onset is not counted twice.
    """
    onsets_s = design.onsets_s
    since_s = onsets_s[design.accepted][:, None] - onsets_s[None, :]
    after_s = np.stack((since_s + shape.peak_s(design.train_s), since_s))
    lowest, at_onset = shape.fall(after_s, design.train_s)
    return np.asarray(np.mean(lowest - at_onset, axis=0))

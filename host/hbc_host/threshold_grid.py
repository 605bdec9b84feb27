"""Intensity steps, and the dose responses that are considered over them.

A dose response is a rise from nothing to a plateau at some midpoint, steep or gradual; or a rise that is lost again
further up, a confined range.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.design import dose_profiles
from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

LEVELS_MIN_N = 4
#: Midpoints lie this many to a step, from one step below the lowest level to one above the highest.
CELLS_PER_STEP_N = 4
#: Widths of the logistic rise in steps; zero is all or none.
WIDTHS_STEPS = (0.0, 0.5, 1.0, 2.0)
#: A midpoint outside the tested levels is this much less likely, beforehand, than one in a step inside.
OUTSIDE_PRIOR = 0.2
#: Prior weight of a response in a confined range, which the 2026 preprint saw (doi 10.64898/2026.05.10.724073).
CONFINED_PRIOR = 0.1
CONFINED_WIDTH_STEPS, CONFINED_MIN_STEPS = 0.5, 2.0


@dataclass(frozen=True)
class Levels:
    """Distinct intensities above zero, rising, and the level number of each train: from 1, and 0 for a catch train.

    On this scale neighbouring levels are one step apart whatever the intensities are.
    """

    intensities_pct: FloatArray
    of_train: IntArray

    @property
    def levels_n(self) -> int:
        """Number of levels."""
        return int(self.intensities_pct.size)

    @property
    def trains_per_level_n(self) -> float:
        """Mean number of trains at a level."""
        return float(np.count_nonzero(self.of_train) / self.levels_n)

    def intensity_pct(self, step: float) -> float:
        """Intensity at a level number that may lie between levels, or up to a step outside them."""
        first, last = np.diff(self.intensities_pct)[[0, -1]]
        known = self.intensities_pct
        extended = np.concatenate(([max(known[0] - first, 0.0)], known, [known[-1] + last]))
        return float(np.interp(step, np.arange(self.levels_n + 2.0), extended))


@dataclass(frozen=True)
class DoseGrid:
    """Dose responses: share of the plateau at each level (k, levels), prior, and the cells their midpoints fill.

    ``cells`` (k, c) spreads the weight of each over the cells of the midpoint axis; rows sum to one.
    """

    dose: FloatArray
    log_prior: FloatArray
    confined: BoolArray
    cells: FloatArray

    @property
    def edges_steps(self) -> FloatArray:
        """Bounds of the cells in level numbers, (c + 1,)."""
        return np.arange(self.cells.shape[1] + 1) / CELLS_PER_STEP_N


def find_levels(intensities_pct: npt.ArrayLike, trains_n: int) -> Levels:
    """Levels of intensity, after the checks.

    Raises
    ------
    InputError
        If there is not one intensity for every train, or fewer than four differ above zero.
    """
    intensity = np.asarray(intensities_pct, dtype=np.float64).ravel()
    dose_profiles(intensity, trains_n)  # checks number and finiteness
    if intensity.min() < 0.0:
        raise InputError(f"an intensity of {intensity.min():g} % is below 0; give 0 for a catch train")
    distinct = np.unique(intensity[intensity > 0.0])
    if distinct.size < LEVELS_MIN_N:
        raise InputError(
            f"{distinct.size} different intensities above 0 are too few for a threshold, at least {LEVELS_MIN_N} are "
            "needed; use `estimate_coupling` for runs of one intensity"
        )
    return Levels(distinct, np.where(intensity > 0.0, np.searchsorted(distinct, intensity) + 1, 0))


def _rise(levels: FloatArray, midpoint: FloatArray, width: float) -> FloatArray:
    """Share of the plateau, (midpoints, levels)."""
    above = levels[None, :] - midpoint[:, None]
    if width == 0.0:
        return np.asarray((above > 0.0).astype(np.float64))
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(above / width, -40.0, 40.0))))


def dose_grid(levels_n: int) -> DoseGrid:
    """Dose responses for this many levels."""
    levels = np.arange(1.0, levels_n + 1.0)
    cells_n = CELLS_PER_STEP_N * (levels_n + 1)
    midpoints = (np.arange(cells_n) + 0.5) / CELLS_PER_STEP_N
    prior = np.where((midpoints < 1.0) | (midpoints > levels_n), OUTSIDE_PRIOR, 1.0)
    monotone = np.concatenate([_rise(levels, midpoints, width) for width in WIDTHS_STEPS])
    # At least two levels must have lost the response: one alone may be a bad train.
    pairs = [
        (low, high)
        for low, high in itertools.product(np.arange(0.5, levels_n), np.arange(0.5, levels_n - 1.0))
        if high - low >= CONFINED_MIN_STEPS
    ]
    low, high = (np.array(ends) for ends in zip(*pairs, strict=True)) if pairs else (np.zeros(0), np.zeros(0))
    confined = _rise(levels, low, CONFINED_WIDTH_STEPS) * (1.0 - _rise(levels, high, CONFINED_WIDTH_STEPS))
    confined /= np.maximum(confined.max(axis=1, keepdims=True), 1e-9)
    wide = (np.abs(midpoints[None, :] - low[:, None]) < 0.5) / CELLS_PER_STEP_N
    share = np.concatenate(
        (
            np.tile(prior / prior.sum(), len(WIDTHS_STEPS)) * (1.0 - CONFINED_PRIOR) / len(WIDTHS_STEPS),
            np.full(low.size, CONFINED_PRIOR / max(low.size, 1)),
        )
    )
    return DoseGrid(
        np.concatenate((monotone, confined)),
        np.log(share),
        np.arange(share.size) >= monotone.shape[0],
        np.concatenate((np.tile(np.eye(cells_n), (len(WIDTHS_STEPS), 1)), wide)),
    )

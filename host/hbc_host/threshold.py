"""At which intensity does the heart begin to follow the trains? The intensity at half the plateau, with its interval.

Whether there is a response at all is the question of :mod:`hbc_host.coupling`, whose dose-aware p-value is used as it
is; where it rises is a posterior over dose responses (:mod:`hbc_host.threshold_model`). Method and limits:
docs/threshold.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.coupling import RunFit, fit_run
from hbc_host.design import check_onsets
from hbc_host.threshold_grid import Levels, find_levels
from hbc_host.threshold_model import HABITUATIONS, Posterior, posterior
from hbc_host.threshold_notes import DOSE_FOLLOWS_TIME, against, notes

FloatArray = npt.NDArray[np.float64]

FOUND, NONE_FOUND, NOT_DETERMINED = "found", "none_found", "not_determined"
NAN2 = (math.nan, math.nan)
DRAWS_N = 1000
SEED = 20231


@dataclass(frozen=True)
class DoseCurve:
    """Fitted response to one train at each intensity: largest fall of heart rate, bpm, with a 95 % interval.

    All (levels,), intensities rising; habituation is averaged over the run. A level borrows from its neighbours what a
    common dose response allows; levels without a response tend to zero, never below.
    """

    intensities_pct: FloatArray
    response_bpm: FloatArray
    low_bpm: FloatArray
    high_bpm: FloatArray


@dataclass(frozen=True)
class ThresholdResult:
    """Threshold of one run.

    ``found`` is "found", "none_found" (the run shows no slowing, p >= .05) or "not_determined" (it cannot be said
    where, or the run cannot be used). ``threshold_pct`` is the median of what is likely for the intensity at half the
    plateau, ``ci95_pct`` its 95 % interval, of which an end outside the tested intensities reads "or beyond", and
    ``width_steps`` its width in steps between tested intensities; all three are nan where nothing was found, and stand
    beside "not_determined" as the best guess, not as a threshold. ``curve`` is None for an unusable run. ``p_value`` is
    that of the run's slowing. ``flags`` are names for ``reasons`` that a program may ask for.
    """

    found: str
    threshold_pct: float
    ci95_pct: tuple[float, float]
    width_steps: float
    curve: DoseCurve | None
    reasons: tuple[str, ...]
    p_value: float = math.nan
    flags: tuple[str, ...] = ()


def estimate_threshold(
    beats_s: npt.ArrayLike,
    onsets_s: npt.ArrayLike,
    intensities_pct: npt.ArrayLike,
    *,
    train_s: float,
    rest_s: float | tuple[float, float] | None = None,
    gaps_s: Sequence[tuple[float, float]] = (),
) -> ThresholdResult:
    """Estimate the lowest intensity that slows the heart, as the intensity at half the plateau.

    Parameters
    ----------
    beats_s : array (n,), seconds
        Beat times, increasing; those before the first onset are rest.
    onsets_s : array (trains,), seconds of the same clock
        Train onsets.
    intensities_pct : array (trains,)
        Intensity of each train, in any order, any number of trains at each; 0 is a catch train.
    train_s : float, seconds
        Length of a train.
    rest_s, gaps_s
        As in :func:`hbc_host.coupling.estimate_coupling`.

    Returns
    -------
    ThresholdResult

    Raises
    ------
    NoTrainsError
        If there is no onset.
    InputError
        If times or intensities do not fit, or fewer than four different intensities were given.
    """
    onsets = check_onsets(onsets_s, train_s, 0.0)
    levels = find_levels(intensities_pct, onsets.size)
    run = fit_run(
        beats_s, onsets, train_s=train_s, rest_s=rest_s, gaps_s=gaps_s, intensities_pct=levels.of_train.astype(float)
    )
    return threshold_of_run(run, intensities_pct, rest_s=rest_s)


def threshold_of_run(
    run: RunFit, intensities_pct: npt.ArrayLike, *, rest_s: float | tuple[float, float] | None = None
) -> ThresholdResult:
    """Threshold of a run that :func:`hbc_host.coupling.fit_run` has fitted; arguments and errors as above."""
    levels = find_levels(intensities_pct, run.design.onsets_s.size)
    coupling = run.result
    if run.run is None or run.fit is None:
        return ThresholdResult(NOT_DETERMINED, math.nan, NAN2, math.nan, None, coupling.reasons)
    found = posterior(run, levels, rest_s)
    curve = _curve(found, levels)
    said = notes(found, levels, run.design.onsets_s)
    if coupling.verdict == "not_shown":
        # Where there is no response, only the order of the trains is worth a remark.
        said = tuple(note for note in said if note.flag == DOSE_FOLLOWS_TIME)
        why = "no slowing that follows the trains and their intensity is shown"
        reasons = (why, *coupling.reasons, *(note.text for note in said))
        flags = tuple(note.flag for note in said)
        return ThresholdResult(NONE_FOUND, math.nan, NAN2, math.nan, curve, reasons, coupling.p_value, flags)
    low, high = found.interval_steps()
    reasons = against(levels, said, high - low)
    if coupling.verdict != "coupled":
        reasons = (f"the run as a whole is {coupling.verdict!r}", *coupling.reasons, *reasons)
    return ThresholdResult(
        NOT_DETERMINED if reasons else FOUND,
        levels.intensity_pct(found.quantile_step(0.5)),
        (levels.intensity_pct(low), levels.intensity_pct(high)),
        high - low,
        curve,
        (*reasons, *(note.text for note in said)),
        coupling.p_value,
        tuple(note.flag for note in said),
    )


def _curve(found: Posterior, levels: Levels) -> DoseCurve:
    """Median and interval of the response at each level from draws of the posterior, with fixed random numbers."""
    from scipy.special import ndtr, ndtri

    rng = np.random.default_rng(SEED)
    share = np.cumsum(found.weights.ravel())
    picked = np.searchsorted(share, (np.arange(DRAWS_N) + 0.5) / DRAWS_N * share[-1])
    habituation, _, dose = np.unravel_index(picked, found.weights.shape)
    mean, sd = found.plateau_bpm.ravel()[picked], found.se_bpm.ravel()[picked]
    cut = ndtr(-mean / sd)
    drawn = cut + (1.0 - cut) * rng.uniform(size=DRAWS_N)
    plateau = np.maximum(mean + sd * ndtri(np.clip(drawn, 1e-12, 1.0 - 1e-12)), 0.0)
    plateau *= 1.0 - 0.5 * np.array(HABITUATIONS)[habituation]
    response = plateau[:, None] * found.grid.dose[dose]
    low, middle, high = np.percentile(response, (2.5, 50.0, 97.5), axis=0)
    return DoseCurve(levels.intensities_pct, middle, low, high)

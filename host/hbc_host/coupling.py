"""Does the heart slow with the pulse trains? Effect, interval, latency and a p-value calibrated on the run itself.

Heart rate per heart cycle is regressed on train-locked response shapes in autoregressive noise; the
p-value comes from a parametric bootstrap of that noise with the run's own onsets. Method, sources and known limits:
docs/analysis.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import design as build
from hbc_host import evidence
from hbc_host.beats import classify_beats
from hbc_host.design import Hypothesis, RunDesign
from hbc_host.doubts import doubts
from hbc_host.effects import interval_change_ms, weighted_fall
from hbc_host.evidence import ALPHA, Fit
from hbc_host.intervals import Bounds, invert
from hbc_host.reasons import reasons_for
from hbc_host.stretches import Stretch
from hbc_host.weighing import null_fit, weigh

FloatArray = npt.NDArray[np.float64]

#: With an uncertain start one direction must be this many times more likely than the other, else neither is claimed.
DIRECTION_RATIO = 3.0


@dataclass(frozen=True)
class CouplingResult:
    """Heart-brain coupling of one run.

    ``effect_bpm`` is the mean over accepted trains of the largest fall of heart rate after train onset in the fitted
    noiseless response (slowing positive), ``effect_ms`` the change of the interval between beats at that instant.
    ``latency_s`` is the delay before the fall begins. ``p_value`` is one-sided for slowing and agrees with the
    intervals always: below 0.05 exactly when ``ci90_bpm`` lies above zero, below 0.025 exactly when ``ci95_bpm`` does.
    ``verdict`` is "coupled", "cannot_tell" (p < 0.05, but something else explains it too), "not_shown" or "unusable".
    When ``verdict`` is "unusable" every number but ``beats_n`` and ``excluded_share`` is nan and ``reasons`` say why.
    """

    effect_ms: float
    effect_bpm: float
    ci95_ms: tuple[float, float]
    ci95_bpm: tuple[float, float]
    latency_s: float
    p_value: float
    verdict: str
    reasons: tuple[str, ...]
    beats_n: int
    excluded_share: float
    ci90_ms: tuple[float, float] = (math.nan, math.nan)
    ci90_bpm: tuple[float, float] = (math.nan, math.nan)


@dataclass(frozen=True)
class RunFit:
    """A fitted run: the result, and what per-train effects need again. ``fit`` is None for an unusable run."""

    result: CouplingResult
    design: RunDesign
    run: Stretch | None = None
    candidates: tuple[Hypothesis, ...] = ()
    fit: Fit | None = None
    inflation: float = 1.0


def estimate_coupling(
    beats_s: npt.ArrayLike,
    onsets_s: npt.ArrayLike,
    *,
    train_s: float,
    rest_s: float | tuple[float, float] | None = None,
    gaps_s: Sequence[tuple[float, float]] = (),
    start_uncertainty_s: float = 0.0,
    intensities_pct: npt.ArrayLike | None = None,
) -> CouplingResult:
    """Estimate heart-brain coupling of one run.

    Parameters
    ----------
    beats_s : array (n,), seconds
        Beat times, increasing; those before the first onset are rest.
    onsets_s : array (trains,), seconds of the same clock
        Train onsets.
    train_s : float, seconds
        Length of a train.
    rest_s : None, float or (start, end), seconds
        Rest to use for the noise: all beats before the first onset, at most this many seconds, or this span.
    gaps_s : sequence of (start, end), seconds
        Spans in which beats cannot be trusted.
    start_uncertainty_s : float, seconds
        All onsets are known only to within plus or minus this common shift.
    intensities_pct : array (trains,) or None
        Intensity of each train; adds responses that grow with intensity to the family.

    Returns
    -------
    CouplingResult

    Raises
    ------
    NoTrainsError
        If there is no onset.
    InputError
        If times are not finite or not increasing, or a length or duration does not fit.
    """
    return fit_run(
        beats_s,
        onsets_s,
        train_s=train_s,
        rest_s=rest_s,
        gaps_s=gaps_s,
        start_uncertainty_s=start_uncertainty_s,
        intensities_pct=intensities_pct,
    ).result


def fit_run(
    beats_s: npt.ArrayLike,
    onsets_s: npt.ArrayLike,
    *,
    train_s: float,
    rest_s: float | tuple[float, float] | None = None,
    gaps_s: Sequence[tuple[float, float]] = (),
    start_uncertainty_s: float = 0.0,
    intensities_pct: npt.ArrayLike | None = None,
) -> RunFit:
    """Do the work of :func:`estimate_coupling` and keep the fit; same arguments and errors."""
    onsets = build.check_onsets(onsets_s, train_s, start_uncertainty_s)
    doses = build.dose_profiles(intensities_pct, onsets.size)
    design = build.design_run(classify_beats(beats_s, gaps_s), onsets, train_s)
    if design.problems:
        return RunFit(_unusable(design), design)
    candidates = tuple(build.hypotheses(doses, start_uncertainty_s, design.cycle_s))
    return fit_candidates(design, candidates, rest_s, start_uncertainty_s, is_ramp=len(doses) > 1)


def fit_candidates(
    design: RunDesign,
    candidates: tuple[Hypothesis, ...],
    rest_s: float | tuple[float, float] | None,
    start_uncertainty_s: float,
    *,
    is_ramp: bool,
) -> RunFit:
    """Fit a usable run under the given hypotheses; ``is_ramp`` as for :func:`hbc_host.weighing.null_fit`."""
    weighed = weigh(design, candidates, rest_s)
    null = null_fit(weighed, candidates, is_ramp=is_ramp)
    run, rest, used, signals, fit = weighed.run, weighed.rest, weighed.used, weighed.signals, weighed.fit
    p_value = evidence.p_value(fit, null)
    rest_row = None if used is None else used.row
    bounds = invert(run.row, rest_row, signals, run.block.dof, fit, null)
    # Under a shift of half a cycle slowing looks like speeding: evidence for either must then stand out.
    ratio = abs(float(fit.slowing[0] - fit.speeding[0]))
    is_open = start_uncertainty_s > 0.0 and ratio < math.log(DIRECTION_RATIO)
    is_stale = rest is not None and used is None
    reasons = reasons_for(design, p_value, is_open, start_uncertainty_s, is_stale)
    if is_open:
        p_value, bounds = max(p_value, 0.5), bounds.with_zero()
    verdict = "coupled" if p_value < ALPHA else "not_shown"
    if verdict == "coupled":
        other = doubts(design, run, rest, signals, exact_onsets=start_uncertainty_s == 0.0)
        verdict, reasons = "cannot_tell" if other else verdict, (*other, *reasons)
    result = _result(design, candidates, fit, p_value, bounds, verdict, reasons)
    return RunFit(result, design, run, candidates, fit, evidence.inflation(null))


def _unusable(design: RunDesign) -> CouplingResult:
    nan2 = (math.nan, math.nan)
    return CouplingResult(
        math.nan,
        math.nan,
        nan2,
        nan2,
        math.nan,
        math.nan,
        "unusable",
        design.problems,
        design.beats_n,
        design.excluded_share,
    )


def _result(
    design: RunDesign,
    candidates: tuple[Hypothesis, ...],
    fit: Fit,
    p_value: float,
    bounds: Bounds,
    verdict: str,
    reasons: tuple[str, ...],
) -> CouplingResult:
    # Positive, so that signs and with them the agreement of test and interval survive.
    per_unit = max(weighted_fall(design, candidates, fit.weights[0]), 1e-6)
    rate_bpm = design.mean_rate_bpm

    def both(interval: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
        low, high = per_unit * interval[0], per_unit * interval[1]
        return (interval_change_ms(rate_bpm, low), interval_change_ms(rate_bpm, high)), (low, high)

    effect_bpm = per_unit * bounds.estimate
    (ci90_ms, ci90_bpm), (ci95_ms, ci95_bpm) = both(bounds.ci90), both(bounds.ci95)
    best = candidates[int(np.argmax(fit.weights[0]))]
    return CouplingResult(
        interval_change_ms(rate_bpm, effect_bpm),
        effect_bpm,
        ci95_ms,
        ci95_bpm,
        best.shape.latency_s + best.shift_s,
        p_value,
        verdict,
        reasons,
        design.beats_n,
        design.excluded_share,
        ci90_ms,
        ci90_bpm,
    )

"""Does the heart slow with the pulse trains? Effect, interval, latency and a p-value calibrated on the run itself.

First version. Heart rate per heart cycle is regressed on train-locked response shapes in autoregressive noise; the
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
from hbc_host.effects import interval_change_ms, weighted_effect_bpm
from hbc_host.evidence import Block, Fit

FloatArray = npt.NDArray[np.float64]

ALPHA = 0.05
#: With an uncertain start one direction must be this many times more likely than the other, else neither is claimed.
DIRECTION_RATIO = 3.0


@dataclass(frozen=True)
class CouplingResult:
    """Heart-brain coupling of one run.

    ``effect_bpm`` is the mean over accepted trains of the largest fall of heart rate after train onset in the fitted
    noiseless response (slowing positive), ``effect_ms`` the change of the interval between beats at that instant.
    Intervals are 95 %. ``latency_s`` is the delay before the fall begins. ``p_value`` is one-sided for slowing.
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


@dataclass(frozen=True)
class Stretch:
    """Heart cycles of run or rest with their scaled heart rate, ``row`` (1, n)."""

    block: Block
    row: FloatArray


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
    run, rest = _prepare(design, rest_s)
    candidates = tuple(build.hypotheses(doses, start_uncertainty_s))
    signals = run.block.scaled(build.signals(design, list(candidates)))
    dof, rest_row = run.block.dof, None if rest is None else rest.row
    first = evidence.fit_rows(run.row, rest_row, signals, dof)
    null_run, null_rest = evidence.surrogate_rows(first, run.block, None if rest is None else rest.block)
    null = evidence.fit_rows(null_run, null_rest, signals, dof)
    p_cycle = evidence.p_value(first, null)
    # Under a shift of half a cycle slowing looks like speeding: evidence for either must then stand out.
    ratio = abs(float(first.slowing[0] - first.speeding[0]))
    is_open = start_uncertainty_s > 0.0 and ratio < math.log(DIRECTION_RATIO)
    fit = evidence.refit(first, run.row, rest_row, signals, dof)
    inflation = evidence.inflation(null, null_run, null_rest, signals, dof)
    reasons = _reasons(design, p_cycle, is_open, start_uncertainty_s)
    p_value = max(p_cycle, 0.5) if is_open else p_cycle
    result = _result(design, candidates, fit, p_value, inflation, reasons)
    return RunFit(result, design, run, candidates, fit, inflation)


def _prepare(design: RunDesign, rest_s: float | tuple[float, float] | None) -> tuple[Stretch, Stretch | None]:
    """Heart rate of run and rest, repaired, and scaled by the local size of a first noise fit."""
    windows = [design.window]
    rest_window = build.rest_window(design, rest_s)
    if rest_window is not None:
        windows.append(rest_window)
    rate_bpm = [design.beats.rate_bpm[window][None, :] for window in windows]
    blocks = [build.make_block(design.beats, window, design.cycle_s) for window in windows]
    rows = [block.repair(rate) for block, rate in zip(blocks, rate_bpm, strict=True)]
    first = evidence.fit_noise(rows[0], rows[1] if len(rows) > 1 else None)[0]
    blocks = [evidence.with_local_scale(block, row, first) for block, row in zip(blocks, rows, strict=True)]
    found = [Stretch(block, block.scaled(rate)) for block, rate in zip(blocks, rate_bpm, strict=True)]
    return found[0], found[1] if len(found) > 1 else None


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
    inflation: float,
    reasons: tuple[str, ...],
) -> CouplingResult:
    effect_bpm, low_bpm, high_bpm = weighted_effect_bpm(design, candidates, fit, inflation)
    rate_bpm = design.mean_rate_bpm
    best = candidates[int(np.argmax(fit.weights[0]))]
    return CouplingResult(
        interval_change_ms(rate_bpm, effect_bpm),
        effect_bpm,
        (interval_change_ms(rate_bpm, low_bpm), interval_change_ms(rate_bpm, high_bpm)),
        (low_bpm, high_bpm),
        best.shape.latency_s + best.shift_s,
        p_value,
        "coupled" if p_value < ALPHA else "not_shown",
        reasons,
        design.beats_n,
        design.excluded_share,
    )


def _reasons(design: RunDesign, p_cycle: float, is_open: bool, start_uncertainty_s: float) -> tuple[str, ...]:
    found = []
    p_two_sided = 2.0 * min(p_cycle, 1.0 - p_cycle)
    if is_open and p_two_sided < ALPHA:
        found.append(
            f"the heart rate follows the cycle (p = {p_two_sided:.3f}), but without exact onsets slowing cannot "
            "be told from speeding; record the trigger"
        )
    elif is_open:
        found.append(f"no change with the cycle is shown (p = {p_two_sided:.3f}, limit {ALPHA:g})")
    elif 1.0 - p_cycle < ALPHA:
        found.append(f"the heart speeds up with the trains (p = {1.0 - p_cycle:.3f}), which is not coupling")
    elif p_cycle >= ALPHA:
        found.append(f"p = {p_cycle:.3f} is not below {ALPHA:g}")
    left_out_n = int(np.count_nonzero(~design.accepted))
    if left_out_n:
        found.append(f"{left_out_n} of {design.onsets_s.size} trains left out for lack of measured beats")
    if start_uncertainty_s > 0.0:
        found.append(
            f"onsets known to +-{start_uncertainty_s:g} s only: every shift was tried and the p-value pays for it; "
            "the latency includes the shift"
        )
    return tuple(found)

"""Effect of each intensity step of a run, with the response shape and the noise that the whole run has taught."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import noise
from hbc_host.coupling import RunFit
from hbc_host.response import Shape, regressors

FloatArray = npt.NDArray[np.float64]

#: 95 % point of the normal distribution: a 90 % interval agrees with a one-sided test at 5 %.
Z95 = 1.6448536269514722


@dataclass(frozen=True)
class StepEffect:
    """Largest fall of heart rate in one step, bpm, slowing positive, with a 90 % interval.

    ``step_n`` counts from 1; ``usable`` is False, and the numbers nan, where too few beats were measured.
    The intervals of steps are not adjusted for their number and are no test of a step.
    """

    step_n: int
    onset_s: float
    intensity_pct: float | None
    effect_bpm: float
    low_bpm: float
    high_bpm: float
    usable: bool


def group_steps(intensities_pct: FloatArray | None, trains_n: int) -> list[list[int]]:
    """Indices of the trains of each step: neighbours of equal intensity when intensities differ, else single trains."""
    if intensities_pct is None or np.ptp(intensities_pct) == 0.0:
        return [[train] for train in range(trains_n)]
    steps: list[list[int]] = []
    for train in range(trains_n):
        if steps and intensities_pct[steps[-1][-1]] == intensities_pct[train]:
            steps[-1].append(train)
        else:
            steps.append([train])
    return steps


def step_effects(run: RunFit, intensities_pct: FloatArray | None = None) -> tuple[StepEffect, ...]:
    """Effect of every step by generalised least squares over all steps at once.

    The shape is the run's weighted mean shape. Nothing is borrowed between steps yet, so single steps are uncertain.
    """
    design = run.design
    steps = group_steps(intensities_pct, design.onsets_s.size)
    fall, se = _solve(run, steps)
    effects = []
    for number, trains in enumerate(steps):
        usable = bool(design.accepted[trains].any()) and math.isfinite(se[number])
        effect, half = (float(fall[number]), Z95 * float(se[number])) if usable else (math.nan, math.nan)
        effects.append(
            StepEffect(
                number + 1,
                float(design.onsets_s[trains[0]]),
                None if intensities_pct is None else float(intensities_pct[trains[0]]),
                effect,
                effect - half,
                effect + half,
                usable,
            )
        )
    return tuple(effects)


def _solve(run: RunFit, steps: list[list[int]]) -> tuple[FloatArray, FloatArray]:
    """Fall of each step and its standard error, bpm; nan for a run that could not be fitted."""
    if run.fit is None or run.run is None:
        nothing = np.full(len(steps), math.nan)
        return nothing, nothing
    design, block, fit = run.design, run.run.block, run.fit
    starts_s, ends_s = design.beats.starts_s[design.window], design.beats.ends_s[design.window]
    per_train = np.zeros((starts_s.size, design.onsets_s.size))
    weights: defaultdict[tuple[Shape, float], float] = defaultdict(float)  # of all doses of a shape together
    for item, weight in zip(run.candidates, fit.weights[0].tolist(), strict=True):
        if weight > 1e-3:
            weights[item.shape, item.shift_s] += weight
    for (shape, shift_s), weight in weights.items():
        per_train += weight * regressors(shape, starts_s, ends_s, design.onsets_s + shift_s, design.train_s)
    signals = block.scaled(-np.stack([per_train[:, trains].sum(axis=1) for trains in steps]))
    rows = np.concatenate((run.run.row, signals))
    # The filter's tail runs past the last beat; keeping it makes the products those of the whole-run fit.
    long_n = block.beats_n + fit.filters.shape[1]
    n = noise.transform_n(long_n)
    gain = np.fft.rfft(fit.filters[0], n)
    white = np.fft.irfft(np.fft.rfft(rows, n, axis=1) * gain, n, axis=1)[:, :long_n]
    information = white[1:] @ white[1:].T
    # A step without a measured beat has no information; the tiny ridge keeps the others solvable.
    covariance = np.linalg.inv(information + 1e-9 * np.eye(len(steps)))
    fall = covariance @ (white[1:] @ white[0])
    se = run.inflation * float(fit.sigma_bpm[0]) * np.sqrt(np.diag(covariance))
    peak = max(float(per_train.max()), 1e-9)
    # Averaging shapes of different latency lowers the peak: report falls of the mean shape, not of its unit.
    scale = min(peak, 1.0)
    return np.asarray(fall * scale), np.asarray(se * scale)

"""The regression of one run: which heart cycles, which slow drifts, which response hypotheses."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.beats import Beats
from hbc_host.blocks import Block
from hbc_host.errors import InputError, NoTrainsError
from hbc_host.response import GROWTHS_S, LATENCIES_S, SHAPES, Shape, regressors

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

TRAINS_MIN_N = 4
BEATS_MIN_N = 60
EXCLUDED_MAX = 0.5
RATE_MIN_BPM, RATE_MAX_BPM = 35.0, 150.0
#: Heart rate this long before the first onset belongs to the run, so that the first response has a "before".
LEAD_S = 20.0
REST_MIN_BEATS_N = 40
#: What takes longer than this many cycles, and at least SLOW_MIN_S, is drift and is projected out.
SLOW_CYCLES_N, SLOW_MIN_S = 6.0, 90.0
SHIFT_STEP_S = 1.0
#: Dose responses between "all or none" and "linear": logistic steps at these points of the intensity range.
DOSE_CENTRES, DOSE_WIDTH = (0.25, 0.5, 0.75), 0.06


@dataclass(frozen=True)
class Hypothesis:
    """One way in which the run may respond; ``dose`` (trains,) is relative to the largest response."""

    shape: Shape
    dose: FloatArray
    shift_s: float


@dataclass(frozen=True)
class RunDesign:
    """Everything about a run but its noise.

    ``window`` (m,) marks the heart cycles of the run among all; ``accepted`` (trains,) the trains with enough
    measured cycles; ``problems`` say why the run cannot be used, and then the rest is not filled in.
    """

    beats: Beats
    onsets_s: FloatArray
    train_s: float
    cycle_s: float
    start_s: float
    end_s: float
    accepted: BoolArray
    window: BoolArray
    problems: tuple[str, ...]

    @property
    def beats_n(self) -> int:
        """Measured heart cycles in the run."""
        return int(np.count_nonzero(self.beats.weights[self.window]))

    @property
    def excluded_share(self) -> float:
        """Share of the run's time without a measured heart cycle."""
        return self.beats.share_excluded(self.start_s, self.end_s)

    @property
    def mean_rate_bpm(self) -> float:
        """Mean heart rate of the run's measured cycles; nan without any."""
        use = self.window & (self.beats.weights > 0.0)
        lengths_s = (self.beats.ends_s - self.beats.starts_s)[use]
        return float(60.0 * lengths_s.size / lengths_s.sum()) if lengths_s.size else math.nan


def check_onsets(onsets_s: npt.ArrayLike, train_s: float, start_uncertainty_s: float) -> FloatArray:
    """Onsets as a float array, after the checks that do not need beats."""
    onsets = np.asarray(onsets_s, dtype=np.float64).ravel()
    if onsets.size == 0:
        raise NoTrainsError("no pulse train to lock the heart rate to; check the trigger cable or give --first-train-s")
    if not np.isfinite(onsets).all() or np.any(np.diff(onsets) <= 0.0):
        raise InputError("train onsets are not finite, increasing seconds; check the trigger times")
    if not 0.0 < train_s < 600.0:
        raise InputError(f"train length of {train_s:g} s is outside 0 to 600 s; check the protocol")
    if not 0.0 <= start_uncertainty_s <= 60.0:
        raise InputError(f"start uncertainty of {start_uncertainty_s:g} s is outside 0 to 60 s")
    return onsets


def dose_profiles(intensities_pct: npt.ArrayLike | None, trains_n: int) -> list[FloatArray]:
    """Relative response of each train under each dose hypothesis, each (trains,).

    Equal dose always; with differing intensities also linear in intensity and three sigmoids.
    """
    equal = np.ones(trains_n)
    if intensities_pct is None:
        return [equal]
    intensity = np.asarray(intensities_pct, dtype=np.float64).ravel()
    if intensity.size != trains_n:
        raise InputError(f"{intensity.size} intensities for {trains_n} trains; give one intensity per train")
    if not np.isfinite(intensity).all():
        raise InputError("an intensity is not a number; give one intensity in percent per train")
    span = float(np.ptp(intensity))
    if span == 0.0:
        return [equal]
    part = (intensity - intensity.min()) / span
    return [equal, part, *(1.0 / (1.0 + np.exp((centre - part) / DOSE_WIDTH)) for centre in DOSE_CENTRES)]


def hypotheses(doses: list[FloatArray], start_uncertainty_s: float, cycle_s: float) -> list[Hypothesis]:
    """Every combination of shape, dose and shift of the onsets."""
    if start_uncertainty_s == 0.0:
        # With several doses one growth constant stands for all: 36 shapes instead of 12 found no more of a ramp.
        shapes = [shape for shape in SHAPES if len(doses) == 1 or shape.growth_s == GROWTHS_S[len(GROWTHS_S) // 2]]
        return [Hypothesis(shape, dose, 0.0) for dose, shape in itertools.product(doses, shapes)]
    # One latency, shifted as far again as the earliest and the latest lie from it, stands for all. By that no phase of
    # the cycle is tried twice: it would count twice.
    middle_s = LATENCIES_S[1]
    before_s, after_s = middle_s - min(LATENCIES_S), max(LATENCIES_S) - middle_s
    room_s = cycle_s - SHIFT_STEP_S - 2.0 * start_uncertainty_s
    part = min(max(room_s / (before_s + after_s), 0.0), 1.0)
    first_s, last_s = -start_uncertainty_s - part * before_s, start_uncertainty_s + part * after_s
    shapes = [shape for shape in SHAPES if shape.latency_s == middle_s]
    shifts_s = np.linspace(first_s, last_s, math.ceil((last_s - first_s) / SHIFT_STEP_S) + 1)
    return [
        Hypothesis(shape, dose, float(shift_s)) for shift_s, dose, shape in itertools.product(shifts_s, doses, shapes)
    ]


def signals(design: RunDesign, candidates: list[Hypothesis]) -> FloatArray:
    """Heart-rate change in bpm over each cycle of the run for a largest fall of 1 bpm, (k, cycles); negative."""
    starts_s, ends_s = design.beats.starts_s[design.window], design.beats.ends_s[design.window]
    rows = np.empty((len(candidates), starts_s.size))
    per_train: dict[tuple[Shape, float], FloatArray] = {}
    for row, item in zip(rows, candidates, strict=True):
        key = (item.shape, item.shift_s)
        if key not in per_train:
            per_train[key] = regressors(item.shape, starts_s, ends_s, design.onsets_s + item.shift_s, design.train_s)
        row[:] = -(per_train[key] @ item.dose)
    return rows


def make_block(beats: Beats, window: BoolArray, cycle_s: float) -> Block:
    """Repair rule for the heart cycles in ``window``: cosines slower than the cut, and a constant, are drift."""
    count = int(np.count_nonzero(window))
    duration_s = float(beats.ends_s[window][-1] - beats.starts_s[window][0])
    slow_n = int(2.0 * duration_s / max(SLOW_MIN_S, SLOW_CYCLES_N * cycle_s))
    phase = np.pi * (np.arange(count) + 0.5) / count
    smooth = np.cos(phase[:, None] * np.arange(slow_n + 1)[None, :])
    return Block(beats.weights[window] > 0.0, beats.in_gap[window], smooth, np.ones(count))


def rest_window(design: RunDesign, rest_s: float | tuple[float, float] | None) -> BoolArray | None:
    """Heart cycles of rest that are not in the run, or None when fewer than REST_MIN_BEATS_N are measured."""
    beats = design.beats
    start_s, end_s = -math.inf, float(design.onsets_s[0])
    if isinstance(rest_s, tuple):
        start_s, end_s = max(start_s, rest_s[0]), min(end_s, rest_s[1])
    elif rest_s is not None:
        start_s = end_s - rest_s
    rest = (beats.starts_s >= start_s) & (beats.ends_s <= end_s) & ~design.window
    measured_n = int(np.count_nonzero(beats.weights[rest]))
    # Mostly repaired rest would teach the noise model the repair.
    if measured_n < REST_MIN_BEATS_N or measured_n < (1.0 - EXCLUDED_MAX) * np.count_nonzero(rest):
        return None
    return np.asarray(rest)


def design_run(beats: Beats, onsets_s: FloatArray, train_s: float) -> RunDesign:
    """Window, accepted trains and reasons against using the run."""
    cycle_s = float(np.median(np.diff(onsets_s))) if onsets_s.size > 1 else train_s + 10.0
    start_s, end_s = float(onsets_s[0]), float(onsets_s[-1]) + cycle_s
    accepted = np.array([beats.share_excluded(at_s, at_s + cycle_s) <= EXCLUDED_MAX for at_s in onsets_s])
    window = (beats.ends_s > start_s - LEAD_S) & (beats.starts_s < end_s)
    design = RunDesign(beats, onsets_s, train_s, cycle_s, start_s, end_s, accepted, window, ())
    return RunDesign(beats, onsets_s, train_s, cycle_s, start_s, end_s, accepted, window, _problems(design))


def _problems(design: RunDesign) -> tuple[str, ...]:
    found: list[str] = []
    trains_n = int(np.count_nonzero(design.accepted))
    if trains_n < TRAINS_MIN_N:
        found.append(
            f"{trains_n} of {design.onsets_s.size} trains have enough measured beats, {TRAINS_MIN_N} are needed"
        )
    if design.beats_n < BEATS_MIN_N:
        found.append(f"{design.beats_n} measured beats in the run, {BEATS_MIN_N} are needed")
    if design.excluded_share > EXCLUDED_MAX:
        found.append(
            f"{100.0 * design.excluded_share:.0f} % of the run is excluded, at most {100.0 * EXCLUDED_MAX:.0f} % may be"
        )
    rate = design.mean_rate_bpm
    if not found and not RATE_MIN_BPM <= rate <= RATE_MAX_BPM:
        found.append(
            f"mean heart rate of {rate:.0f} bpm is outside {RATE_MIN_BPM:.0f} to {RATE_MAX_BPM:.0f} bpm; "
            "check the detected beats"
        )
    return tuple(found)

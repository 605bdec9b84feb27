"""Intensity ramps with a known threshold, on real RR series and on simulated patients."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from backgrounds import FloatArray, TrueResponse, draw_response, simulated_beats, warp

STEPS_N = 15
TRAIN_S, CYCLE_S, REST_S = 5.0, 16.0, 160.0
#: Intensity of the first step and rise per step, percent of maximum output.
FIRST_PCT, STEP_PCT = 30.0, 2.0
#: Drawn midpoints stay this far inside the tested steps (numbered from 1); widths of the rise, 0 = all or none.
MIDPOINTS = (3.0, 13.0)
WIDTHS_STEPS = (0.0, 0.5, 1.0, 2.0)


@dataclass(frozen=True)
class DosedResponse(TrueResponse):
    """A response whose size also depends on the intensity of the train: ``dose`` (trains,) of the plateau."""

    dose: tuple[float, ...]

    def change_bpm(self, time_s: FloatArray, onsets_s: FloatArray, train_s: float) -> FloatArray:
        """Heart-rate change at ``time_s`` (negative), trains added."""
        change = np.zeros_like(time_s)
        for number, dose in enumerate(self.dose):
            left = 1.0 - self.habituation * number / max(onsets_s.size - 1, 1)
            one = TrueResponse(self.latency_s, self.growth_s, self.recovery_s, self.dip_bpm * dose * left, 0.0)
            change += one.change_bpm(time_s, onsets_s[number : number + 1], train_s)
        return change


@dataclass(frozen=True)
class Ramp:
    """A recording with a ramp and its truth; ``midpoint_step`` counts steps from 1."""

    beats_s: FloatArray
    onsets_s: FloatArray
    intensities_pct: FloatArray
    plateau_bpm: float
    midpoint_step: float
    width_steps: float

    @property
    def threshold_pct(self) -> float:
        """True intensity at half the plateau."""
        return FIRST_PCT + STEP_PCT * (self.midpoint_step - 1.0)


def rise(steps: FloatArray, midpoint_step: float, width_steps: float) -> FloatArray:
    """Share of the plateau at each step: logistic, or all or none for a width of zero."""
    if width_steps == 0.0:
        return np.asarray((steps > midpoint_step).astype(np.float64))
    return np.asarray(1.0 / (1.0 + np.exp((midpoint_step - steps) / width_steps)))


def ramp_s(trains_per_step_n: int) -> float:
    """Length of a real window: rest, one cycle of random start, the ramp, one cycle."""
    return REST_S + CYCLE_S * (STEPS_N * trains_per_step_n + 1)


def make_ramp(
    background: str,
    plateau_bpm: float,
    trains_per_step_n: int,
    seed: int,
    windows: list[tuple[str, FloatArray]],
    *,
    midpoints: tuple[float, float] = MIDPOINTS,
    confined_steps: float = np.inf,
    shuffled: bool = False,
) -> Ramp:
    """One recording: 160 s rest, then 15 steps of Dash trains with a response drawn as in the design notes.

    The midpoint is drawn evenly between ``midpoints``, the width from ``WIDTHS_STEPS``. A response is lost again
    ``confined_steps`` above its midpoint. Steps rise, or are ``shuffled`` train by train.
    """
    rng = np.random.default_rng((seed, round(100 * plateau_bpm), trains_per_step_n))
    trains_n = STEPS_N * trains_per_step_n
    if background == "real":
        beats_s = windows[seed % len(windows)][1]
        first_s = REST_S + rng.uniform(0.0, CYCLE_S)
    else:
        beats_s = simulated_beats(rng, REST_S + CYCLE_S * (trains_n + 2))
        first_s = REST_S
    onsets_s = first_s + CYCLE_S * np.arange(trains_n)
    steps = np.repeat(np.arange(1.0, STEPS_N + 1.0), trains_per_step_n)
    if shuffled:
        steps = rng.permutation(steps)
    midpoint = float(rng.uniform(*midpoints))
    width = float(rng.choice(WIDTHS_STEPS))
    drawn = draw_response(rng, plateau_bpm)
    if plateau_bpm > 0.0:
        dose = rise(steps, midpoint, width) * (1.0 - rise(steps, midpoint + confined_steps, width))
        beats_s = warp(beats_s, DosedResponse(*astuple(drawn), dose=tuple(dose.tolist())), onsets_s, TRAIN_S)
    beats_s = beats_s[beats_s < onsets_s[-1] + CYCLE_S]
    return Ramp(beats_s, onsets_s, FIRST_PCT + STEP_PCT * (steps - 1.0), plateau_bpm, midpoint, width)

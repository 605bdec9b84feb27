"""Intensity ramps with a known threshold, and what the estimate and the published rule make of them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from backgrounds import FloatArray, real_windows
from hbc_host.published import THRESHOLD, published_score
from hbc_host.threshold import estimate_threshold
from pieces import Cell, code_version
from threshold_world import STEP_PCT, TRAIN_S, Ramp, make_ramp, ramp_s


class ThresholdRun(NamedTuple):
    """A ramp's truth, the estimate (nan where there is none), and the published rule's threshold (nan if it has none).

    ``flags`` are those of the estimate, with a space between them.
    """

    background: str
    trains_per_step_n: int
    plateau_bpm: float
    seed: int
    run: int
    found: str
    truth_pct: float
    threshold_pct: float
    low_pct: float
    high_pct: float
    width_steps: float
    published_pct: float
    flags: str

    @property
    def error_steps(self) -> float:
        """Estimate less truth."""
        return (self.threshold_pct - self.truth_pct) / STEP_PCT

    @property
    def published_error_steps(self) -> float:
        """The published rule's threshold less truth."""
        return (self.published_pct - self.truth_pct) / STEP_PCT


def published_threshold_pct(ramp: Ramp) -> float:
    """Lowest intensity whose published log power, mean over its cycles, exceeds the published 9.56."""
    log_power = published_score(ramp.beats_s, ramp.onsets_s, train_s=TRAIN_S).log_power
    for intensity in np.unique(ramp.intensities_pct):
        cycles = log_power[ramp.intensities_pct == intensity]
        if np.any(np.isfinite(cycles)) and np.nanmean(cycles) > THRESHOLD:
            return float(intensity)
    return float("nan")


def judged(key: tuple[str, int, float, int, int], ramp: Ramp) -> ThresholdRun:
    """Both thresholds of a ramp."""
    result = estimate_threshold(ramp.beats_s, ramp.onsets_s, ramp.intensities_pct, train_s=TRAIN_S)
    return ThresholdRun(
        *key,
        result.found,
        ramp.threshold_pct,
        result.threshold_pct,
        *result.ci95_pct,
        result.width_steps,
        published_threshold_pct(ramp),
        " ".join(result.flags),
    )


@functools.lru_cache(maxsize=2)
def windows_of(folder: Path, trains_per_step_n: int) -> list[tuple[str, FloatArray]]:
    """Real windows that are long enough; reading records takes seconds."""
    return real_windows(folder, ramp_s(trains_per_step_n))


def make(folder: Path, cell: Cell, seed: int, runs: list[int]) -> list[ThresholdRun]:
    """Some ramps of one cell: background, trains a step, plateau."""
    background, trains_n, plateau_bpm = str(cell[0]), int(cell[1]), float(cell[2])
    windows = windows_of(folder, trains_n) if background == "real" else []
    numbers = ((run, seed * 100_000 + run) for run in runs)
    return [
        judged(
            (background, trains_n, plateau_bpm, seed, run),
            make_ramp(background, plateau_bpm, trains_n, number, windows),
        )
        for run, number in numbers
    ]


def version() -> str:
    """Of all that a row hangs on."""
    return code_version("threshold_runs")

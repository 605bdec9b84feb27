"""How far off, how wide and how often: thresholds from intensity ramps with a known truth.

Example: ``python tests/study/threshold_study.py --background real --trains-per-step 1 3 --runs 100 --seed 101``
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import FloatArray, real_windows
from hbc_host.published import THRESHOLD, published_score
from hbc_host.threshold import FOUND, NONE_FOUND, NOT_DETERMINED, ThresholdResult, estimate_threshold
from null_campaign import data_folder
from pieces import Cell
from threshold_world import MIDPOINTS, STEP_PCT, TRAIN_S, Ramp, make_ramp, ramp_s


@dataclass(frozen=True)
class Outcome:
    """A ramp's truth, what was made of it, and the published rule's threshold (nan where it finds none)."""

    ramp: Ramp
    result: ThresholdResult
    published_pct: float


class ThresholdRun(NamedTuple):
    """The same as a row of a table; nan where there is no estimate."""

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


def published_threshold_pct(ramp: Ramp) -> float:
    """Lowest intensity whose published log power, mean over its cycles, exceeds the published 9.56."""
    log_power = published_score(ramp.beats_s, ramp.onsets_s, train_s=TRAIN_S).log_power
    for intensity in np.unique(ramp.intensities_pct):
        cycles = log_power[ramp.intensities_pct == intensity]
        if np.any(np.isfinite(cycles)) and np.nanmean(cycles) > THRESHOLD:
            return float(intensity)
    return float("nan")


def run_one(ramp: Ramp) -> Outcome:
    """Both thresholds of a ramp."""
    result = estimate_threshold(ramp.beats_s, ramp.onsets_s, ramp.intensities_pct, train_s=TRAIN_S)
    return Outcome(ramp, result, published_threshold_pct(ramp))


def _median(values: FloatArray) -> str:
    return f"{np.nanmedian(values):.2f}" if np.isfinite(values).any() else "-"


def _share(hits: FloatArray) -> str:
    return f"{hits.mean():.3f} ({int(hits.sum())}/{hits.size})" if hits.size else "-"


def verdict_shares(outcomes: list[Outcome]) -> str:
    """Shares of the three verdicts."""
    return "  ".join(
        f"{verdict} {np.mean([outcome.result.found == verdict for outcome in outcomes]):.2f}"
        for verdict in (FOUND, NONE_FOUND, NOT_DETERMINED)
    )


def responders(outcomes: list[Outcome]) -> str:
    """Error, coverage and width in steps over all runs with an estimate and over those with verdict "found"."""
    truth = np.array([outcome.ramp.threshold_pct for outcome in outcomes])
    estimate = np.array([outcome.result.threshold_pct for outcome in outcomes])
    low, high = np.array([outcome.result.ci95_pct for outcome in outcomes]).T
    width = np.array([outcome.result.width_steps for outcome in outcomes])
    published = np.array([outcome.published_pct for outcome in outcomes])
    error, published_error = np.abs(estimate - truth) / STEP_PCT, (published - truth) / STEP_PCT
    covered = (low <= truth) & (truth <= high)
    given, found = np.isfinite(estimate), np.array([outcome.result.found == FOUND for outcome in outcomes])
    return (
        f"  estimate given: median error {_median(error[given])} steps, ci95 covers {_share(covered[given])}, "
        f"median width {_median(width[given])}, bias {np.mean((estimate - truth)[given]) / STEP_PCT:+.2f}\n"
        f"  found:          median error {_median(error[found])} steps, ci95 covers {_share(covered[found])}, "
        f"median width {_median(width[found])}\n"
        f"  published rule: median error {_median(np.abs(published_error))} steps, "
        f"mean {np.nanmean(published_error):+.2f}, finds {np.isfinite(published).mean():.2f}"
    )


def summarise(outcomes: list[Outcome], plateau_bpm: float) -> str:
    """Lines of the table for one condition."""
    lines = f"  {verdict_shares(outcomes)}"
    if plateau_bpm > 0.0:
        return f"{lines}\n{responders(outcomes)}"
    silent = np.array([outcome.result.found != FOUND for outcome in outcomes])
    published = np.mean([np.isfinite(outcome.published_pct) for outcome in outcomes])
    return f"{lines}\n  none found or not determined {_share(silent)}; published rule finds {published:.2f}"


@functools.lru_cache(maxsize=2)
def windows_of(folder: Path, trains_per_step_n: int) -> list[tuple[str, FloatArray]]:
    """Real windows that are long enough; reading records takes seconds."""
    return real_windows(folder, ramp_s(trains_per_step_n))


def make(folder: Path, cell: Cell, seed: int, runs: list[int]) -> list[ThresholdRun]:
    """Some ramps of one cell: background, trains a step, plateau."""
    background, trains_n, plateau_bpm = str(cell[0]), int(cell[1]), float(cell[2])
    windows = windows_of(folder, trains_n) if background == "real" else []
    found = []
    for run in runs:
        one = run_one(make_ramp(background, plateau_bpm, trains_n, seed * 100_000 + run, windows))
        result, truth_pct = one.result, one.ramp.threshold_pct
        found.append(
            ThresholdRun(
                *(background, trains_n, plateau_bpm, seed, run),
                *(result.found, truth_pct, result.threshold_pct, *result.ci95_pct, result.width_steps),
                one.published_pct,
            )
        )
    return found


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--background", choices=("real", "sim"), nargs="+", default=["real", "sim"])
    parser.add_argument("--trains-per-step", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--plateaus", type=float, nargs="+", default=[0.0, 3.0, 6.0])
    parser.add_argument("--midpoints", type=float, nargs=2, default=MIDPOINTS, help="range in steps, numbered from 1")
    parser.add_argument("--confined-steps", type=float, default=np.inf, help="lose the response this far above")
    parser.add_argument("--shuffled", action="store_true", help="intensities in random order")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    return parser.parse_args()


def run_condition(
    args: argparse.Namespace, background: str, trains_n: int, plateau_bpm: float, windows: list[tuple[str, FloatArray]]
) -> list[Outcome]:
    """All runs of one row of the table."""
    seeds = range(args.seed * 100_000, args.seed * 100_000 + args.runs)
    ramps = (
        make_ramp(
            background,
            plateau_bpm,
            trains_n,
            seed,
            windows,
            midpoints=tuple(args.midpoints),
            confined_steps=args.confined_steps,
            shuffled=args.shuffled,
        )
        for seed in seeds
    )
    return [run_one(ramp) for ramp in ramps]


def flag_shares(outcomes: list[Outcome]) -> str:
    """Share of runs with each flag."""
    flags = [flag for outcome in outcomes for flag in outcome.result.flags]
    return ", ".join(f"{flag} {flags.count(flag) / len(outcomes):.2f}" for flag in sorted(set(flags)))


def main() -> None:
    """Run every condition and print its lines."""
    args = arguments()
    data = data_folder(args.data)
    if "real" in args.background and not data.is_dir():
        print(f"{data}: no MIT-BIH records there; real RR series are left out (give --data)")
        args.background.remove("real")
    for background in args.background:
        for trains_n in args.trains_per_step:
            windows = real_windows(data, ramp_s(trains_n)) if background == "real" else []
            for plateau_bpm in args.plateaus:
                began_s = time.perf_counter()
                outcomes = run_condition(args, background, trains_n, plateau_bpm, windows)
                print(
                    f"{background}, {trains_n} train(s) a step, plateau {plateau_bpm:g} bpm, n {args.runs}, "
                    f"seed {args.seed}, {time.perf_counter() - began_s:.0f} s\n{summarise(outcomes, plateau_bpm)}\n"
                    f"  flags: {flag_shares(outcomes)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

"""How far off, how wide and how often: thresholds from intensity ramps with a known truth, a line per condition.

Example: ``python tests/study/threshold_study.py --background real --trains-per-step 1 3 --runs 100 --seed 101``

The plain conditions are part of ``make study``; here are also ramps in random order, responses from the first step on
and responses that are lost again.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import data_folder
from hbc_host.threshold import FOUND, NONE_FOUND, NOT_DETERMINED
from threshold_runs import ThresholdRun, judged, windows_of
from threshold_world import MIDPOINTS, make_ramp

HEADING = (
    "background, plateau | runs | found / none found / not determined | median error, steps | 95 % covers |"
    " median width, steps | published rule"
)


class ThresholdCell:
    """What the ramps of one condition came to; ``given`` are the runs with an estimate."""

    def __init__(self, rows: Sequence[ThresholdRun]) -> None:
        self.rows = rows
        self.given = [one for one in rows if math.isfinite(one.threshold_pct)]

    @staticmethod
    def error_steps(rows: Sequence[ThresholdRun]) -> float:
        """Median size of the error of some rows; nan of none."""
        return _median([abs(one.error_steps) for one in rows])

    @staticmethod
    def cover(rows: Sequence[ThresholdRun]) -> float:
        """Share of 95 % intervals that hold the truth; nan of no rows."""
        return _mean([one.low_pct <= one.truth_pct <= one.high_pct for one in rows])

    def line(self) -> str:
        """The cells of :data:`HEADING`; in parentheses the runs with verdict "found"."""
        background, trains_n, plateau_bpm = self.rows[0][:3]
        verdicts = " / ".join(
            share(_mean([one.found == name for one in self.rows])) for name in (FOUND, NONE_FOUND, NOT_DETERMINED)
        )
        named = [one for one in self.rows if math.isfinite(one.published_pct)]
        published = f"names one in {share(len(named) / len(self.rows))}"
        found = "- | - | -"
        if plateau_bpm > 0.0:
            both = (self.given, [one for one in self.given if one.found == FOUND])
            parts = (
                [_shown(self.error_steps(rows), 2) for rows in both],
                [share(self.cover(rows)) for rows in both],
                [_shown(_median([one.width_steps for one in rows]), 1) for rows in both],
            )
            found = " | ".join(f"{all_given} ({with_verdict})" for all_given, with_verdict in parts)
            published += f", {_shown(_median([abs(one.published_error_steps) for one in named]), 1)} steps off"
        name = "real RR" if background == "real" else "simulated"
        trains = f"{trains_n} train{'s' if trains_n != 1 else ''} a step"
        return f"{name}, {trains}, {plateau_bpm:g} bpm | {len(self.rows)} | {verdicts} | {found} | {published}"


def _mean(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if values else math.nan


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else math.nan


def share(value: float) -> str:
    """A share as tables of studies write it, .042; a line for nan."""
    return _shown(value, 3).removeprefix("0")


def _shown(value: float, digits_n: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits_n}f}"


def flag_shares(rows: Sequence[ThresholdRun]) -> str:
    """Share of runs with each flag."""
    flags = [flag for one in rows for flag in one.flags.split()]
    return ", ".join(f"{flag} {flags.count(flag) / len(rows):.2f}" for flag in sorted(set(flags)))


def run_condition(args: argparse.Namespace, background: str, trains_n: int, plateau_bpm: float) -> list[ThresholdRun]:
    """All runs of one line."""
    windows = windows_of(data_folder(args.data), trains_n) if background == "real" else []
    found = []
    for run in range(args.runs):
        ramp = make_ramp(
            *(background, plateau_bpm, trains_n, args.seed * 100_000 + run, windows),
            midpoints=tuple(args.midpoints),
            confined_steps=args.confined_steps,
            shuffled=args.shuffled,
        )
        found.append(judged((background, trains_n, plateau_bpm, args.seed, run), ramp))
    return found


def main() -> None:
    """Run every condition and print its line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--background", choices=("real", "sim"), nargs="+", default=["real", "sim"])
    parser.add_argument("--trains-per-step", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--plateaus", type=float, nargs="+", default=[0.0, 3.0, 6.0])
    parser.add_argument("--midpoints", type=float, nargs=2, default=MIDPOINTS, help="range in steps, numbered from 1")
    parser.add_argument("--confined-steps", type=float, default=np.inf, help="lose the response this far above")
    parser.add_argument("--shuffled", action="store_true", help="intensities in random order")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    folder = data_folder(args.data)
    if "real" in args.background and not folder.is_dir():
        print(f"{folder}: no MIT-BIH records there; real RR series are left out (give --data)")
        args.background.remove("real")
    print(f"| {HEADING} | flags |\n" + "|---" * 8 + "|")
    for background in args.background:
        for trains_n in args.trains_per_step:
            for plateau_bpm in args.plateaus:
                rows = run_condition(args, background, trains_n, plateau_bpm)
                print(f"| {ThresholdCell(rows).line()} | {flag_shares(rows)} |", flush=True)


if __name__ == "__main__":
    main()

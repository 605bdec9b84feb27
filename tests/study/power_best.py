"""What the best of all tests finds that does not know the shape of the response: a bound for any estimator.

Example: ``python tests/study/power_best.py --background simulated --protocol itbs --seeds 300 301 302 303``

By the lemma of Neyman and Pearson (1933, doi 10.1098/rsta.1933.0009) no test finds more on average than the ratio of
likelihoods. Here it is told the law from which shapes and habituation are drawn and the true size of the response; each
run's noise is fitted as the estimator fits it. Its cut-off errs in 5 % of all runs without response, or in 5 % of those
of each record, both taken from the runs that are made here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import FloatArray, data_folder, draw_response, real_windows
from hbc_host import design as build
from hbc_host.beats import classify_beats
from hbc_host.design import Hypothesis
from hbc_host.weighing import weigh
from power_stages import Window, cut_off, parse_arguments
from recordings import Run, duration_s, make_run
from scipy.special import logsumexp

#: Draws that stand for the law of shapes, and their seed.
SHAPES_N, SHAPES_SEED = 150, 7


class Fitted(NamedTuple):
    """A run and, for each drawn shape, its fall and standard error, both (shapes,), bpm."""

    record: str
    fall_bpm: FloatArray
    se_bpm: FloatArray

    def log_ratio(self, dip_bpm: float) -> float:
        """Log of the likelihood of a response of this size and any shape over that of none."""
        each = (self.fall_bpm * dip_bpm - dip_bpm**2 / 2.0) / self.se_bpm**2
        return float(logsumexp(each) - np.log(each.size))


def drawn_shapes(run: Run) -> tuple[Hypothesis, ...]:
    """The law of the study's responses, as so many draws."""
    rng = np.random.default_rng(SHAPES_SEED)
    return tuple(run.truth(draw_response(rng, 1.0)) for _ in range(SHAPES_N))


def collect(background: str, name: str, dip_bpm: float, seeds: list[int], windows: list[Window]) -> list[Fitted]:
    """Each window, or as many simulated hearts, once per seed."""
    found = []
    for number in (seed * 100_000 + at for seed in seeds for at in range(len(windows))):
        run = make_run(background, name, dip_bpm, number, windows)
        design = build.design_run(classify_beats(run.beats_s), run.onsets_s, run.protocol.train_s)
        if not design.problems:
            fit = weigh(design, drawn_shapes(run)).fit
            record = windows[number % len(windows)][0] if background == "real" else ""
            found.append(Fitted(record, fit.fall_bpm[0], fit.se_bpm[0]))
    return found


def power(null: list[Fitted], runs: list[Fitted], dip_bpm: float) -> tuple[float, float]:
    """Share of the runs that are found, by one cut-off for all hearts and by one for each record."""

    def limit(some: list[Fitted]) -> float:
        return cut_off([one.log_ratio(dip_bpm) for one in some])

    common = limit(null)
    own = {key: limit([one for one in null if one.record == key]) for key in {one.record for one in null}}
    ratios = np.array([one.log_ratio(dip_bpm) for one in runs])
    return float(np.mean(ratios > common)), float(np.mean(ratios > [own[one.record] for one in runs]))


def main() -> None:
    """Run and print."""
    args = parse_arguments(__doc__, ["dash", "itbs"], ["dash", "itbs"])
    print("| protocol | background | dip bpm | runs without, with | one cut-off for all | one for each record |")
    print("|---|---|---|---|---|---|")
    for name in args.protocol:
        windows = real_windows(data_folder(args.data), duration_s(name))
        null = collect(args.background, name, 0.0, args.null_seeds, windows)
        for dip_bpm in args.dips:
            runs = collect(args.background, name, dip_bpm, args.seeds, windows)
            common, own = power(null, runs, dip_bpm)
            counts = f"{len(null)}, {len(runs)}"
            print(f"| {name} | {args.background} | {dip_bpm:g} | {counts} | {common:.3f} | {own:.3f} |", flush=True)


if __name__ == "__main__":
    main()

"""What a test could find at most on real RR: shape, habituation, dose and noise known.

Example: ``python tests/study/power_bound.py --runs 124 --seed 300``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import FloatArray, data_folder, real_windows
from hbc_host import design as build
from hbc_host import evidence
from hbc_host.beats import classify_beats
from hbc_host.stretches import prepare
from recordings import TRAINS_N, dips_bpm_of, duration_s, make_run
from scipy.special import ndtr, ndtri


def bound(name: str, dips_bpm: list[float], seeds: range, windows: list[tuple[str, FloatArray]]) -> str:
    """Power of the one-sided test at 5 % whose response is known and whose noise is known, on real RR.

    The known response is fitted to the windows as they are, without any response in them. The standard error of each
    is that of its fitted noise, scaled for all alike so that the fits, whose truth is zero, scatter as it says.
    """
    found = []
    for seed in seeds:
        run = make_run("real", name, dips_bpm[0], seed, windows)
        assert run.response is not None
        beats_s = windows[seed % len(windows)][1]
        beats = classify_beats(beats_s[beats_s < run.onsets_s[-1] + run.protocol.cycle_s])
        design = build.design_run(beats, run.onsets_s, run.protocol.train_s)
        if not design.problems:
            stretch, rest = prepare(design, None)
            signals = stretch.block.scaled(build.signals(design, [run.truth(run.response)]))
            fit = evidence.fit_rows(stretch.row, None if rest is None else rest.row, signals, stretch.block.dof)
            found.append((fit.fall_bpm[0, 0], fit.se_bpm[0, 0]))
    fall, se = np.array(found).T
    scale = float(np.sqrt(np.mean((fall / se) ** 2)))
    powers = [float(np.mean(ndtr(dip_bpm / (scale * se) - ndtri(0.95)))) for dip_bpm in dips_bpm]
    shown = "  ".join(f"dip {dip_bpm:g} bpm {power:.3f}" for dip_bpm, power in zip(dips_bpm, powers, strict=True))
    return f"real {name} bound  n {se.size}  windows {len(windows)}  {shown}  standard errors scaled by {scale:.2f}"


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=sorted(TRAINS_N), nargs="+", default=["dash", "itbs", "ramp"])
    parser.add_argument("--runs", type=int, default=124)
    parser.add_argument("--seed", type=int, default=300)
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    folder = data_folder(args.data)
    if not folder.is_dir():
        parser.error(f"{folder}: no MIT-BIH records there (give --data)")
    for name in args.protocol:
        windows = real_windows(folder, duration_s(name))
        dips_bpm = [dip_bpm for dip_bpm in dips_bpm_of(name) if dip_bpm > 0.0]
        print(bound(name, dips_bpm, range(args.seed * 100_000, args.seed * 100_000 + args.runs), windows), flush=True)


if __name__ == "__main__":
    main()

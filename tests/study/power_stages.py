"""From all that could be found to what is: the same hearts, one thing less known at each stage, and its errors.

Example: ``python tests/study/power_stages.py --protocol dash itbs ramp --seeds 300 777``

A stage is a rule that calls a run coupled. Printed are the share of runs that it calls so per dip, and without any
response, there for the three most restless records and for the others apart: a rule may owe its power to errors in the
restless (of simulated hearts there are no such records). "One cut-off for all hearts" is what 5 % of all runs without
response exceed, a matched null, as the goals of power were taken; "one cut-off per record" the same for each heart by
itself (taken from the very runs whose errors it is printed with); "its own cut-off" is that of the run's surrogates.
"""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import FloatArray, data_folder, real_windows
from hbc_host import design as build
from hbc_host import evidence, peaks
from hbc_host.beats import classify_beats
from hbc_host.coupling import fit_run
from hbc_host.stretches import prepare
from power_losses import swapped
from recordings import TRAINS_N, Run, duration_s, make_run
from scipy.special import ndtri

Window = tuple[str, FloatArray]
RESTLESS = ("108", "115", "230")
ALPHA = evidence.ALPHA
KNOWN_Z = float(ndtri(1.0 - ALPHA))
STAGES = (
    "shape and noise known",
    "shape known, noise from the run",
    "shape known, one cut-off for all hearts",
    "shape unknown, one cut-off for all hearts",
    "shape unknown, one cut-off per record",
    "shape unknown, its own cut-off, no caution",
    "p < .05: the same with caution",
    "verdict coupled: the same with doubts",
)


class CutOffs(NamedTuple):
    """Cut-offs that 5 % of runs without response exceed: of all of them, and of each record."""

    shape_known_z: float
    evidence: float
    evidence_of: dict[str, float]


class Scores(NamedTuple):
    """What a run with or without response comes to: larger than the stage's limit is called coupled."""

    record: str
    all_known_z: float
    shape_known_z: float
    evidence: float
    p_no_caution: float
    p_value: float
    is_coupled: bool

    def called(self, limits: CutOffs) -> list[bool]:
        """Is the run called coupled at each stage?"""
        return [
            self.all_known_z > KNOWN_Z,
            self.shape_known_z > KNOWN_Z,
            self.shape_known_z > limits.shape_known_z,
            self.evidence > limits.evidence,
            self.evidence > limits.evidence_of[self.record],
            self.p_no_caution < ALPHA,
            self.p_value < ALPHA,
            self.is_coupled,
        ]


def known_z(beats_s: FloatArray, run: Run, shaped: Run) -> tuple[float, float] | None:
    """Fall and standard error of the true response of ``shaped`` in the beats; None when they cannot be used."""
    assert shaped.response is not None
    beats = classify_beats(beats_s[beats_s < run.onsets_s[-1] + run.protocol.cycle_s])
    design = build.design_run(beats, run.onsets_s, run.protocol.train_s)
    if design.problems:
        return None
    own, rest = prepare(design, None)
    signal = own.block.scaled(build.signals(design, [shaped.truth(shaped.response)]))
    fit = evidence.evidence(own.row, None if rest is None else rest.row, signal, own.block.dof)
    return float(fit.fall_bpm[0, 0]), float(fit.se_bpm[0, 0])


def scores(record: str, window_s: FloatArray, run: Run, shaped: Run) -> Scores | None:
    """All stages of one run; ``window_s``: a heart without response for the same onsets; ``shaped`` has the response
    whose shape is known (the run's own, if any).
    """
    clean, own = known_z(window_s, run, shaped), known_z(run.beats_s, run, shaped)
    estimate = functools.partial(
        fit_run, run.beats_s, run.onsets_s, train_s=run.protocol.train_s, intensities_pct=run.intensities_pct
    )
    with swapped(peaks, "PEAK_POWER", 0.0), swapped(peaks, "KNOWN_POWER", 0.0):
        p_no_caution = estimate().result.p_value
    found = estimate()
    if clean is None or own is None or found.fit is None:
        return None
    slowing, speeding = float(found.fit.slowing[0]), float(found.fit.speeding[0])
    dip_bpm = 0.0 if run.response is None else run.response.dip_bpm
    return Scores(
        record,
        (clean[0] + dip_bpm) / clean[1],
        own[0] / own[1],
        slowing if slowing > speeding else -np.inf,
        p_no_caution,
        found.result.p_value,
        found.result.verdict == "coupled",
    )


def collect(background: str, name: str, dip_bpm: float, seeds: list[int], windows: list[Window]) -> list[Scores]:
    """Each window, or as many simulated hearts, once per seed."""
    found = []
    for number in (seed * 100_000 + at for seed in seeds for at in range(len(windows))):
        run = make_run(background, name, dip_bpm, number, windows)
        shaped = run if run.response is not None else make_run(background, name, 2.0, number, windows)
        record, window_s = windows[number % len(windows)]
        if background != "real":
            record, window_s = "", make_run(background, name, 0.0, number + len(windows), windows).beats_s
        one = scores(record, window_s, run, shaped)
        if one is not None:
            found.append(one)
    return found


def cut_off(values: list[float]) -> float:
    """What 5 % of the values exceed."""
    return float(np.quantile(values, 1.0 - ALPHA))


def cut_offs(null: list[Scores]) -> CutOffs:
    """From the runs without response."""
    of_record = {
        key: cut_off([one.evidence for one in null if one.record == key]) for key in {one.record for one in null}
    }
    return CutOffs(cut_off([one.shape_known_z for one in null]), cut_off([one.evidence for one in null]), of_record)


def table(null: list[Scores], found: dict[float, list[Scores]]) -> str:
    """A row per stage: errors in restless and in other hearts, then power per dip."""
    limits = cut_offs(null)
    is_restless = np.array([one.record in RESTLESS for one in null])
    errors = np.array([one.called(limits) for one in null])
    powers = [np.mean([one.called(limits) for one in runs], axis=0) for runs in found.values()]
    dips = " | ".join(f"{dip_bpm:g} bpm" for dip_bpm in found)
    lines = [f"| stage | errors | restless | others | {dips} |", "|---" * (4 + len(found)) + "|"]
    for at, stage in enumerate(STAGES):
        of_some = [errors[some, at] for some in (is_restless, ~is_restless)]
        cells = [errors[:, at].mean(), *(one.mean() if one.size else np.nan for one in of_some)]
        cells += [float(power[at]) for power in powers]
        lines.append(f"| {stage} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    return "\n".join(lines)


def parse_arguments(description: str | None, protocols: list[str], default: list[str]) -> argparse.Namespace:
    """What is asked of a study that compares runs with and without response."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=protocols, nargs="+", default=default)
    parser.add_argument("--background", choices=("real", "simulated"), default="real")
    parser.add_argument("--dips", type=float, nargs="+", default=[1.0, 2.0, 3.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[300, 777])
    parser.add_argument("--null-seeds", type=int, nargs="+", default=[900, 901, 902, 903], help="without response")
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    return parser.parse_args()


def main() -> None:
    """Run and print."""
    args = parse_arguments(__doc__, sorted(TRAINS_N), ["dash", "itbs"])
    for name in args.protocol:
        assert name in TRAINS_N
        windows = real_windows(data_folder(args.data), duration_s(name))
        null = collect(args.background, name, 0.0, args.null_seeds, windows)
        found = {dip_bpm: collect(args.background, name, dip_bpm, args.seeds, windows) for dip_bpm in args.dips}
        runs_n = [len(runs) for runs in found.values()]
        print(f"{name}, {args.background}: {len(null)} runs without response, {runs_n} with, of {len(windows)} windows")
        print(table(null, found), flush=True)


if __name__ == "__main__":
    main()

"""What each part of the estimate costs or brings in power on real RR: one part changed at a time, on the same runs.

Example: ``python tests/study/power_losses.py --protocol dash --runs 124 --seed 300 --dips 2 3 --restless``

``--restless`` keeps the records in which 2 bpm are sometimes missed; in the others every row finds all. "noise known":
the noise is fitted to the window before any response is put in; no estimator can know that.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import FloatArray, data_folder, real_windows
from hbc_host import blocks, evidence, peaks, weighing
from hbc_host import design as build
from hbc_host.beats import classify_beats
from hbc_host.stretches import Stretch, prepare
from recordings import REST_S, TRAINS_N, Run, duration_s, make_run
from scipy.special import ndtri

RESTLESS = ("101", "106", "108", "115", "122", "205", "230")
Change = Callable[[FloatArray, Run], AbstractContextManager[object]]


@contextmanager
def swapped(module: object, name: str, value: object) -> Iterator[None]:
    """Another value for a name of the estimator, for a while."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def to(module: object, name: str, value: float) -> Change:
    """A constant of the estimator with another value."""
    return lambda beats_s, run: swapped(module, name, value)


def both(*changes: Change) -> Change:
    """Several changes together."""

    @contextmanager
    def changed(beats_s: FloatArray, run: Run) -> Iterator[None]:
        with ExitStack() as stack:
            for change in changes:
                stack.enter_context(change(beats_s, run))
            yield

    return changed


def known_noise(*, in_test: bool) -> Change:
    """Surrogates, and the test if wished, with the noise of the window before the response was put in."""

    @contextmanager
    def changed(beats_s: FloatArray, run: Run) -> Iterator[None]:
        beats = classify_beats(beats_s[beats_s < run.onsets_s[-1] + run.protocol.cycle_s])
        design = build.design_run(beats, run.onsets_s, run.protocol.train_s)
        if design.problems:
            yield
            return
        own, rest = prepare(design, None)
        candidates = build.hypotheses(build.dose_profiles(run.intensities_pct, run.onsets_s.size), 0.0, design.cycle_s)
        signals = own.block.scaled(build.signals(design, candidates))
        noise = peaks.null_noise(design, own, rest, own.row, signals.mean(axis=0))
        rest_row = None if rest is None else rest.row
        filter_ = evidence.fit_rows(own.row, rest_row, signals, own.block.dof).filters

        def filters(covariance: FloatArray, *rest_of_it: object) -> FloatArray:
            return np.repeat(filter_[:, : covariance.shape[1]], covariance.shape[0], axis=0)

        with ExitStack() as stack:
            stack.enter_context(swapped(weighing, "null_noise", lambda *given: noise))
            if in_test:
                # Only the rows of the test have this memory; the first fit and stale rest use the longer one.
                true = evidence._filters
                length_n = filter_.shape[1]
                stack.enter_context(
                    swapped(
                        evidence, "_filters", lambda c, *more: (filters if c.shape[1] == length_n else true)(c, *more)
                    )
                )
            yield

    return changed


def surprises_clipped(rate: FloatArray, filter_: FloatArray, measured: blocks.BoolArray, limit: float) -> FloatArray:
    """A series (n,) in which no beat departs from its prediction by more than ``limit`` robust standard deviations.

    After the robust filter-cleaner of Martin & Thomson 1982 (Proc. IEEE 70:1097): later beats are predicted from the
    cleaned ones, so that a sigh of several beats does not teach its own sequel.
    """
    surprise = np.convolve(rate, filter_)[: rate.size][measured]
    most = limit * max(float(np.median(np.abs(surprise))) / 0.6745, 1e-6)
    order = filter_.size - 1
    weights = -filter_[:0:-1]
    cleaned = np.zeros(order + rate.size)
    for at, value in enumerate(rate):
        predicted = float(weights @ cleaned[at : at + order])
        cleaned[at + order] = predicted + np.clip(value - predicted, -most, most)
    return cleaned[order:]


def clipped(limit: float) -> Change:
    """Run and rest with clipped surprises: hearts sigh and start, and noise so far from Gaussian costs power."""

    def cleaned(design: build.RunDesign, rest_s: float | tuple[float, float] | None) -> tuple[Stretch, Stretch | None]:
        own, rest = prepare(design, rest_s)
        parts = [own] if rest is None else [own, rest]
        raw = rows = [part.rate_bpm[None, :] for part in parts]
        for _ in range(2):
            filter_ = evidence.fit_noise(rows[0], rows[1] if rest is not None else None)[0]
            rows = [
                part.block.repair(surprises_clipped(row[0], filter_, part.block.measured, limit)[None, :])
                for part, row in zip(parts, raw, strict=True)
            ]
        filter_ = evidence.fit_noise(rows[0], rows[1] if rest is not None else None)[0]
        found = []
        for part, row in zip(parts, rows, strict=True):
            block = blocks.with_local_scale(part.block, row, filter_)
            found.append(Stretch(part.window, block, row / block.scale))
        return found[0], found[1] if rest is not None else None

    return lambda beats_s, run: swapped(weighing, "prepare", cleaned)


CHANGES: dict[str, Change] = {
    "as it is": lambda beats_s, run: contextlib.nullcontext(),
    "version before: 36 beats of memory, local size over 50": both(
        to(evidence, "TEST_ORDER", 36), to(blocks, "SCALE_WIDTH_BEATS", 20.0)
    ),
    "36 beats of memory": to(evidence, "TEST_ORDER", 36),
    "10 beats of memory": to(evidence, "TEST_ORDER", 10),
    "local size over 50 beats": to(blocks, "SCALE_WIDTH_BEATS", 20.0),
    "local size over 12 beats": to(blocks, "SCALE_WIDTH_BEATS", 5.0),
    "no local size": to(blocks, "SCALE_WIDTH_BEATS", 1000.0),
    "drift: slower than 4 cycles": both(to(build, "SLOW_CYCLES_N", 4.0), to(build, "SLOW_MIN_S", 40.0)),
    "drift: slower than 10 cycles": to(build, "SLOW_CYCLES_N", 10.0),
    "rest always used": to(evidence, "STALE_MAX", math.inf),
    "rest never used": to(evidence, "STALE_MAX", -math.inf),
    "no caution": both(to(peaks, "PEAK_POWER", 0.0), to(peaks, "KNOWN_POWER", 0.0)),
    "response left in the noise": to(evidence, "PRIOR_ODDS", 0.0),
    "response taken out for certain": to(evidence, "PRIOR_ODDS", 1e30),
    "surprises clipped at 2.5 robust SD": clipped(2.5),
    "noise of surrogates known": known_noise(in_test=False),
    "noise known": known_noise(in_test=True),
}


def p_values(change: Change, runs: list[tuple[FloatArray, Run]], oracle: bool) -> FloatArray:
    """One-sided p of each usable run."""
    found = []
    for beats_s, run in runs:
        with change(beats_s, run):
            found.append(run.estimate(oracle).p_value)
    return np.array([p for p in found if math.isfinite(p)])


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=sorted(TRAINS_N), default="dash")
    parser.add_argument("--dips", type=float, nargs="+", default=[2.0, 3.0])
    parser.add_argument("--runs", type=int, default=124)
    parser.add_argument("--seed", type=int, default=300)
    parser.add_argument("--restless", action="store_true", help="only the records that are hard")
    parser.add_argument("--changes", nargs="+", default=list(CHANGES), choices=list(CHANGES), metavar="CHANGE")
    parser.add_argument("--oracle", action="store_true", help="tell the true shape")
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    windows = real_windows(data_folder(args.data), duration_s(args.protocol))
    seeds = range(args.seed * 100_000, args.seed * 100_000 + args.runs)
    kept = [seed for seed in seeds if not args.restless or windows[seed % len(windows)][0] in RESTLESS]
    cases = {
        dip: [(windows[s % len(windows)][1], make_run("real", args.protocol, dip, s, windows)) for s in kept]
        for dip in args.dips
    }
    print(f"{args.protocol}, {len(kept)} runs a dip, rest {REST_S:g} s: share with p < .05 (mean normal score of p)")
    for name in args.changes:
        began_s = time.process_time()
        found = {dip: p_values(CHANGES[name], cases[dip], args.oracle) for dip in args.dips}
        shown = [f"{dip:g} bpm {np.mean(p < 0.05):.3f} ({-ndtri(p).mean():.2f})" for dip, p in found.items()]
        print(f"| {name} | {' | '.join(shown)} | {time.process_time() - began_s:.0f} s", flush=True)


if __name__ == "__main__":
    main()

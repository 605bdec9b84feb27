"""False positives, power and intervals of estimate_coupling on real RR series and simulated patients.

Example: ``python tests/study/coupling_null.py --background real --protocol dash ramp --runs 200``

``ramp`` is Dash with rising intensities and a response that sets in at a random one of the middle steps; its dips are
plateaus. With ``--oracle`` the estimator is told the true shape and habituation, which shows what not knowing costs.
``--bound`` prints what a test could find at most on real RR: shape, habituation, dose and noise known.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import FloatArray, TrueResponse, draw_response, real_windows, simulated_beats, warp
from hbc_host import design as build
from hbc_host import evidence
from hbc_host.beats import classify_beats
from hbc_host.coupling import CouplingResult, estimate_coupling, fit_candidates
from hbc_host.response import Shape
from hbc_host.stretches import prepare
from hbc_host.trains import Protocol, parse_protocol
from scipy.special import ndtr, ndtri
from threshold_world import DosedResponse

TRAINS_N = {"dash": 15, "itbs": 20, "ramp": 15}
REST_S = 160.0
DIPS_BPM = {"ramp": (0.0, 2.0, 3.0, 6.0)}
DIPS_DEFAULT_BPM = (0.0, 1.0, 2.0, 3.0)
#: A ramp's response reaches half its plateau between these steps (from 0), and rises over about four widths.
RAMP_FIRST, RAMP_LAST, RAMP_WIDTH = 5.0, 10.0, 0.8


@dataclass(frozen=True)
class Run:
    """One recording and what is true of it: the response (None without) and the plateau's share in each train."""

    beats_s: FloatArray
    onsets_s: FloatArray
    protocol: Protocol
    intensities_pct: FloatArray | None
    response: TrueResponse | None
    dose: FloatArray

    @property
    def truth_bpm(self) -> float:
        """Mean over trains of the largest fall after onset."""
        if self.response is None:
            return 0.0
        return self.response.mean_fall_bpm(self.onsets_s, self.protocol.train_s, self.protocol.cycle_s)

    def estimate(self, oracle: bool = False) -> CouplingResult:
        """The estimator as it is, or told the true shape and dose."""
        train_s = self.protocol.train_s
        if not oracle or self.response is None:
            return estimate_coupling(self.beats_s, self.onsets_s, train_s=train_s, intensities_pct=self.intensities_pct)
        design = build.design_run(classify_beats(self.beats_s), self.onsets_s, train_s)
        return fit_candidates(design, (self.truth(self.response),), None, 0.0).result

    def truth(self, response: TrueResponse) -> build.Hypothesis:
        """The only hypothesis of one who knows the response."""
        shape = Shape(response.latency_s, response.growth_s, response.recovery_s)
        left = 1.0 - response.habituation * np.linspace(0.0, 1.0, self.onsets_s.size)
        return build.Hypothesis(shape, self.dose * left, 0.0)


def make_run(background: str, name: str, dip_bpm: float, seed: int, windows: list[tuple[str, FloatArray]]) -> Run:
    """One recording: 160 s rest, then a run of equal dose or a ramp."""
    rng = np.random.default_rng((seed, round(100 * dip_bpm)))
    protocol = parse_protocol("dash" if name == "ramp" else name)
    trains_n = TRAINS_N[name]
    if background == "real":
        beats_s = windows[seed % len(windows)][1]
        first_s = REST_S + rng.uniform(0.0, protocol.cycle_s)
    else:
        beats_s = simulated_beats(rng, REST_S + protocol.cycle_s * (trains_n + 2))
        first_s = REST_S
    onsets_s = first_s + protocol.cycle_s * np.arange(trains_n)
    intensities_pct, dose, response = None, np.ones(trains_n), None
    if name == "ramp":
        middle = rng.uniform(RAMP_FIRST, RAMP_LAST)
        dose = 1.0 / (1.0 + np.exp((middle - np.arange(trains_n)) / RAMP_WIDTH))
        intensities_pct = 20.0 + 5.0 * np.arange(trains_n)
    if dip_bpm != 0.0:
        response = draw_response(rng, dip_bpm)
        if name == "ramp":
            response = DosedResponse(**asdict(response), dose=tuple(dose.tolist()))
        beats_s = warp(beats_s, response, onsets_s, protocol.train_s)
    beats_s = beats_s[beats_s < onsets_s[-1] + protocol.cycle_s]
    return Run(beats_s, onsets_s, protocol, intensities_pct, response, dose)


def one_run(
    background: str, name: str, dip_bpm: float, seed: int, windows: list[tuple[str, FloatArray]], oracle: bool = False
) -> tuple[CouplingResult, float]:
    """The result of one recording and its true effect."""
    run = make_run(background, name, dip_bpm, seed, windows)
    return run.estimate(oracle), run.truth_bpm


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


def duration_s(name: str) -> float:
    """Length of a real window: rest, one cycle of random start, the run."""
    return REST_S + parse_protocol("dash" if name == "ramp" else name).cycle_s * (TRAINS_N[name] + 1)


def summarise(results: list[tuple[CouplingResult, float]]) -> str:
    """One table row: shares coupled and open, mean error, coverage and width of intervals, unusable."""
    usable = [(result, truth) for result, truth in results if result.verdict != "unusable"]
    coupled = np.mean([result.verdict == "coupled" for result, _ in usable])
    unclear = np.mean([result.verdict == "cannot_tell" for result, _ in usable])
    error = np.mean([result.effect_bpm - truth for result, truth in usable])
    cover90 = np.mean([result.ci90_bpm[0] <= truth <= result.ci90_bpm[1] for result, truth in usable])
    cover95 = np.mean([result.ci95_bpm[0] <= truth <= result.ci95_bpm[1] for result, truth in usable])
    width = np.mean([result.ci90_bpm[1] - result.ci90_bpm[0] for result, _ in usable])
    se = np.sqrt(coupled * (1 - coupled) / len(usable))
    return (
        f"coupled {coupled:.3f} +-{se:.3f}  cannot tell {unclear:.3f}  mean error {error:+.2f} bpm"
        f"  ci90 covers {cover90:.3f}  ci95 covers {cover95:.3f}  ci90 width {width:.1f} bpm"
        f"  unusable {len(results) - len(usable)}/{len(results)}"
    )


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--background", choices=("real", "sim"), nargs="+", default=["real", "sim"])
    parser.add_argument("--protocol", choices=sorted(TRAINS_N), nargs="+", default=["dash", "itbs", "ramp"])
    parser.add_argument("--dips", type=float, nargs="+", default=None, help="bpm; default 0 1 2 3, a ramp 0 2 3 6")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--oracle", action="store_true", help="tell the estimator the true shape")
    parser.add_argument("--bound", action="store_true", help="only print what could be found at most on real RR")
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    repository = Path(__file__).resolve().parents[2]
    data = args.data or Path(os.environ.get("HBC_SHARED", repository.parent / "shared")) / "data" / "mitdb"
    if "real" in args.background and not data.is_dir():
        print(f"{data}: no MIT-BIH records there; real RR series are left out (give --data)")
        args.background.remove("real")
    if args.bound:
        args.background = [background for background in args.background if background == "real"]
    for background in args.background:
        for name in args.protocol:
            windows = real_windows(data, duration_s(name)) if background == "real" else []
            if args.bound:
                dips = [dip_bpm for dip_bpm in args.dips or DIPS_BPM.get(name, DIPS_DEFAULT_BPM) if dip_bpm > 0.0]
                seeds = range(args.seed * 100_000, args.seed * 100_000 + args.runs)
                print(bound(name, dips, seeds, windows), flush=True)
                continue
            for dip_bpm in args.dips or DIPS_BPM.get(name, DIPS_DEFAULT_BPM):
                began_s = time.perf_counter()
                seeds = range(args.seed * 100_000, args.seed * 100_000 + args.runs)
                results = [one_run(background, name, dip_bpm, seed, windows, args.oracle) for seed in seeds]
                print(
                    f"{background} {name} dip {dip_bpm:g} bpm  n {args.runs}  {summarise(results)}"
                    f"  {time.perf_counter() - began_s:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()

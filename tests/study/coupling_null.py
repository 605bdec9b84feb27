"""False positives and power of estimate_coupling on real RR series and simulated patients.

Example: ``python tests/study/coupling_null.py --background real --protocol dash --dips 0 1 2 3 --runs 200``
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import FloatArray, draw_response, real_windows, simulated_beats, warp
from hbc_host.coupling import CouplingResult, estimate_coupling
from hbc_host.trains import parse_protocol

TRAINS_N = {"dash": 15, "itbs": 20}
REST_S = 160.0


def one_run(
    background: str, protocol_name: str, dip_bpm: float, seed: int, windows: list[tuple[str, FloatArray]]
) -> tuple[CouplingResult, float]:
    """One recording: 160 s rest, then a run of equal dose; returns the result and the true effect."""
    rng = np.random.default_rng((seed, round(100 * dip_bpm)))
    protocol = parse_protocol(protocol_name)
    trains_n = TRAINS_N.get(protocol_name, 15)
    if background == "real":
        beats_s = windows[seed % len(windows)][1]
        first_s = REST_S + rng.uniform(0.0, protocol.cycle_s)
    else:
        beats_s = simulated_beats(rng, REST_S + protocol.cycle_s * (trains_n + 2))
        first_s = REST_S
    onsets_s = first_s + protocol.cycle_s * np.arange(trains_n)
    truth_bpm = 0.0
    if dip_bpm != 0.0:
        response = draw_response(rng, dip_bpm)
        truth_bpm = response.mean_fall_bpm(onsets_s, protocol.train_s, protocol.cycle_s)
        beats_s = warp(beats_s, response, onsets_s, protocol.train_s)
    beats_s = beats_s[beats_s < onsets_s[-1] + protocol.cycle_s]
    return estimate_coupling(beats_s, onsets_s, train_s=protocol.train_s), truth_bpm


def duration_s(protocol_name: str) -> float:
    """Length of a real window: rest, one cycle of random start, the run."""
    return REST_S + parse_protocol(protocol_name).cycle_s * (TRAINS_N.get(protocol_name, 15) + 1)


def summarise(results: list[tuple[CouplingResult, float]]) -> str:
    """One table row: share coupled, mean error, coverage, unusable."""
    usable = [(result, truth) for result, truth in results if result.verdict != "unusable"]
    coupled = np.mean([result.verdict == "coupled" for result, _ in usable])
    error = np.mean([result.effect_bpm - truth for result, truth in usable])
    covered = np.mean([result.ci95_bpm[0] <= truth <= result.ci95_bpm[1] for result, truth in usable])
    width = np.mean([result.ci95_bpm[1] - result.ci95_bpm[0] for result, _ in usable])
    se = np.sqrt(coupled * (1 - coupled) / len(usable))
    return (
        f"coupled {coupled:.3f} +-{se:.3f}  mean error {error:+.2f} bpm  ci95 covers {covered:.3f}"
        f"  width {width:.1f} bpm  unusable {len(results) - len(usable)}/{len(results)}"
    )


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--background", choices=("real", "sim"), nargs="+", default=["real", "sim"])
    parser.add_argument("--protocol", nargs="+", default=["dash", "itbs"])
    parser.add_argument("--dips", type=float, nargs="+", default=[0.0, 1.0, 2.0, 3.0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    repository = Path(__file__).resolve().parents[2]
    data = args.data or Path(os.environ.get("HBC_SHARED", repository.parent / "shared")) / "data" / "mitdb"
    if "real" in args.background and not data.is_dir():
        print(f"{data}: no MIT-BIH records there; real RR series are left out (give --data)")
        args.background.remove("real")
    for background in args.background:
        for protocol in args.protocol:
            windows = real_windows(data, duration_s(protocol)) if background == "real" else []
            for dip_bpm in args.dips:
                began_s = time.perf_counter()
                seeds = range(args.seed * 100_000, args.seed * 100_000 + args.runs)
                results = [one_run(background, protocol, dip_bpm, seed, windows) for seed in seeds]
                print(
                    f"{background} {protocol} dip {dip_bpm:g} bpm  n {args.runs}  {summarise(results)}"
                    f"  {time.perf_counter() - began_s:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()

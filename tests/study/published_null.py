"""How often the comparison numbers call hearts without stimulation, and with it, coupled.

Example: ``python tests/study/published_null.py --background real sim --protocol dash itbs --runs 400 --seed 1``

Counted: published score above 9.56 on average and in most trains, T2circ p < .05 and harmonic F p < .05.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import FloatArray, draw_response, real_windows, simulated_beats, warp
from hbc_host.published import THRESHOLD, published_score
from hbc_host.secondary import secondary_metrics
from hbc_host.trains import parse_protocol

TRAINS_N = {"dash": 15, "itbs": 20}
LEAD_S = 40.0
COLUMNS = ("mean log power", "mean > 9.56", "most trains > 9.56", "T2circ p < .05", "harmonic F p < .05", "RR slope sd")


def one_run(background: str, protocol_name: str, dip_bpm: float, seed: int, windows: list[FloatArray]) -> list[float]:
    """The columns of one run; nan where the score is unusable."""
    rng = np.random.default_rng((seed, round(100 * dip_bpm)))
    protocol = parse_protocol(protocol_name)
    onsets_s = LEAD_S + protocol.cycle_s * np.arange(TRAINS_N[protocol_name])
    is_real = background == "real"
    beats_s = windows[seed % len(windows)] if is_real else simulated_beats(rng, duration_s(protocol_name))
    if dip_bpm:
        beats_s = warp(beats_s, draw_response(rng, dip_bpm), onsets_s, protocol.train_s)
    score = published_score(beats_s, onsets_s, train_s=protocol.train_s)
    other = secondary_metrics(beats_s, onsets_s, train_s=protocol.train_s)
    above = np.nan if not score.usable else float(np.mean(score.log_power > THRESHOLD))
    return [
        score.mean_log_power,
        np.nan if np.isnan(above) else float(score.mean_log_power > THRESHOLD),
        np.nan if np.isnan(above) else float(above > 0.5),
        float(other.t2circ_p < 0.05),
        float(other.harmonic_p < 0.05),
        other.rr_slope_ms_per_s,
    ]


def duration_s(protocol_name: str) -> float:
    """Length of a run with what the score needs before and after it."""
    return LEAD_S + parse_protocol(protocol_name).cycle_s * (TRAINS_N[protocol_name] + 2)


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--background", choices=("real", "sim"), nargs="+", default=["real", "sim"])
    parser.add_argument("--protocol", nargs="+", default=["dash", "itbs"])
    parser.add_argument("--dips", type=float, nargs="+", default=[0.0, 2.0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    repository = Path(__file__).resolve().parents[2]
    data = args.data or Path(os.environ.get("HBC_SHARED", repository.parent / "shared")) / "data" / "mitdb"
    for background in args.background:
        for protocol in args.protocol:
            windows = [beats for _, beats in real_windows(data, duration_s(protocol))] if background == "real" else []
            for dip_bpm in args.dips:
                seeds = range(args.seed * 100_000, args.seed * 100_000 + args.runs)
                rows = np.array([one_run(background, protocol, dip_bpm, seed, windows) for seed in seeds])
                values = [*np.nanmean(rows[:, :5], axis=0), np.nanstd(rows[:, 5])]
                text = "  ".join(f"{name} {value:.3f}" for name, value in zip(COLUMNS, values, strict=True))
                lost = float(np.mean(np.isnan(rows[:, 0])))
                print(
                    f"{background} {protocol} dip {dip_bpm:g}  n {args.runs}  {text}  unusable {lost:.3f}", flush=True
                )


if __name__ == "__main__":
    main()

"""How often estimate_coupling says "coupled" where no train slows the heart; the limit is 5 %.

Example: ``python tests/study/null_campaign.py --runs 400 --seed 101``

Prints a row per world and protocol: usable runs, shares called coupled and "cannot tell", and the exact one-sided
binomial p against 5 %. A row is marked when that p, times the number of rows, is below 0.05 ("above 5 %"), and when
the share is below 3 % ("below 3 %", the price of caution). Exit code 1 when any row is above 5 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import real_windows
from hbc_host.coupling import estimate_coupling
from hbc_host.trains import Protocol, parse_protocol
from null_worlds import REST_S, TRAINS_N, WORLDS, World, real_world

LEVEL = 0.05
LOW_SHARE = 0.03


def data_folder(given: Path | None = None) -> Path:
    """Where the MIT-BIH records are looked for."""
    repository = Path(__file__).resolve().parents[2]
    return given or Path(os.environ.get("HBC_SHARED", repository.parent / "shared")) / "data" / "mitdb"


def real_worlds(folder: Path, protocol: Protocol) -> dict[str, World]:
    """Two worlds of real hearts: windows with at least 97 % normal beats, and every window of every record."""
    if not folder.is_dir():
        return {}
    duration_s = REST_S + protocol.cycle_s * (TRAINS_N[protocol.name] + 1)
    calm = [beats_s for _, beats_s in real_windows(folder, duration_s)]
    every = [beats_s for _, beats_s in real_windows(folder, duration_s, 0.0)]
    return {"real RR": real_world(calm), "real RR, any rhythm": real_world(every)}


def verdicts(world: World, protocol: Protocol, seeds: tuple[int, ...], runs_n: int) -> Counter[str]:
    """Verdicts of as many runs, each from its own random numbers."""
    found: Counter[str] = Counter()
    for run in range(runs_n):
        one = world(np.random.default_rng((*seeds, run)), protocol)
        found[estimate_coupling(one.beats_s, one.onsets_s, train_s=one.train_s, gaps_s=one.gaps_s).verdict] += 1
    return found


def excess_p(coupled_n: int, usable_n: int) -> float:
    """Exact probability of so many or more at a true share of 5 %."""
    from scipy.special import bdtrc

    return float(bdtrc(coupled_n - 1, usable_n, LEVEL)) if coupled_n else 1.0


def row(name: str, protocol: Protocol, found: Counter[str], rows_n: int) -> tuple[str, bool]:
    """One line of the table, and whether it breaks the limit."""
    usable_n = found.total() - found["unusable"]
    p = excess_p(found["coupled"], usable_n)
    share = found["coupled"] / max(usable_n, 1)
    is_above = p * rows_n < LEVEL
    mark = "above 5 %" if is_above else "below 3 %" if share < LOW_SHARE else ""
    open_share = found["cannot_tell"] / max(usable_n, 1)
    line = f"| {name} | {protocol.name} | {usable_n} | {share:.3f} | {open_share:.3f} | {p:.3f} | {mark} |"
    return line, is_above


def main() -> int:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400, help="per world and protocol")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--worlds", nargs="+", default=None, metavar="WORLD", help="names as in the table; default all")
    parser.add_argument("--protocol", nargs="+", choices=sorted(TRAINS_N), default=["dash", "itbs"])
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    folder = data_folder(args.data)
    if not folder.is_dir():
        print(f"{folder}: no MIT-BIH records there; real RR series are left out (give --data)")
    cells = []
    for name in args.protocol:
        protocol = parse_protocol(name)
        worlds = {**real_worlds(folder, protocol), **WORLDS}
        unknown = sorted(set(args.worlds or ()) - set(worlds))
        if unknown:
            parser.error(f"no world {', '.join(unknown)}; there are: {', '.join(worlds)}")
        cells += [(key, world, protocol) for key, world in worlds.items() if args.worlds is None or key in args.worlds]
    print("| world | protocol | runs | coupled | cannot tell | p against 5 % | |\n|---|---|---|---|---|---|---|")
    broken = False
    for key, world, protocol in cells:
        # Each row has its own hearts: with the same ones in all, rows would err together.
        seeds = (args.seed, zlib.crc32(key.encode()), TRAINS_N[protocol.name])
        line, is_above = row(key, protocol, verdicts(world, protocol, seeds, args.runs), len(cells))
        broken |= is_above
        print(line, flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

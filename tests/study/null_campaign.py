"""How often estimate_coupling says "coupled" where no train slows the heart; the limit is 5 %.

Example: ``python tests/study/null_campaign.py --runs 400 --seed 101 --out nulls.csv --jobs 2``

With ``--out`` each run is kept in a file: the same command goes on where it was stopped, with more runs or another seed
it adds to what is there, and ``--runs 0`` only prints. Printed is a row per world and protocol: usable runs, shares
called coupled and "cannot tell", and the exact one-sided binomial p against 5 %. A row is marked when that p, times
the number of rows, is below 0.05 ("above 5 %"), and when the share is below 3 % ("below 3 %", the price of caution).
Exit code 1 when any row is above 5 %.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import real_windows
from hbc_host.trains import Protocol, parse_protocol
from null_verdict import verdict_of
from null_worlds import REST_S, TRAINS_N, WORLDS, Recording, World, real_world
from pieces import Cell, Pieces, carry_out, code_version, tasks

LEVEL = 0.05
LOW_SHARE = 0.03


class NullRun(NamedTuple):
    """One run of the campaign and what was made of it."""

    protocol: str
    world: str
    seed: int
    run: int
    verdict: str


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


def one_run(world: World, protocol: Protocol, seeds: tuple[int, ...], run: int) -> Recording:
    """One run, which has its own random numbers."""
    return world(np.random.default_rng((*seeds, run)), protocol)


@functools.lru_cache(maxsize=4)
def all_worlds(folder: Path, name: str) -> dict[str, World]:
    """Real and simulated worlds of a protocol; reading records takes seconds."""
    return {**real_worlds(folder, parse_protocol(name)), **WORLDS}


def cells_of(folder: Path, protocols: list[str]) -> list[Cell]:
    """Protocol and world of every row of the table."""
    return [(name, key) for name in protocols for key in all_worlds(folder, name)]


def make(folder: Path, cell: Cell, seed: int, runs: list[int]) -> list[NullRun]:
    """Some runs of one world."""
    name, key = (str(part) for part in cell)
    protocol, world = parse_protocol(name), all_worlds(folder, name)[key]
    # Each row has its own hearts: with the same ones in all, rows would err together.
    seeds = (seed, zlib.crc32(key.encode()), TRAINS_N[name])
    return [NullRun(name, key, seed, run, verdict_of(one_run(world, protocol, seeds, run))) for run in runs]


def version() -> str:
    """Of the estimator and of the worlds; no verdict depends on how large an effect is said to be."""
    worlds = ("null_worlds.py", "null_verdict.py", "backgrounds.py")
    return code_version("coupling", worlds=worlds, without=("intervals", "effects"))


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
    parser.add_argument("--out", type=Path, default=None, help="file of all runs (CSV), to which new ones are added")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    folder = data_folder(args.data)
    if not folder.is_dir():
        print(f"{folder}: no MIT-BIH records there; real RR series are left out (give --data)")
    known = cells_of(folder, args.protocol)
    names = list(dict.fromkeys(str(key) for _, key in known))
    unknown = sorted(set(args.worlds or ()) - set(names))
    if unknown:
        parser.error(f"no world {', '.join(unknown)}; there are: {', '.join(names)}")
    cells = [cell for cell in known if args.worlds is None or cell[1] in args.worlds]
    pieces = Pieces(args.out, version(), NullRun)
    if pieces.others_n:
        print(f"{args.out}: not counted are runs of another version of the estimator: {pieces.others_n}")
    try:
        todo = tasks(cells, args.seed, lambda cell: args.runs, pieces)
        for rows in carry_out(functools.partial(make, folder), todo, args.jobs):
            pieces.add(rows)
    except KeyboardInterrupt:
        print("stopped: the table holds what was run so far" + (", the same command goes on" if args.out else ""))
    return table(cells, pieces)


def table(cells: list[Cell], pieces: Pieces[NullRun]) -> int:
    """Print a row for each cell that has runs; 1 when any is above the limit."""
    print("| world | protocol | runs | coupled | cannot tell | p against 5 % | |\n|---|---|---|---|---|---|---|")
    found = {cell: Counter(one.verdict for one in pieces.rows(cell)) for cell in cells}
    counted = {cell: verdicts for cell, verdicts in found.items() if verdicts}
    rows = [row(str(key), parse_protocol(str(name)), one, len(counted)) for (name, key), one in counted.items()]
    print("\n".join(line for line, _ in rows))
    total = sum(counted.values(), Counter[str]())
    usable_n = total.total() - total["unusable"]
    print(f"all rows: {total['coupled']} of {usable_n} ({total['coupled'] / max(usable_n, 1):.4f})")
    return 1 if any(is_above for _, is_above in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

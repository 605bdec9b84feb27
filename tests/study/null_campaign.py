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
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import real_windows
from hbc_host.trains import Protocol, parse_protocol
from null_pieces import Outcome, Pieces, estimator_version
from null_verdict import verdict_of
from null_worlds import REST_S, TRAINS_N, WORLDS, Recording, World, real_world
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

LEVEL = 0.05
LOW_SHARE = 0.03
#: Runs that are made and written down together.
PIECE_N = 20


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


def make_piece(folder: Path, name: str, key: str, seed: int, runs: list[int]) -> list[Outcome]:
    """Some runs of one world, on one core."""
    protocol, world = parse_protocol(name), all_worlds(folder, name)[key]
    # Each row has its own hearts: with the same ones in all, rows would err together.
    seeds = (seed, zlib.crc32(key.encode()), TRAINS_N[name])
    with threadpool_limits(limits=1):
        return [Outcome(name, key, seed, run, verdict_of(one_run(world, protocol, seeds, run))) for run in runs]


Task = tuple[Path, str, str, int, list[int]]


def tasks(cells: list[tuple[str, str]], folder: Path, seed: int, runs_n: int, pieces: Pieces) -> list[Task]:
    """What is still to be run, all rows growing together, so that a table of half the runs is a table."""
    found: list[tuple[int, Task]] = []
    for name, key in cells:
        runs = pieces.missing(name, key, seed, runs_n)
        found += [(at, (folder, name, key, seed, runs[at : at + PIECE_N])) for at in range(0, len(runs), PIECE_N)]
    return [task for _, task in sorted(found, key=lambda item: item[0])]


def carry_out(todo: list[Task], jobs_n: int) -> Iterator[list[Outcome]]:
    """Finished pieces, from as many processes; the bar is for people who wait at a terminal."""
    console = Console(stderr=True)
    if jobs_n == 1:
        done = (make_piece(*task) for task in todo)
        yield from track(done, "runs", total=len(todo), console=console, disable=not console.is_terminal)
        return
    with ProcessPoolExecutor(jobs_n) as pool:
        made = pool.map(make_piece, *zip(*todo, strict=True)) if todo else iter(())
        yield from track(made, "runs", total=len(todo), console=console, disable=not console.is_terminal)


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
    known = [(name, key) for name in args.protocol for key in all_worlds(folder, name)]
    unknown = sorted(set(args.worlds or ()) - {key for _, key in known})
    if unknown:
        parser.error(f"no world {', '.join(unknown)}; there are: {', '.join(dict.fromkeys(key for _, key in known))}")
    cells = [(name, key) for name, key in known if args.worlds is None or key in args.worlds]
    pieces = Pieces(args.out, estimator_version())
    if pieces.others_n:
        print(f"{args.out}: not counted are runs of another version of the estimator: {pieces.others_n}")
    try:
        for outcomes in carry_out(tasks(cells, folder, args.seed, args.runs, pieces), args.jobs):
            pieces.add(outcomes)
    except KeyboardInterrupt:
        print("stopped: the table holds what was run so far" + (", the same command goes on" if args.out else ""))
    return table(cells, pieces)


def table(cells: list[tuple[str, str]], pieces: Pieces) -> int:
    """Print a row for each cell that has runs; 1 when any is above the limit."""
    print("| world | protocol | runs | coupled | cannot tell | p against 5 % | |\n|---|---|---|---|---|---|---|")
    counted = [(name, key, found) for name, key in cells if (found := pieces.verdicts(name, key)).total()]
    rows = [row(key, parse_protocol(name), found, len(counted)) for name, key, found in counted]
    print("\n".join(line for line, _ in rows))
    total = sum((found for _, _, found in counted), Counter[str]())
    usable_n = total.total() - total["unusable"]
    print(f"all rows: {total['coupled']} of {usable_n} ({total['coupled'] / max(usable_n, 1):.4f})")
    return 1 if any(is_above for _, is_above in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

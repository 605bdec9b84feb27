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
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import data_folder
from null_runs import NullRun, cells_of, make, version
from null_worlds import TRAINS_N
from pieces import Cell, Pieces, carry_out, tasks

LEVEL = 0.05
LOW_SHARE = 0.03


def excess_p(coupled_n: int, usable_n: int) -> float:
    """Exact probability of so many or more at a true share of 5 %."""
    from scipy.special import bdtrc

    return float(bdtrc(coupled_n - 1, usable_n, LEVEL)) if coupled_n else 1.0


class NullCell:
    """Counts of one world without response."""

    def __init__(self, rows: Sequence[NullRun]) -> None:
        found = Counter(one.verdict for one in rows)
        self.usable_n = found.total() - found["unusable"]
        self.coupled_n, self.open_n = found["coupled"], found["cannot_tell"]
        self.coupled, self.open = (count / max(self.usable_n, 1) for count in (self.coupled_n, self.open_n))
        self.p = excess_p(self.coupled_n, self.usable_n)

    def is_above(self, cells_n: int) -> bool:
        """Is the share above 5 % by the exact test, as one of so many cells?"""
        return self.p * cells_n < LEVEL


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
    counted = {cell: NullCell(rows) for cell in cells if (rows := pieces.rows(cell))}
    for (name, world), one in counted.items():
        mark = "above 5 %" if one.is_above(len(counted)) else "below 3 %" if one.coupled < LOW_SHARE else ""
        shares = f"{one.usable_n} | {one.coupled:.3f} | {one.open:.3f} | {one.p:.3f}"
        print(f"| {world} | {name} | {shares} | {mark} |")
    usable_n, coupled_n = (sum(getattr(one, what) for one in counted.values()) for what in ("usable_n", "coupled_n"))
    print(f"all rows: {coupled_n} of {usable_n} ({coupled_n / max(usable_n, 1):.4f})")
    return 1 if any(one.is_above(len(counted)) for one in counted.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

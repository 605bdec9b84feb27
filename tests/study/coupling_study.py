"""The whole study of coupling and thresholds; writes its section of docs/validation.md.

Example: ``python tests/study/coupling_study.py --scale 0.02 --page look.md``, a look in minutes; all: ``make study``

Runs are kept in ``build/study``: the same command goes on where it was stopped, and after a change of code only what it
concerns is run again. Real RR series need the MIT-BIH records (folder ``mitdb`` of ``HBC_SHARED``/data).
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
import box_study
import null_runs
import power_study
import threshold_runs
from backgrounds import data_folder
from methods import Compared
from null_campaign import NullCell
from pieces import Cell, Pieces, Row, carry_out, tasks
from study_page import Study, check, insert, page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "validation.md"
#: Nothing was chosen on these; the figures of nulls and thresholds of earlier versions had the same seeds.
SEEDS = {"nulls": 601, "methods": 8000, "thresholds": 203}
#: Runs a cell. Those of methods use each real window as often (62 of Dash, 76 of iTBS), without response twice.
NULLS_N, BOX_N, RAMPS_N = 10_000, 40, 150
METHODS_N = {"dash": 620, "itbs": 608, "ramp": 620}
TRAINS_PER_STEP_N, PLATEAUS_BPM = (1, 3), (0.0, 3.0, 6.0)


def versions() -> dict[str, str]:
    """Of the code as it is on disk now, per part."""
    return {
        "nulls": null_runs.version(),
        "methods": power_study.version(),
        "box": box_study.version(),
        "thresholds": threshold_runs.version(),
    }


class Part:
    """One part of the study: its cells, how many runs each, and where they are kept."""

    def __init__(
        self,
        name: str,
        pieces: Pieces[Row],
        cells: list[Cell],
        seed: int,
        runs_n: Callable[[Cell], int],
        make: Callable[[Cell, int, list[int]], list[Row]],
    ) -> None:
        self.name, self.pieces, self.cells, self.seed, self.runs_n, self.make = name, pieces, cells, seed, runs_n, make

    def check(self) -> None:
        """End the study when code changed: firmware and simulator are read anew by each run through the box."""
        if versions()[self.name] != self.pieces.code:
            sys.exit(
                f"{self.name}: code was changed while runs were made; the same command goes on with the code as it is"
            )

    def carry(self, jobs_n: int) -> dict[Cell, list[Row]]:
        """Make what is missing; all runs by cell."""
        todo = tasks(self.cells, self.seed, self.runs_n, self.pieces)
        print(f"{self.name}: {sum(len(runs) for _, _, runs in todo)} runs to be made", flush=True)
        if self.pieces.others_n:
            print(f"  not counted are runs of other versions of the code: {self.pieces.others_n}")
        for rows in carry_out(self.make, todo, jobs_n, self.name):
            if self.name == "box":
                self.check()
            self.pieces.add(rows)
        return self.pieces.chosen(self.cells, self.seed, self.runs_n)


def run_study(folder: Path, keep: Path, jobs_n: int, scale: float, command: str) -> Study:
    """All parts, the long one last."""
    has_real, code = folder.is_dir(), versions()  # processes work with the code that is loaded now

    def scaled(whole_n: int) -> int:
        return max(round(whole_n * scale), 1)

    def methods_n(cell: Cell) -> int:
        whole_n = METHODS_N[str(cell[0])]
        return scaled(2 * whole_n if cell[2] == 0.0 else whole_n)

    ramps: list[Cell] = [
        (background, trains_n, plateau_bpm)
        for background in (("real", "sim") if has_real else ("sim",))
        for trains_n in TRAINS_PER_STEP_N
        for plateau_bpm in PLATEAUS_BPM
    ]
    compared = Part(
        name="methods",
        pieces=Pieces(keep / "methods.csv", code["methods"], Compared),
        cells=power_study.cells(has_real),
        seed=SEEDS["methods"],
        runs_n=methods_n,
        make=functools.partial(power_study.make, folder),
    ).carry(jobs_n)
    box = Part(
        name="box",
        pieces=Pieces(keep / "box.csv", code["box"], Compared),
        cells=box_study.CELLS,
        seed=SEEDS["methods"],
        runs_n=lambda cell: scaled(BOX_N),
        make=box_study.make,
    ).carry(jobs_n)
    thresholds = Part(
        name="thresholds",
        pieces=Pieces(keep / "thresholds.csv", code["thresholds"], threshold_runs.ThresholdRun),
        cells=ramps,
        seed=SEEDS["thresholds"],
        runs_n=lambda cell: scaled(RAMPS_N),
        make=functools.partial(threshold_runs.make, folder),
    ).carry(jobs_n)
    nulls = Part(
        name="nulls",
        pieces=Pieces(keep / "nulls.csv", code["nulls"], null_runs.NullRun),
        cells=null_runs.cells_of(folder, ["dash", "itbs"]),
        seed=SEEDS["nulls"],
        runs_n=lambda cell: scaled(NULLS_N),
        make=functools.partial(null_runs.make, folder),
    ).carry(jobs_n)
    if versions() != code:
        sys.exit("code was changed while the study ran; the same command goes on with the code as it is")
    return Study(
        {cell: NullCell(rows) for cell, rows in nulls.items()}, compared, box, thresholds, command, SEEDS, code
    )


def main() -> None:
    """Parse arguments, run, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; default one per core")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the runs")
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "study", help="folder of all runs")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to write into")
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    folder = data_folder(args.data)
    try:
        check(args.page)
    except ValueError as error:
        parser.error(str(error))
    if args.page == PAGE and (args.scale != 1.0 or not folder.is_dir()):
        parser.error(f"{PAGE.name} is for the whole study, all runs and real RR series: name another page with --page")
    if not folder.is_dir():
        print(f"{folder}: no MIT-BIH records there; real RR series are left out (give --data)")
    command = "make study" if args.scale == 1.0 else f"python tests/study/coupling_study.py --scale {args.scale:g}"
    try:
        study = run_study(folder, args.keep, args.jobs, args.scale, command)
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on here; the page is as it was")
    insert(args.page, page(study))
    print(f"written: {args.page}")


if __name__ == "__main__":
    main()

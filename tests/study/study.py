"""The whole study of coupling and thresholds; writes its section of docs/validation.md.

Example: ``python tests/study/study.py --jobs 2`` (what ``make study`` does), ``--scale 0.02`` for a look in minutes

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
import null_campaign
import power_study
import threshold_study
from methods import Compared
from pieces import Cell, Pieces, Row, carry_out, code_version, tasks
from study_page import Study, check, insert, page
from threshold_study import ThresholdRun

ROOT = Path(__file__).resolve().parents[2]
#: Seeds on which nothing was chosen.
SEEDS = {"nulls": 601, "power": 6000, "threshold": 203}
#: Runs a cell: each world without response; methods compared (twice as many without response); through the box; ramps.
NULLS_N, POWER_N, CHAIN_N, RAMPS_N = 10_000, 620, 40, 150
THRESHOLD_TRAINS_N, THRESHOLD_PLATEAUS_BPM = (1, 3), (0.0, 3.0, 6.0)
#: What findings hang on beside the estimate: our files, and for runs through the box the box.
METHODS = ("coupling", "published", "secondary")
METHOD_WORLDS = ("backgrounds.py", "methods.py", "power_study.py", "recordings.py", "threshold_world.py")
THRESHOLD_WORLDS = ("backgrounds.py", "threshold_study.py", "threshold_world.py")
BOX_FOLDERS = ("firmware", "hil", "native/src")


def scaled(runs_n: int, scale: float) -> int:
    """A part of the runs, but one at least."""
    return max(round(runs_n * scale), 1)


def compared_n(cell: Cell) -> int:
    """Runs of a cell in which methods are compared."""
    return 2 * POWER_N if cell[2] == 0.0 else POWER_N


def carry(
    what: str,
    pieces: Pieces[Row],
    cells: list[Cell],
    seed: int,
    runs_n: Callable[[Cell], int],
    make: Callable[[Cell, int, list[int]], list[Row]],
    jobs_n: int,
) -> None:
    """Make what is missing of one part of the study."""
    todo = tasks(cells, seed, runs_n, pieces)
    print(f"{what}: {sum(len(runs) for _, _, runs in todo)} runs to be made", flush=True)
    if pieces.others_n:
        print(f"  not counted are runs of other versions of the code: {pieces.others_n}")
    for rows in carry_out(make, todo, jobs_n, what):
        pieces.add(rows)


def run_study(folder: Path, keep: Path, jobs_n: int, scale: float, command: str) -> Study:
    """All parts, the short ones first."""
    has_real = folder.is_dir()
    compared = Pieces(keep / "compared.csv", code_version(*METHODS, worlds=METHOD_WORLDS), Compared)
    carry(
        *("methods", compared, power_study.cells(has_real), SEEDS["power"]),
        *(lambda cell: scaled(compared_n(cell), scale), functools.partial(power_study.make, folder), jobs_n),
    )
    version = code_version(*METHODS, "record", "runs", worlds=(*METHOD_WORLDS, "chain.py"), folders=BOX_FOLDERS)
    chain = Pieces(keep / "chain.csv", version, Compared)
    carry(
        *("through the box", chain, power_study.chain_cells(), SEEDS["power"]),
        *(lambda cell: scaled(CHAIN_N, scale), functools.partial(power_study.make, folder), jobs_n),
    )
    version = code_version("threshold", "published", worlds=THRESHOLD_WORLDS)
    thresholds = Pieces(keep / "thresholds.csv", version, ThresholdRun)
    ramps: list[Cell] = [
        (background, trains_n, plateau_bpm)
        for background in ("real", "sim")
        for trains_n in THRESHOLD_TRAINS_N
        for plateau_bpm in THRESHOLD_PLATEAUS_BPM
        if has_real or background != "real"
    ]
    carry(
        *("thresholds", thresholds, ramps, SEEDS["threshold"]),
        *(lambda cell: scaled(RAMPS_N, scale), functools.partial(threshold_study.make, folder), jobs_n),
    )
    nulls = Pieces(keep / "nulls.csv", null_campaign.version(), null_campaign.NullRun)
    worlds = null_campaign.cells_of(folder, ["dash", "itbs"])
    carry(
        *("no response", nulls, worlds, SEEDS["nulls"]),
        *(lambda cell: scaled(NULLS_N, scale), functools.partial(null_campaign.make, folder), jobs_n),
    )
    return Study(nulls, compared, chain, thresholds, command, SEEDS)


def main() -> None:
    """Parse arguments, run, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; default one per core")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the runs; the page is only for 1")
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "study", help="folder of all runs")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "validation.md", help="page to write into")
    parser.add_argument("--data", type=Path, default=None, help="folder of MIT-BIH records")
    args = parser.parse_args()
    try:
        check(args.page)
    except ValueError as error:
        parser.error(str(error))
    folder = null_campaign.data_folder(args.data)
    if not folder.is_dir():
        print(f"{folder}: no MIT-BIH records there; real RR series are left out (give --data)")
    command = "make study" if args.scale == 1.0 else f"python tests/study/study.py --scale {args.scale:g}"
    try:
        study = run_study(folder, args.keep, args.jobs, args.scale, command)
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on here; the page is as it was")
    insert(args.page, page(study))
    print(f"written: {args.page}")


if __name__ == "__main__":
    main()

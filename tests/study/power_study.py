"""The recordings on which methods are compared: real hearts, simulated hearts, and some through the whole box."""

from __future__ import annotations

import functools
from pathlib import Path

from backgrounds import FloatArray, real_windows
from chain import chain_run
from methods import Compared, compare
from pieces import Cell
from recordings import dips_bpm_of, duration_s, make_run

PROTOCOLS = ("dash", "itbs", "ramp")
#: The box needs seconds for what takes milliseconds otherwise.
CHAIN_PROTOCOLS = ("dash", "itbs")
CHAIN_DIPS_BPM = (0.0, 2.0)
#: Response that a known shape is taken from where the run has none.
SHAPED_DIP_BPM = 2.0


def cells(has_real: bool) -> list[Cell]:
    """Protocol, background and dip of each cell."""
    found: list[Cell] = []
    for name in PROTOCOLS:
        dips_bpm = dips_bpm_of(name)
        found += [(name, "real", dip_bpm) for dip_bpm in dips_bpm if has_real]
        found += [(name, "sim", dip_bpm) for dip_bpm in dips_bpm]
    return found


def chain_cells() -> list[Cell]:
    """The same for runs through the box."""
    return [(name, "chain", dip_bpm) for name in CHAIN_PROTOCOLS for dip_bpm in CHAIN_DIPS_BPM]


@functools.lru_cache(maxsize=4)
def windows_of(folder: Path, name: str) -> list[tuple[str, FloatArray]]:
    """Real windows for a protocol; reading records takes seconds."""
    return real_windows(folder, duration_s(name))


def make(folder: Path, cell: Cell, seed: int, runs: list[int]) -> list[Compared]:
    """Some runs of one cell. A run of the chain is the simulated one of the same number."""
    name, background, dip_bpm = str(cell[0]), str(cell[1]), float(cell[2])
    windows = windows_of(folder, name) if background == "real" else []
    found = []
    for run_n in runs:
        number = seed * 100_000 + run_n
        lost = (0, 0)
        if background == "chain":
            seen = chain_run(name, dip_bpm, number)
            run, lost = seen.run, (seen.beats_lost_n, seen.beats_added_n)
        else:
            run = make_run(background, name, dip_bpm, number, windows)
        shaped = run if run.response is not None else make_run("sim", name, SHAPED_DIP_BPM, number, [])
        found.append(compare((name, background, dip_bpm, seed, run_n), lost, run, shaped))
    return found

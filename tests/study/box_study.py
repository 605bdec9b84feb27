"""The comparison of power_study.py on runs through the box; each is the simulated one of the same number."""

from __future__ import annotations

from chain import chain_run
from methods import Compared, compare, unusable
from pieces import Cell, code_version
from recordings import shaped_like

#: Seconds for what takes milliseconds otherwise, so only some.
CELLS: list[Cell] = [(name, "chain", dip_bpm) for name in ("dash", "itbs") for dip_bpm in (0.0, 2.0)]


def make(cell: Cell, seed: int, runs: list[int]) -> list[Compared]:
    """Some runs of one cell; one that did not come through whole is unusable."""
    name, dip_bpm = str(cell[0]), float(cell[2])
    found = []
    for run_n in runs:
        number = seed * 100_000 + run_n
        key = (name, str(cell[1]), dip_bpm, seed, run_n)
        try:
            seen = chain_run(name, dip_bpm, number)
        except RuntimeError as error:
            print(f"{name}, {dip_bpm:g} bpm, run {run_n} did not come through the box: {error}", flush=True)
            found.append(unusable(key))
            continue
        one = compare(key, seen.run, shaped_like(seen.run, name, number))
        found.append(one._replace(beats_lost_n=seen.beats_lost_n, beats_added_n=seen.beats_added_n))
    return found


def version() -> str:
    """Of all that a row hangs on, the box and its simulator included."""
    return code_version("box_study", folders=("firmware", "hil", "native"))

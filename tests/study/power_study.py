"""The recordings on which methods are compared: real hearts and simulated ones. Those through the box: box_study.py."""

from __future__ import annotations

import functools
from pathlib import Path

from backgrounds import FloatArray, real_windows
from methods import Compared, compare
from pieces import Cell, code_version
from recordings import dips_bpm_of, duration_s, make_run, shaped_like

PROTOCOLS = ("dash", "itbs", "ramp")


def cells(has_real: bool) -> list[Cell]:
    """Protocol, background and dip of each cell."""
    backgrounds = ("real", "sim") if has_real else ("sim",)
    return [(name, where, dip_bpm) for name in PROTOCOLS for where in backgrounds for dip_bpm in dips_bpm_of(name)]


@functools.lru_cache(maxsize=4)
def windows_of(folder: Path, name: str) -> list[tuple[str, FloatArray]]:
    """Real windows for a protocol; reading records takes seconds."""
    return real_windows(folder, duration_s(name))


def make(folder: Path, cell: Cell, seed: int, runs: list[int]) -> list[Compared]:
    """Some runs of one cell."""
    name, background, dip_bpm = str(cell[0]), str(cell[1]), float(cell[2])
    windows = windows_of(folder, name) if background == "real" else []
    found = []
    for run_n in runs:
        number = seed * 100_000 + run_n
        run = make_run(background, name, dip_bpm, number, windows)
        found.append(compare((name, background, dip_bpm, seed, run_n), run, shaped_like(run, name, number)))
    return found


def version() -> str:
    """Of all that a row hangs on."""
    return code_version("power_study")

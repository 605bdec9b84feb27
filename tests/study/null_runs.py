"""Runs in which no train slows the heart, and what is made of them."""

from __future__ import annotations

import functools
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from backgrounds import real_windows
from hbc_host.trains import Protocol, parse_protocol
from null_verdict import verdict_of
from null_worlds import REST_S, TRAINS_N, WORLDS, Recording, World, real_world
from pieces import Cell, code_version


class NullRun(NamedTuple):
    """One run of the campaign and what was made of it."""

    protocol: str
    world: str
    seed: int
    run: int
    verdict: str


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
    """Of all that a verdict hangs on; how large an effect is said to be does not decide any."""
    return code_version("null_runs", without=("intervals", "effects"))

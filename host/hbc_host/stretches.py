"""Heart rate of run and rest as rows for the fit: repaired, less drift, divided by its local restlessness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import design as build
from hbc_host import evidence
from hbc_host.blocks import Block, with_local_scale
from hbc_host.design import RunDesign

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """Heart cycles of run or rest, ``window`` (m,) among all, with their scaled heart rate, ``row`` (1, n)."""

    window: BoolArray
    block: Block
    row: FloatArray

    @property
    def rate_bpm(self) -> FloatArray:
        """Heart rate less drift, (n,), bpm."""
        return np.asarray(self.row[0] * self.block.scale)


def prepare(design: RunDesign, rest_s: float | tuple[float, float] | None) -> tuple[Stretch, Stretch | None]:
    """Heart rate of run and rest, repaired, and scaled by the local size of a first noise fit."""
    windows = [design.window]
    rest_window = build.rest_window(design, rest_s)
    if rest_window is not None:
        windows.append(rest_window)
    rate_bpm = [design.beats.rate_bpm[window][None, :] for window in windows]
    blocks = [build.make_block(design.beats, window, design.cycle_s) for window in windows]
    rows = [block.repair(rate) for block, rate in zip(blocks, rate_bpm, strict=True)]
    first = evidence.fit_noise(rows[0], rows[1] if len(rows) > 1 else None)[0]
    blocks = [with_local_scale(block, row, first) for block, row in zip(blocks, rows, strict=True)]
    found = [
        Stretch(window, block, block.scaled(rate))
        for window, block, rate in zip(windows, blocks, rate_bpm, strict=True)
    ]
    return found[0], found[1] if len(found) > 1 else None

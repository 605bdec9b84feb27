"""Samples with time stamps put on an even grid: rate, gaps, repeated stamps; never resampled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.limits import check_samples

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RATE_TOLERANCE = 0.05  # a stated rate may differ from that of the stamps by this share
STEADY_SHARE = 0.95
LONG_GAP_S = 0.5  # with unsteady stamps only a pause of this length is known to be a gap


@dataclass(frozen=True)
class Grid:
    """Where samples belong: ``place_idx`` (kept,) of the samples ``kept`` (n,) bool on a grid of ``rate_hz``."""

    kept: npt.NDArray[np.bool_]
    place_idx: IntArray
    rate_hz: float
    start_s: float
    notes: tuple[str, ...]

    @property
    def samples_n(self) -> int:
        """Length of the grid."""
        return int(self.place_idx[-1]) + 1 if self.place_idx.size else 0

    def spread(self, values: FloatArray) -> FloatArray:
        """Values on the grid, nan where there is no sample."""
        out = np.full(self.samples_n, np.nan)
        out[self.place_idx] = values[self.kept]
        return out


def even_grid(path: Path, times_s: FloatArray, stated_hz: float | None) -> Grid:
    """Find rate and gaps of time stamps.

    Parameters
    ----------
    path : Path
        For the error text.
    times_s : (n,) float64, seconds
    stated_hz : float or None
        Rate that a header or a person says; the stamps must agree within 5 %.

    Raises
    ------
    InputError
        If stamps are missing or go back, or their rate is not the stated one.
    """
    if times_s.size < 3 or not np.isfinite(times_s).all():
        bad_n = int((~np.isfinite(times_s)).sum())
        raise InputError(f"{path}: {bad_n} of {times_s.size} time stamps are missing; export the time column again")
    steps_s = np.diff(times_s)
    back = np.flatnonzero(steps_s < 0.0)
    if back.size:
        at = int(back[0])
        raise InputError(
            f"{path}: sample {at + 2} is stamped {-steps_s[at]:g} s before the one above it; "
            "sort the samples, or export the recording again"
        )
    notes: list[str] = []
    kept = np.ones(times_s.size, np.bool_)
    repeats_n = int((steps_s == 0.0).sum())
    in_packets = repeats_n > 0.2 * steps_s.size
    if repeats_n and not in_packets:
        kept[1:] = steps_s > 0.0
        notes.append(f"{repeats_n} samples with a repeated time stamp are left out")
    times_s = times_s[kept]
    rate_hz, place_idx, more = _packets(times_s) if in_packets else _places(times_s)
    notes += more
    check_samples(path, float(place_idx[-1]) + 1.0)
    if stated_hz is not None and abs(rate_hz - stated_hz) > RATE_TOLERANCE * stated_hz:
        raise InputError(
            f"{path}: its time stamps are {rate_hz:.4g} Hz, the stated sampling rate is {stated_hz:g} Hz; "
            "check --rate-hz and the unit of the time column (--map time=COLUMN:ms)"
        )
    return Grid(kept, place_idx, rate_hz, float(times_s[0]), tuple(notes))


def _places(times_s: FloatArray) -> tuple[float, IntArray, list[str]]:
    """Rate and places of samples that each have a stamp of their own."""
    steps_s = np.diff(times_s)
    middle_s = float(np.median(steps_s))
    usual = (steps_s > 0.5 * middle_s) & (steps_s < 1.5 * middle_s)
    if usual.mean() < STEADY_SHARE * (1.0 - (steps_s >= 1.5 * middle_s).mean()):
        return _packets(times_s)
    period_s = float(steps_s[usual].mean())
    jumps_n = np.maximum(np.rint(steps_s / period_s), 1.0)
    place = np.concatenate(([0.0], np.cumsum(jumps_n)))
    gaps_n = int((jumps_n > 1).sum())
    notes = [f"{int(jumps_n.sum()) - steps_s.size} samples are missing in {gaps_n} places"] if gaps_n else []
    return 1.0 / period_s, _whole(place), notes


def _packets(times_s: FloatArray) -> tuple[float, IntArray, list[str]]:
    """Rate and places of samples whose stamps come in packets or jitter: even between pauses."""
    steps_s = np.diff(times_s)
    pauses = np.flatnonzero(steps_s > LONG_GAP_S + 5.0 * float(np.median(steps_s)))
    known_s = float(times_s[-1] - times_s[0]) - float(steps_s[pauses].sum())
    if known_s <= 0.0:
        return 0.0, np.arange(times_s.size), ["time stamps do not advance"]
    rate_hz = (times_s.size - 1 - pauses.size) / known_s
    extra_n = np.zeros(times_s.size)
    extra_n[pauses + 1] = np.maximum(np.rint(steps_s[pauses] * rate_hz) - 1.0, 0.0)
    place = np.asarray(np.arange(times_s.size) + np.cumsum(extra_n), np.float64)
    notes = ["time stamps are uneven (packets or jitter); samples are taken as evenly spaced"]
    if pauses.size:
        notes.append(f"{float(steps_s[pauses].sum()):.1f} s are missing in {pauses.size} places")
    return rate_hz, _whole(place), notes


def _whole(place: FloatArray) -> IntArray:
    """Places as integers; what lies beyond any recording stays beyond the limit that is checked next."""
    return np.minimum(place, 1e15).astype(np.int64)

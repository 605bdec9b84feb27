"""Beat times from intervals between beats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.units import seconds_in

FloatArray = npt.NDArray[np.float64]

INTERVALS_MIN_N = 10
POSSIBLE_MS = (200.0, 3000.0)  # 300 to 20 bpm
POSSIBLE_SHARE = 0.9
LOST_S = 3.0  # stamps that run ahead of the intervals by this much mean lost beats


@dataclass(frozen=True)
class RrBeats:
    """Beats of a row of intervals: ``beats_s`` (n + 1,), the first at 0; spans without beats; the unit; notes."""

    beats_s: FloatArray
    gaps_s: tuple[tuple[float, float], ...]
    units: str
    notes: tuple[str, ...]


def beats_of_intervals(
    path: Path, rr: FloatArray, unit: str, *, lines: str = "interval", stamps_s: FloatArray | None = None
) -> RrBeats:
    """Add intervals up.

    Parameters
    ----------
    path : Path
        For the error text.
    rr : (n,) float64
        Intervals in order.
    unit : str
        As stated; empty when it must be found by the size of the values.
    stamps_s : (n,) float64, optional
        When the recorder wrote each interval; a stamp that runs ahead by 3 s or more means that beats are lost.

    Raises
    ------
    InputError
        If an interval is missing, zero or negative, for then no later beat has a known time; or if most are no
        intervals between heart beats.
    """
    if rr.size < INTERVALS_MIN_N:
        raise InputError(f"{path}: {rr.size} intervals, at least {INTERVALS_MIN_N} are needed; check the file")
    bad = np.flatnonzero(~(rr > 0.0))
    if bad.size:
        at = int(bad[0])
        what = "missing" if np.isnan(rr[at]) else f"{rr[at]:g}"
        raise InputError(
            f"{path}: {lines} {at + 1} is {what} ({bad.size} such); the times of all later beats are unknown, "
            "so import the part before or after it, or export the intervals uncorrected"
        )
    notes: list[str] = []
    if not unit:
        unit, note = _unit_by_size(path, rr)
        notes.append(note)
    rr_s = rr * seconds_in(unit, str(path))
    possible = (rr_s * 1e3 >= POSSIBLE_MS[0]) & (rr_s * 1e3 <= POSSIBLE_MS[1])
    if possible.mean() < POSSIBLE_SHARE:
        raise InputError(
            f"{path}: {possible.mean():.0%} of the intervals lie within {POSSIBLE_MS[0]:g} to {POSSIBLE_MS[1]:g} ms "
            f"when read as {unit} (median {np.median(rr):g}), at least {POSSIBLE_SHARE:.0%} must; "
            "check the unit, for example --map rr=1:ms"
        )
    if not possible.all():
        notes.append(f"{int((~possible).sum())} intervals lie outside {POSSIBLE_MS[0]:g} to {POSSIBLE_MS[1]:g} ms")
    ends_s = np.cumsum(rr_s)
    gaps: list[tuple[float, float]] = []
    if stamps_s is not None and np.isfinite(stamps_s).all():
        ends_s, gaps = _with_losses(rr_s, ends_s, stamps_s)
        if gaps:
            notes.append(f"the time stamps run ahead of the intervals in {len(gaps)} places: beats are lost there")
    return RrBeats(np.concatenate(([0.0], ends_s)), tuple(gaps), f"RR in {unit}", tuple(notes))


def _unit_by_size(path: Path, rr: FloatArray) -> tuple[str, str]:
    middle = float(np.median(rr))
    for unit, low, high in (("s", 0.25, 2.5), ("ms", 250.0, 2500.0)):
        if low <= middle <= high:
            hint = "; straps count 1/1024 s, which would be 2 % less: then give --map rr=COLUMN:1/1024s"
            return (
                unit,
                f"the unit of the intervals is not stated; their median is {middle:g}, so it is taken as {unit}"
                + (hint if unit == "ms" else ""),
            )
    raise InputError(
        f"{path}: the median interval is {middle:g}, which is no heart beat in seconds (0.25 to 2.5) or milliseconds "
        "(250 to 2500); say the unit, for example --map rr=1:us"
    )


def _with_losses(
    rr_s: FloatArray, ends_s: FloatArray, stamps_s: FloatArray
) -> tuple[FloatArray, list[tuple[float, float]]]:
    """Ends of the intervals with lost beats put in as gaps: packets arrive late, but never early."""
    ahead_s = (stamps_s - stamps_s[0]) - (ends_s - ends_s[0])
    # The least lead from here on: a late packet makes up for its delay, lost beats never do.
    least_s = np.minimum.accumulate(ahead_s[::-1])[::-1]
    shift_s = np.zeros(rr_s.size)
    gaps = []
    level_s = float(least_s[0])
    for at in np.flatnonzero(np.diff(least_s) > 0.0):
        if least_s[at + 1] - level_s > LOST_S:
            shift_s[at + 1 :] += least_s[at + 1] - level_s
            level_s = float(least_s[at + 1])
            gaps.append(int(at))
    moved_s = ends_s + shift_s
    return moved_s, [(float(moved_s[at]), float(moved_s[at + 1] - rr_s[at + 1])) for at in gaps]

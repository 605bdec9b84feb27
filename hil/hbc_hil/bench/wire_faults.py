"""Faults on the trigger wire: functions of pulses, applied to a world's stream, so that the truth is known to the edge.

A pulse is one active stretch of the wire, (start_ns, end_ns) in world time. What the box must make of it follows from
its settings by :func:`account`, which is written from docs/wire-protocol.md and not from the firmware.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.errors import ScenarioError
from hbc_hil.world import CHUNK, EVENT, HEADER, WIRE_TRIGGER

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class WireFaults:
    """What is wrong with the trigger wire; the default is a perfect one.

    Attributes
    ----------
    bounces_n, bounce_us : int, float
        The contact opens and closes again this often at the start of each pulse, each time for so long in all.
    runt_every, runt_after_us, runt_width_us : int, float, float
        After every so many pulses a short one, this long after the pulse began and this wide.
    stuck_s : tuple of (from_s, until_s)
        The wire is held active.
    active_low : bool
        The wire idles high; a pulse pulls it low.
    """

    bounces_n: int = 0
    bounce_us: float = 40.0
    runt_every: int = 0
    runt_after_us: float = 7000.0
    runt_width_us: float = 1.0
    stuck_s: tuple[tuple[float, float], ...] = ()
    active_low: bool = False

    def __post_init__(self) -> None:
        if min(self.bounces_n, self.runt_every) < 0 or min(self.bounce_us, self.runt_after_us, self.runt_width_us) <= 0:
            raise ScenarioError(f"wire faults {self}: counts must be at least 0 and lengths above 0")
        for from_s, until_s in self.stuck_s:
            if not 0 <= from_s < until_s:
                raise ScenarioError(f"stuck from {from_s} s until {until_s} s: the start must precede the end")


@dataclass(frozen=True)
class Account:
    """What a box with given settings has to report of pulses: which it reports, and how many it counts away."""

    reported: npt.NDArray[np.bool_]
    runts_n: int
    held_off_n: int


def pulses_of(edges_ns: IntArray, width_us: float, faults: WireFaults) -> IntArray:
    """Every active stretch on the wire, shape (n, 2), in order.

    Parameters
    ----------
    edges_ns : array of int64 (m,)
        When the stimulator fires.
    width_us : float
        Its pulse width.
    faults : WireFaults
    """
    rows = np.stack((edges_ns, edges_ns + round(width_us * 1e3)), axis=1).astype(np.int64)
    bounce_ns = round(faults.bounce_us * 1e3)
    bounces = [rows + 0 for _ in range(faults.bounces_n)]
    for k, row in enumerate(bounces):
        row[:, 0] = edges_ns + k * bounce_ns
        row[:, 1] = row[:, 0] + bounce_ns // 2
    rows = rows + faults.bounces_n * bounce_ns
    runts = np.empty((0, 2), np.int64)
    if faults.runt_every:
        after = edges_ns[faults.runt_every - 1 :: faults.runt_every] + round(faults.runt_after_us * 1e3)
        runts = np.stack((after, after + round(faults.runt_width_us * 1e3)), axis=1)
    stuck = np.array([[round(a * 1e9), round(b * 1e9)] for a, b in faults.stuck_s], np.int64).reshape(-1, 2)
    return _merged(np.concatenate([*bounces, rows, runts, stuck]))


def _merged(pulses: IntArray) -> IntArray:
    """Overlapping stretches are one stretch: a wire has one level."""
    merged: list[list[int]] = []
    for start, end in sorted(pulses.tolist()):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return np.array(merged, np.int64).reshape(-1, 2)


def account(pulses: IntArray, *, min_width_us: int = 0, hold_off_us: int = 0) -> Account:
    """What a box has to make of these pulses.

    A pulse shorter than `min_width_us` is a runt. Of the others, one that begins less than `hold_off_us` after the last
    reported one is held off.
    """
    reported = np.zeros(len(pulses), dtype=bool)
    runts_n = held_off_n = 0
    last_ns: int | None = None
    for k, (start, end) in enumerate(pulses.tolist()):
        if end - start < min_width_us * 1000:
            runts_n += 1
        elif last_ns is not None and start - last_ns < hold_off_us * 1000:
            held_off_n += 1
        else:
            reported[k] = True
            last_ns = start
    return Account(reported, runts_n, held_off_n)


def with_pulses(chunks: Iterator[bytes], pulses: IntArray, *, active_low: bool = False) -> Iterator[bytes]:
    """The same world with other pulses on its trigger wire; all else in the stream stays."""
    events = np.zeros(2 * len(pulses) + active_low, EVENT)
    events["t_ns"][active_low:] = pulses.ravel()
    events["level"][active_low:] = np.tile([1, 0], len(pulses)) ^ active_low
    if active_low:
        events["level"][0] = 1  # from the very start
    events["wire"] = WIRE_TRIGGER
    rate_hz = 0
    for chunk in chunks:
        if not rate_hz:
            rate_hz = HEADER.unpack(chunk)[2]
            yield chunk
            continue
        start_ns, samples_n, events_n = CHUNK.unpack_from(chunk)
        if not samples_n:
            yield chunk
            return
        samples_end = CHUNK.size + 2 * samples_n
        old = np.frombuffer(chunk, EVENT, events_n, samples_end)
        end_ns = start_ns + (samples_n - 1) * (1_000_000_000 // rate_hz)
        first, last = np.searchsorted(events["t_ns"], np.array([start_ns, end_ns], np.uint64))
        both = np.concatenate((old[old["wire"] != WIRE_TRIGGER], events[first:last]))
        both = both[np.argsort(both["t_ns"], kind="stable")]
        yield CHUNK.pack(start_ns, samples_n, both.size) + chunk[CHUNK.size : samples_end] + both.tobytes()

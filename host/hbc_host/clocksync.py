"""The only place where device microseconds and host seconds meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hbc_host.errors import InputError

WINDOW_S = 10.0  # one ping is kept of each such stretch: about the best of ten
RTT_RATIO_MAX = 3.0  # a kept ping this much slower than the median kept one was delayed on the way


class Ping(NamedTuple):
    """One ClockPing and its answer; ``device_us`` is the middle of the box's two stamps, ``busy_us`` their distance."""

    sent_s: float
    device_us: int
    busy_us: int
    arrived_s: float

    @property
    def rtt_s(self) -> float:
        """Time on the way, there and back, without the box's own."""
        return self.arrived_s - self.sent_s - self.busy_us * 1e-6


@dataclass(frozen=True)
class ClockFit:
    """Line from device_us to host_s, with what it is worth.

    Attributes
    ----------
    origin_us : int
        Device time of the line's anchor, microseconds.
    origin_s : float
        Host time there, seconds.
    drift_ppm : float
        How much faster the host's clock runs than the box's, parts per million; 0 when one ping only is known.
    max_error_us : float
        Bound of the error at any ping kept: half its round trip, plus its distance from the line.
    pings_n : int
        Pings kept.
    """

    origin_us: int
    origin_s: float
    drift_ppm: float
    max_error_us: float
    pings_n: int

    def to_host_s(self, device_us: int) -> float:
        """Host monotonic time of a device time, seconds."""
        return self.origin_s + (device_us - self.origin_us) * 1e-6 * (1.0 + self.drift_ppm * 1e-6)


def fit_clock(pings: Sequence[Ping]) -> ClockFit:
    """Least-squares line through the pings that travelled fastest.

    The true offset at a ping lies within half a round trip of its middle, whatever the asymmetry of the way. So only
    the fastest ping of each 10 s is kept, and of those none that took three times the median.

    Parameters
    ----------
    pings : sequence of Ping
        In any order; those with a negative or unknown round trip are ignored.

    Returns
    -------
    ClockFit

    Raises
    ------
    InputError
        There is no usable ping.
    """
    kept = _fastest([ping for ping in pings if ping.rtt_s >= 0.0])  # NaN compares false
    if not kept:
        raise InputError(f"none of {len(pings)} clock pings can be used; record with pings to relate the clocks")
    origin_us = kept[0].device_us
    device_s = np.array([(ping.device_us - origin_us) * 1e-6 for ping in kept])
    middle_s = np.array([(ping.sent_s + ping.arrived_s) / 2 for ping in kept])
    half_rtt_s = np.array([ping.rtt_s / 2 for ping in kept])
    # Host minus device is small and nearly constant: fitted as such, float64 keeps nanoseconds over days.
    offset_s = middle_s - middle_s[0] - device_s
    centre_s = float(device_s.mean())
    spread = float(np.sum((device_s - centre_s) ** 2))
    slope = float(np.sum((device_s - centre_s) * offset_s)) / spread if spread > 0 else 0.0
    level_s = float(offset_s.mean()) - slope * centre_s
    error_s = half_rtt_s + np.abs(offset_s - level_s - slope * device_s)
    return ClockFit(origin_us, float(middle_s[0]) + level_s, slope * 1e6, float(error_s.max()) * 1e6, len(kept))


def _fastest(pings: Sequence[Ping]) -> list[Ping]:
    best: dict[int, Ping] = {}
    for ping in pings:
        window = int(ping.sent_s // WINDOW_S)
        if window not in best or ping.rtt_s < best[window].rtt_s:
            best[window] = ping
    kept = [best[window] for window in sorted(best)]
    limit_s = RTT_RATIO_MAX * float(np.median([ping.rtt_s for ping in kept])) if kept else 0.0
    return [ping for ping in kept if ping.rtt_s <= limit_s]

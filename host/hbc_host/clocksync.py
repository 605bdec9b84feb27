"""The only place where device microseconds and host seconds meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]

WINDOW_S = 10.0  # one ping is kept of each such stretch: about the best of ten
DRIFT_MAX = 1e-3  # two crystals differ by less; a larger change between two pings is a step of one clock
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
    drift_error_ppm : float
        Bound of the error of ``drift_ppm`` as long as both clocks run evenly; infinite when one ping only is known.
    max_error_us : float
        Bound of the error at any ping kept: half its round trip, plus its distance from the line.
    pings_n : int
        Pings kept.
    steps_n : int
        How often one clock leapt against the other, as when the computer slept; the fit is of the longest stretch
        between.
    """

    origin_us: int
    origin_s: float
    drift_ppm: float
    max_error_us: float
    pings_n: int
    drift_error_ppm: float = math.inf
    steps_n: int = 0

    def to_host_s(self, device_us: int) -> float:
        """Host monotonic time of a device time, seconds."""
        return self.origin_s + (device_us - self.origin_us) * 1e-6 * (1.0 + self.drift_ppm * 1e-6)

    def to_device_us(self, host_s: float) -> int:
        """Device time of a host monotonic time, microseconds; the inverse of :meth:`to_host_s`."""
        return self.origin_us + round((host_s - self.origin_s) * 1e6 / (1.0 + self.drift_ppm * 1e-6))


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
    stretches = _stretches(_fastest([ping for ping in pings if ping.rtt_s >= 0.0]))  # NaN compares false
    kept = max(stretches, key=len)
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
    return ClockFit(
        origin_us=origin_us,
        origin_s=float(middle_s[0]) + level_s,
        drift_ppm=slope * 1e6,
        max_error_us=float(error_s.max()) * 1e6,
        pings_n=len(kept),
        drift_error_ppm=_drift_error(device_s, error_s) * 1e6,
        steps_n=len(stretches) - 1,
    )


def clock_words(pings: Sequence[Ping]) -> str:
    """The relation of the clocks in one line for people; errors as :func:`fit_clock`."""
    fit = fit_clock(pings)
    drift = "" if math.isinf(fit.drift_error_ppm) else f"{fit.drift_ppm:+.1f} ± {fit.drift_error_ppm:.1f} ppm, "
    steps = f"; one of them leapt {fit.steps_n} times" if fit.steps_n else ""
    return (
        f"this computer's clock against the box's: {drift}known to {fit.max_error_us / 1e3:.1f} ms "
        f"from {fit.pings_n} pings{steps}"
    )


def _stretches(pings: list[Ping]) -> list[list[Ping]]:
    """Pings in order, cut where the clocks moved apart by more than drift and round trips explain."""
    stretches: list[list[Ping]] = [[]]
    for ping in sorted(pings, key=lambda ping: ping.device_us):
        if stretches[-1]:
            before = stretches[-1][-1]
            device_s = (ping.device_us - before.device_us) * 1e-6
            host_s = (ping.sent_s + ping.arrived_s - before.sent_s - before.arrived_s) / 2
            if abs(host_s - device_s) > (ping.rtt_s + before.rtt_s) / 2 + DRIFT_MAX * device_s:
                stretches.append([])
        stretches[-1].append(ping)
    return stretches


def _drift_error(device_s: FloatArray, error_s: FloatArray) -> float:
    """How much the slope may be wrong when the line is wrong by at most ``error_s`` at each ping.

    Any two pings bound it by the sum of their errors over their distance; the best pair counts.
    """
    best = math.inf
    for k in range(len(device_s) - 1):
        apart_s = device_s[k + 1 :] - device_s[k]
        apart = apart_s > 0
        if apart.any():
            best = min(best, float(np.min((error_s[k + 1 :][apart] + error_s[k]) / apart_s[apart])))
    return best


def _fastest(pings: Sequence[Ping]) -> list[Ping]:
    best: dict[int, Ping] = {}
    for ping in pings:
        window = int(ping.sent_s // WINDOW_S)
        if window not in best or ping.rtt_s < best[window].rtt_s:
            best[window] = ping
    kept = [best[window] for window in sorted(best)]
    limit_s = RTT_RATIO_MAX * float(np.median([ping.rtt_s for ping in kept])) if kept else 0.0
    return [ping for ping in kept if ping.rtt_s <= limit_s]

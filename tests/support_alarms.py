"""Heart beats for the alarms: what a box says of them, and which alarms come of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hbc_host.alarms import Alarm, AlarmMonitor
from hbc_wire import messages
from support import hello_values, values_of

BLOCK_N, BLOCK_US = 25, 50_000


def make(message: Any, **values: Any) -> Any:
    return message.make(*values_of(message, **values))


def play(
    monitor: AlarmMonitor, beats_s: Sequence[float], end_s: float, extra: Iterable[tuple[float, Any]] = (),
    without_s: tuple[float, float] = (0.0, 0.0),
) -> list[tuple[float, Alarm]]:  # fmt: skip
    """Alarms with the device time at which the message that raised them was sent; each beat is told 0.3 s late."""
    events: list[tuple[float, Any]] = [(0.0, messages.Hello.make(*hello_values()))]
    for n, at_s in enumerate(beats_s):
        events.append((at_s + 0.3, make(messages.RPeak, peak_n=n, peak_us=round(at_s * 1e6))))
    for k in range(round(end_s * 1e6) // BLOCK_US):
        at_s = (k + 1) * BLOCK_US * 1e-6
        if not without_s[0] <= at_s < without_s[1]:
            block = make(messages.EcgBlock, first_idx=k * BLOCK_N, first_us=k * BLOCK_US, ecg_lsb=(0,) * BLOCK_N)
            events.append((at_s, block))
    events += extra
    alarms = []
    for at_s, message in sorted(events, key=lambda event: event[0]):
        alarms += [(at_s, alarm) for alarm in monitor.take(message)]
    return alarms


def steady(bpm: float, start_s: float, end_s: float) -> list[float]:
    period_s = 60.0 / bpm
    return [start_s + k * period_s for k in range(int((end_s - start_s) / period_s) + 1)]


def kinds(alarms: list[tuple[float, Alarm]]) -> list[tuple[str, bool]]:
    return [(alarm.kind, alarm.began) for _, alarm in alarms]

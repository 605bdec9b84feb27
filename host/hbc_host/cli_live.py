"""What the operator sees while ``hbc record`` runs, and how a recording is told to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from rich.status import Status

STATUS_PERIOD_S = 0.5


class Live:
    """What the operator sees while recording: time, beats, rate, edges."""

    def __init__(self, status: Status | None) -> None:
        self._status = status
        self._next_s = 0.0
        self._start_s: float | None = None
        self._peaks_us: list[int] = []
        self.beats_n = self.edges_n = 0

    def stop_after(self, seconds: float | None) -> Callable[[], bool]:
        """The recorder's question "shall I stop?"; time starts when the box has introduced itself."""

        def stop() -> bool:
            now_s = time.monotonic()
            if self._start_s is None:
                self._start_s = now_s
            self._show(now_s - self._start_s)
            return seconds is not None and now_s - self._start_s >= seconds

        return stop

    def take(self, message: Any) -> None:
        """Count a message of the box."""
        name = type(message).__name__
        if name == "RPeak":
            self.beats_n += 1
            self._peaks_us = [*self._peaks_us[-8:], message.peak_us]
        elif name == "TriggerEdge":
            self.edges_n += 1

    def _show(self, elapsed_s: float) -> None:
        if self._status is None or elapsed_s < self._next_s:
            return
        self._next_s = elapsed_s + STATUS_PERIOD_S
        span_us = self._peaks_us[-1] - self._peaks_us[0] if len(self._peaks_us) > 1 else 0
        rate = f"{60e6 * (len(self._peaks_us) - 1) / span_us:.0f} bpm" if span_us > 0 else "heart not seen yet"
        self._status.update(
            f"recording {elapsed_s:.0f} s: {self.beats_n} beats, {rate}, {self.edges_n} trigger edges; Ctrl-C stops"
        )


@contextmanager
def live_status(text: str) -> Iterator[Status | None]:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with console.status(text) as status:
        yield status


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """A closed terminal or ``kill`` ends a recording as Ctrl-C does: everything received is on disk, with a summary."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

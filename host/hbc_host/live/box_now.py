"""The box as a page shows it: connection, electrodes, losses, clock. Fed with messages and host times."""

from __future__ import annotations

from collections import deque
from typing import Any

from hbc_wire import messages

from hbc_host.clocksync import ClockFit, Ping, fit_clock
from hbc_host.errors import InputError
from hbc_host.fetch import Numbers
from hbc_host.protocol import SequenceCounter, is_a

PINGS_KEPT_N = 1200  # some 20 minutes
CLOCK_PERIOD_S = 5.0
SIGNAL_NAMES = ("good", "noisy", "hum", "saturated", "flat", "lead off")


class BoxNow:
    """What is known of the box and of the way to it."""

    def __init__(self) -> None:
        self.hello: Any = None
        self.leads = 0
        self.signal_state = 0
        self.gaps_n = 0
        self.last_trigger_s: float | None = None
        self.edges = Numbers()
        self.clock: ClockFit | None = None
        self._frames = SequenceCounter()
        self._next_idx: int | None = None
        self._sent_s: dict[int, float] = {}
        self._pings: deque[Ping] = deque(maxlen=PINGS_KEPT_N)
        self._clock_due_s = 0.0

    @property
    def lost_n(self) -> int:
        """Frames missing by their numbers."""
        return self._frames.lost_n

    def take(self, message: Any, seq: int, host_s: float) -> None:
        """Any message of the box."""
        self._frames.push(seq)
        if is_a(message, messages.EcgBlock):
            if self._next_idx is not None and message.first_idx != self._next_idx:
                self.gaps_n += 1
            self._next_idx = message.first_idx + len(message.ecg_lsb)
        elif is_a(message, messages.Status):
            self.leads = message.leads
            self.edges.expect(message.edges_n)
        elif is_a(message, messages.Health):
            self.signal_state = message.signal_state
        elif is_a(message, messages.ClockPong):
            self._pong(message, host_s)

    def sent_ping(self, token: int, host_s: float) -> None:
        """A ClockPing left the host."""
        self._sent_s[token] = host_s
        while len(self._sent_s) > 8:
            self._sent_s.pop(next(iter(self._sent_s)))

    def _pong(self, pong: Any, host_s: float) -> None:
        sent_s = self._sent_s.pop(pong.token, None)
        if sent_s is None:
            return
        middle_us = (pong.received_us + pong.sent_us) // 2
        self._pings.append(Ping(sent_s, middle_us, pong.sent_us - pong.received_us, host_s))
        if host_s >= self._clock_due_s:
            self._clock_due_s = host_s + CLOCK_PERIOD_S
            try:
                self.clock = fit_clock(list(self._pings))
            except InputError:
                self.clock = None

    def connection_lost(self) -> None:
        """The next frame number is ahead, however far."""
        self._frames.resume()
        self._sent_s.clear()

    def begin_anew(self, hello: Any) -> None:
        """The box restarted: numbers and clock begin anew."""
        self.hello = hello
        self._frames.restart()
        self._next_idx = None
        self.edges = Numbers()
        self.last_trigger_s = None
        self._pings.clear()
        self.clock = None

    def fields(self, connected: bool, last_beat_s: float | None, disk_left_s: float | None) -> dict[str, Any]:
        """The ``box`` of the feed's ``state``."""
        drift_ppm = None if self.clock is None or self.clock.pings_n < 2 else round(self.clock.drift_ppm, 2)
        state = self.signal_state
        return {
            "connected": connected,
            "leads": self.leads,
            "signal_state": SIGNAL_NAMES[state] if state < len(SIGNAL_NAMES) else "unknown",
            "lost_frames_n": self.lost_n,
            "gaps_n": self.gaps_n,
            "drift_ppm": drift_ppm,
            "last_trigger_s": self.last_trigger_s,
            "last_beat_s": last_beat_s,
            "disk_left_s": disk_left_s,
        }

    def clock_fields(self) -> dict[str, Any] | None:
        """The ``clock`` of the feed's ``state``: a line from device to host time, for other programs."""
        if self.clock is None:
            return None
        names = ("origin_us", "origin_s", "drift_ppm", "max_error_us", "drift_error_ppm")
        return {name: getattr(self.clock, name) for name in names}

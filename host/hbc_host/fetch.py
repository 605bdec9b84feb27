"""Which beats and edges did not arrive, and asking the box for them: it holds its last 1024 edges and 512 R-peaks.

No I/O and no clock of its own: fed with messages, asked now and then for the next request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hbc_wire import messages

from hbc_host.frames import Frames
from hbc_host.loss import IntArray

ASK_MAX_N = 128  # events a request: 3.1 kB of edges are 0.3 s of the line, in which ECG blocks wait in the box
PATIENCE_S = 1.5  # without an answer or an event of those asked for; the wire's rule is 1 s
TRIES_MAX_N = 4
HOLE_MAX_N = 4096  # no box holds more; what is older is gone
HOLES_MAX_N = 512
TOKEN_FIRST = 0x2000_0000  # pings count from 1
TOKENS_N = 0x1000_0000
NUMBER_END = 1 << messages.TICKS_BITS  # a larger number would be a heap object on the box


class Numbers:
    """Running numbers of one kind of event: the next one expected, and the holes before it."""

    def __init__(self) -> None:
        self.next_n: int | None = None
        self.holes: list[tuple[int, int]] = []
        self.arrived_n = 0
        self.gone_n = 0

    def arrive(self, n: int) -> bool:
        """An event came; True when it was new."""
        if self.next_n is None or n >= self.next_n:
            self.expect(n)
            self.next_n = n + 1
            self.arrived_n += 1
            return True
        for place, (first, end) in enumerate(self.holes):
            if first <= n < end:
                self.holes[place : place + 1] = [span for span in ((first, n), (n + 1, end)) if span[0] < span[1]]
                self.arrived_n += 1
                return True
        return False

    def expect(self, total_n: int) -> None:
        """The box has numbered this many, and has sent them all."""
        if self.next_n is not None and total_n > self.next_n:
            first = max(self.next_n, total_n - HOLE_MAX_N)
            self.gone_n += first - self.next_n
            self.holes.append((first, total_n))
            if len(self.holes) > HOLES_MAX_N:
                self.give_up(*self.holes[0])
        self.next_n = total_n if self.next_n is None else max(self.next_n, total_n)

    def follow(self, n: IntArray, at: IntArray, totals: IntArray, totals_at: IntArray) -> bool:
        """True when these events continue what came, and these totals of the box promise no others.

        ``at`` and ``totals_at`` are their places among the frames.
        """
        if self.next_n is None or not np.array_equal(n, np.arange(self.next_n, self.next_n + len(n))):
            return False
        return bool(np.all(totals <= self.next_n + np.searchsorted(at, totals_at)))

    def arrive_all(self, events_n: int) -> None:
        """So many events came that follow what came before, see :meth:`follow`."""
        assert self.next_n is not None
        self.next_n += events_n
        self.arrived_n += events_n

    def give_up(self, first: int, end: int) -> None:
        """Take what is still missing of this stretch for lost."""
        left = []
        for start, stop in self.holes:
            self.gone_n += max(0, min(end, stop) - max(first, start))
            left += [(start, min(stop, first)), (max(start, end), stop)]
        self.holes = [span for span in left if span[0] < span[1]]

    def missing_in(self, first: int, end: int) -> int:
        """How many of this stretch are missing."""
        return sum(max(0, min(end, stop) - max(first, start)) for start, stop in self.holes)


@dataclass
class _Asked:
    kind: int
    first: int
    end: int
    token: int
    moved_s: float
    left_n: int
    gone: bool = False
    tries_n: int = 1


class MissedEvents:
    """Keeps account of events by number, and says what to ask the box for.

    Attributes
    ----------
    edges, peaks : Numbers
    boots_n : int
        Boots of the box seen; numbers begin anew with each.
    lost_n : int
        Events that could not be had any more, of all boots.
    """

    def __init__(self) -> None:
        self.edges, self.peaks = Numbers(), Numbers()
        self.boots_n = 0
        self._gone_before_n = self._beats_before_n = self._edges_before_n = 0
        self._boot_n: int | None = None
        self._asked: _Asked | None = None
        self._token = TOKEN_FIRST

    @property
    def settled(self) -> bool:
        """True when nothing is missing that could still be had."""
        return not self.edges.holes and not self.peaks.holes

    @property
    def lost_n(self) -> int:
        return self._gone_before_n + self.edges.gone_n + self.peaks.gone_n

    @property
    def beats_n(self) -> int:
        """R-peaks that arrived, each counted once."""
        return self._beats_before_n + self.peaks.arrived_n

    @property
    def edges_n(self) -> int:
        """Edges that arrived, each counted once."""
        return self._edges_before_n + self.edges.arrived_n

    def take(self, message: Any) -> None:
        """Any message of the box, in order of arrival."""
        kind = type(message)
        if kind is messages.RPeak.make:
            self.peaks.arrive(message.peak_n)
        elif kind is messages.TriggerEdge.make:
            self.edges.arrive(message.edge_n)
        elif kind is messages.Status.make:
            # It leaves after the events that it counts; in a storm of edges before some, which then fill their hole.
            self.edges.expect(message.edges_n)
            self.peaks.expect(message.peaks_n)
        elif kind is messages.Hello.make and message.boot_n != self._boot_n:
            if self._boot_n is not None:
                self._forget()
            self._boot_n = message.boot_n
            self.boots_n += 1
        elif kind is messages.Ack.make and self._asked is not None and message.token == self._asked.token:
            self._asked.gone = message.status != messages.ACK_OK

    def take_usual(self, frames: Frames) -> bool:
        """Take the events of one boot at once; False, and none is taken, when they must be looked at one by one."""
        if self._asked is not None:
            return False
        told_at, told = frames.rows(messages.Status)
        runs = []
        for numbers, row, name, total in (
            (self.edges, messages.TriggerEdge, "edge_n", "edges_n"),
            (self.peaks, messages.RPeak, "peak_n", "peaks_n"),
        ):
            at, events = frames.rows(row)
            if not numbers.follow(events[name], at, told[total], told_at):
                return False
            runs.append((numbers, len(events)))
        for numbers, events_n in runs:
            numbers.arrive_all(events_n)
        return True

    def resumed(self) -> None:
        """The connection was away: an answer that was under way will not come."""
        self._asked = None

    def request(self, now_s: float) -> tuple[int, int, int, int] | None:
        """Values of the FetchEvents to send now (token, kind, first_n, count_n), or None.

        Parameters
        ----------
        now_s : float
            Host seconds.
        """
        asked = self._asked
        if asked is not None:
            numbers = self._of(asked.kind)
            left_n = numbers.missing_in(asked.first, asked.end)
            if left_n < asked.left_n:
                asked.left_n, asked.moved_s = left_n, now_s
            if left_n and now_s - asked.moved_s < PATIENCE_S:
                return None
            if left_n and not asked.gone and asked.tries_n < TRIES_MAX_N:
                return self._ask(asked.kind, asked.first, asked.end, now_s, asked.tries_n + 1)
            numbers.give_up(asked.first, asked.end)
            self._asked = None
        for kind in (messages.FETCH_EDGES, messages.FETCH_PEAKS):
            for first, end in self._of(kind).holes[:1]:
                return self._ask(kind, first, min(end, first + ASK_MAX_N), now_s, 1)
        return None

    def _ask(self, kind: int, first: int, end: int, now_s: float, tries_n: int) -> tuple[int, int, int, int] | None:
        if end >= NUMBER_END:
            self._of(kind).give_up(first, end)
            self._asked = None
            return None
        self._token = TOKEN_FIRST + (self._token + 1 - TOKEN_FIRST) % TOKENS_N
        left_n = self._of(kind).missing_in(first, end)
        self._asked = _Asked(kind, first, end, self._token, now_s, left_n, tries_n=tries_n)
        return self._token, kind, first, end - first

    def _of(self, kind: int) -> Numbers:
        return self.edges if kind == messages.FETCH_EDGES else self.peaks

    def _forget(self) -> None:
        """The box restarted: what was missing before cannot be had any more."""
        for numbers in (self.edges, self.peaks):
            for first, end in list(numbers.holes):
                numbers.give_up(first, end)
        self._gone_before_n, self._beats_before_n, self._edges_before_n = self.lost_n, self.beats_n, self.edges_n
        self.edges, self.peaks = Numbers(), Numbers()
        self.edges.next_n = self.peaks.next_n = 0  # this boot is watched from its start
        self._asked = None

"""The payloads of a recording in order of arrival, across lost connections and several parts."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hbc_wire import messages

from hbc_host.clocksync import Ping
from hbc_host.errors import VersionMismatchError
from hbc_host.parts import LOST, PART, note_of
from hbc_host.protocol import check_version, new_deframer
from hbc_host.recorder import FROM_BOX, TO_BOX, Chunk, Log

_HOST_SENDS = (
    messages.ClockPing,
    messages.FetchEvents,
    messages.Setting,
    messages.ListSettings,
    messages.Restart,
)
# In the stream of a box these can only come from a damaged log.
_FROM_BOX = frozenset(messages.BY_ID) - {row.msg_id for row in _HOST_SENDS}
_LOOKED_AT = (messages.Hello.msg_id, messages.ClockPong.msg_id)
AT_ONCE_N = 512  # chunks that are deframed at once: much faster than one by one
_PING = bytes([messages.ClockPing.msg_id])
INTERRUPTED = "the recording was interrupted and continued"


@dataclass(frozen=True, slots=True)
class Away:
    """A time without connection: ``place`` of the first payload after it, why, and how long by the host's clock."""

    place: int
    reason: str
    away_s: float


@dataclass
class Stream:
    """Payloads from the box with the host time of each, and what was thrown away.

    Attributes
    ----------
    payloads, arrived_s : list
        Up to the end, or up to a Hello of another wire version: what follows it cannot be understood.
    bad_n, bytes_n : int
        Stretches of bytes that were no frame of a box; all bytes from the box.
    reflashed : bool
        The box came back with another wire version.
    aways : list of Away
    pings : list of (place, Ping)
        Answered pings, each with the place of its answer among the payloads.
    """

    payloads: list[bytes] = field(default_factory=list)
    arrived_s: list[float] = field(default_factory=list)
    bad_n: int = 0
    bytes_n: int = 0
    reflashed: bool = False
    aways: list[Away] = field(default_factory=list)
    pings: list[tuple[int, Ping]] = field(default_factory=list)


def stream_of(log: Log) -> Stream:
    """The payloads of a log; raises VersionMismatchError when the first box in it speaks another wire version."""
    reader = _Reader()
    waiting: list[Chunk] = []
    for chunk in log.chunks:
        if chunk.kind == FROM_BOX:
            waiting.append(chunk)
            if len(waiting) < AT_ONCE_N:
                continue
        reader.from_box(waiting)
        waiting = []
        if chunk.kind != FROM_BOX:
            reader.other(chunk)
    reader.from_box(waiting)
    reader.stream.bad_n += int(reader.deframer.bad_n)
    return reader.stream


class _Reader:
    """Follows a log, many chunks of the box at once."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.deframer = new_deframer()
        self._requests = new_deframer()
        self._sent_s: dict[int, float] = {}
        self._introduced = False
        self._inside = False
        self._reason = ""
        self._lost_s = float("nan")

    def other(self, chunk: Chunk) -> None:
        """A chunk that did not come from the box."""
        if chunk.kind == TO_BOX:
            for payload in self._requests.feed(chunk.data):
                if payload[:1] == _PING:
                    self._sent_s[int.from_bytes(payload[messages.HEADER_N :], "little")] = chunk.host_s
        else:
            fields = note_of(chunk)
            if fields.get("event") in (LOST, PART):
                self._new_connection(str(fields.get("reason", INTERRUPTED)), chunk.host_s)
            if fields.get("event") == PART:  # perhaps of a computer that was started anew: its clock is another
                self._reason, self._lost_s = INTERRUPTED, float("nan")

    def _new_connection(self, reason: str, lost_s: float) -> None:
        """A frame that was cut by the loss ends here; tokens begin anew."""
        self.stream.bad_n += int(self.deframer.bad_n)
        self.deframer = new_deframer()
        self._inside = False
        self._sent_s.clear()
        if not self._reason:  # several losses before the next frame are one
            self._reason, self._lost_s = reason, lost_s

    def from_box(self, chunks: list[Chunk]) -> None:
        """Chunks of the box that follow each other."""
        if not chunks:
            return
        data = b"".join(chunk.data for chunk in chunks)
        self.stream.bytes_n += len(data)
        before = copy(self.deframer)
        payloads = self.deframer.feed(data)
        arrived_s = _arrivals(chunks, data, payloads, inside=self._inside)
        self._inside = data[-1:] != b"\0" if data else self._inside
        if arrived_s is None:  # something was thrown away, so frames cannot be counted: chunk by chunk
            self.deframer = before
            for chunk in chunks:
                self._take([(payload, chunk.host_s) for payload in self.deframer.feed(chunk.data)])
        else:
            self._take(zip(payloads, arrived_s, strict=True))

    def _take(self, arrivals: Iterable[tuple[bytes, float]]) -> None:
        stream = self.stream
        for payload, host_s in arrivals:
            if len(payload) < messages.HEADER_N or payload[0] not in _FROM_BOX:
                stream.bad_n += 1
                continue
            if payload[0] in _LOOKED_AT or self._reason:
                if payload[0] == messages.Hello.msg_id and not stream.reflashed:
                    self._check(payload)
                if not stream.reflashed:
                    self._look_at(payload, host_s)
            if not stream.reflashed:
                stream.payloads.append(payload)
                stream.arrived_s.append(host_s)

    def _check(self, payload: bytes) -> None:
        try:
            check_version(payload)
            self._introduced = True
        except VersionMismatchError:
            if not self._introduced:
                raise
            self.stream.reflashed = True

    def _look_at(self, payload: bytes, host_s: float) -> None:
        place = len(self.stream.payloads)
        if self._reason and place:
            self.stream.aways.append(Away(place, self._reason, host_s - self._lost_s))
        self._reason = ""
        if payload[0] == messages.ClockPong.msg_id:
            self._match(payload, host_s, place)

    def _match(self, payload: bytes, host_s: float, place: int) -> None:
        try:
            pong: Any = messages.unpack(payload)[1]
        except messages.MessageError:
            return
        sent_s = self._sent_s.pop(pong.token, None)
        if sent_s is not None:
            middle_us = (pong.received_us + pong.sent_us) // 2
            self.stream.pings.append((place, Ping(sent_s, middle_us, pong.sent_us - pong.received_us, host_s)))


def _arrivals(chunks: list[Chunk], data: bytes, payloads: list[bytes], *, inside: bool) -> list[float] | None:
    """Host time of each payload: of the chunk in which its frame ended. None when a frame gave no payload.

    ``inside``: the bytes before these ended within a frame.
    """
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 0)
    began = np.concatenate(([-1], ends[:-1])) + 1
    body = ends > began  # two delimiters side by side enclose nothing
    if len(ends) and inside:
        body[0] = True
    if np.count_nonzero(body) != len(payloads):
        return None
    bounds = np.cumsum([len(chunk.data) for chunk in chunks])
    places = np.searchsorted(bounds, ends[body], side="right")
    host_s: list[float] = np.array([chunk.host_s for chunk in chunks])[places].tolist()
    return host_s

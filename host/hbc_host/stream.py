"""The frames of a recording in order of arrival, across lost connections and several parts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from hbc_native.frames import deframe
from hbc_wire import messages
from hbc_wire.framing import FRAME_MAX_N

from hbc_host.chunks import FROM_BOX, TO_BOX, Chunks
from hbc_host.clocksync import Ping
from hbc_host.errors import VersionMismatchError
from hbc_host.frames import Frames
from hbc_host.parts import BACK, LOST, PART, note_of
from hbc_host.protocol import check_version, new_deframer
from hbc_host.recorder import Log

_HOST_SENDS = (
    messages.ClockPing,
    messages.FetchEvents,
    messages.Setting,
    messages.ListSettings,
    messages.Restart,
)
# In the stream of a box the others can only come from a damaged log.
_FROM_BOX = np.isin(np.arange(256), list(set(messages.BY_ID) - {row.msg_id for row in _HOST_SENDS}))
_PING = bytes([messages.ClockPing.msg_id])
INTERRUPTED = "the recording was interrupted and continued"


@dataclass(frozen=True, slots=True)
class Away:
    """A time without connection: ``place`` of the first frame after it, why, and how long by the host's clock."""

    place: int
    reason: str
    away_s: float


@dataclass
class Stream:
    """Frames from the box, and what was thrown away.

    Attributes
    ----------
    frames : Frames
        Up to the end, or up to a Hello of another wire version: what follows it cannot be understood.
    bad_n, bytes_n : int
        Stretches of bytes that were no frame of a box; all bytes from the box.
    reflashed : bool
        The box came back with another wire version.
    aways : list of Away
    pings : list of (place, Ping)
        Answered pings, each with the place of its answer among the frames.
    notes : list of (place, host_s, fields)
        What the host wrote down, each with the place of the next frame; news of the connection itself left out.
    """

    frames: Frames
    bad_n: int = 0
    bytes_n: int = 0
    reflashed: bool = False
    aways: list[Away] = field(default_factory=list)
    pings: list[tuple[int, Ping]] = field(default_factory=list)
    notes: list[tuple[int, float, dict[str, Any]]] = field(default_factory=list)


@dataclass
class _Connection:
    """One connection of a log: the chunks from the box. ``after_n`` counts those that came before something else."""

    reason: str = ""  # why the one before it ended
    lost_s: float = math.nan
    another_clock: bool = False  # a part of its own, perhaps of a computer that was started anew
    chunks: Chunks = field(default_factory=lambda: Chunks.of(()))
    pings: list[tuple[int, int, float]] = field(default_factory=list)  # after_n, token, host_s
    notes: list[tuple[int, float, dict[str, Any]]] = field(default_factory=list)  # after_n, host_s, fields


def stream_of(log: Log) -> Stream:
    """The frames of a log; raises VersionMismatchError when the first box in it speaks another wire version."""
    reader = _Reader()
    for connection in _connections(log):
        reader.take(connection)
    reader.stream.frames = Frames.joined(reader.parts)
    return reader.stream


def _connections(log: Log) -> list[_Connection]:
    chunks = Chunks.of(log.chunks)
    is_ours = chunks.kind == FROM_BOX
    before_n = np.concatenate(([0], np.cumsum(is_ours)))  # from the box, before each chunk
    requests = new_deframer()
    now = _Connection()
    connections, begins = [now], [0]
    for n in np.flatnonzero(~is_ours).tolist():
        chunk, after_n = chunks[n], int(before_n[n] - before_n[begins[-1]])
        if chunk.kind == TO_BOX:
            for payload in requests.feed(chunk.data):
                if payload[:1] == _PING:
                    token = int.from_bytes(payload[messages.HEADER_N :], "little")
                    now.pings.append((after_n, token, chunk.host_s))
        elif fields := note_of(chunk):
            event = fields.get("event")
            if event in (LOST, PART):
                if event == PART:
                    now = _Connection(INTERRUPTED, math.nan, True)
                else:
                    now = _Connection(str(fields.get("reason", INTERRUPTED)), chunk.host_s)
                connections.append(now)
                begins.append(n + 1)
            elif event != BACK:
                now.notes.append((after_n, chunk.host_s, fields))
    for connection, begin, end in zip(connections, begins, [*begins[1:], len(chunks)], strict=True):
        connection.chunks = chunks.picked(begin + np.flatnonzero(is_ours[begin:end]))
    return connections


class _Reader:
    """Takes connection after connection."""

    def __init__(self) -> None:
        self.parts: list[Frames] = []
        self.stream = Stream(Frames(()))
        self._frames_n = 0
        self._introduced = False
        self._reason = ""
        self._lost_s = math.nan

    def take(self, connection: _Connection) -> None:
        """All frames of one connection; a frame that was cut by its end is none."""
        stream = self.stream
        if connection.another_clock or not self._reason:  # several losses before the next frame are one
            self._reason, self._lost_s = connection.reason, connection.lost_s
        data = connection.chunks.data()
        stream.bytes_n += len(data)
        found = deframe(data, FRAME_MAX_N)
        length_n = np.diff(found.payload_ends, prepend=0)
        frames = Frames.within(found.payloads, found.payload_ends - length_n, length_n)
        ours = (frames.length_n >= messages.HEADER_N) & _FROM_BOX[frames.kind]
        stream.bad_n += found.bad_n + int(np.count_nonzero(~ours))
        kept = np.flatnonzero(ours)
        kept = kept[: 0 if stream.reflashed else self._until_reflashed(frames.picked(kept))]
        self._keep(frames.picked(kept), connection, _chunks_of(connection.chunks, found.delimiters_at[kept]))

    def _until_reflashed(self, frames: Frames) -> int:
        """How many of these frames come before a Hello of another wire version."""
        known_n = others_n = len(frames)
        mismatch = None
        for places, payload in frames.distinct(messages.Hello):
            try:
                check_version(payload)
                known_n = min(known_n, int(places[0]))
            except VersionMismatchError as error:
                if places[0] < others_n:
                    others_n, mismatch = int(places[0]), error
        self._introduced = self._introduced or known_n < others_n
        if mismatch is None:
            return len(frames)
        if not self._introduced:
            raise mismatch
        self.stream.reflashed = True
        return others_n

    def _keep(self, frames: Frames, connection: _Connection, chunk_n: npt.NDArray[np.int64]) -> None:
        """Frames that are understood; ``chunk_n`` tells in which chunk of the connection each ended."""
        stream, first = self.stream, self._frames_n
        self.parts.append(frames)
        self._frames_n += len(frames)
        if len(frames):
            if self._reason and first:
                stream.aways.append(
                    Away(first, self._reason, float(connection.chunks.host_s[chunk_n[0]]) - self._lost_s)
                )
            self._reason = ""
        stream.pings += [(first + place, ping) for place, ping in _pings(frames, connection, chunk_n)]
        for after_n, host_s, fields in connection.notes:
            stream.notes.append((first + int(np.searchsorted(chunk_n, after_n)), host_s, fields))


def _chunks_of(chunks: Chunks, delimiters_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """In which chunk each frame ended, by the place of its closing delimiter in all their bytes."""
    return np.searchsorted(np.cumsum(chunks.length_n), delimiters_at, side="right")


def _pings(frames: Frames, connection: _Connection, chunk_n: npt.NDArray[np.int64]) -> list[tuple[int, Ping]]:
    """Answered pings with the places of their answers; each ping is answered once, by the first that comes after it."""
    places, pongs = frames.rows(messages.ClockPong)
    sent_s: dict[int, float] = {}
    asked = iter([*connection.pings, (len(connection.chunks) + 1, 0, math.nan)])
    after_n, token, host_s = next(asked)
    answered = []
    answers = zip(places.tolist(), *(pongs[name].tolist() for name in messages.ClockPong.names), strict=True)
    for place, answer, received_us, sent_us in answers:
        while after_n <= chunk_n[place]:
            sent_s[token] = host_s
            after_n, token, host_s = next(asked)
        if answer in sent_s:
            arrived_s = float(connection.chunks.host_s[chunk_n[place]])
            middle_us = (received_us + sent_us) // 2
            answered.append((place, Ping(sent_s.pop(answer), middle_us, sent_us - received_us, arrived_s)))
    return answered

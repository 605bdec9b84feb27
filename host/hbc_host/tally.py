"""Live counts of a recording: what arrived, what is missing, what the box did. Nothing here is the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hbc_wire import messages

from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.fetch import MissedEvents
from hbc_host.frames import Frames
from hbc_host.parts import LOST, PART, note_of
from hbc_host.protocol import BULK_N, SequenceCounter, StreamDecoder, is_a, unpack
from hbc_host.recorder import Log

_COUNTED = [row.msg_id for row in (messages.Hello, messages.RPeak, messages.TriggerEdge, messages.Status, messages.Ack)]


class Tally:
    """Follows the chunks of a recording, from the first part to the live ones.

    Attributes
    ----------
    hello : namedtuple Hello or None
        The newest one of the box.
    missed : MissedEvents
        Beats and edges by number.
    bytes_n : int
    """

    def __init__(
        self, on_message: Callable[[Any], None] | None = None, on_restart: Callable[[Any, Any], None] | None = None
    ) -> None:
        self._on_message, self._on_restart = on_message, on_restart
        self._decoder = StreamDecoder()
        self._frames = SequenceCounter()
        self._past_frames_n = self._past_bad_n = 0
        self._past_s = 0.0
        self._span_s: tuple[float, float] | None = None
        self.hello: Any = None
        self.missed = MissedEvents()
        self.bytes_n = 0

    @property
    def frames_n(self) -> int:
        return self._past_frames_n + self._decoder.frames_n

    @property
    def bad_n(self) -> int:
        return self._past_bad_n + self._decoder.bad_n

    @property
    def lost_n(self) -> int:
        """Frames missing by their numbers, modulo 65536 over each lost connection."""
        return self._frames.lost_n

    @property
    def duration_s(self) -> float:
        """From the first to the last byte of each connection, host seconds."""
        return self._past_s + (self._span_s[1] - self._span_s[0] if self._span_s else 0.0)

    def take(self, chunk: Chunk) -> None:
        """Any chunk; raises VersionMismatchError when the box comes back with another wire version."""
        if chunk.kind != FROM_BOX:
            return
        self.bytes_n += len(chunk.data)
        if chunk.host_s == chunk.host_s:  # not NaN
            self._span_s = (self._span_s[0] if self._span_s else chunk.host_s, chunk.host_s)
        if self._on_message is None and len(chunk.data) >= BULK_N:
            self._take_bulk(chunk.data)
            return
        for seq, message in self._decoder.feed(chunk.data):
            if is_a(message, messages.Hello):
                self._introduce(message)
            self._frames.push(seq)
            self.missed.take(message)
            if self._on_message is not None:
                self._on_message(message)

    def _take_bulk(self, data: bytes) -> None:
        """The same for many messages that nobody listens to: most of them, the samples, are only numbered."""
        frames = self._decoder.feed_frames(data)
        seqs = frames.seqs()
        if self._same_boot(frames) and self.missed.take_usual(frames):
            self._frames.push_all(seqs)
            return
        edge_n = iter(frames.rows(messages.TriggerEdge)[1]["edge_n"].tolist())
        peak_n = iter(frames.rows(messages.RPeak)[1]["peak_n"].tolist())
        numbered_n = 0
        places = np.flatnonzero(np.isin(frames.kind, _COUNTED))
        for place, kind in zip(places.tolist(), frames.kind[places].tolist(), strict=True):
            if kind == messages.TriggerEdge.msg_id:
                self.missed.edges.arrive(next(edge_n))
            elif kind == messages.RPeak.msg_id:
                self.missed.peaks.arrive(next(peak_n))
            else:
                message = unpack(frames.payload(place)).message
                if is_a(message, messages.Hello):
                    if self.hello is not None and message.boot_n != self.hello.boot_n:
                        self._frames.push_all(seqs[numbered_n:place])
                        numbered_n = place
                    self._introduce(message)
                self.missed.take(message)
        self._frames.push_all(seqs[numbered_n:])

    def _same_boot(self, frames: Frames) -> bool:
        """True when every Hello among these frames says what the newest one said."""
        return all(unpack(payload).message == self.hello for _, payload in frames.distinct(messages.Hello))

    def take_past(self, log: Log) -> None:
        """An earlier part of the recording; tells nobody."""
        listeners = self._on_message, self._on_restart
        self._on_message = self._on_restart = None
        for chunk in log.chunks:
            if note_of(chunk).get("event") in (LOST, PART):
                self.new_connection()
            self.take(chunk)
        self._on_message, self._on_restart = listeners

    def new_connection(self) -> None:
        """Bytes begin anew; the box may have gone on meanwhile."""
        self._past_frames_n, self._past_bad_n, self._past_s = self.frames_n, self.bad_n, self.duration_s
        self._span_s = None
        self._decoder = StreamDecoder()
        self._frames.resume()
        self.missed.resumed()

    def _introduce(self, hello: Any) -> None:
        before, self.hello = self.hello, hello
        if before is not None and hello.boot_n != before.boot_n:
            self._frames.restart()
            if self._on_restart is not None:
                self._on_restart(before, hello)

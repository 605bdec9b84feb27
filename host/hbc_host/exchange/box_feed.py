"""A box without a session, as messages like those of a session's feed: for listening only, nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hbc_wire import messages

from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.link import Link
from hbc_host.live.box_now import BoxNow
from hbc_host.live.heart_now import HeartNow
from hbc_host.protocol import StreamDecoder, is_a


class BoxFeed:
    """Turns the bytes of both directions into messages of the kinds hello, ecg, beat, pulse and state."""

    def __init__(self) -> None:
        self._box = BoxNow()
        self._heart: HeartNow | None = None
        self._from_box, self._to_box = StreamDecoder(), StreamDecoder()
        self._clock: Any = None

    def take(self, chunk: Chunk) -> list[dict[str, Any]]:
        """The messages that these bytes complete."""
        said: list[dict[str, Any]] = []
        if chunk.kind == TO_BOX:
            for received in self._to_box.feed(chunk.data):
                if is_a(received.message, messages.ClockPing):
                    self._box.sent_ping(received.message.token, chunk.host_s)
        elif chunk.kind == FROM_BOX:
            for seq, message in self._from_box.feed(chunk.data):
                said += self._message(seq, message, chunk.host_s)
        return said

    def _message(self, seq: int, message: Any, host_s: float) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        if is_a(message, messages.Hello):
            before = self._box.hello
            if before is None or before.boot_n != message.boot_n:
                self._box.begin_anew(message)
                self._heart = HeartNow(message)
                who = {name: getattr(message, name) for name in ("unique_id", "board", "firmware")}
                said.append({"kind": "hello", "box": who, "rate_hz": message.rate_hz})
        self._box.take(message, seq, host_s)
        if self._heart is not None:
            if is_a(message, messages.EcgBlock):
                said.append(self._heart.ecg(message))
            elif is_a(message, messages.RPeak):
                said.append(self._heart.beat(message))
            elif is_a(message, messages.TriggerEdge):
                self._heart.edge(message)
                said.append({"kind": "pulse", "at_s": message.edge_us * 1e-6})
        if self._box.clock != self._clock or (said and said[0]["kind"] == "hello"):
            self._clock = self._box.clock
            said.append({"kind": "state", "clock": self._box.clock_fields()})
        return said


def listen_to(link: Link, stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """Messages of the box at an open link, made with pings, until ``stop()``.

    Raises
    ------
    NoHelloError, VersionMismatchError, TransportError
        There is no box of this wire version, or it went away.
    """
    feed = BoxFeed()
    for chunk in link.wait_hello():
        yield from feed.take(chunk)
    while not stop():
        arrived = link.receive().chunk
        if arrived is not None:
            yield from feed.take(arrived)

"""The ear of a session: bytes of both directions, as the recorder passes them on, become what the session follows."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hbc_wire import messages

from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.errors import VersionMismatchError
from hbc_host.live.follow import SILENT_S, Follow
from hbc_host.live.silence import Silence
from hbc_host.protocol import StreamDecoder, new_deframer

log = logging.getLogger(__name__)

_PING = bytes([messages.ClockPing.msg_id])


class Ear:
    """Belongs to the engine's thread.

    Parameters
    ----------
    follow : Follow
        Where the session stands.
    clock : callable
        Host seconds, as those of the recording.
    """

    def __init__(self, follow: Follow, clock: Callable[[], float]) -> None:
        self._follow = follow
        self._decoder = StreamDecoder()
        self._requests = new_deframer()
        self._silence = Silence(clock)

    def opened(self) -> None:
        """A connection was made: bytes begin anew."""
        self.begin_anew()
        self._follow.connection_lost()

    def begin_anew(self) -> None:
        """What was half heard is forgotten."""
        self._decoder = StreamDecoder()

    def hear(self, chunk: Chunk) -> None:
        """Bytes to the box tell when it was asked for its time; bytes from it are followed."""
        if chunk.kind == TO_BOX:
            for payload in self._requests.feed(chunk.data):
                if payload[:1] == _PING:
                    token = int.from_bytes(payload[messages.HEADER_N :], "little")
                    self._follow.box.sent_ping(token, chunk.host_s)
        elif chunk.kind == FROM_BOX:
            before_us = self._follow.now_us
            try:
                for seq, message in self._decoder.feed(chunk.data):
                    self._follow.take(message, seq, chunk.host_s)
            except VersionMismatchError:
                log.exception("the box came back with another wire version")
            finally:  # a fault in what follows the heart must not look like a box that is gone
                self._silence.heard(went_on=self._follow.now_us != before_us)

    def listen_for_silence(self) -> None:
        """A box that says nothing, or is away: the session is to know for how long."""
        if self._silence.silent_s > SILENT_S:
            self._follow.silence()
        if (away_s := self._silence.away_s) is not None:
            self._follow.away_s = away_s

"""Playing a recording back through the same path that a live box takes."""

from __future__ import annotations

import logging
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbc_host.errors import TransportError, VersionMismatchError
from hbc_host.link import Link
from hbc_host.parts import LOST, PART, note_of, read_parts
from hbc_host.reconnect import Found, OpenLink, Tell
from hbc_host.record import record
from hbc_host.recorder import FROM_BOX, TO_BOX, Chunk
from hbc_host.session import load_session, read_meta, session_hash
from hbc_host.session_model import Session
from hbc_host.transport import READ_WAIT_S

log = logging.getLogger(__name__)


class ReplayTransport:
    """A Transport that yields the bytes of a recording, chunk by chunk.

    Parameters
    ----------
    folder : Path or str
        Session directory.
    speed : float or None
        1 plays in real time, 10 ten times as fast, None as fast as the reader reads.
    clock, sleep : callable
        Real seconds, and how to wait for some.

    Notes
    -----
    :meth:`host_s` is a clock for ``record``: it says the host time at which the bytes arrived first, so nothing is
    stamped anew.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        speed: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if speed is not None and not speed > 0:
            raise TransportError(f"replay speed {speed:g} is not above 0; give 1 for real time")
        self._folder = Path(folder)
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._chunks: list[Chunk] = []
        self._next_n = 0
        self._host_s = 0.0
        self._start_s = 0.0
        self._start_host_s = 0.0

    @property
    def at_end(self) -> bool:
        """True when all was read."""
        return self._next_n >= len(self._chunks)

    def host_s(self) -> float:
        """Host time of the bytes read last, as recorded."""
        return self._host_s

    def open(self) -> None:
        """Read the log; raises SessionError when there is none. After a lost connection: go on behind it."""
        if not self._chunks:
            self._chunks = [chunk for chunk in read_parts(self._folder).chunks if chunk.kind != TO_BOX]
        self._start_s = self._clock()
        known = (chunk.host_s for chunk in self._chunks[self._next_n :] if math.isfinite(chunk.host_s))
        self._start_host_s = self._host_s = next(known, self._host_s)

    def read(self) -> bytes:
        """The next chunk, or ``b""`` when it is not due yet or all is read.

        Raises TransportError where the connection was lost when it was recorded.
        """
        while not self.at_end and (fields := note_of(self._chunks[self._next_n])):
            self._next_n += 1
            if fields.get("event") in (LOST, PART) and not self.at_end:
                raise TransportError(str(fields.get("reason", "the recording was interrupted")))
        if self.at_end:
            self._sleep(READ_WAIT_S / 10)
            return b""
        chunk = self._chunks[self._next_n]
        host_s = chunk.host_s if math.isfinite(chunk.host_s) else self._host_s
        if self._speed is not None:
            wait_s = (host_s - self._start_host_s) / self._speed - (self._clock() - self._start_s)
            if wait_s > 0:
                self._sleep(min(wait_s, READ_WAIT_S))
                if wait_s > READ_WAIT_S:
                    return b""
        self._host_s = host_s
        self._next_n += 1
        return chunk.data if chunk.kind == FROM_BOX else b""

    def write(self, data: bytes) -> None:
        """A recording answers nobody."""

    def close(self) -> None:
        """Nothing to give back."""


def recording_damage(session: Session) -> tuple[str, ...]:
    """What is damaged or missing in a recording, in plain words; a replay repeats all of it and cannot show it."""
    log = read_parts(session.path)
    counts = (
        (log.damaged_n, "damaged places in the log"),
        (session.frames_lost_n, "frames missing"),
        (session.frames_bad_n, "frames damaged"),
        (session.beats_lost_n, "beats lost"),
        (session.edges_lost_n, "trigger edges lost"),
        (session.samples_lost_n, "samples lost"),
    )
    cut_off = ("the end of the log is cut off",) if log.truncated else ()
    return (*cut_off, *(f"{count_n} {what}" for count_n, what in counts if count_n))


@dataclass(frozen=True)
class ReplayCheck:
    """Result hashes of a recording and of its replay through link, recorder and loading."""

    live_hash: str
    replay_hash: str

    @property
    def same(self) -> bool:
        """True when the replay gave the same result."""
        return self.live_hash == self.replay_hash


def replay_session(
    folder: Path | str, *, speed: float | None = None, on_message: Callable[[Any], None] | None = None
) -> Session:
    """Record a replay into a temporary place, through link and recorder as a live box, and load it.

    Raises
    ------
    HbcError
        The recording cannot be read.
    KeyboardInterrupt
        Somebody pressed Ctrl-C meanwhile.
    """
    meta, _ = read_meta(Path(folder))
    transport = ReplayTransport(folder, speed=speed)

    def go_on(open_link: OpenLink, hello: Any, keep_on: Callable[[], bool], tell: Tell) -> Found:
        """A recording is always the same box, and needs no Hello to be known again."""
        link: Link = open_link(transport)
        link.hello = hello
        return Found(link.__enter__(), [], str(folder))

    with tempfile.TemporaryDirectory(prefix="hbc-replay-") as place:
        again = Path(place) / "session"
        try:
            summary = record(
                transport,
                again,
                meta=meta,
                stop=lambda: transport.at_end,
                on_message=on_message,
                on_event=log.debug,
                clock=transport.host_s,
                reconnect=go_on,
                manifest=False,
                hello_timeout_s=math.inf,
            )
        except VersionMismatchError:
            if not again.exists():
                raise
            return load_session(again)  # a box that came back with another version ended the recording, too
        if summary.ended == "interrupted":
            raise KeyboardInterrupt
        return load_session(summary.path)


def verify_replay(folder: Path | str, *, speed: float | None = None) -> ReplayCheck:
    """Result hashes of a recording and of its replay; errors as :func:`replay_session`."""
    return ReplayCheck(session_hash(load_session(folder)), session_hash(replay_session(folder, speed=speed)))

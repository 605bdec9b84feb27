"""Playing a recording back through the same path that a live box takes."""

from __future__ import annotations

import logging
import math
import queue
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk, Chunks
from hbc_host.counting import counted
from hbc_host.errors import TransportError, VersionMismatchError
from hbc_host.link import Link
from hbc_host.parts import BACK, LOST, PART, note_of, read_parts
from hbc_host.reconnect import Found, OpenLink, Tell
from hbc_host.record import record
from hbc_host.recorder import CHUNK_MAX_N, Log
from hbc_host.session import load_session, load_with_log, read_meta, session_hash
from hbc_host.session_model import Session
from hbc_host.transport import READ_WAIT_S

log = logging.getLogger(__name__)


class ReplayTransport:
    """A Transport that yields the bytes of a recording, chunk by chunk.

    Parameters
    ----------
    folder : Path or str
        Session directory.
    log : Log, optional
        What it holds, when that was read already.
    speed : float or None
        1 plays in real time, 10 ten times as fast, None as fast as the reader reads.
    clock, sleep : callable
        Real seconds, and how to wait for some.
    merge : bool
        One read brings many chunks, as a port does whose reader was busy: faster, and the split of bytes into reads
        changes no result. Their host time is that of the last.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        log: Log | None = None,
        speed: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        merge: bool = False,
    ) -> None:
        if speed is not None and not speed > 0:
            raise TransportError(f"replay speed {speed:g} is not above 0; give 1 for real time")
        self._folder = Path(folder)
        self._log = log
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._merge = merge
        self._chunks = Chunks.of(())
        self._others = self._ends_n = np.empty(0, np.int64)  # places of those that are not from the box; bytes so far
        self._passed: queue.SimpleQueue[Chunk] = queue.SimpleQueue()
        self._next_n = 0
        self._host_s = 0.0
        self._start_s = 0.0
        self._start_host_s = 0.0

    @property
    def at_end(self) -> bool:
        """True when all was read."""
        return self._next_n >= len(self._chunks)

    @property
    def done(self) -> float:
        """Share of the recording that was read, 0..1."""
        return self._next_n / max(len(self._chunks), 1)

    def host_s(self) -> float:
        """Host time of the bytes read last, as recorded: a clock for ``record``, so that nothing is stamped anew."""
        return self._host_s

    def open(self) -> None:
        """Read the log; raises SessionError when there is none. After a lost connection: go on behind it."""
        if not self._chunks:
            chunks = Chunks.of((self._log or read_parts(self._folder)).chunks)
            self._chunks = chunks.picked(np.flatnonzero(chunks.kind != TO_BOX))
            self._others = np.flatnonzero(self._chunks.kind != FROM_BOX)
            self._ends_n = np.cumsum(self._chunks.length_n)
        self._start_s = self._clock()
        known_s = self._chunks.host_s[self._next_n :]
        known_s = known_s[np.isfinite(known_s)]
        self._start_host_s = self._host_s = float(known_s[0]) if len(known_s) else self._host_s

    def read(self) -> bytes:
        """The next chunk, or ``b""`` when it is not due yet or all is read.

        Raises TransportError where the connection was lost when it was recorded.
        """
        while not self.at_end and (fields := note_of(self._chunks[self._next_n])):
            if fields.get("event") not in (LOST, BACK, PART):  # those are made anew where the replay meets them
                self._passed.put(self._chunks[self._next_n])
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
        if chunk.kind != FROM_BOX:
            return b""
        return self._merged(self._next_n - 1) if self._merge else chunk.data

    def _merged(self, first: int) -> bytes:
        """The bytes of this chunk and of those behind it, up to what one chunk may hold."""
        after = self._others[np.searchsorted(self._others, first) :]
        begin_n = self._ends_n[first] - self._chunks.length_n[first]
        fits = np.searchsorted(self._ends_n, begin_n + CHUNK_MAX_N, side="right")
        self._next_n = max(first + 1, int(min(fits, after[0] if len(after) else len(self._chunks))))
        known_s = self._chunks.host_s[first + 1 : self._next_n]
        known_s = known_s[~np.isnan(known_s)]  # it is after damage
        if len(known_s):
            self._host_s = float(known_s[-1])
        return self._chunks.data(first, self._next_n)

    def notes(self) -> list[Chunk]:
        """Notes of the host that were passed since the last call: sites, alarms, what people said."""
        return [self._passed.get() for _ in range(self._passed.qsize())]

    def write(self, data: bytes) -> None:
        """A recording answers nobody."""

    def close(self) -> None:
        """Nothing to give back."""


def recording_damage(session: Session, recorded: Log | None = None) -> tuple[str, ...]:
    """What is damaged or missing in a recording, in plain words; a replay repeats it. ``recorded``: its log if read."""
    log = recorded or read_parts(session.path)
    counts = (
        (log.damaged_n, "damaged place in the log", "damaged places in the log"),
        (session.frames_lost_n, "frame missing", "frames missing"),
        (session.frames_bad_n, "frame damaged", "frames damaged"),
        (session.beats_lost_n, "beat lost", "beats lost"),
        (session.edges_lost_n, "trigger edge lost", "trigger edges lost"),
        (session.samples_lost_n, "sample lost", "samples lost"),
    )
    found = [counted(*one) for one in counts if one[0]]
    return tuple(["the end of the log is cut off", *found] if log.truncated else found)


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
    folder: Path | str,
    *,
    recorded: Log | None = None,
    speed: float | None = None,
    progress: Callable[[float], object] | None = None,
) -> Session:
    """Record a replay into a temporary place, through link and recorder as a live box, and load it.

    Parameters
    ----------
    folder : Path or str
    recorded : Log, optional
        Its log, when that was read already.
    speed : float or None
        As for :class:`ReplayTransport`; as fast as it goes, many chunks are read at once.
    progress : callable, optional
        Gets the share that was played, 0..1, now and then.

    Raises
    ------
    HbcError
        The recording cannot be read.
    """
    if speed is None:
        try:
            return _replayed(ReplayTransport(folder, log=recorded, merge=True), Path(folder), progress)
        except VersionMismatchError:  # of a box that was flashed meanwhile: what came before it is told chunk by chunk
            log.debug("%s: another wire version, chunk by chunk", folder)
    return _replayed(ReplayTransport(folder, log=recorded, speed=speed), Path(folder), progress)


def _replayed(transport: ReplayTransport, folder: Path, progress: Callable[[float], object] | None) -> Session:
    meta, _ = read_meta(folder)

    def go_on(open_link: OpenLink, hello: Any, keep_on: Callable[[], bool], tell: Tell) -> Found:
        """A recording is always the same box, and needs no Hello to be known again."""
        link: Link = open_link(transport)
        link.hello = hello
        return Found(link.__enter__(), [], str(folder))

    def at_end() -> bool:
        if progress is not None:
            progress(transport.done)
        return transport.at_end

    with tempfile.TemporaryDirectory(prefix="hbc-replay-") as place:
        again = Path(place) / "session"
        try:
            summary = record(
                transport,
                again,
                meta=meta,
                stop=at_end,
                on_event=log.debug,
                clock=transport.host_s,
                notes=transport.notes,
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
    recorded, live = load_with_log(folder)
    return ReplayCheck(session_hash(live), session_hash(replay_session(folder, recorded=recorded, speed=speed)))

"""A recording under way: from the queue to the disk, across lost connections, until the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbc_wire import messages

from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.errors import SessionError, TransportError
from hbc_host.folder import SessionWriter
from hbc_host.link import Link
from hbc_host.parts import BACK, LOST, note
from hbc_host.reconnect import Reconnect, Tell
from hbc_host.tally import Tally
from hbc_host.transport import Transport

STOP_WAIT_S = 2.0  # a box that never falls silent, or still owes events, is cut off this long after stop()


@dataclass(frozen=True)
class RecordSummary:
    """How a recording went.

    Attributes
    ----------
    path : Path
        Session directory.
    hello : namedtuple Hello
        The box.
    ended : str
        ``"stopped"`` (as asked), ``"interrupted"`` (Ctrl-C), ``"port_lost"`` or ``"disk"`` (full, or refused to
        write); the session loads in each case.
    reason : str
        One line for people when it did not end as asked, else empty.
    bytes_n, frames_n, frames_bad_n, frames_lost_n, beats_n, edges_n : int
        What arrived, and what is known to be missing; of all parts.
    duration_s : float
        From the first to the last byte of each connection, host seconds.
    boots_n, reconnects_n : int
        Boots of the box seen; how often the connection came back.
    events_lost_n : int
        Beats and edges that the box could not send again.
    waiting_max_n : int
        Most reads that waited for the disk at once.
    """

    path: Path
    hello: Any
    ended: str
    reason: str
    bytes_n: int
    frames_n: int
    frames_bad_n: int
    frames_lost_n: int
    beats_n: int
    edges_n: int
    duration_s: float
    boots_n: int
    reconnects_n: int
    events_lost_n: int
    waiting_max_n: int


def listen(link: Link, chunks: list[Chunk], tap: Callable[[Chunk], None] | None) -> None:
    """From now on ``tap`` hears this link, known now to be the right box; first what came from it already."""
    if tap is not None:
        for chunk in chunks:
            if chunk.kind == FROM_BOX:
                tap(chunk)
        link.listen(tap)


@dataclass
class Recording:
    """One recording; see :func:`hbc_host.record.record` for what each part does."""

    link: Link
    writer: SessionWriter
    tally: Tally
    stop: Callable[[], bool]
    clock: Callable[[], float]
    tell: Tell
    fetch: bool
    notes: Callable[[], list[Chunk]]
    tap: Callable[[Chunk], None] | None
    reconnect: Reconnect | None
    open_link: Callable[[Transport], Link]
    reconnects_n: int = 0
    waiting_max_n: int = 0

    def to_the_end(self, first: list[Chunk]) -> tuple[str, str]:
        """How it ended, and why when it did not end as asked."""
        try:
            for chunk in first:
                self.tally.take(chunk)
            while True:
                try:
                    self._until_stop()
                    return "stopped", ""
                except TransportError as error:
                    if not self._came_back(error):
                        return "port_lost", f"{error}; what was recorded until then is kept in {self.writer.folder}"
        except KeyboardInterrupt:
            return "interrupted", "stopped by Ctrl-C; what was recorded is complete up to then"
        except SessionError as error:
            return "disk", str(error)
        finally:
            with contextlib.suppress(SessionError):  # alarms raised while nothing was read belong into the log, too
                self._keep_notes()
            self.link.__exit__(None, None, None)
            if self.tap is not None:
                self.tap(Chunk(FROM_BOX, self.clock(), b""))
            with contextlib.suppress(SessionError):  # who makes notes has learnt by this chunk that these are the last
                self._keep_notes()

    def _until_stop(self) -> None:
        last_read_n: int | None = None
        until_s = until_real_s = 0.0
        while True:
            self.waiting_max_n = max(self.waiting_max_n, self.link.waiting_n)
            arrival = self.link.receive()
            if arrival.chunk is not None:
                self._keep(arrival.chunk)
            else:
                self.writer.log.sync_if_due()
            self._keep_notes()
            self._ask_for_missed()
            if last_read_n is None:
                if self.stop():
                    # The read under way now may have begun before the last bytes came; the one after it cannot have.
                    last_read_n = self.link.reads_n + 2
                    until_s, until_real_s = self.clock() + STOP_WAIT_S, time.monotonic() + STOP_WAIT_S
            elif arrival.read_n >= last_read_n:
                # By real time, too: a simulated clock stands still when its box has ended.
                late = self.clock() > until_s or time.monotonic() > until_real_s
                owed = self.fetch and not self.tally.missed.settled
                if late or (arrival.chunk is None and not owed):
                    return

    def _keep_notes(self) -> None:
        for chunk in self.notes():
            self.writer.log.append(chunk)

    def _keep(self, chunk: Chunk) -> None:
        self.writer.log.append(chunk)
        self.tally.take(chunk)

    def _ask_for_missed(self) -> None:
        if self.fetch and (request := self.tally.missed.request(self.clock())) is not None:
            self.link.send(messages.FetchEvents, *request)

    def _waits(self) -> bool:
        """Asked while the box is looked for: what people note meanwhile must not wait for it."""
        self._keep_notes()
        self.writer.log.sync_if_due()
        return not self.stop()

    def _came_back(self, error: TransportError) -> bool:
        """Note the loss, and wait for the box; False when it does not come."""
        self.writer.log.append(note(self.clock(), LOST, reason=str(error)))
        self.writer.log.sync()
        self.link.__exit__(None, None, None)
        if self.reconnect is None:
            return False
        self.tell(f"{error}; the recording waits for the box to come back")
        found = self.reconnect(self.open_link, self.link.hello, self._waits, self.tell)
        if found is None:
            return False
        self.link = found.link
        self.reconnects_n += 1
        self.writer.log.append(note(self.clock(), BACK, port=found.port))
        self.tally.new_connection()
        listen(found.link, found.chunks, self.tap)
        for chunk in found.chunks:
            self._keep(chunk)
        self.tell(f"the box is back on {found.port}; the recording goes on")
        return True

    def summary(self, ended: str, reason: str) -> RecordSummary:
        """What to tell at the end."""
        tally = self.tally
        return RecordSummary(
            self.writer.folder, self.link.hello, ended, reason, tally.bytes_n, tally.frames_n, tally.bad_n,
            tally.lost_n, tally.missed.beats_n, tally.missed.edges_n, tally.duration_s, tally.missed.boots_n,
            self.reconnects_n, tally.missed.lost_n, self.waiting_max_n,
        )  # fmt: skip

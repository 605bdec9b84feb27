"""Recording a session: everything the box sends, until somebody says stop or the port goes away."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hbc_wire import messages

from hbc_host.errors import SessionError, TransportError
from hbc_host.link import HELLO_TIMEOUT_S, Link
from hbc_host.protocol import SequenceCounter, StreamDecoder, is_a
from hbc_host.recorder import FROM_BOX, LOG_NAME, Chunk, LogWriter
from hbc_host.session import META_NAME
from hbc_host.session_model import SessionMeta
from hbc_host.transport import Transport

log = logging.getLogger(__name__)

STOP_WAIT_S = 2.0  # a box that never falls silent is cut off this long after stop()


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
        ``"stopped"`` (as asked), ``"interrupted"`` (Ctrl-C) or ``"port_lost"``; the session loads in each case.
    reason : str
        One line for people when it did not end as asked, else empty.
    bytes_n, frames_n, frames_bad_n, frames_lost_n, beats_n, edges_n : int
        What arrived, and what is known to be missing.
    duration_s : float
        From the first to the last byte, host seconds.
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


class SessionWriter:
    """A session directory that appears complete: labels, log and the first bytes, then grows by appending.

    It is filled under another name and renamed, so that a directory of this name always loads, whenever the
    program is killed.

    Parameters
    ----------
    folder : Path
        Must not exist, or be empty.
    meta : SessionMeta
    chunks : list of Chunk
        What was read before, Hello included.
    """

    def __init__(self, folder: Path, meta: SessionMeta, chunks: list[Chunk]) -> None:
        refuse_used(folder)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # mode 0700
        except OSError as error:
            raise SessionError(_why_not_made(folder, error)) from error
        try:
            _write_synced(making / META_NAME, meta.to_json())
            self.log = LogWriter(making / LOG_NAME)
            for chunk in chunks:
                self.log.append(chunk)
            self.log.sync()
            os.rename(making, folder)
        except OSError as error:
            raise SessionError(_why_not_made(folder, error)) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)
        _sync_folder(folder.parent)
        self.log.path = folder / LOG_NAME

    def __enter__(self) -> LogWriter:
        return self.log

    def __exit__(self, *error: object) -> None:
        self.log.close()


def refuse_used(folder: Path) -> None:
    """Raise SessionError when something is at this place already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SessionError(f"{folder} is not empty; choose another folder, nothing is ever overwritten")


def _write_synced(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:  # some file systems cannot sync a folder
        log.debug("fsync of %s: %s", folder, error)
    finally:
        os.close(number)


def _why_not_made(folder: Path, error: OSError) -> str:
    return f"cannot record to {folder} ({os.strerror(error.errno or 0)}); choose a folder on a disk that is yours"


class _Tally:
    """Live counts of what arrives; tells the caller of each message."""

    def __init__(self, on_message: Callable[[Any], None] | None) -> None:
        self._on_message = on_message
        self._decoder = StreamDecoder()
        self._frames = SequenceCounter()
        self._boot_n: int | None = None
        self._spans_s: list[float] = []
        self.bytes_n = self.beats_n = self.edges_n = 0

    def take(self, chunk: Chunk) -> None:
        if chunk.kind != FROM_BOX:
            return
        self.bytes_n += len(chunk.data)
        self._spans_s = [*self._spans_s[:1], chunk.host_s]
        for seq, message in self._decoder.feed(chunk.data):
            if is_a(message, messages.Hello) and message.boot_n != self._boot_n:
                if self._boot_n is not None:
                    self._frames.restart()
                self._boot_n = message.boot_n
            self._frames.push(seq)
            self.beats_n += is_a(message, messages.RPeak)
            self.edges_n += is_a(message, messages.TriggerEdge)
            if self._on_message is not None:
                self._on_message(message)

    def summary(self, path: Path, hello: Any) -> RecordSummary:
        duration_s = self._spans_s[-1] - self._spans_s[0] if self._spans_s else 0.0
        return RecordSummary(
            path, hello, "stopped", "", self.bytes_n, self._decoder.frames_n, self._decoder.bad_n,
            self._frames.lost_n, self.beats_n, self.edges_n, duration_s,
        )  # fmt: skip


def record(
    transport: Transport,
    out_dir: Path | str,
    *,
    meta: SessionMeta,
    stop: Callable[[], bool],
    on_message: Callable[[Any], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    ping: bool = False,
    hello_timeout_s: float = HELLO_TIMEOUT_S,
) -> RecordSummary:
    """Record from a box until ``stop()``, Ctrl-C, or the loss of the port.

    Parameters
    ----------
    transport : Transport
        Opened and closed here.
    out_dir : Path or str
        Session directory to create; it appears once the box has introduced itself.
    meta : SessionMeta
    stop : callable
        Asked between reads; once true, what is still on its way is recorded until the port falls silent (at most
        2 s by ``clock``).
    on_message : callable, optional
        Gets each message, in order, from the caller's thread.
    clock : callable
        Host seconds.
    ping : bool
        Send clock pings, which relate device time to host time.
    hello_timeout_s : float
        How long the box may take to introduce itself, seconds.

    Returns
    -------
    RecordSummary

    Raises
    ------
    TransportError
        The port cannot be opened, or went away before the box introduced itself.
    NoHelloError, VersionMismatchError
        There is no box of this wire version; nothing is written then.
    SessionError
        The directory is in use or the disk refuses; what was written stays and loads.
    """
    folder = Path(out_dir)
    refuse_used(folder)
    tally = _Tally(on_message)
    ended, reason = "stopped", ""
    with Link(transport, clock=clock, ping=ping) as link:
        first = link.wait_hello(hello_timeout_s)
        with SessionWriter(folder, meta, first) as writer:
            try:
                for chunk in first:
                    tally.take(chunk)
                _run(link, writer, tally, stop, clock)
            except KeyboardInterrupt:
                ended, reason = "interrupted", "stopped by Ctrl-C; what was recorded is complete up to then"
            except TransportError as error:
                ended, reason = "port_lost", f"{error}; what was recorded until then is kept in {folder}"
    return replace(tally.summary(folder, link.hello), ended=ended, reason=reason)


def _run(link: Link, writer: LogWriter, tally: _Tally, stop: Callable[[], bool], clock: Callable[[], float]) -> None:
    last_read_n: int | None = None
    until_s = 0.0
    while True:
        arrival = link.receive()
        if arrival.chunk is not None:
            writer.append(arrival.chunk)
            tally.take(arrival.chunk)
        else:
            writer.sync_if_due()
        if last_read_n is None:
            if stop():
                # The read under way now may have begun before the last bytes came; the one after it cannot have.
                last_read_n = link.reads_n + 2
                until_s = clock() + STOP_WAIT_S
        elif arrival.read_n >= last_read_n and (arrival.chunk is None or clock() > until_s):
            return

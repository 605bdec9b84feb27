"""Recording a session: everything the box sends, until somebody says stop; a lost cable is waited for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hbc_host.chunks import Chunk
from hbc_host.errors import SessionError
from hbc_host.folder import FolderLock, SessionWriter, refuse_used
from hbc_host.link import HELLO_TIMEOUT_S, Link
from hbc_host.manifest import may_continue, write_manifest
from hbc_host.parts import BACK, note, read_parts
from hbc_host.reconnect import Reconnect, Tell
from hbc_host.recording import Recording, RecordSummary, listen
from hbc_host.session_model import SessionMeta
from hbc_host.tally import Tally
from hbc_host.transport import Transport

__all__ = ["RecordSummary", "record"]

log = logging.getLogger(__name__)


def record(
    transport: Transport,
    out_dir: Path | str,
    *,
    meta: SessionMeta,
    stop: Callable[[], bool],
    on_message: Callable[[Any], None] | None = None,
    on_event: Tell | None = None,
    clock: Callable[[], float] = time.monotonic,
    ping: bool = False,
    fetch: bool = False,
    tap: Callable[[Chunk], None] | None = None,
    notes: Callable[[], list[Chunk]] | None = None,
    reconnect: Reconnect | None = None,
    resume: bool = False,
    manifest: bool = True,
    hello_timeout_s: float = HELLO_TIMEOUT_S,
    accept: Callable[[Any], None] = lambda hello: None,
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
    on_event : callable, optional
        Gets a line for people when the connection is lost or back, or the box restarted.
    clock : callable
        Host seconds.
    ping : bool
        Send clock pings, which relate device time to host time.
    fetch : bool
        Ask the box for beats and edges that did not arrive.
    tap : callable, optional
        Gets each chunk from this box in the reader thread, disk or no disk; see :class:`hbc_host.link.Link`;
        an empty one when the recording is over.
    notes : callable, optional
        Asked between reads for notes of the host to be written to the log.
    reconnect : callable, optional
        Finds the box again when the port went away (:class:`hbc_host.reconnect.BoxFinder`); without, the recording
        ends then.
    resume : bool
        Go on with the recording in ``out_dir`` that a crash, a lost port or a full disk had ended.
    manifest : bool
        Write ``manifest.json`` at the end.
    hello_timeout_s : float
        How long the box may take to introduce itself, seconds.
    accept : callable
        Gets the box's Hello before anything is written; what it raises ends the recording before it began.

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
        The directory is in use, is written by another program, or cannot be made.
    """
    tell: Tell = on_event or log.warning
    tally = Tally(on_message, lambda before, now: tell(_restarted(before, now)))

    def open_link(pipe: Transport) -> Link:
        return Link(pipe, clock=clock, ping=ping)

    folder = Path(out_dir)
    lock = None
    if resume:
        lock = _lock_to_continue(folder, tally)
    else:
        refuse_used(folder)
    link = open_link(transport)
    try:
        link.__enter__()
        first = link.wait_hello(hello_timeout_s)
        accept(link.hello)
        if lock is not None:
            _check_same_box(folder, tally.hello, link.hello)
        listen(link, first, tap)  # before the disk is asked for anything
        if lock is None:
            writer = SessionWriter.create(folder, meta, first)
        else:
            back = note(clock(), BACK, port=meta.port, host_version=meta.host_version)
            writer = SessionWriter.extend(folder, lock, [back, *first])
    except BaseException:
        link.__exit__(None, None, None)
        if lock is not None:
            lock.release()
        raise
    recording = Recording(link, writer, tally, stop, clock, tell, fetch, notes or list, tap, reconnect, open_link)
    with writer:
        ended, reason = recording.to_the_end(first)
        _close_log(writer, tell)
        if manifest:
            _add_manifest(folder, ended, reason, tell)
    return recording.summary(ended, reason)


def _lock_to_continue(folder: Path, tally: Tally) -> FolderLock:
    """The lock of an interrupted recording, whose past ``tally`` has taken."""
    if not folder.is_dir():
        raise SessionError(f"no recording at {folder} to continue; leave out --continue to begin one")
    lock = FolderLock(folder)
    try:
        if not may_continue(folder):
            raise SessionError(f"{folder} holds no interrupted recording; choose another folder for a new one")
        tally.take_past(read_parts(folder))
        if tally.hello is None:
            raise SessionError(f"{folder}: no box introduced itself in it; choose another folder")
    except BaseException:
        lock.release()
        raise
    tally.new_connection()
    return lock


def _check_same_box(folder: Path, before: Any, now: Any) -> None:
    if before.unique_id != now.unique_id:
        raise SessionError(
            f"{folder} is a recording of box {before.unique_id}, on the port is {now.unique_id}; connect the same "
            f"box, or choose another folder"
        )


def _restarted(before: Any, now: Any) -> str:
    return (
        f"the box restarted (boot {before.boot_n}, now {now.boot_n}): its time and numbers begin anew; "
        f"all is recorded, but only the longest boot is analysed"
    )


def _close_log(writer: SessionWriter, tell: Tell) -> None:
    try:
        writer.log.close()
    except SessionError as error:
        tell(str(error))


def _add_manifest(folder: Path, ended: str, reason: str, tell: Tell) -> None:
    try:
        write_manifest(folder, ended=ended, reason=reason)
    except SessionError as error:  # as when the disk is full
        tell(str(error))

"""The folder of a recording while it is written: it appears complete, one program at a time writes to it."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path

from hbc_host.chunks import Chunk
from hbc_host.errors import SessionError
from hbc_host.lock import LOCK_NAME, FolderLock, running_note, why_not_made, writer_of
from hbc_host.parts import log_parts, part_name
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.session import META_NAME
from hbc_host.session_model import SessionMeta

__all__ = [
    "LOCK_NAME", "LOG_BYTES_PER_S", "FolderLock", "SessionWriter", "is_visit_only", "refuse_used", "room_warning",
    "running_note", "sync_folder", "why_not_made", "write_synced", "writer_of",
]  # fmt: skip

log = logging.getLogger(__name__)

VISIT_NAME = "visit.json"  # written by hbc_host.clinic.visit before there is a recording
LOG_BYTES_PER_S = 5000  # measured 3.4 kB/s at rest (docs/reliability.md); trigger edges come on top
PLANNED_S = 7200.0  # when nobody said how long
ROOM_MIN_S = 60.0  # with less room than for this, a recording is not begun


class SessionWriter:
    """A folder that is being recorded to: ``log`` takes the chunks.

    :meth:`create` fills a folder under another name and renames it, so that a folder of this name always loads,
    whenever the program is killed.
    """

    def __init__(self, folder: Path, log_writer: LogWriter, lock: FolderLock) -> None:
        self.folder, self.log, self._lock = folder, log_writer, lock

    @classmethod
    def create(cls, folder: Path, meta: SessionMeta, chunks: list[Chunk]) -> SessionWriter:
        """Begin a recording with what was read before, Hello included; the folder must not exist, or be empty.

        A folder that a visit was laid down in (``visit.json``) is recorded into as it is.
        """
        refuse_used(folder)
        if folder.is_dir() and any(folder.iterdir()):
            return cls._create_inside(folder, meta, chunks)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # mode 0700
        except OSError as error:
            raise SessionError(why_not_made(folder, error)) from error
        try:
            lock = FolderLock(making)
            write_synced(making / META_NAME, meta.to_json())
            writer = _begin(making / LOG_NAME, chunks)
            os.rename(making, folder)
        except OSError as error:
            raise SessionError(why_not_made(folder, error)) from error
        finally:
            shutil.rmtree(making, ignore_errors=True)
        sync_folder(folder.parent)
        lock.moved_to(folder)
        writer.path = folder / LOG_NAME
        return cls(folder, writer, lock)

    @classmethod
    def _create_inside(cls, folder: Path, meta: SessionMeta, chunks: list[Chunk]) -> SessionWriter:
        """The log appears last: a folder without it holds no recording yet, whenever the program is killed."""
        lock = FolderLock(folder)
        try:
            if not is_visit_only(folder):  # another program recorded and ended while this one waited for the right to
                raise SessionError(f"{folder} is not empty; choose another folder, nothing is ever overwritten")
            for name in (META_NAME, f".{LOG_NAME}"):  # what a program left that was killed just here
                (folder / name).unlink(missing_ok=True)
            write_synced(folder / META_NAME, meta.to_json())
            writer = _begin(folder / f".{LOG_NAME}", chunks)
            os.rename(folder / f".{LOG_NAME}", folder / LOG_NAME)
        except BaseException as error:
            lock.release()
            if isinstance(error, OSError):
                raise SessionError(why_not_made(folder, error)) from error
            raise
        sync_folder(folder)
        writer.path = folder / LOG_NAME
        return cls(folder, writer, lock)

    @classmethod
    def extend(cls, folder: Path, lock: FolderLock, chunks: list[Chunk]) -> SessionWriter:
        """Add a part to an interrupted recording; what is there is never touched."""
        path = folder / part_name(len(log_parts(folder)) + 1)
        writer = _begin(path, chunks)
        sync_folder(folder)
        return cls(folder, writer, lock)

    def __enter__(self) -> SessionWriter:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.log.close()
        finally:
            self._lock.release()


def _begin(path: Path, chunks: list[Chunk]) -> LogWriter:
    writer = LogWriter(path)
    for chunk in chunks:
        writer.append(chunk)
    writer.sync()
    return writer


def is_visit_only(folder: Path) -> bool:
    """True for a folder in which a visit was laid down, and nothing was recorded yet."""
    if not (folder / VISIT_NAME).is_file():
        return False
    begun = (LOG_NAME, "manifest.json")
    return not any((folder / name).exists() for name in begun)


def refuse_used(folder: Path) -> None:
    """Raise SessionError when something is at this place already."""
    if is_visit_only(folder):
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SessionError(f"{folder} is not empty; choose another folder, nothing is ever overwritten")


def room_warning(folder: Path, seconds: float | None) -> str:
    """Words for the operator when the disk may not hold what is planned, else empty.

    Raises
    ------
    SessionError
        There is no room for a minute.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    free_n = shutil.disk_usage(place).free
    if free_n < ROOM_MIN_S * LOG_BYTES_PER_S:
        raise SessionError(
            f"{free_n / 1e6:.1f} MB free at {place}, a minute of recording needs "
            f"{ROOM_MIN_S * LOG_BYTES_PER_S / 1e6:.1f} MB; free some space or choose another disk"
        )
    planned_s = PLANNED_S if seconds is None else seconds
    needed_n = planned_s * LOG_BYTES_PER_S
    if free_n >= needed_n:
        return ""
    return (
        f"{free_n / 1e6:.0f} MB free at {place}, {planned_s / 60:.0f} minutes need {needed_n / 1e6:.0f} MB: "
        f"room for {free_n / LOG_BYTES_PER_S / 60:.0f} minutes; free some space soon"
    )


def write_synced(path: Path, text: str) -> None:
    """Write a new private file so that it survives a power cut."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:  # some file systems cannot sync a folder
        log.debug("fsync of %s: %s", folder, error)
    finally:
        os.close(number)

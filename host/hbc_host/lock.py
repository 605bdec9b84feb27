"""The right to write to the folder of a recording, and who has it now."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from datetime import datetime
from pathlib import Path

from hbc_host.errors import SessionError

log = logging.getLogger(__name__)

LOCK_NAME = "recording.lock"


class FolderLock:
    """The right to write to a folder, until this program ends however it ends.

    Raises
    ------
    SessionError
        Another program writes there; the text names it. Or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        self._fd = self._locked(folder)
        try:
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"hbc, process {os.getpid()}, since {datetime.now():%H:%M:%S}\n".encode())
        except OSError as error:  # a full disk: the lock holds without its text
            log.debug("%s: %s", self._path, error)

    def _locked(self, folder: Path) -> int:
        """The lock's file, locked; one that its last holder removed meanwhile locks nobody out, so it is made anew."""
        while True:
            try:
                number = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise SessionError(why_not_made(folder, error)) from error
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                who = _told_by(number)
                os.close(number)
                raise SessionError(
                    f"{folder} is being written by {who}; let it end first, or choose another folder"
                ) from error
            if _is_at(number, self._path):
                return number
            os.close(number)

    def moved_to(self, folder: Path) -> None:
        """The folder was renamed."""
        self._path = folder / LOCK_NAME

    def release(self) -> None:
        """Give the right back; harmless when given back already."""
        if self._fd >= 0:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:  # a disk that turned read-only; what locks is the open file, not its name
                log.debug("%s: %s", self._path, error)
            os.close(self._fd)
            self._fd = -1


def writer_of(folder: Path) -> str:
    """Who writes to this folder now; empty when nobody does. Changes nothing there."""
    try:
        number = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _told_by(number)
    finally:
        os.close(number)
    return ""


def running_note(folder: Path) -> tuple[str, ...]:
    """Words for a reader of a recording that another program is still writing; none otherwise."""
    who = writer_of(folder)
    if not who or f"process {os.getpid()}," in who:
        return ()
    return (f"the recording is still running, written by {who}: what follows is as of {datetime.now():%H:%M:%S}",)


def _is_at(number: int, path: Path) -> bool:
    """True when the open file is the one that the path names now."""
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except FileNotFoundError:
        return False


def _told_by(number: int) -> str:
    return os.pread(number, 200, 0).decode("utf-8", "replace").strip() or "another program"


def why_not_made(folder: Path, error: OSError) -> str:
    """One line for a folder that cannot be written."""
    if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
        return f"{folder} is not empty; choose another folder, nothing is ever overwritten"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"disk full: cannot record to {folder}; free some space or choose another disk"
    return f"cannot record to {folder} ({os.strerror(error.errno or 0)}); choose a folder on a disk that is yours"

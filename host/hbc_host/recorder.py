"""The log of a recording: the bytes of both directions verbatim, with the host's time, append-only.

File ``wire.hbclog``, little-endian: an 8-byte file header (``HBCLOG``, format version u16), then chunks of
magic (4 bytes), kind u8, 3 zero bytes, host_s float64, n u32, CRC-32 u32 of the 20 bytes before it and of the n
bytes that follow. A chunk is found again by its magic after damage; the bytes inside are guarded a second time by the
checksums of the wire's own frames, so that a damaged chunk is still worth reading.
"""

from __future__ import annotations

import errno
import math
import os
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
from hbc_native.frames import LOG_HEAD_N, log_chunks

from hbc_host.chunks import FROM_BOX, HOST_NOTE, TO_BOX, Chunk, Chunks
from hbc_host.errors import SessionError

LOG_NAME = "wire.hbclog"
LOG_VERSION = 1
SYNC_PERIOD_S = 1.0  # at most this much is at risk when the power fails; a killed program loses nothing written
FILE_HEADER = struct.Struct("<6sH")
FILE_MAGIC = b"HBCLOG"
CHUNK_HEADER = struct.Struct("<4sB3xdII")
CHUNK_MAGIC = b"\xc5hb\xa9"
CHUNK_MAX_N = 1 << 16
_HEAD_DTYPE = np.dtype(
    [("magic", "V4"), ("kind", "u1"), ("zeros", "V3"), ("host_s", "<f8"), ("n", "<u4"), ("check", "<u4")]
)
assert _HEAD_DTYPE.itemsize == CHUNK_HEADER.size == LOG_HEAD_N, "one layout, three readings of it"


class LogWriter:
    """Appends chunks to a log and lets the disk have them once a second.

    Parameters
    ----------
    path : Path
        New file; an existing one is refused.
    clock : callable
        Seconds of real time, for the fsync period only. Not the clock of the recording: a power cut is real.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SessionError(_why_not_written(path, error)) from error
        self._synced_s = clock()
        self._dirty = False
        self.bytes_n = 0
        self._write(FILE_HEADER.pack(FILE_MAGIC, LOG_VERSION))

    def append(self, chunk: Chunk) -> None:
        """Write one chunk; raises SessionError when the disk refuses it."""
        for at in range(0, len(chunk.data), CHUNK_MAX_N):
            self._append(Chunk(chunk.kind, chunk.host_s, chunk.data[at : at + CHUNK_MAX_N]))
        self.sync_if_due()

    def _append(self, chunk: Chunk) -> None:
        head = CHUNK_HEADER.pack(CHUNK_MAGIC, chunk.kind, chunk.host_s, len(chunk.data), 0)[:-4]
        check = crc32(chunk.data, crc32(head))
        self._write(head + check.to_bytes(4, "little") + chunk.data)

    def sync_if_due(self) -> None:
        """fsync when the last one is a second old and something was written since; call it when idle, too."""
        if self._dirty and self._clock() - self._synced_s >= SYNC_PERIOD_S:
            self.sync()

    def sync(self) -> None:
        """Make all that was written survive a power cut."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise SessionError(_why_not_written(self.path, error)) from error
        self._synced_s = self._clock()
        self._dirty = False

    def close(self) -> None:
        """Sync and close; harmless when already closed."""
        if self._fd < 0:
            return
        try:
            self.sync()
        finally:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise SessionError(_why_not_written(self.path, error)) from error
        self._dirty = True
        self.bytes_n += len(data)


def _why_not_written(path: Path, error: OSError) -> str:
    if error.errno == errno.EEXIST:
        return f"{path.parent} already holds a recording; choose another folder, nothing is ever overwritten"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"disk full while writing {path}; free some space, what was recorded so far is kept"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{path} cannot be written ({os.strerror(error.errno)}); choose a folder that is yours"
    return f"{path} cannot be written ({os.strerror(error.errno or 0)}); check the disk"


@dataclass(frozen=True, slots=True)
class Log:
    """What a log file holds.

    damaged_n : stretches that failed their checksum; damaged_bytes_n : the bytes in them;
    truncated : the last chunk is incomplete, as after a power cut.
    """

    chunks: Sequence[Chunk]
    damaged_n: int
    damaged_bytes_n: int
    truncated: bool


def session_hint(folder: Path) -> str:
    """Words that lead from a folder without a recording to the one inside it; empty when there is none."""
    inside = sorted(log.parent for log in folder.glob(f"*/{LOG_NAME}"))
    return f"; there is a recording in {inside[0]}, give that" if inside else ""


def read_log(path: Path) -> Log:
    """Chunks of a log, in order, past any damage.

    Raises
    ------
    SessionError
        The file is absent, empty, or no log of a known version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        next_step = session_hint(path.parent) or "; give the folder that `hbc record --out` wrote"
        raise SessionError(f"cannot read {path} ({reason}){next_step}") from error
    if len(data) <= FILE_HEADER.size:
        raise SessionError(f"{path} has {len(data)} bytes and holds no data; the recording ended before it began")
    magic, version = FILE_HEADER.unpack_from(data)
    if magic == FILE_MAGIC and version > LOG_VERSION:
        raise SessionError(f"{path} has format {version}, this program reads up to {LOG_VERSION}; update hbc-box")
    if magic != FILE_MAGIC and data.find(CHUNK_MAGIC) < 0:
        raise SessionError(f"{path} is no recording of hbc-box; give the folder that `hbc record --out` wrote")
    return _collect(data)


def _collect(data: bytes) -> Log:
    begins = log_chunks(data, FILE_HEADER.size, CHUNK_MAGIC, CHUNK_MAX_N)
    heads = _heads(data, begins)
    at, length_n = begins + CHUNK_HEADER.size, heads["n"].astype(np.int64)
    before = np.concatenate(
        ([FILE_HEADER.size], at + length_n)
    )  # where each chunk, and the end of the file, should come
    behind = np.append(begins, len(data))
    damaged = np.flatnonzero(behind > before)
    # What is read of a damaged stretch is a chunk of its own, without a time.
    saved = [k for k in damaged.tolist() if _may_be_of_box(data, int(before[k]), int(behind[k]))]
    saved_at = before[saved] + CHUNK_HEADER.size
    chunks = Chunks(
        data,
        np.insert(heads["kind"], saved, FROM_BOX),
        np.insert(heads["host_s"], saved, math.nan),
        np.insert(at, saved, saved_at),
        np.insert(length_n, saved, behind[saved] - saved_at),
    )
    truncated = bool(behind[-1] > before[-1])
    return Log(chunks, len(damaged) - truncated, int(np.sum(behind - before)), truncated)


def _heads(data: bytes, places: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """The heads of chunks that begin at these places, shape (chunks,)."""
    if not len(places):
        return np.empty(0, _HEAD_DTYPE)
    heads = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), CHUNK_HEADER.size)[places]
    return heads.view(_HEAD_DTYPE).reshape(len(places))


def _may_be_of_box(data: bytes, start: int, end: int) -> bool:
    """True when something is left behind the head of a damaged stretch that may have come from the box.

    Frames have checksums of their own.
    """
    is_other = data[start + 4 : start + 5] in (bytes([TO_BOX]), bytes([HOST_NOTE]))
    return not is_other and end > start + CHUNK_HEADER.size

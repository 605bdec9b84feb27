"""How much any reader of foreign files may take: declared sizes are held against these before memory is asked for.

Together they keep every reader below :data:`MEMORY_MAX_MB`: the bytes of a text, one decoded copy, and a handful of
columns of :data:`SAMPLES_MAX_N` values.
"""

from __future__ import annotations

from pathlib import Path

from hbc_host.errors import InputError

MEMORY_MAX_MB = 1024
FILE_MAX_BYTES = 256 * 1024 * 1024
BDF_MAX_BYTES = 96 * 1024 * 1024  # its reader takes ten times the file: three bytes become an integer, in copies
#: XDF is read as lists of pieces, joined, freed of jitter and put on a grid: bytes for each sample (measured, rounded
#: up), for each of its values besides, and how many there may be.
XDF_SAMPLE_BYTES, XDF_VALUE_COPIES, XDF_STRING_BYTES = 95, 2, 200
XDF_CHUNK_BYTES = 500  # two arrays and their places in lists, however small the chunk
XDF_MEMORY_MAX_BYTES = 850_000_000
SAMPLES_MAX_N = 20_000_000  # of one channel, 11 h at 500 Hz; of all columns of a table that are read
EVENTS_MAX_N = 2_000_000
CHANNELS_MAX_N = 1024


def check_size(path: Path, limit_bytes: int = FILE_MAX_BYTES) -> int:
    """Bytes of a file that may be read.

    Raises
    ------
    InputError
        If the file does not exist, is no ordinary file, is empty, or is larger than the limit.
    """
    try:
        size_bytes = path.stat().st_size
        ordinary = path.is_file()
    except OSError as fault:
        raise InputError(f"{path}: cannot be read ({fault.strerror}); check the path") from fault
    if not ordinary:
        raise InputError(f"{path}: is no ordinary file; give a file or a folder")
    if size_bytes == 0:
        raise InputError(f"{path}: is empty (0 bytes); export the recording again")
    if size_bytes > limit_bytes:
        raise InputError(
            f"{path}: {size_bytes / 1e6:.0f} MB, at most {limit_bytes / 1e6:.0f} MB of this format are read; "
            "export a shorter part, or the ECG and trigger channels alone"
        )
    return size_bytes


def check_samples(path: Path, samples_n: float, what: str = "samples") -> None:
    """Refuse a count, declared or found, that no recording of a session reaches."""
    if not 0 <= samples_n <= SAMPLES_MAX_N:
        raise InputError(
            f"{path}: declares {samples_n:g} {what}, 0 to {SAMPLES_MAX_N} are read; the header is damaged, or export a "
            "shorter part"
        )


def read_limited(path: Path, limit_bytes: int = FILE_MAX_BYTES) -> bytes:
    """The bytes of a file that is not too large; raises InputError as :func:`check_size` does."""
    check_size(path, limit_bytes)
    try:
        return path.read_bytes()
    except OSError as fault:
        raise InputError(f"{path}: cannot be read ({fault.strerror}); check the path") from fault

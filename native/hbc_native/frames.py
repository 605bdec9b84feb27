"""Python face of ``native/src/hbc_frames.c``: frames and chunks of a whole recording.

What they are is defined in ``hbc_wire/framing.py`` and ``hbc_host/recorder.py``; limits and marks come as arguments.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hbc_native._rpeak import ffi, lib

LOG_HEAD_N: int = lib.HBC_LOG_HEAD_N
"""Bytes before the body of a chunk of a log."""


def _tables() -> Any:
    crc = ffi.new("hbc_crc *")
    lib.hbc_crc_init(crc)
    return crc


_CRC = _tables()


class Deframed(NamedTuple):
    """The frames in some bytes.

    payloads : (bytes,) uint8, one payload after the other without checksums; payload_ends : (frames,) int64, where each
    ends; delimiters_at : (frames,) int64, place of the delimiter that ended each frame among the bytes given;
    bad_n, skipped_bytes_n : stretches that were no frame, and the bytes in them.
    """

    payloads: NDArray[np.uint8]
    payload_ends: NDArray[np.int64]
    delimiters_at: NDArray[np.int64]
    bad_n: int
    skipped_bytes_n: int


def deframe(data: bytes, body_max_n: int, *, joining: bool = True) -> Deframed:
    """All frames in bytes that begin where a frame may begin.

    Parameters
    ----------
    data : bytes
    joining : bool
        Nothing came before: half a frame at the beginning is then no bad one.
    body_max_n : int
        Longest body that is accepted, bytes.
    """
    room_n = len(data) // lib.HBC_FRAME_MIN_N + 1
    payloads = np.empty(len(data), np.uint8)
    ends, delimiters = np.empty(room_n, np.int64), np.empty(room_n, np.int64)
    found = ffi.new("hbc_deframed *")
    refused = lib.hbc_deframe(
        _CRC, ffi.from_buffer("uint8_t[]", data), len(data), joining, body_max_n,
        ffi.from_buffer("uint8_t[]", payloads), _places(ends), _places(delimiters), room_n, found,
    )  # fmt: skip
    assert refused == 0, "room for the shortest frames is room for all"
    n = found.frames_n
    return Deframed(
        payloads[: found.payload_bytes_n], ends[:n], delimiters[:n], int(found.bad_n), int(found.skipped_bytes_n)
    )


def log_chunks(data: bytes, at: int, magic: bytes, body_max_n: int) -> NDArray[np.int64]:
    """Places of the heads of all chunks whose checksums hold, in order, past any damage; shape (chunks,).

    Parameters
    ----------
    data : bytes
        A log.
    at : int
        Where to begin, at least 0.
    magic : bytes
        The four bytes that begin a head.
    body_max_n : int
        Longest body, bytes.
    """
    if len(magic) != 4 or at < 0:
        raise ValueError(f"magic of {len(magic)} bytes and begin {at}; 4 bytes and at least 0 are needed")
    room_n = len(data) // LOG_HEAD_N + 1
    places = np.empty(room_n, np.int64)
    n = lib.hbc_log_chunks(
        _CRC, ffi.from_buffer("uint8_t[]", data), len(data), at, magic, body_max_n, _places(places), room_n
    )
    assert n >= 0, "room for empty chunks is room for all"
    return places[:n].copy()


def gather(data: bytes, at: NDArray[np.int64], length_n: NDArray[np.int64]) -> bytes:
    """Pieces of some bytes, one after the other.

    Parameters
    ----------
    data : bytes
    at, length_n : arrays (pieces,) of int64
        Where each piece begins, and its length.

    Raises
    ------
    ValueError
        A piece does not lie in ``data``.
    """
    at, length_n = np.ascontiguousarray(at, np.int64), np.ascontiguousarray(length_n, np.int64)
    if at.shape != length_n.shape or at.ndim != 1:
        raise ValueError(f"{at.shape} places and {length_n.shape} lengths; one of each is needed")
    if len(at) and (at.min() < 0 or length_n.min() < 0 or (length_n > len(data) - at).any()):
        raise ValueError(f"a piece does not lie in the {len(data)} bytes")
    out = np.empty(int(length_n.sum()), np.uint8)
    lib.hbc_gather(
        ffi.from_buffer("uint8_t[]", data), _places(at), _places(length_n), len(at), ffi.from_buffer("uint8_t[]", out)
    )
    return out.tobytes()


def _places(array: NDArray[np.int64]) -> Any:
    return ffi.from_buffer("int64_t[]", array)

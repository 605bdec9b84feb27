"""From bytes to messages on the host: the wire's own deframer with a C decoder, and an unpacker that is fast.

The table in ``hbc_wire.messages`` stays the only definition: layouts below are derived from it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cobs import cobs
from hbc_wire import messages
from hbc_wire.framing import Deframer, FrameError, encode

from hbc_host.errors import VersionMismatchError

_DTYPES = {"B": "u1", "b": "i1", "H": "<u2", "h": "<i2", "I": "<u4", "i": "<i4", "Q": "<u8"}
_HALF = 0x8000
BEHIND_MAX_N = 256  # more frames than a repeated chunk holds; after these a jump back is taken for a jump ahead


def _fixed_layouts() -> dict[int, tuple[struct.Struct, Any]]:
    """Type -> (struct of the fields, namedtuple) for the messages without text or array."""
    rows = messages.BY_ID.values()
    return {row.msg_id: (struct.Struct("<" + row.codes), row.make) for row in rows if not set(row.codes) & {"s", "a"}}


_FIXED = _fixed_layouts()
_ECG = messages.EcgBlock
_MAKE_ECG: Any = _ECG.make
_ECG_HEAD = struct.Struct("<" + _ECG.codes.rstrip("a"))
assert _ECG.codes.index("a") == len(_ECG.codes) - 2, "two arrays end an EcgBlock"


class Received(NamedTuple):
    """One message and the number of the frame that carried it."""

    seq: int
    message: Any


def is_a(message: Any, row: Any) -> bool:
    """True when a message is of this row of the table, such as ``is_a(message, messages.RPeak)``."""
    return isinstance(message, row.make)


def new_deframer() -> Deframer:
    """The deframer of the wire, with COBS decoded in C."""
    return Deframer(decode=_cobs_decode)


def _cobs_decode(body: bytes) -> bytes:
    try:
        data: bytes = cobs.decode(body)
    except cobs.DecodeError as error:  # not a ValueError, which the wire's deframer counts on
        raise FrameError(str(error)) from error
    return data


def check_version(payload: bytes) -> None:
    """Raise VersionMismatchError for a Hello of another version.

    The version stands first in Hello in all versions, so it is read before the rest is understood.
    """
    if payload[0] == messages.Hello.msg_id and len(payload) > messages.HEADER_N:
        version = payload[messages.HEADER_N]
        if version != messages.WIRE_VERSION:
            raise VersionMismatchError(version, messages.WIRE_VERSION)


def unpack(payload: bytes) -> Received:
    """One payload as a message; arrays of an EcgBlock become numpy int16.

    Raises
    ------
    hbc_wire.messages.MessageError
        The payload passed its checksum and still is no message of the table.
    """
    kind = payload[0]
    fixed = _FIXED.get(kind)
    if fixed is not None and len(payload) == messages.HEADER_N + fixed[0].size:
        values = fixed[0].unpack_from(payload, messages.HEADER_N)
        return Received(payload[1] | payload[2] << 8, fixed[1](*values))
    if kind == _ECG.msg_id and len(payload) >= messages.HEADER_N + _ECG_HEAD.size + 2:
        return _unpack_ecg(payload)
    seq, message = messages.unpack(payload)
    return Received(seq, message)


def _unpack_ecg(payload: bytes) -> Received:
    head = _ECG_HEAD.unpack_from(payload, messages.HEADER_N)
    ecg_at = messages.HEADER_N + _ECG_HEAD.size + 1
    n = payload[ecg_at - 1]
    residual_at = ecg_at + 2 * n + 1
    if len(payload) != residual_at + 2 * n or payload[residual_at - 1] != n:
        raise messages.MessageError(f"EcgBlock of {n} samples has {len(payload)} bytes")
    ecg_lsb = np.frombuffer(payload, "<i2", n, ecg_at)
    residual_us = np.frombuffer(payload, "<i2", n, residual_at)
    return Received(payload[1] | payload[2] << 8, _MAKE_ECG(*head, ecg_lsb, residual_us))


class StreamDecoder:
    """Bytes in any split in, messages out; counts what is no message."""

    def __init__(self) -> None:
        self._deframer = new_deframer()
        self._foreign_n = 0
        self.frames_n = 0

    @property
    def bad_n(self) -> int:
        """Frames that were damaged, or that hold no message of this version."""
        return int(self._deframer.bad_n) + self._foreign_n

    def feed(self, data: bytes) -> list[Received]:
        """Messages completed by these bytes; raises VersionMismatchError at a Hello of another wire version."""
        received = []
        for payload in self._deframer.feed(data):
            check_version(payload)
            try:
                received.append(unpack(payload))
            except messages.MessageError:
                self._foreign_n += 1
        self.frames_n += len(received)
        return received


def frame(message: Any, seq: int, *values: Any) -> bytes:
    """The bytes of one message as they go over the wire."""
    return bytes(encode(messages.pack(message, seq & 0xFFFF, *values)))


class SequenceCounter:
    """Counts frames that are missing in a run of 16-bit frame numbers; repeated frames cost nothing."""

    def __init__(self) -> None:
        self._expected: int | None = None
        self._behind_n = 0
        self._resumed = False
        self.lost_n = 0
        self.repeated_n = 0

    def push(self, seq: int) -> int:
        """Number of frames that are missing just before this one."""
        if self._expected is None:
            self._expected = seq
        lost_n = (seq - self._expected) & 0xFFFF
        resumed, self._resumed = self._resumed, False
        # Older than the newest seen: a repeated chunk.
        if lost_n >= _HALF and not resumed and self._behind_n < BEHIND_MAX_N:
            self._behind_n += 1
            self.repeated_n += 1
            return 0
        self._behind_n = 0
        self._expected = (seq + 1) & 0xFFFF
        self.lost_n += lost_n
        return lost_n

    def resume(self) -> None:
        """The connection was away: the next number is ahead, however far (known modulo 65536 only)."""
        self._resumed = True

    def restart(self) -> None:
        """Forget the last number: the box began to count anew."""
        self._expected = None
        self._behind_n = 0


class Frames:
    """Payloads side by side, for unpacking thousands of them at once.

    Parameters
    ----------
    payloads : sequence of bytes
        In order of arrival, each at least a header long.
    """

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self.payloads = payloads
        self.length_n = np.fromiter(map(len, payloads), np.int64, len(payloads))
        self._at = np.cumsum(self.length_n) - self.length_n
        self._bytes = np.frombuffer(b"".join(payloads), np.uint8)
        self.kind = self._bytes[self._at] if len(payloads) else np.empty(0, np.uint8)
        self.bad_n = 0

    def seqs(self) -> list[int]:
        """Frame numbers, in order of arrival."""
        low, high = self._bytes[self._at + 1].astype(int), self._bytes[self._at + 2].astype(int)
        numbers: list[int] = (low | high << 8).tolist()
        return numbers

    def rows(self, message: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]:
        """All messages of one kind without text: (their places among the frames, a structured array).

        The dtype's names are the table's. Wrong lengths are counted in ``bad_n`` and left out.
        """
        of_kind = np.flatnonzero(self.kind == message.msg_id)
        dtype = _dtype(zip(message.names, message.codes, strict=True))
        return self._gather(of_kind, dtype)

    def ecg_rows(self) -> Iterable[tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]]:
        """EcgBlocks grouped by number of samples: (places, structured array with 2-d ``ecg_lsb``, ``residual_us``)."""
        of_kind = np.flatnonzero(self.kind == _ECG.msg_id)
        fields = list(zip(_ECG.names, _ECG.codes, strict=True))
        for length_n in np.unique(self.length_n[of_kind]):
            places = of_kind[self.length_n[of_kind] == length_n]
            n, rest = divmod(int(length_n) - messages.HEADER_N - _ECG_HEAD.size - 2, 4)
            if rest or n < 0:
                self.bad_n += len(places)
                continue
            places, rows = self._gather(places, _dtype(fields, n))
            whole = (rows["n_ecg_lsb"] == n) & (rows["n_residual_us"] == n)
            self.bad_n += int(np.count_nonzero(~whole))
            yield places[whole], rows[whole]

    def _gather(
        self, places: npt.NDArray[np.int64], dtype: np.dtype[np.void]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]:
        fits = self.length_n[places] == dtype.itemsize
        self.bad_n += int(np.count_nonzero(~fits))
        places = places[fits]
        picked = self._bytes[self._at[places][:, None] + np.arange(dtype.itemsize)]
        return places, np.ascontiguousarray(picked).view(dtype).reshape(len(places))


def _dtype(fields: Iterable[tuple[str, str]], array_n: int = 0) -> np.dtype[np.void]:
    """Packed numpy layout of header and fields; an array field ``x`` gets its count as ``n_x``."""
    columns: list[Any] = [("header", np.uint8, messages.HEADER_N)]
    for name, code in fields:
        if code == "a":
            columns += [("n_" + name, "u1"), (name, "<i2", (array_n,))]
        else:
            columns.append((name, _DTYPES[code]))
    return np.dtype(columns)

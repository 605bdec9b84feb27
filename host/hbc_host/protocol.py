"""From bytes to messages on the host: the wire's own deframer with a C decoder, and an unpacker that is fast.

The table in ``hbc_wire.messages`` stays the only definition: layouts below are derived from it.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from cobs import cobs
from hbc_native.frames import deframe
from hbc_wire import messages
from hbc_wire.framing import FRAME_MAX_N, Deframer, FrameError, encode

from hbc_host.errors import VersionMismatchError
from hbc_host.frames import Frames

_HALF = 0x8000
BULK_N = 4096  # bytes; a read of a box that is being listened to brings some hundred
BEHIND_MAX_N = 256  # more frames than a repeated chunk holds; after these a jump back is taken for a jump ahead


def _fixed_layouts() -> dict[int, tuple[struct.Struct, Any]]:
    """Type -> (struct of the fields, namedtuple) for the messages without text or array."""
    rows = messages.BY_ID.values()
    return {row.msg_id: (struct.Struct("<" + row.codes), row.make) for row in rows if not set(row.codes) & {"s", "a"}}


_FIXED = _fixed_layouts()
_ECG = messages.EcgBlock
_MAKE_ECG: Any = _ECG.make
_ECG_HEAD = struct.Struct("<" + _ECG.codes.rstrip("a"))
_ECG_AT = messages.HEADER_N + _ECG_HEAD.size + 1  # where the samples begin, just behind their count
_HELLO_ID, _ECG_ID = messages.Hello.msg_id, _ECG.msg_id
assert _ECG.codes.index("a") == len(_ECG.codes) - 2, "two arrays end an EcgBlock"


class Received(NamedTuple):
    """One message and the number of the frame that carried it."""

    seq: int
    message: Any


def is_a(message: Any, row: Any) -> bool:
    """True when a message is of this row of the table, such as ``is_a(message, messages.RPeak)``."""
    return isinstance(message, row.make)


def new_deframer() -> _HostDeframer:
    """The deframer of the wire, with COBS decoded in C; much at once is taken apart in C altogether."""
    return _HostDeframer()


class _HostDeframer(Deframer):
    def __init__(self) -> None:
        super().__init__(decode=_cobs_decode)

    def feed(self, data: bytes) -> list[bytes]:
        """Payloads completed by these bytes, oldest first: those of the wire's deframer, on any bytes (tested)."""
        return self.feed_frames(data).payloads() if len(data) >= BULK_N else list(super().feed(data))

    def feed_frames(self, data: bytes) -> Frames:
        """The same, side by side."""
        whole_n = data.rfind(b"\0") + 1 if len(data) >= BULK_N and not self._overlong else 0
        if not whole_n:
            return Frames(super().feed(data))
        found = deframe(self._rest + data[:whole_n], FRAME_MAX_N, joining=self._joining)
        self._rest, self._joining = b"", False
        self.bad_n += found.bad_n
        self.skipped_bytes_n += found.skipped_bytes_n
        super().feed(data[whole_n:])  # the begin of a frame, to be gone on with
        length_n = np.diff(found.payload_ends, prepend=0)
        return Frames.within(found.payloads, found.payload_ends - length_n, length_n)


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
    if kind == _ECG_ID and len(payload) >= _ECG_AT + 1:
        return _unpack_ecg(payload)
    if kind == _HELLO_ID and len(payload) >= messages.HEADER_N:
        return Received(payload[1] | payload[2] << 8, _hello_of(payload[messages.HEADER_N :]))
    seq, message = messages.unpack(payload)
    return Received(seq, message)


@lru_cache(maxsize=8)
def _hello_of(body: bytes) -> Any:
    """A Hello behind its header; it comes every second and hardly ever changes."""
    return messages.unpack(bytes((_HELLO_ID, 0, 0)) + body)[1]


def _unpack_ecg(payload: bytes) -> Received:
    n = payload[_ECG_AT - 1]
    residual_at = _ECG_AT + 2 * n + 1
    if len(payload) != residual_at + 2 * n or payload[residual_at - 1] != n:
        raise messages.MessageError(f"EcgBlock of {n} samples has {len(payload)} bytes")
    head = _ECG_HEAD.unpack_from(payload, messages.HEADER_N)
    ecg_lsb = np.frombuffer(payload, "<i2", n, _ECG_AT)
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

    def feed_frames(self, data: bytes) -> Frames:
        """The frames that :meth:`feed` would unpack, for those who want a few of many; raises as it does."""
        frames = self._deframer.feed_frames(data)
        for _, payload in frames.distinct(messages.Hello):
            check_version(payload)
        whole = frames.picked(np.flatnonzero(frames.known()))
        self._foreign_n += len(frames) - len(whole)
        self.frames_n += len(whole)
        return whole


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

    def push_all(self, seqs: npt.NDArray[np.int64]) -> None:
        """Many frames, one after the other."""
        if not len(seqs):
            return
        lost_n = self.push(int(seqs[0]))
        if lost_n == 0 and self._behind_n == 0 and np.all(seqs[1:] - seqs[:-1] & 0xFFFF == 1):  # as usual
            self._expected = (int(seqs[-1]) + 1) & 0xFFFF
            return
        for seq in seqs[1:].tolist():
            self.push(seq)

    def resume(self) -> None:
        """The connection was away: the next number is ahead, however far (known modulo 65536 only)."""
        self._resumed = True

    def restart(self) -> None:
        """Forget the last number: the box began to count anew."""
        self._expected = None
        self._behind_n = 0

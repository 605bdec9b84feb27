"""What must hold for any bytes: shared by the fuzzer (`make fuzz-host`) and by the tests that every run has."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hbc_host import protocol, recorder
from hbc_host.chunks import FROM_BOX
from hbc_host.errors import HbcError, VersionMismatchError
from hbc_host.protocol import frame, new_deframer, unpack
from hbc_host.recorder import CHUNK_HEADER, CHUNK_MAGIC, FILE_HEADER, FILE_MAGIC, LOG_NAME, read_log
from hbc_host.session import load_session, session_hash
from hbc_host.stream import stream_of
from hbc_native.frames import deframe
from hbc_wire import messages
from hbc_wire.framing import FRAME_MAX_N, Deframer
from slow_reader import slow_log, slow_stream
from support import hello_values

WIDTHS = {"B": "<B", "b": "<b", "H": "<H", "h": "<h", "I": "<I", "i": "<i", "Q": "<Q"}


class Bytes:
    """Hands out bytes of a fuzzer's input, zeros when it is used up."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left_n(self) -> int:
        return len(self._data) - self._at

    def take(self, n: int) -> bytes:
        part = self._data[self._at : self._at + n]
        self._at += n
        return part + bytes(n - len(part))


def check_deframe(data: bytes) -> None:
    """Any split of any bytes gives the same payloads and counts, in C and in the wire's plain code."""
    plain = Deframer()
    expected = plain.feed(data)
    source = Bytes(data)
    cut, parts, at = new_deframer(), [], 0
    while at < len(data):
        step = source.take(1)[0] % 37 + 1
        parts.append(data[at : at + step])
        at += step
    found = [payload for part in parts for payload in cut.feed(part)]
    assert found == expected
    assert (cut.bad_n, cut.skipped_bytes_n) == (plain.bad_n, plain.skipped_bytes_n)
    check_deframe_in_c(data, expected, plain)


def check_deframe_in_c(data: bytes, expected: list[bytes], plain: Deframer) -> None:
    """The C for whole recordings, at once and as the host's deframer uses it: after other bytes, and before others."""
    for bulk_n in (0, 64):
        with patch.object(protocol, "BULK_N", bulk_n):
            in_c = new_deframer()
            third = len(data) // 3
            assert in_c.feed(data[:third]) + in_c.feed(data[third:]) == expected
            assert (in_c.bad_n, in_c.skipped_bytes_n) == (plain.bad_n, plain.skipped_bytes_n)
    found = deframe(data, FRAME_MAX_N)
    begins = [0, *found.payload_ends.tolist()]
    assert [found.payloads[i:k].tobytes() for i, k in pairwise(begins)] == expected
    assert all(data[at] == 0 for at in found.delimiters_at.tolist())
    assert (found.bad_n, found.skipped_bytes_n) == (plain.bad_n, plain.skipped_bytes_n)


def check_log(log: bytes) -> None:
    """Fast and slow reading of a log agree in chunks, frames, counts, pings, notes and lost connections."""
    read = recorder._collect(log)
    slow = slow_log(log)
    assert repr(read.chunks) == repr(tuple(slow.chunks))  # by their words: NaN is not equal to itself
    assert (read.damaged_n, read.damaged_bytes_n, read.truncated) == (
        slow.damaged_n, slow.damaged_bytes_n, slow.truncated,
    )  # fmt: skip
    try:
        stream = stream_of(read)
    except VersionMismatchError:
        with pytest.raises(VersionMismatchError):
            slow_stream(slow.chunks)
        return
    expected = slow_stream(slow.chunks)
    assert [stream.frames.payload(n) for n in range(len(stream.frames))] == expected.payloads
    assert (stream.bad_n, stream.bytes_n, stream.reflashed) == (expected.bad_n, expected.bytes_n, expected.reflashed)
    assert [(away.place, away.reason) for away in stream.aways] == expected.aways
    pings = [(place, ping.sent_s, ping.arrived_s) for place, ping in stream.pings]
    assert repr(pings) == repr(expected.pings)
    assert [(place, fields.get("event")) for place, _, fields in stream.notes] == expected.notes


def check_unpack(payload: bytes) -> None:
    """The fast unpacker and the wire's own agree on every payload, in values and in what they refuse."""
    found = expected = None
    if len(payload) >= messages.HEADER_N:
        try:
            found = unpack(payload)
        except messages.MessageError:
            found = None
        try:
            expected = messages.unpack(payload)
        except messages.MessageError:
            expected = None
        # The wire does not compare the counts of two arrays; the host refuses samples without residuals.
        if expected is not None and payload[0] == messages.EcgBlock.msg_id:
            whole = len(expected[1].ecg_lsb) == len(expected[1].residual_us)
            expected = expected if whole else None
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.seq == expected[0]
        plain = [tuple(v.tolist()) if hasattr(v, "tolist") else v for v in found.message]
        assert plain == list(expected[1])


def log_of(data: bytes) -> bytes:
    """A log whose frames have the kinds and values that the input says; every checksum is right."""
    source = Bytes(data)
    stream = frame(messages.Hello, 0, *hello_values()) if source.take(1)[0] & 1 else b""
    kinds = list(messages.BY_ID.values())
    while source.left_n > 0:
        message: Any = kinds[source.take(1)[0] % len(kinds)]
        seq = int.from_bytes(source.take(2), "little")
        stream += frame(message, seq, *[_value(code, source) for code in message.codes])
        if source.take(1)[0] == 0xFF:
            stream += source.take(5)
    log = FILE_HEADER.pack(FILE_MAGIC, 1)
    for at in range(0, len(stream), 200):
        log += chunk(FROM_BOX, float(at), stream[at : at + 200])
    return log


def _value(code: str, source: Bytes) -> Any:
    if code == "s":
        return source.take(source.take(1)[0] % 20).decode("latin-1")
    if code == "a":
        return list(struct.unpack("<4h", source.take(8)))[: source.take(1)[0] % 5]
    values = struct.unpack(WIDTHS[code], source.take(struct.calcsize(WIDTHS[code])))
    return values[0]


def chunk(kind: int, host_s: float, body: bytes) -> bytes:
    """One chunk of a log, checksum included."""
    from zlib import crc32

    head = CHUNK_HEADER.pack(CHUNK_MAGIC, kind, host_s, len(body), 0)[:-4]
    return head + crc32(body, crc32(head)).to_bytes(4, "little") + body


def check_session(log: bytes, place: Path | None = None) -> bool:
    """Any file loads, or is refused in a line for people; True when it loaded."""
    with tempfile.TemporaryDirectory(prefix="hbc-fuzz-", dir=place) as name:
        (Path(name) / LOG_NAME).write_bytes(log)
        refusal = ""
        try:
            read_log(Path(name) / LOG_NAME)
            check_log(log)
            session = load_session(name)
        except HbcError as error:
            refusal = str(error)
        if refusal:
            assert "\n" not in refusal
            return False
        assert len(session_hash(session)) == 64
        assert all(start <= end for start, end in session.gaps_s)
        return True


TARGETS: dict[str, Callable[[bytes, Path | None], object]] = {
    "deframe": lambda data, place: check_deframe(data),
    "unpack": lambda data, place: check_unpack(data),
    "frames": lambda data, place: check_session(log_of(data), place),
    "log": lambda data, place: check_session(data, place),
}
"""What the fuzzer hunts, by name; ``place`` is where temporary folders are made."""

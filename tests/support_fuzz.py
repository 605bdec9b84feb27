"""What must hold for any bytes: shared by the fuzzer (`make fuzz-host`) and by the tests that every run has."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any

from hbc_host.errors import HbcError
from hbc_host.protocol import frame, new_deframer, unpack
from hbc_host.recorder import CHUNK_HEADER, CHUNK_MAGIC, FILE_HEADER, FILE_MAGIC, FROM_BOX, LOG_NAME, read_log
from hbc_host.session import load_session, session_hash
from hbc_wire import messages
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
    """Any split of any bytes gives the same payloads and counts; memory stays bounded."""
    whole = new_deframer()
    expected = whole.feed(data)
    cut = new_deframer()
    found: list[bytes] = []
    source = Bytes(data)
    at = 0
    while at < len(data):
        step = source.take(1)[0] % 37 + 1
        found += cut.feed(data[at : at + step])
        at += step
    assert found == expected
    assert (cut.bad_n, cut.skipped_bytes_n) == (whole.bad_n, whole.skipped_bytes_n)


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
            session = load_session(name)
        except HbcError as error:
            refusal = str(error)
        if refusal:
            assert "\n" not in refusal
            return False
        assert len(session_hash(session)) == 64
        assert all(start <= end for start, end in session.gaps_s)
        return True

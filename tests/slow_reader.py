"""A recording read the slow way, chunk by chunk, by the wire's own plain code: the oracle of the fast one.

Written as one would explain it. Nothing here is vectorised, in C, or shared with ``hbc_host/stream.py``.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from hbc_host.chunks import FROM_BOX, HOST_NOTE, TO_BOX, Chunk
from hbc_host.errors import VersionMismatchError
from hbc_host.parts import note_of
from hbc_host.recorder import CHUNK_MAGIC, CHUNK_MAX_N
from hbc_wire import messages
from hbc_wire.framing import Deframer

HEAD = struct.Struct("<4sB3xdII")
NOT_FROM_A_BOX = {"ClockPing", "FetchEvents", "Setting", "ListSettings", "Restart"}


@dataclass
class SlowLog:
    chunks: list[Chunk] = field(default_factory=list)
    damaged_n: int = 0
    damaged_bytes_n: int = 0
    truncated: bool = False


def slow_log(data: bytes) -> SlowLog:
    """The chunks of a log file, its 8-byte header not looked at."""
    log, at, damage_at = SlowLog(), 8, 8
    while at < len(data):
        chunk = chunk_at(data, at)
        if chunk is None:
            at += 1
            continue
        if at > damage_at:
            log.damaged_n += 1
            _salvage(log, data[damage_at:at])
        log.chunks.append(chunk)
        at += HEAD.size + len(chunk.data)
        damage_at = at
    if damage_at < len(data):
        log.truncated = True
        _salvage(log, data[damage_at:])
    return log


def chunk_at(data: bytes, at: int) -> Chunk | None:
    if data[at : at + 4] != CHUNK_MAGIC or len(data) - at < HEAD.size:
        return None
    _, kind, host_s, n, check = HEAD.unpack_from(data, at)
    body = data[at + HEAD.size : at + HEAD.size + n]
    if n > CHUNK_MAX_N or len(body) < n or crc32(data[at : at + 20] + body) != check:
        return None
    return Chunk(kind, host_s, body)


def _salvage(log: SlowLog, damaged: bytes) -> None:
    log.damaged_bytes_n += len(damaged)
    body = damaged[HEAD.size :]
    if body and damaged[4] not in (TO_BOX, HOST_NOTE):
        log.chunks.append(Chunk(FROM_BOX, math.nan, body))


@dataclass
class SlowStream:
    payloads: list[bytes] = field(default_factory=list)
    bad_n: int = 0
    bytes_n: int = 0
    reflashed: bool = False
    aways: list[tuple[int, str]] = field(default_factory=list)
    pings: list[tuple[int, float, float]] = field(default_factory=list)  # place of the answer, sent, arrived
    notes: list[tuple[int, Any]] = field(default_factory=list)  # place of the next frame, event


def slow_stream(chunks: list[Chunk]) -> SlowStream:
    """What came from the box; VersionMismatchError when its first Hello has another version."""
    stream = SlowStream()
    from_box, to_box = Deframer(), Deframer()
    sent_s: dict[int, float] = {}
    introduced, reason = False, ""
    for chunk in chunks:
        if chunk.kind == TO_BOX:
            for payload in to_box.feed(chunk.data):
                if payload[0] == messages.ClockPing.msg_id:
                    sent_s[int.from_bytes(payload[3:], "little")] = chunk.host_s
        elif chunk.kind == FROM_BOX:
            stream.bytes_n += len(chunk.data)
            for payload in from_box.feed(chunk.data):
                row = messages.BY_ID.get(payload[0])
                if len(payload) < 3 or row is None or row.name in NOT_FROM_A_BOX:
                    stream.bad_n += 1
                    continue
                if row.name == "Hello" and not stream.reflashed:
                    if len(payload) > 3 and payload[3] != messages.WIRE_VERSION:
                        if not introduced:
                            raise VersionMismatchError(payload[3], messages.WIRE_VERSION)
                        stream.reflashed = True
                    introduced = True
                if stream.reflashed:
                    continue
                if reason and stream.payloads:
                    stream.aways.append((len(stream.payloads), reason))
                reason = ""
                if row.name == "ClockPong" and len(payload) == 3 + 4 + 8 + 8:
                    token = int.from_bytes(payload[3:7], "little")
                    if token in sent_s:
                        stream.pings.append((len(stream.payloads), sent_s.pop(token), chunk.host_s))
                stream.payloads.append(payload)
        else:
            event = note_of(chunk).get("event")
            if event in ("lost", "part"):
                stream.bad_n += from_box.bad_n
                from_box = Deframer()
                sent_s.clear()
                if event == "part":
                    reason = "the recording was interrupted and continued"
                elif not reason:
                    reason = str(note_of(chunk).get("reason", "the recording was interrupted and continued"))
            elif note_of(chunk) and event != "back":
                stream.notes.append((len(stream.payloads), event))
    stream.bad_n += from_box.bad_n
    return stream

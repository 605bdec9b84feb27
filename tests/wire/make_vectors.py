"""Writes firmware/hbc_wire/vectors.json: golden bytes of every message, made without the code under test.

The bytes come from ``struct``, ``zlib.crc32`` and the C library of the package ``cobs``; only names and field codes
are taken from the table. Deterministic: ``python tests/wire/make_vectors.py`` on the same table gives the same file.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cobs import cobs
from hbc_wire import messages

PATH = Path(__file__).resolve().parents[2] / "firmware" / "hbc_wire" / "vectors.json"
LIMITS = {
    "B": (0, 0xFF),
    "b": (-0x80, 0x7F),
    "H": (0, 0xFFFF),
    "h": (-0x8000, 0x7FFF),
    "I": (0, 0xFFFFFFFF),
    "i": (-0x80000000, 0x7FFFFFFF),
    "Q": (0, 0xFFFFFFFFFFFFFFFF),
}
TEXTS = ("", "Dash \u00e4\u00b5\u20ac", "x" * messages.TEXT_MAX_N)
ARRAYS: tuple[list[int], ...] = (
    [],
    [(i * 7919) % 4096 - 2048 for i in range(25)],
    [-0x8000, 0x7FFF] * (messages.ARRAY_MAX_N // 2),
)


def values_of(message: Any, kind: int) -> list[Any]:
    """One of four value sets: all lowest, distinct bytes, all highest, every byte zero but one."""
    values: list[Any] = []
    for place, code in enumerate(message.codes):
        if code in "sa":
            choices: tuple[Any, ...] = TEXTS if code == "s" else ARRAYS
            values.append(choices[min(kind, 2)] if kind < 3 else choices[1])
            continue
        lowest, highest = LIMITS[code]
        width_n = struct.calcsize("<" + code)
        distinct = int.from_bytes(bytes((17 * place + 29 * i + 1) % 127 + 1 for i in range(width_n)), "little")
        values.append((lowest, distinct, highest, 1 << (8 * (width_n - 1)))[kind])
    return values


def payload_of(message: Any, seq: int, values: Sequence[Any]) -> bytes:
    """Header and fields, by ``struct``."""
    parts = [struct.pack("<BH", message.msg_id, seq)]
    for code, value in zip(message.codes, values, strict=True):
        if code == "s":
            text = value.encode()
            parts.append(bytes([len(text)]) + text)
        elif code == "a":
            parts.append(struct.pack(f"<B{len(value)}h", len(value), *value))
        else:
            parts.append(struct.pack("<" + code, value))
    return b"".join(parts)


def frame_of(payload: bytes) -> bytes:
    """Checksum, COBS, a delimiter on either side."""
    body: bytes = cobs.encode(payload + struct.pack("<I", zlib.crc32(payload)))
    return b"\0" + body + b"\0"


def vectors() -> list[dict[str, Any]]:
    """All golden vectors, in the order of the table."""
    rows = []
    for message in sorted(messages.BY_ID.values(), key=lambda row: row.msg_id):
        for kind in range(4):
            seq = (0, 0x1234, 0xFFFF, 0x0100)[kind]
            values = values_of(message, kind)
            payload = payload_of(message, seq, values)
            rows.append(
                {
                    "message": message.name,
                    "seq": seq,
                    "values": values,
                    "payload": payload.hex(),
                    "frame": frame_of(payload).hex(),
                }
            )
    return rows


def text() -> str:
    """The file's content: one vector a line."""
    lines = [json.dumps(row, ensure_ascii=False) for row in vectors()]
    head = json.dumps({"wire_version": messages.WIRE_VERSION})[:-1]
    return head + ', "vectors": [\n' + ",\n".join(lines) + "\n]}\n"


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
    sys.stdout.write(f"{PATH.name}: {len(vectors())} vectors\n")

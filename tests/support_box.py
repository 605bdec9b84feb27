"""Files that a MicroPython for an ESP32 could be, made here: no interpreter is in any registry."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

APP_AT = 0x10000
VERSION_AT = 80_000
IMAGE_N = 120_000


def image_bytes(chip_id: int = 0, *, version: bytes = b"v1.29.0", n: int = IMAGE_N, seed: int = 1) -> bytes:
    """An image with the headers that ROM and bootloader look at, a version text, and noise that no one can compress."""
    data = bytearray(np.random.default_rng(seed).bytes(n))
    data[:24] = struct.pack("<BBBBIBBBBHBHHBBBBB", 0xE9, 3, 2, 0x20, 0x40080000, *([0] * 4), chip_id, *([0] * 7), 1)
    app_at = APP_AT - (0x1000 if chip_id == 0 else 0)
    data[app_at : app_at + 2] = b"\xe9\x02"  # an app of two segments
    for at, end in ((app_at + 24, VERSION_AT - 1000), (VERSION_AT - 1000, n)):
        data[at : at + 8] = struct.pack("<II", 0x3F400020, end - at - 8)
    text = b"MicroPython " + version + b" on 2026-04-01\0" if version else b""
    data[VERSION_AT : VERSION_AT + len(text)] = text
    return bytes(data)


def image_file(path: Path, chip_id: int = 0, *, version: bytes = b"v1.29.0", n: int = IMAGE_N) -> Path:
    """The same as a file."""
    path.write_bytes(image_bytes(chip_id, version=version, n=n))
    return path

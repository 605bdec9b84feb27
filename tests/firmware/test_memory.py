"""The firmware's own objects fit into 64 KiB, with the board below them subtracted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LIMIT_BYTES = 64 * 1024


def test_the_objects_of_the_firmware_fit_into_64_kib(check: Callable[..., dict[str, Any]]) -> None:
    """Measured on 64 bit, where words and the heap's blocks are twice as large: on the box it is less."""
    seen = check("check_memory")
    print(f"objects of the app, 64-bit heap: {seen['objects_bytes']} bytes")
    assert 20_000 < seen["objects_bytes"] <= LIMIT_BYTES

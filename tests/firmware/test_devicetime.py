"""Device time is 64-bit microseconds through every wrap of ticks_us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_instants_agree_with_plain_integers_through_many_wraps(check: Callable[..., dict[str, Any]]) -> None:
    seen = check("check_devicetime", 10_000)
    assert seen["steps_n"] == 10_000
    assert seen["epochs_n"] > 1000
    assert seen["wraps_n"] > 1000
    assert seen["longest_us"] == 2**30 - 1, "the longest allowed pause between two reads was never tried"

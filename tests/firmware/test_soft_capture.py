"""The ESP32-C3's software timestamps: right through every wrap, counted, measured, and without allocating."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support_wasm import run_wasm

HERE = Path(__file__).resolve().parent
DEVICE = HERE / "device"


def assert_stamps_are_right(seen: dict[str, Any]) -> None:
    assert seen["wrong_n"] == 0
    assert seen["edges_n"] == seen["counted_n"] == 400
    assert seen["wraps_n"] > 40
    assert (seen["burst_n"], seen["held_n"], seen["in_order"]) == (20, 16, True)
    assert seen["full_n"] == 9, "eight came at once: one more may have been turned away"
    assert seen["empty"]
    assert seen["rising"] == [1, True]
    assert seen["falling"] == [0, True]
    assert seen["at_rest_ns"] == 1000, "the stand-in is always equally late"
    assert 700_000 < seen["probed_ns"] <= 902_000
    assert seen["forgotten_ns"] <= 101_000, "what was long ago is still told"
    assert seen["clamped_ns"] == 500_000_000


def test_soft_stamps_are_right_through_every_wrap_and_what_is_lost_is_counted(
    check: Callable[..., dict[str, Any]],
) -> None:
    assert_stamps_are_right(check("check_soft_capture"))


def test_soft_stamps_allocate_nothing_on_32_bit() -> None:
    folders = [DEVICE / "fakes", DEVICE, HERE.parents[1] / "firmware"]
    assert_stamps_are_right(json.loads(run_wasm(DEVICE / "check_soft_capture.py", folders).splitlines()[-1]))

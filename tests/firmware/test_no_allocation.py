"""Nothing that the loop calls allocates, not even an integer; shown on the 32-bit MicroPython, where it would show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hbc_wire import messages
from support_wasm import run_wasm

HERE = Path(__file__).resolve().parent
DEVICE = HERE / "device"
FOLDERS = [DEVICE / "fakes", DEVICE, HERE.parents[1] / "firmware"]
LARGEST = 2**30 - 1


def on_32_bit(name: str, *args: object) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run_wasm(DEVICE / f"{name}.py", FOLDERS, *args).splitlines()[-1])
    return result


def assert_box_answers(seen: dict[str, Any]) -> None:
    """The parts did their work under the lock, and every request got the right answer."""
    assert seen["edges_n"] == 400
    assert seen["events_sent_n"] > 30
    assert seen["blanked_n"] > 1000
    assert seen["reports_n"] == 5
    pong, *acks, unknown, all_edges, beyond, far_beyond, no_kind = seen["answers"]
    assert pong[0] == "ClockPing"
    ok, out_of_range = [messages.ACK_OK, 8], messages.ACK_OUT_OF_RANGE
    assert [ack[1:] for ack in acks] == [
        ok, [out_of_range, LARGEST], [out_of_range, -LARGEST], [out_of_range, -1], [out_of_range, LARGEST],
    ]  # fmt: skip
    assert unknown[1:] == [messages.ACK_UNKNOWN_NAME, LARGEST]
    assert [answer[1] for answer in (all_edges, beyond, far_beyond)] == [messages.ACK_GONE] * 3
    assert no_kind[1:] == [out_of_range, 255]
    assert seen["blank_ms"] == 8


def test_the_parts_of_the_box_allocate_nothing_on_64_bit(check: Callable[..., dict[str, Any]]) -> None:
    seen = check("check_no_allocation")
    assert_box_answers(seen)
    assert not seen["bites"], "64-bit keeps 2**30 small"


def test_the_parts_of_the_box_allocate_nothing_on_32_bit() -> None:
    seen = on_32_bit("check_no_allocation")
    assert_box_answers(seen)
    assert seen["is_32_bit"]
    assert seen["bites"], "heap_lock does not catch a large integer here: this test shows nothing"


def test_device_time_is_right_on_32_bit_without_allocating() -> None:
    seen = on_32_bit("check_devicetime", 2_000)
    assert seen["epochs_n"] > 200
    assert seen["wraps_n"] > 200


@pytest.mark.parametrize("edges_n", [500])
def test_the_capture_clock_is_right_on_32_bit(edges_n: int) -> None:
    low_ns, high_ns = on_32_bit("check_capture_clock", edges_n, 20)["error_ns"]
    assert high_ns - low_ns <= 12.5

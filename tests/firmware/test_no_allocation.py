"""Nothing that the loop calls allocates, not even an integer; shown on the 32-bit MicroPython, where it would show."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hbc_wire import messages
from support_wasm import run_wasm

HERE = Path(__file__).resolve().parent
DEVICE = HERE / "device"
LARGEST = 2**30 - 1
On32Bit = Callable[..., dict[str, Any]]

# The 32-bit interpreter in node has no native code. These stand in for the modules that are all viper.
PLAIN_DETECTOR = """
from array import array

class RPeakDetector:
    signal_state = 0
    def __init__(self, rate_hz):
        self.peak_idx = array("i", [7])
        self.peak_frac_q8 = self.peak_quality = bytearray(b"\\xff")
        self.peak_polarity = array("b", [-1])
        self.pushed_n = 0
    def set_rails(self, low_lsb, high_lsb):
        pass
    def reset(self):
        self.pushed_n = 0
    def push_block(self, samples, blanked, n):
        self.peak_idx[0] = self.pushed_n * n + 7
        self.pushed_n += 1
        return self.pushed_n % 16 == 0
"""
PLAIN_HUM = """
class HumMeter:
    def __init__(self, rate_hz):
        pass
    def push(self, ecg_lsb):
        pass
    def take(self):
        return 0
"""
PLAIN_WIRE = "from hbc_wire.framing import encode_into\nfrom hbc_wire.messages import put_int16s_plain as put_int16s\n"
DECORATOR = re.compile(r"^\s*@micropython\.native\n", re.MULTILINE)


def without_native_code(folder: Path) -> Path:
    """The firmware with its native functions as bytecode, and plain stand-ins for viper modules."""
    for name in ("hbc_fw", "hbc_wire"):
        shutil.copytree(
            HERE.parents[1] / "firmware" / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for path in (folder / "hbc_fw").glob("*.py"):
        path.write_text(DECORATOR.sub("", path.read_text()))
    stand_ins = {"detector": PLAIN_DETECTOR, "hum": PLAIN_HUM, "fastwire": PLAIN_WIRE}
    for name, text in stand_ins.items():
        (folder / "hbc_fw" / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def on_32_bit(tmp_path_factory: pytest.TempPathFactory) -> On32Bit:
    """Run tests/firmware/device/<name>.py on the 32-bit interpreter, return the JSON of its last line."""
    folders = [DEVICE / "fakes", DEVICE, without_native_code(tmp_path_factory.mktemp("plain"))]

    def run(name: str, *args: object) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(run_wasm(DEVICE / f"{name}.py", folders, *args).splitlines()[-1])
        return result

    return run


def assert_box_answers(seen: dict[str, Any]) -> None:
    """The parts did their work under the lock, and every request got the right answer."""
    assert seen["edges_n"] == 400
    assert seen["events_sent_n"] > 30
    assert seen["blanked_n"] > 1000
    assert seen["reports_n"] == 5
    assert seen["width"] == [148, 255]  # runts, held off
    assert seen["led_on_n"] > 30
    *asked, busy, no_room, again, the_same, restart, no_mode = seen["answers"]
    pong, *acks, unknown, all_edges, beyond, far_beyond, no_kind = asked
    assert pong[0] == "ClockPing"
    ok, out_of_range = [messages.ACK_OK, 8], messages.ACK_OUT_OF_RANGE
    assert [ack[1:] for ack in acks] == [
        ok, [out_of_range, LARGEST], [out_of_range, -LARGEST], [out_of_range, -1], [out_of_range, LARGEST],
    ]  # fmt: skip
    assert unknown[1:] == [messages.ACK_UNKNOWN_NAME, LARGEST]
    assert [answer[1] for answer in (all_edges, beyond, far_beyond)] == [messages.ACK_GONE] * 3
    assert no_kind[1:] == [out_of_range, 255]
    assert [answer[1] for answer in (busy, no_room, again, the_same)] == [
        messages.ACK_BUSY, messages.ACK_NOT_KEPT, messages.ACK_OK, messages.ACK_OK,
    ]  # fmt: skip
    assert (restart[1:], no_mode[1:]) == ([messages.ACK_OK, 1], [messages.ACK_OUT_OF_RANGE, 2])
    assert seen["blank_ms"] == 10
    assert seen["kept"] == f"blank_ms=10\nother={LARGEST}\n", "the busy one was kept, or the last one was not"
    assert seen["listed"] == [[LARGEST, 0, 2, "blank_ms", 10, 0, 255], [LARGEST, 1, 2, "other", LARGEST, 0, LARGEST]]


def test_the_parts_of_the_box_allocate_nothing_on_64_bit(check: Callable[..., dict[str, Any]]) -> None:
    seen = check("check_no_allocation")
    assert_box_answers(seen)
    assert not seen["bites"], "64-bit keeps 2**30 small"


def test_the_parts_of_the_box_allocate_nothing_on_32_bit(on_32_bit: On32Bit) -> None:
    seen = on_32_bit("check_no_allocation")
    assert_box_answers(seen)
    assert seen["is_32_bit"]
    assert seen["bites"], "heap_lock does not catch a large integer here: this test shows nothing"


def test_device_time_is_right_on_32_bit_without_allocating(on_32_bit: On32Bit) -> None:
    seen = on_32_bit("check_devicetime", 2_000)
    assert seen["epochs_n"] > 200
    assert seen["wraps_n"] > 200


def test_the_whole_loop_allocates_nothing_on_32_bit(on_32_bit: On32Bit) -> None:
    seconds = 6
    seen = on_32_bit("check_app_loop", seconds)
    assert seen["is_32_bit"]
    assert seen["wrapped"] == 1, "ticks_us did not wrap"
    assert seen["samples_n"] == pytest.approx(500 * (seconds - 1), abs=20)
    assert seen["edges_n"] + seen["runts_n"] + seen["held_off_n"] + seen["lost_n"] == pytest.approx(
        seen["due_n"], abs=1
    )
    assert min(seen["edges_n"], seen["runts_n"], seen["held_off_n"]) > 20
    assert (seen["lost_n"], seen["samples_lost_n"], seen["commands_bad_n"]) == (0, 0, 0)
    assert seen["peaks_n"] > 3
    assert seen["fed_n"] > 80
    assert seen["lit_n"] > 3
    assert abs(seen["anchor_error_ns"]) < 5_000


def test_the_sampler_of_a_converter_allocates_nothing_on_32_bit(on_32_bit: On32Bit) -> None:
    seen = on_32_bit("check_drdy_sampler", 2000)
    assert seen["is_32_bit"]
    assert seen["wrong_n"] == 0
    assert seen["taken_n"] > 1200  # of 1700: 300 pass in one stall
    assert seen["missed_n"] > 100
    assert (seen["silent"], seen["wrapped"]) == (True, 1)


@pytest.mark.parametrize("edges_n", [500])
def test_the_capture_clock_is_right_on_32_bit(edges_n: int, on_32_bit: On32Bit) -> None:
    low_ns, high_ns = on_32_bit("check_capture_clock", edges_n, 20)["error_ns"]
    assert high_ns - low_ns <= 12.5

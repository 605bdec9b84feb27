"""Boards are tables; each number is compared with a second table, and each changed number must be noticed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hbc_hil.boxes import BOXES
from support_ads1292r import DRIVER as ADS_DRIVER
from support_ads1292r import TCLK_MAX_US
from support_registers import ADC1, CHIPS, DRIVER, INPUT_ONLY, MEMORY, NATIVE_USB, STRAPPING, UART0

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
BOARDS = FIRMWARE / "hbc_boards"
PIN_OF = {
    "TRIGGER_GPIO": "trigger", "ECG_GPIO": "ecg", "BATTERY_GPIO": "battery", "LO_PLUS_GPIO": "lo_plus",
    "LO_MINUS_GPIO": "lo_minus", "LED_GPIO": "led", "TX_GPIO": "tx", "RX_GPIO": "rx",
}  # fmt: skip
NUMBER = re.compile(r"0x[0-9A-Fa-f]+|\b\d+\b")


def numbers_of(source: str) -> dict[str, int]:
    """Every number that a module of ours gives a name: constants, and the fields of CHIP."""
    found: dict[str, int] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        value = node.value
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "Chip":
            found |= {str(row.arg): _evaluated(row.value) for row in value.keywords}
        elif isinstance(value, ast.Call) and getattr(value.func, "id", "") == "const":
            found[node.targets[0].id] = _evaluated(value.args[0])
        elif isinstance(value, ast.Constant) and isinstance(value.value, int):
            found[node.targets[0].id] = value.value
    return found


def _evaluated(node: ast.expr) -> int:
    return int(eval(compile(ast.Expression(node), "constant", "eval"), {"__builtins__": {}}))


def chip_table(chip: str) -> dict[str, int]:
    """What the module of a chip must hold: its registers and its pins."""
    (box,) = [box for box in BOXES.values() if box.chip == chip]
    return {name: value for name, (value, _) in CHIPS.get(chip, {}).items()} | {
        name: getattr(box, pin) for name, pin in PIN_OF.items()
    }


TABLES = {f"{chip}.py": chip_table(chip) for chip in STRAPPING} | {
    "mcpwm_capture.py": {name: value for name, (value, _) in DRIVER.items()},
    "ads1292r.py": {name: value for name, (value, _) in ADS_DRIVER.items()},
}


@pytest.mark.parametrize("module", TABLES)
def test_every_number_of_a_board_is_that_of_the_second_table(module: str) -> None:
    assert numbers_of((BOARDS / module).read_text()) == TABLES[module]


def mutations(source: str, wanted: dict[str, int]) -> list[tuple[str, str]]:
    """The module with one digit changed, for each number of the table (in its own statement)."""
    changed = []
    for name in wanted:
        match = re.search(rf"^\s*{name}\s*=\s*(?:const\()?([^\n#]*)", source, re.MULTILINE)
        assert match, name
        for number in NUMBER.finditer(source, match.start(1), match.end(1)):
            other = hex(int(number.group(), 0) ^ 1)
            changed.append((name, source[: number.start()] + other + source[number.end() :]))
    return changed


@pytest.mark.parametrize("module", TABLES)
def test_one_wrong_digit_in_any_constant_is_noticed(module: str) -> None:
    source = (BOARDS / module).read_text()
    changed = mutations(source, TABLES[module])
    assert len(changed) >= len(TABLES[module])
    assert [name for name, text in changed if numbers_of(text) == TABLES[module]] == []


@pytest.mark.parametrize("chip", STRAPPING)
def test_pins_are_free_and_can_do_what_they_are_for(chip: str) -> None:
    pins = {name: value for name, value in TABLES[f"{chip}.py"].items() if name in PIN_OF}
    assert len(set(pins.values())) == len(pins), "one pin for two things"
    for name, gpio in pins.items():
        assert gpio not in MEMORY[chip], name
        assert gpio not in NATIVE_USB[chip], name
        # The ESP32's own LED sits on a strapping pin that must be low at download: an LED to ground keeps it low.
        assert gpio not in STRAPPING[chip] or (chip, name, gpio) == ("esp32", "LED_GPIO", 2), name
    assert {pins["ECG_GPIO"], pins["BATTERY_GPIO"]} <= ADC1[chip]
    assert not {pins["LED_GPIO"], pins["TX_GPIO"], pins["TRIGGER_GPIO"]} & INPUT_ONLY[chip], "needs an output or a pull"
    assert (pins["TX_GPIO"], pins["RX_GPIO"]) == UART0[chip]


def ads1292r_pins() -> dict[str, tuple[int, ...]]:
    """The table PINS of the box with a converter, as its source has it."""
    for node in ast.parse((BOARDS / "ads1292r_box.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PINS":
            found: dict[str, tuple[int, ...]] = ast.literal_eval(node.value)
            return found
    raise AssertionError("ads1292r_box.py has no table PINS")


def test_boards_with_a_capture_unit_can_have_the_converter_and_no_others() -> None:
    known = {box.chip: box.ads for box in BOXES.values() if box.ads is not None}
    assert {chip: (ads.sclk, ads.mosi, ads.miso, ads.cs, ads.drdy, ads.reset) for chip, ads in known.items()} == (
        ads1292r_pins()
    )
    assert set(known) == set(CHIPS), "the instant of a sample is taken by the capture unit"


@pytest.mark.parametrize("chip", CHIPS)
def test_the_converter_s_pins_are_free_and_can_do_what_they_are_for(chip: str) -> None:
    pins = ads1292r_pins()[chip]
    others = {value for name, value in TABLES[f"{chip}.py"].items() if name in PIN_OF}
    assert len(set(pins) | others) == len(pins) + len(others), "one pin for two things"
    for gpio in pins:
        assert gpio not in MEMORY[chip] | NATIVE_USB[chip] | STRAPPING[chip]
        assert gpio not in INPUT_ONLY[chip]


def test_the_converter_has_the_time_that_its_data_sheet_asks_for() -> None:
    told = {name: value for name, (value, _) in ADS_DRIVER.items()}
    assert told["DECODE_US"] >= 4 * TCLK_MAX_US
    assert told["RESET_US"] >= 9 * 4 * TCLK_MAX_US
    assert told["POWER_UP_US"] >= 2**12 * 4 * TCLK_MAX_US
    assert 1e9 / told["BAUD"] >= 50


def test_the_function_clock_of_the_c6_makes_80_mhz() -> None:
    value, _ = CHIPS["esp32c6"]["function_clock_value"]
    assert value >> 22 & 1
    assert {1: 160, 2: 40, 3: 17.5}[value >> 20 & 3] / ((value >> 12 & 0xFF) + 1) == 80
    assert value < 2**30, "a larger number would be a heap object on the box"


@pytest.mark.parametrize(
    ("written", "machine", "board"),
    [
        ("esp32s3-ad8232", "", "esp32s3-ad8232"),
        ("esp32-ad8232\n", "Generic ESP32 module with ESP32", "esp32-ad8232"),
        (None, "Generic ESP32 module with ESP32", "esp32-ad8232"),
        (None, "Generic ESP32S3 module with ESP32S3", "esp32s3-ad8232"),
        (None, "ESP32C6 module with ESP32C6", "esp32c6-ad8232"),
        (None, "Seeed XIAO ESP32C3 with ESP32-C3", "esp32c3-ad8232"),
        ("esp32s3-ad8232", "Generic ESP32 module with ESP32", "says esp32s3-ad8232, but this chip is ESP32 "),
        (None, "Raspberry Pi Pico with RP2040", "no board for a box without board.txt (chip: Raspberry Pi Pico"),
        ("esp32p4", "", "no board for esp32p4"),
    ],
)
def test_the_board_is_chosen_by_its_file_and_by_the_chip_and_refuses_what_does_not_fit(
    written: str | None, machine: str, board: str, check: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    seen = check("check_choose", tmp_path, machine, *([] if written is None else [written]))
    assert board in (seen["board"] or seen["error"])
    assert not seen["error"] or "board.txt says" in seen["error"] or "known: esp32-ad8232, esp32s3" in seen["error"]

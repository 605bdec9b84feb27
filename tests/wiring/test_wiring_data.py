"""The box on paper is the box of the firmware, and electrically sound."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hbc_hil import box_parts, wiring
from hbc_hil.box_parts import ELECTRODES, PARTS, TRIGGER_WIRINGS, nets
from hbc_hil.boxes import BOXES

BOARDS = Path(__file__).resolve().parents[2] / "firmware" / "hbc_boards"
ROLES = ("trigger", "ecg", "lo_plus", "lo_minus", "led", "battery", "tx", "rx")
COLOURS = ["black", "brown", "red", "orange", "yellow", "green", "blue", "violet", "grey", "white"]
STIMULATOR_SIDE = re.compile(r"(J1\..*|R1\..|D1\..|U3\.[1-4])")


def constants_of(module: str) -> dict[str, int]:
    """Whole numbers that a board module binds at its top or in its class, read as text: it is device code."""
    found = {}
    for node in ast.walk(ast.parse((BOARDS / f"{module}.py").read_text("utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value.args[0] if isinstance(node.value, ast.Call) and node.value.args else node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, int):
                found[node.targets[0].id] = value.value
    return found


@pytest.mark.parametrize("board", BOXES)
def test_the_pins_are_those_of_the_firmware(board: str) -> None:
    box = BOXES[board]
    firmware = constants_of("ad8232") | constants_of(box.chip)
    assert {role: firmware[f"{role.upper()}_GPIO"] for role in ROLES} == {role: getattr(box, role) for role in ROLES}
    assert firmware["GAIN"] == box_parts.gain(board)
    joined = {end.partition(".")[2] for net in nets(board) for end in net.ends if end.startswith("U1.")}
    by_hand = {str(getattr(box, role)) for role in ROLES if role not in ("tx", "rx")}  # these two go through USB
    assert joined == by_hand | {"GND", "3V3", "5V", "USB", "BAT"}


@pytest.mark.parametrize("board", BOXES)
def test_every_pin_is_on_one_net_and_every_part_is_joined(board: str) -> None:
    ends = [end for net in nets(board) for end in net.ends]
    assert len(ends) == len(set(ends))
    assert len({net.name for net in nets(board)}) == len(nets(board))
    known = {part.ref for part in PARTS}
    only_c3 = {"R6", "R7"} if board not in box_parts.ECG_DIVIDER_OHM else set()
    assert {end.partition(".")[0] for end in ends} == known - {"M1"} - only_c3
    breakout = {"GND", "3.3V", "OUTPUT", "LO+", "LO-", "tip", "ring", "sleeve"}
    legs = {"U3": set("235678"), "U2": breakout, "D1": {"A", "K"}}
    legs |= {ref: {"1", "2"} for ref in known - only_c3 if re.fullmatch(r"[RC]\d", ref)}
    for ref, pins in legs.items():
        assert {end.partition(".")[2] for end in ends if end.startswith(f"{ref}.")} == pins, ref


@pytest.mark.parametrize("board", BOXES)
def test_no_wire_crosses_the_isolation(board: str) -> None:
    for net in nets(board):
        sides = {bool(STIMULATOR_SIDE.fullmatch(end)) for end in net.ends}
        assert len(sides) == 1, net


@pytest.mark.parametrize("one", TRIGGER_WIRINGS, ids=lambda one: one.name)
def test_the_led_of_the_coupler_gets_its_current(one: box_parts.TriggerWiring) -> None:
    assert box_parts.LED_MIN_MA <= one.led_ma <= box_parts.LED_MAX_MA


@pytest.mark.parametrize("one", TRIGGER_WIRINGS, ids=lambda one: one.name)
def test_the_setting_follows_from_the_inverting_coupler(one: box_parts.TriggerWiring) -> None:
    lit_by_high = one.wires[0] == ("OUT", "J1 centre")
    lit_in_pulse = lit_by_high != one.rests_high
    assert one.trigger_rising == (0 if lit_in_pulse else 1)  # lit: pin 6 is pulled low


def test_worn_cells_still_light_the_led_at_the_voltage_the_page_names() -> None:
    at_3v9_ma = (3.9 - box_parts.OUTPUT_LOW_V - box_parts.LED_FORWARD_V) / box_parts.RESISTOR_TRIGGER_OHM * 1e3
    assert round(at_3v9_ma, 1) == 6.7 > box_parts.LED_MIN_MA


def test_the_colour_rings_name_the_resistors_value() -> None:
    told = [part for part in PARTS if part.ref.startswith("R") and part.look_for.split()[0] in COLOURS]
    assert len(told) == 5
    for part in told:
        first, second, zeros = (COLOURS.index(word.strip(";")) for word in part.look_for.split()[:3])
        number, unit = part.value.split()
        assert (10 * first + second) * 10**zeros == int(number) * (1000 if unit == "kΩ" else 1), part


def test_the_jumpers_end_where_the_world_of_the_simulator_ends() -> None:
    by_signal = {jumper.to_pin: jumper.ends()[1] for jumper in wiring.JUMPERS}
    assert by_signal == {"trigger": 27, "ecg": 34, "lo_plus": 32, "lo_minus": 33}
    assert list(wiring.WORLD_TO_BOX.items()) == [(0, 27), (1, 32), (2, 33)]
    assert wiring.ECG_TO_BOX_ADC == 34
    for board, box in BOXES.items():
        assert sorted(wiring.world_to_box(board).values()) == sorted((box.trigger, box.lo_plus, box.lo_minus))
    assert (wiring.TRIGGER_OUT_TO_BOX_IN, wiring.ECG_DAC_TO_BOX_ADC) == ((18, 27), (25, 34))


def test_the_generator_pulls_the_trigger_pin_low_against_the_pull_up() -> None:
    low_v = 3.3 * wiring.TRIGGER_JUMPER_OHM / (wiring.TRIGGER_JUMPER_OHM + box_parts.PULL_UP_OHM)
    assert low_v < 0.25 * 3.3  # ESP32 data sheet, DC characteristics: VIL
    assert 3.3 / wiring.TRIGGER_JUMPER_OHM < 0.028  # and what a pin may sink


def test_three_electrodes_with_the_colours_of_both_norms() -> None:
    assert {one.name: (one.contact, one.iec, one.aha) for one in ELECTRODES} == {
        "RA": ("sleeve", "red", "white"),
        "LA": ("ring", "yellow", "black"),
        "RL": ("tip", "black", "green"),
    }

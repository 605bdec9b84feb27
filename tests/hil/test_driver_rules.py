"""The board's parts alone: the capture driver says what happened on the pin (which edge, when, how wide, how many, once
only), the board names the electrode, the port knows how full the line is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hbc_hil.world import WIRE_LO_MINUS, WIRE_LO_PLUS, WIRE_TRIGGER
from hbc_wire.messages import LEAD_LA_OFF, LEAD_RA_OFF
from support_rig import HandWorld, run_on_chip

SCRIPT = Path(__file__).resolve().parent / "device" / "driver_checks.py"
COUNTS_PER_US = 80
RISE_NS = (50_000_037, 150_000_000, 160_000_050, 250_000_012)
WIDTH_NS = (40_000_000, 30_000, 30_000, 30_000)  # the first is looked at from inside


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    events = [
        event
        for at, width in zip(RISE_NS, WIDTH_NS, strict=True)
        for event in ((at, WIRE_TRIGGER, 1), (at + width, WIRE_TRIGGER, 0))
    ]
    world = HandWorld(0.4, events=events)
    return run_on_chip(SCRIPT, "walk", world, tmp_path_factory.mktemp("flash"))[0]


def counts(from_ns: int, to_ns: int) -> int:
    """Counts of 12.5 ns between two instants, each rounded down to a count."""
    return int(to_ns // 12.5) - int(from_ns // 12.5)


def test_before_the_first_pulse_nothing_is_latched(seen: dict[str, Any]) -> None:
    assert (seen["calm"]["latched"], seen["calm"]["fall_latched"], seen["calm"]["count"]) == (False, False, 0)


def test_a_software_capture_reads_the_counter_of_this_moment(seen: dict[str, Any]) -> None:
    early_us, late_us = seen["now_us"]
    since_us = (seen["one"]["edge"] - seen["now"]) / COUNTS_PER_US
    assert RISE_NS[0] / 1e3 - late_us - 1 <= since_us <= RISE_NS[0] / 1e3 - early_us + 1
    assert 0 < seen["now_again"] - seen["now"] < 100 * COUNTS_PER_US


def test_a_pulse_is_one_leading_edge_and_one_fall_at_their_counts(seen: dict[str, Any]) -> None:
    one = seen["one"]
    assert (one["latched"], one["fall_latched"], one["level"], one["count"]) == (True, True, 1, 1)
    assert abs(one["fall"] - one["edge"] - counts(RISE_NS[0], RISE_NS[0] + WIDTH_NS[0])) <= 1


def test_within_a_pulse_its_leading_edge_is_counted_and_its_end_is_not_there_yet(seen: dict[str, Any]) -> None:
    inside = seen["inside"]
    assert (inside["latched"], inside["fall_latched"], inside["level"], inside["count"]) == (True, False, 1, 1)
    assert inside["edge"] == seen["one"]["edge"]


def test_clearing_forgets_the_flags_and_keeps_the_values(seen: dict[str, Any]) -> None:
    cleared = seen["cleared"]
    assert (cleared["latched"], cleared["fall_latched"]) == (False, False)
    assert (cleared["edge"], cleared["fall"], cleared["count"]) == (seen["one"]["edge"], seen["one"]["fall"], 1)


def test_of_two_pulses_that_nobody_took_the_later_stays_and_both_are_counted(seen: dict[str, Any]) -> None:
    overrun = seen["overrun"]
    assert (overrun["latched"], overrun["count"]) == (True, 3)
    assert abs(overrun["edge"] - seen["one"]["edge"] - counts(RISE_NS[0], RISE_NS[2])) <= 1


def test_another_polarity_begins_anew_and_times_the_other_edge(seen: dict[str, Any]) -> None:
    assert (seen["other"]["latched"], seen["other"]["fall_latched"], seen["other"]["count"]) == (False, False, 0)
    falling = seen["falling"]
    assert (falling["latched"], falling["fall_latched"], falling["level"], falling["count"]) == (True, True, 0, 1)
    assert abs(falling["edge"] - falling["fall"] - counts(RISE_NS[3], RISE_NS[3] + WIDTH_NS[3])) <= 1
    assert abs(falling["edge"] - seen["one"]["edge"] - counts(RISE_NS[0], RISE_NS[3] + WIDTH_NS[3])) <= 1


def test_the_board_names_the_electrode_reads_volts_and_counts_its_boots(tmp_path: Path) -> None:
    events = [(100_000_000, WIRE_LO_PLUS, 1), (200_000_000, WIRE_LO_PLUS, 0), (200_000_000, WIRE_LO_MINUS, 1)]
    events += [(300_000_000, WIRE_LO_MINUS, 0)]
    world = HandWorld(0.5, volts=1.0, events=events)
    seen, _, _ = run_on_chip(SCRIPT, "board", world, tmp_path)
    assert seen["leads"] == [0, LEAD_LA_OFF, LEAD_RA_OFF, 0]
    assert seen["boots"] == [1, 2]
    assert seen["name"] == "esp32-ad8232"
    for readings in seen["lsb"]:
        assert sum(readings) / len(readings) == pytest.approx(1.0 / 3.3 * 4095, abs=8)


def test_a_boot_number_survives_a_power_failure_while_the_next_one_is_written(tmp_path: Path) -> None:
    seen, _, _ = run_on_chip(SCRIPT, "boot_number", HandWorld(0.2), tmp_path)
    assert seen["seen"] == ["power failed", 42, 1]


def test_the_port_fills_the_line_without_ever_waiting_for_it(tmp_path: Path) -> None:
    seen, box, _ = run_on_chip(SCRIPT, "line", HandWorld(1.0), tmp_path)
    assert seen["rooms"][0] == 1024
    assert 924 <= seen["rooms"][1] <= 930
    assert seen["rooms"][2] == 1024
    assert 0 <= seen["least_n"] < 100
    assert box.report["uart_blocked_us"] == 0
    line_n = 1024 + 0.2 * 11_520  # what is full at the start, and what leaves in 200 ms
    assert line_n - 200 <= seen["written_n"] <= line_n + 100

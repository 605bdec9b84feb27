"""The simulated ESP32, S3, C6 and C3 keep their registers where the real ones do, and catch what is done wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.boxes import BOXES, box_named
from hbc_hil.rig import Rig, RigOptions
from hbc_hil.world import WIRE_TRIGGER
from support_registers import CHIPS
from support_rig import HandWorld, run_on_chip

CHECKS = Path(__file__).resolve().parent / "device" / "family_checks.py"
MS = 1_000_000
WITH_UNIT = ["esp32-ad8232", "esp32s3-ad8232", "esp32c6-ad8232"]
FREE = {"esp32": 25, "esp32s3": 12, "esp32c6": 22, "esp32c3": 10}
ABSENT = {"esp32": 24, "esp32s3": 30, "esp32c6": 27, "esp32c3": 15}


def pulses(*rows: tuple[int, int]) -> list[tuple[int, int, int]]:
    return [event for start, width in rows for event in ((start, WIRE_TRIGGER, 1), (start + width, WIRE_TRIGGER, 0))]


def on_chip(name: str, board: str, flash: Path, world: HandWorld, **options: Any) -> tuple[dict[str, Any], Rig]:
    box = box_named(board)
    table = {field: value for field, (value, _) in CHIPS.get(box.chip, {}).items()}
    foreign = [row["mcpwm_base"][0] + 0xFC for chip, row in CHIPS.items() if chip != box.chip]
    pins = {"trigger": box.trigger, "led": box.led, "battery": box.battery, "ecg": box.ecg}
    table_text = json.dumps(table | pins | {"foreign": foreign, "free": FREE[box.chip], "absent": ABSENT[box.chip]})
    (flash / "table.json").write_text(table_text)
    seen, rig, _ = run_on_chip(CHECKS, name, world, flash, RigOptions(board=board, **options))
    return seen, rig


@pytest.mark.parametrize("board", WITH_UNIT)
def test_both_edges_of_a_pulse_are_latched_on_each_chip(board: str, tmp_path: Path) -> None:
    world = HandWorld(0.2, events=pulses((10 * MS + 137, 60_000), (20 * MS, 60_000), (30 * MS, 60_000)))
    seen, box = on_chip("registers", board, tmp_path, world)
    assert seen["raw"] == 0b011
    assert seen["raw_fall"] == 0b010, "clearing one channel's flag cleared the other's"
    assert seen["status"] == 0b10, "channel 0 saw a rising edge, channel 1 a falling one"
    assert (seen["fall"] - seen["rise"]) * 12.5 == pytest.approx(60_000, abs=12.5)
    assert (seen["second"] - seen["rise"]) * 12.5 == pytest.approx(10 * MS - 137, abs=12.5)
    assert seen["stale"] == seen["fall"], "a channel that is off must keep its last value"
    assert seen["raw_second"] == 0b001
    assert all("not modelled" in error for error in seen["foreign"] + seen["foreign_write"])
    assert (box.report["edges_latched_n"], box.report["captures_overwritten_n"]) == (3, 1)


def test_the_c6_counts_only_from_the_function_clock_that_was_chosen(tmp_path: Path) -> None:
    seen, _ = on_chip("function_clock", "esp32c6-ad8232", tmp_path, HandWorld(0.2))
    no_source, off, by_four, crystal, right = seen["seen"]
    assert no_source[0] == off[0] == 0
    assert no_source[2] == off[2] == 0, "a capture without a clock"
    for (counts, us, latched), mhz in ((by_four, 40), (crystal, 40), (right, 80)):
        assert latched == 1
        assert counts / us == pytest.approx(mhz, rel=0.01)


@pytest.mark.parametrize("board", WITH_UNIT)
def test_the_driver_takes_the_leading_edge_that_was_chosen_and_the_other_one(board: str, tmp_path: Path) -> None:
    world = HandWorld(0.2, events=pulses(*[(k * 3 * MS + 2 * MS, 100_000) for k in range(9)]))
    seen, _ = on_chip("driver", board, tmp_path, world)
    assert (seen["width"], seen["jitter_ns"]) == (True, 0)
    assert {row[0] for row in seen["seen"]} == {True, False}
    counts: dict[bool, int] = {}
    for rising, lead, ended, other, level, count, latched, fall_latched in seen["seen"]:
        lead_count, other_count = (halves[0] | halves[1] << 16 for halves in (lead, other))
        width_us = (other_count - lead_count) / 80.0
        if rising:
            assert width_us == pytest.approx(100.0, abs=0.03)
            assert ended
        else:  # the pulse is the pause then: its end is the next rising edge, or was the last one
            assert width_us in (pytest.approx(-100.0, abs=0.03), pytest.approx(2900.0, abs=0.03))
        assert level == int(rising)
        assert (latched, fall_latched) == (False, False)
        counts[rising] = count
    assert counts[True] in (2, 3), "the counter begins anew when the edge is chosen"


def test_the_c3_has_neither_capture_unit_nor_pulse_counter(tmp_path: Path) -> None:
    seen, _ = on_chip("no_unit", "esp32c3-ad8232", tmp_path, HandWorld(0.2))
    assert all("not modelled" in seen[name] for name in ("read", "write", "test"))
    assert seen["counter"] is False
    assert seen["freq"] == 160_000_000


def test_the_pulse_counters_filter_hides_runts_and_its_units_are_singletons(tmp_path: Path) -> None:
    rows = [(k * 2 * MS + 2 * MS, 60_000) for k in range(20)] + [(k * 2 * MS + 3 * MS, 2_000) for k in range(20)]
    world = HandWorld(0.2, events=sorted(pulses(*rows)))
    seen, _ = on_chip("filters", "esp32-ad8232", tmp_path, world)
    assert seen["counts"] == [24, 12] or seen["counts"] == [23, 12]
    assert seen["same"] is True
    assert seen["falling"] == 40 - seen["counts"][0]
    assert seen["filtered"] == 20


@pytest.mark.parametrize("board", BOXES)
def test_pins_pulls_and_battery(board: str, tmp_path: Path) -> None:
    seen, box = on_chip("pins", board, tmp_path, HandWorld(0.2), battery_mv=3712)
    assert (seen["up"], seen["down"]) == (1, 0)
    assert "invalid pin" in seen["wrong"]
    assert (seen["input_only"] is None) == (board != "esp32-ad8232"), "GPIO 34 of the ESP32 cannot drive"
    assert "does not belong to ADC1" in seen["no_adc"] or "no analogue wire" in seen["no_adc"]
    assert np.mean(seen["battery_uv"]) == pytest.approx(3712 / 2 * 1000, rel=0.01)
    assert [level for _, level in box.report["led"]] == [1, 0, 1]
    assert np.diff([t_ns for t_ns, _ in box.report["led"]]).min() > 0.9 * MS


def test_stalls_and_collections_are_as_long_and_as_frequent_as_asked_for(tmp_path: Path) -> None:
    seen, box = on_chip("pauses", "esp32-ad8232", tmp_path, HandWorld(1.0), stall_us=0, stall_every_us=0)
    assert seen["many_n"] == box.report["stalls_n"] == box.report["gc_pauses_n"] == 0
    assert seen["worst_us"] < 60
    options = {"stall_us": 700, "stall_every_us": 40_000, "gc_pause_us": 9_000, "gc_every_us": 200_000}
    seen, box = on_chip("pauses", "esp32-ad8232", tmp_path, HandWorld(1.0), **options)
    assert 9_000 <= seen["worst_us"] < 11_000
    assert 15 <= box.report["stalls_n"] <= 35
    assert 3 <= box.report["gc_pauses_n"] <= 7
    assert seen["many_n"] == pytest.approx(0.9 * (box.report["stalls_n"] + box.report["gc_pauses_n"]), rel=0.3)

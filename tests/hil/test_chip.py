"""The simulated ESP32 behaves as the real one is documented to; scripts run on it instead of the firmware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_hil.rig import Rig, RigOptions
from hbc_hil.world import WIRE_TRIGGER
from support_rig import HandWorld, run_on_chip

CHECKS = Path(__file__).resolve().parent / "device" / "chip_checks.py"
MS = 1_000_000
CAP0, CAP2 = 1 << 27, 1 << 29


def pulses(*rows: tuple[int, int]) -> list[tuple[int, int, int]]:
    """Trigger pulses as (start_ns, width_ns)."""
    return [event for start, width in rows for event in ((start, WIRE_TRIGGER, 1), (start + width, WIRE_TRIGGER, 0))]


def on_chip(
    name: str, flash: Path, world: HandWorld, options: RigOptions | None = None
) -> tuple[dict[str, Any], Rig, bytes]:
    return run_on_chip(CHECKS, name, world, flash, options)


def test_without_clock_the_capture_unit_ignores_writes_and_reads_zero(tmp_path: Path) -> None:
    seen, _, _ = on_chip("gate", tmp_path, HandWorld(0.5))
    assert seen["dead"] == 0
    assert seen["dead_capture"] == [0, 0]
    assert seen["alive_before"] == 0, "a write without clock was kept"
    assert seen["alive"] == 1
    assert seen["raw"] == CAP2
    assert (seen["raw_gated"], seen["test_gated"]) == (0, False)
    assert seen["raw_again"] == CAP2, "a clear without clock took effect"
    assert seen["held"] == [0, 0]
    assert seen["after_reset"] == [0, 0]


def test_what_is_not_modelled_is_refused_loudly(tmp_path: Path) -> None:
    seen, _, _ = on_chip("gate", tmp_path, HandWorld(0.5))
    assert "0x3ff5e200" in seen["unknown_read"]
    assert "0x3ff00000" in seen["unknown_write"]
    assert "prescale" in seen["prescale"]


def test_the_latch_is_one_deep_and_cleared_by_writing_ones(tmp_path: Path) -> None:
    times_ns = (10 * MS, 20 * MS + 37, 20 * MS + 500_000, 30 * MS + 13)
    seen, box, _ = on_chip("latch", tmp_path, HandWorld(0.5, events=pulses(*[(t, 50_000) for t in times_ns])))
    assert seen["before"] & CAP0 == 0
    assert seen["raw"] & CAP0
    assert seen["raw_other_bit"] & CAP0, "another bit's clear took this one"
    assert seen["raw_cleared"] & CAP0 == 0
    assert seen["kept"] == seen["first"]
    assert seen["tested"]
    assert seen["status"] == 0, "a rising edge shows as 0"
    second_ns = (seen["second"] - seen["first"]) * 12.5
    third_ns = (seen["third"] - seen["first"]) * 12.5
    assert abs(second_ns - (times_ns[2] - times_ns[0])) <= 12.5, "the newer edge stays, the older one is gone"
    assert abs(third_ns - (times_ns[3] - times_ns[0])) <= 12.5
    assert box.report["captures_overwritten_n"] == 1
    assert box.report["edges_latched_n"] == 4


def test_edges_are_chosen_and_inverted_by_channel_and_by_gpio_matrix(tmp_path: Path) -> None:
    world = HandWorld(0.5, events=pulses(*[(20 * MS * k + 10 * MS, 5 * MS) for k in range(10)]))
    seen, _, _ = on_chip("selection", tmp_path, world)
    start, end = [True, False], [False, True]
    both = [True, True]
    nothing = [False, False]
    assert [row[:2] for row in seen["seen"]] == [
        start, end, both, end, start, end, start, nothing, nothing, nothing,
    ]  # fmt: skip
    assert [row[2] for row in seen["seen"]][:5] == [0, 1, 1, 0, 1], "polarity of the edge after inversion"


def test_software_capture_reads_an_80_mhz_counter_of_32_bits(tmp_path: Path) -> None:
    seen, _, _ = on_chip("software", tmp_path, HandWorld(65.0))
    rows = np.array(seen["rows"], dtype=np.int64)
    turns = np.cumsum(np.concatenate(([0], np.diff(rows[:, 1]) < 0)))
    assert turns[-1] == 1, "the counter did not wrap once in 60 s"
    count_us = (rows[:, 1] + (turns << 32)) / 80
    low, high = (rows[:, 0] - count_us).max(), (rows[:, 2] + 1 - count_us).min()
    assert low <= high, "no one offset explains all brackets: counter and ticks_us drift apart"
    assert np.diff(rows[:, [0, 2]], axis=1).mean() > 1.0, "accesses cost no time"
    assert seen["config"] == 1, "the software trigger bit reads back"


def test_the_pulse_counter_counts_what_the_latch_overwrites(tmp_path: Path) -> None:
    events = pulses(*[(100 * MS + k * 200_000, 50_000) for k in range(1000)])
    seen, box, _ = on_chip("counters", tmp_path, HandWorld(1.0, events=events))
    assert (seen["rising"], seen["falling"], seen["both"], seen["level"]) == (1000, 1000, 2000, 0)
    assert box.report["captures_overwritten_n"] == 999


@pytest.mark.parametrize("noise_lsb", [0, 3, 8])
def test_adc_noise_has_the_stated_deviation_and_a_read_takes_35_us(tmp_path: Path, noise_lsb: int) -> None:
    seen, _, _ = on_chip("adc_noise", tmp_path, HandWorld(0.5, 1.2), RigOptions(adc_noise_lsb=noise_lsb))
    u16 = np.array(seen["u16"])
    lsb = u16 >> 4
    np.testing.assert_array_equal(u16 & 0xF, lsb >> 8)
    assert abs(lsb.mean() - 1.2 / 3.3 * 4095) < 6.0
    if noise_lsb:
        assert abs(lsb.std() / noise_lsb - 1.0) < 0.06
        centred = lsb - lsb.mean()
        assert abs(np.mean(centred[1:] * centred[:-1])) < 0.06 * noise_lsb**2, "one read tells of the next"
    else:
        assert np.ptp(lsb) == 0
    assert 35.0 <= seen["read_us"] <= 35.0 * 1.25 + 1.0
    assert "36" in seen["other_pin"]


def test_adc_is_nearly_straight_and_samples_within_the_read(tmp_path: Path) -> None:
    world = HandWorld(1.0, lambda time_s: 3.3 * np.clip(time_s, 0.0, 1.0))
    seen, _, _ = on_chip("adc_ramp", tmp_path, world, RigOptions(adc_noise_lsb=0))
    rows = np.array(seen["rows"], dtype=np.float64)
    inside = rows[:, 2] < 4090
    boot_us = 12.0  # of this script: BOOT is read a moment after power-up
    middle_us = rows[inside, :2].mean(axis=1) + boot_us
    error_lsb = rows[inside, 2] - 4095 * middle_us * 1e-6
    assert 1.5 < np.abs(error_lsb).max() < 7.0, "no non-linearity, or too much"
    assert np.all(np.diff(rows[:, 2]) >= 0)
    steps = np.unique(rows[:, 2]).size
    assert steps > 1500


def test_uart_waits_for_the_line_when_its_buffer_is_full(tmp_path: Path) -> None:
    seen, box, data = on_chip("uart", tmp_path, HandWorld(1.0))
    assert seen["written_n"] == 512
    assert len(data) == 8 * 512
    assert data == bytes(n & 0xFF for n in range(512)) * 8
    line_us = 512 * 10 / 0.1152  # ten bits a byte at 115200 baud
    assert max(seen["took_us"][:2]) < 100, "1024 bytes have room"
    # 8 blocks, less what ring and FIFO take, must have left before the last write returns.
    assert sum(seen["took_us"]) >= 8 * line_us - (1024 + 128) * 10 / 0.1152 - 1000
    assert seen["took_us"][-1] == pytest.approx(line_us, abs=200)
    assert box.report["uart_blocked_us"] == pytest.approx(sum(seen["took_us"]), abs=8 * 100)
    assert box.bridge.virtual_s >= 8 * line_us * 1e-6
    assert (seen["any"], seen["read"]) == (0, None)
    assert seen["uart0"] == "UART buffer size is fixed"


def test_timer_callbacks_are_late_and_dropped_when_eight_wait(tmp_path: Path) -> None:
    seen, box, _ = on_chip("timers", tmp_path, HandWorld(1.0))
    calls = np.array(seen["calls"])
    assert np.all(np.abs(calls[:5] - np.arange(1, 6) * 1000) < 600), "an idle chip is on time"
    # The fifth takes 20 ms: of the 20 that fell due meanwhile eight waited, and then all ran at once.
    stuck = calls[(calls > 20_000) & (calls < 26_500)]
    assert 8 <= stuck.size <= 11
    assert box.report["scheduled_dropped_n"] == pytest.approx(12, abs=1)
    assert seen["periodic_n"] == pytest.approx(50 - box.report["scheduled_dropped_n"], abs=2)
    assert seen["after_deinit_n"] == seen["periodic_n"]
    assert len(seen["once"]) == 1
    assert 5_000 <= seen["once"][0] - seen["armed"] < 5_600


def test_pin_callbacks_are_scheduled_and_dropped_when_eight_wait(tmp_path: Path) -> None:
    events = pulses((10 * MS, MS), (20 * MS, MS), *[(100 * MS + k * 2 * MS, MS) for k in range(20)])
    seen, box, _ = on_chip("irq", tmp_path, HandWorld(0.6, events=events))
    assert len(seen["single"]) == 2
    for (called_us, _), edge_us in zip(seen["single"], (10_000, 20_000), strict=True):
        assert called_us > edge_us - 20, "called before the edge"
    assert seen["seen_n"] == 2, "a pin has one handler"
    assert seen["busy_n"] < 20
    assert box.report["scheduled_dropped_n"] == 20 - seen["busy_n"]


def test_time_passes_with_every_call_and_wraps_as_on_the_chip(tmp_path: Path) -> None:
    seen, _, _ = on_chip("clock", tmp_path, HandWorld(1.0), RigOptions(ticks_at_boot_us=2**30 - 200_000))
    assert seen["polled_us"] == pytest.approx(1000 * 1.3 * 1.125, rel=0.1)
    assert min(seen["naps"]) >= 0
    assert max(seen["naps"]) < 700, "3 us of call, and at most one or two flash stalls"
    ticks = np.array(seen["ticks"])
    assert ticks.max() > 2**30 - 200_000
    assert np.sum(np.diff(ticks) < 0) == 1, "no wrap, or more than one"
    assert 0 <= ticks.min() < ticks.max() < 2**30
    assert abs(seen["ms"] - (2**30 + seen["us"]) // 1000) <= 2, "milliseconds wrap at 2**30 of their own"

"""Samples of a converter with a clock of its own: each at its instant, or missed and counted; and 24 bits into 16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

CONVERSIONS_N = 4000


def assert_sampled(seen: dict[str, Any]) -> None:
    assert seen["wrong_n"] == 0, "a sample does not lie at the instant of its conversion"
    assert seen["taken_n"] > 0.7 * CONVERSIONS_N
    assert 0 <= seen["lost_n"] - seen["missed_n"] <= seen["waiting_n"], "missed samples and their count differ"
    assert seen["missed_n"] > 3 * seen["stalls_n"]
    assert seen["silent"]
    assert seen["news"] == ["mute", "ADS1292R answers again"], "told when it fell silent, and when it came back"
    # 400 looks of 500 us without a conversion, less the 20 ms after which it counts as silent; then six periods.
    assert seen["apart"] == [0, pytest.approx(106, abs=3)]
    assert seen["wrapped"] >= 1
    assert seen["counter"] > 65536 + CONVERSIONS_N // 2
    counted_n, told_n = seen["railed"]
    assert counted_n == told_n
    assert 30 < seen["railed_n"] <= counted_n, "what is still in the box has not been looked at"


def test_every_conversion_has_its_instant_or_is_counted_as_missed(check: Callable[..., dict[str, Any]]) -> None:
    assert_sampled(check("check_drdy_sampler", CONVERSIONS_N))


def test_24_bits_become_16_without_their_offset(check: Callable[..., dict[str, Any]]) -> None:
    seen = check("check_ads1292r_filter")
    assert seen["differ_n"] == 0
    assert seen["railed_n"] > 500

"""The software capture alone: its usual latency is taken off each stamp, a full ring keeps the oldest and counts on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hbc_hil.rig import RigOptions
from hbc_hil.world import WIRE_TRIGGER
from support_rig import HandWorld, run_on_chip

SCRIPT = Path(__file__).resolve().parent / "device" / "soft_driver_checks.py"
EDGES_N = 22
RISE_NS = [200_000_000 + k * 7_000_000 for k in range(EDGES_N)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    events = [event for at in RISE_NS for event in ((at, WIRE_TRIGGER, 1), (at + 50_000, WIRE_TRIGGER, 0))]
    options = RigOptions(board="esp32c3-ad8232")
    result, box, _ = run_on_chip(
        SCRIPT, "away", HandWorld(0.6, events=events), tmp_path_factory.mktemp("flash"), options
    )
    return result | {"rise_us": [box.device_s(at * 1e-9) * 1e6 for at in RISE_NS]}


def test_a_full_ring_keeps_its_oldest_edges_in_order_and_counts_them_all(seen: dict[str, Any]) -> None:
    assert seen["count"] == EDGES_N > seen["ring_n"]
    assert len(seen["taken_us"]) == seen["ring_n"]
    late_us = [taken - rise for taken, rise in zip(seen["taken_us"], seen["rise_us"], strict=False)]
    assert max(late_us) < 1000.0, "a stamp of another edge"


def test_the_usual_latency_is_taken_off_so_that_a_stamp_may_be_on_time(seen: dict[str, Any]) -> None:
    late_us = [taken - rise for taken, rise in zip(seen["taken_us"], seen["rise_us"], strict=False)]
    assert -5.0 < min(late_us) < 10.0

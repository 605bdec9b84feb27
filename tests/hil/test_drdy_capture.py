"""Channel 0 times the trigger, channel 1 the converter: letting go of one leaves the other."""

from __future__ import annotations

from pathlib import Path

from hbc_hil.rig import RigOptions
from hbc_hil.world import WIRE_TRIGGER
from support_rig import HandWorld, run_on_chip

CHECKS = Path(__file__).resolve().parent / "device" / "ads_checks.py"


def test_an_edge_and_a_conversion_are_let_go_of_one_by_one(tmp_path: Path) -> None:
    world = HandWorld(0.6, events=[(300_000_000, WIRE_TRIGGER, 1), (300_200_000, WIRE_TRIGGER, 0)])
    seen, _, _ = run_on_chip(CHECKS, "beside_an_edge", world, tmp_path, RigOptions(front_end="ads1292r"))
    assert seen["fault"] == ""
    assert seen["edge_kept"] == [True, False], "an edge went with the conversion"
    assert seen["edge_same"], "its time is another now"
    assert seen["conversion_kept"] == [False, True], "a conversion went with the edge"
    assert seen["count"] == 1

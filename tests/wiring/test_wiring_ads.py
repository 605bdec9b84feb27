"""The box with an ADS1292R: data, picture and page say the same."""

from __future__ import annotations

import re
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hbc_hil.ads1292r_parts import ADS1292R_PARTS, LEAD_RESISTOR_OHM, ads1292r_nets
from hbc_hil.box_parts import PARTS
from hbc_hil.boxes import BOXES
from hbc_hil.errors import ScenarioError

sys.path.insert(0, str(Path(__file__).parent))

import wiring_ads_svg
import wiring_docs
from test_wiring_docs import islands, meet, segments

WITH_ADS = [name for name, box in BOXES.items() if box.ads]
CONVERTER = {
    "SCLK", "DIN", "DOUT", "CS", "DRDY", "PWDN/RESET", "START", "CLKSEL", "AVDD", "DVDD", "GND", "IN2P", "IN2N",
    "RLDOUT",
}  # fmt: skip


@pytest.mark.parametrize("board", WITH_ADS)
def test_every_pin_is_on_one_net_and_every_part_is_joined(board: str) -> None:
    nets = ads1292r_nets(board)
    ends = [end for net in nets for end in net.ends]
    assert len(ends) == len(set(ends))
    assert {end.partition(".")[2] for end in ends if end.startswith("U5.")} == CONVERTER
    known = {part.ref for part in (*PARTS, *ADS1292R_PARTS)} - {"U2", "M1", "R6", "R7"}
    assert {end.partition(".")[0] for end in ends} == known
    pins = BOXES[board].ads
    assert pins is not None
    joined = {net.ends[1]: net.ends[0] for net in nets if net.ends[0].startswith("U1.") and len(net.ends) == 2}
    assert (joined["U5.DRDY"], joined["U5.DIN"], joined["U5.DOUT"]) == (
        f"U1.{pins.drdy}", f"U1.{pins.mosi}", f"U1.{pins.miso}",
    )  # fmt: skip


def test_each_electrode_goes_through_its_own_resistor_to_the_right_input() -> None:
    joined = {frozenset(net.ends) for net in ads1292r_nets()}
    for pin, resistor, electrode in (("IN2P", "R8", "LA"), ("IN2N", "R9", "RA"), ("RLDOUT", "R10", "RL")):
        assert {f"U5.{pin}", f"{resistor}.1"} in joined
        assert {f"{resistor}.2", f"E.{electrode}"} in joined
    assert 3.3 / LEAD_RESISTOR_OHM < 50e-6, "direct current in single fault, IEC 60601-1 type BF"


def test_a_board_without_a_capture_unit_is_refused() -> None:
    with pytest.raises(ScenarioError, match="no capture unit"):
        ads1292r_nets("esp32c3-ad8232")


def test_the_picture_joins_what_the_data_joins_and_nothing_else() -> None:
    canvas = wiring_ads_svg.drawing()
    for net in ads1292r_nets():
        if net.name not in canvas.colours:
            continue
        ends = tuple(end for end in net.ends if end.startswith(("U5.", "R8.", "R9.", "R10.", "E."))) + tuple(
            end for end in net.ends if end.startswith("U1.")
        )
        assert islands(canvas, net.name, ends) == [set(ends)], net.name
    for one, other in combinations(canvas.colours, 2):
        for a in segments(canvas, one):
            assert not any(meet(a, b) for b in segments(canvas, other)), (one, other)


def test_the_picture_is_fresh() -> None:
    assert wiring_docs.ADS_PICTURE.read_text("utf-8") == wiring_ads_svg.drawing().svg(), "run: make docs"


def test_the_page_tells_the_scale_that_the_firmware_has() -> None:
    page = re.sub(r"\s+", " ", wiring_docs.PAGE.read_text("utf-8"))
    lsb_uv = 16 * 2.42e6 / (2**23 - 1) / 6
    assert f"One count of the stream is {lsb_uv:.3f} µV" in page
    assert f"±{32000 * lsb_uv / 1000:.1f} mV" in page

"""The page and the picture say what the data say: fresh, and each wire of the picture followed from pin to pin."""

from __future__ import annotations

import re
import sys
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hbc_hil.box_parts import ELECTRODES, PARTS, TRIGGER_WIRINGS, nets

sys.path.insert(0, str(Path(__file__).parent))

import wiring_docs
from svg_shapes import Canvas, Point
from wiring_svg import drawing

Segment = tuple[Point, Point]


def segments(canvas: Canvas, net: str) -> list[Segment]:
    return [pair for name, points in canvas.wires if name == net for pair in pairwise(points)]


def lies_on(point: Point, segment: Segment) -> bool:
    (x, y), ((ax, ay), (bx, by)) = point, segment
    return min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by)


def meet(one: Segment, other: Segment) -> bool:
    """True when two upright or level pieces share a point."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = *one, *other
    apart_x = max(ax, bx) < min(cx, dx) or max(cx, dx) < min(ax, bx)
    apart_y = max(ay, by) < min(cy, dy) or max(cy, dy) < min(ay, by)
    return not (apart_x or apart_y)


def islands(canvas: Canvas, net: str, ends: tuple[str, ...]) -> list[set[str]]:
    """Groups of pins that the picture joins: by wires, through a pin drawn twice, by ground symbols."""
    points = {end: canvas.pins.get(end, []) for end in ends}
    things: list[tuple[set[str], list[Segment]]] = [
        ({end}, [(point, point) for point in where]) for end, where in points.items()
    ]
    things += [(set(), [segment]) for segment in segments(canvas, net)]
    if net == "GND" and canvas.grounds:
        things.append((set(), [(point, point) for point in canvas.grounds]))
    joined = True
    while joined:
        joined = False
        for one, other in combinations(things, 2):
            if any(meet(a, b) for a in one[1] for b in other[1]):
                things.remove(one)
                things.remove(other)
                things.append((one[0] | other[0], one[1] + other[1]))
                joined = True
                break
    return [names for names, _ in things]


def test_the_picture_joins_what_the_data_joins() -> None:
    canvas = drawing()
    assert set(canvas.colours) == {net.name for net in nets()}
    for net in nets():
        assert islands(canvas, net.name, net.ends) == [set(net.ends)], net.name


def test_no_wire_touches_or_crosses_another_net() -> None:
    canvas = drawing()
    for one, other in combinations([net.name for net in nets()], 2):
        for a in segments(canvas, one):
            for b in segments(canvas, other):
                assert not meet(a, b), (one, a, other, b)
    owner = {end: net.name for net in nets() for end in net.ends}
    for end, where in canvas.pins.items():
        for name, points in canvas.wires:
            touched = any(lies_on(point, pair) for point in where for pair in pairwise(points))
            assert not touched or owner.get(end) == name, (end, name)


def test_wires_run_level_or_upright() -> None:
    for name, points in drawing().wires:
        for (ax, ay), (bx, by) in pairwise(points):
            assert (ax == bx) != (ay == by), name


def test_the_check_of_the_picture_sees_a_cut_wire_and_a_touching_one() -> None:
    cut = drawing()
    cut.wires.remove(next(wire for wire in cut.wires if wire[0] == "ECG"))
    ends = next(net.ends for net in nets() if net.name == "ECG")
    assert islands(cut, "ECG", ends) == [{ends[0]}, {ends[1]}]
    assert meet(((0, 0), (10, 0)), ((5, -5), (5, 5)))
    assert not meet(((0, 0), (10, 0)), ((11, -5), (11, 5)))


def test_every_pin_part_and_value_can_be_read_in_the_picture() -> None:
    tree = ElementTree.fromstring(drawing().svg())
    words = [element.text or "" for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    everything = "\n".join(words)
    for part in PARTS:
        if part.ref not in ("E", "M1", "R6", "R7"):  # the cable, the case, and the divider of another chip
            assert re.search(rf"\b{part.ref}\b", everything), part.ref
        if part.ref[0] in "RCD" and part.ref not in ("R6", "R7"):
            assert part.value in everything, part.ref
    for net in nets():
        for end in net.ends:
            ref, _, pin = end.partition(".")
            if ref in ("U1", "U3") and pin != "USB":
                assert pin in words, end
    for electrode in ELECTRODES:
        assert {f"IEC {electrode.iec}", f"AHA {electrode.aha}"} <= set(words)
    for wiring in TRIGGER_WIRINGS:
        assert wiring.name in words


def test_the_picture_is_fresh() -> None:
    assert wiring_docs.PICTURE.read_text("utf-8") == drawing().svg(), "run: make docs"


def test_the_tables_of_the_page_are_fresh_and_complete() -> None:
    page = wiring_docs.PAGE.read_text("utf-8")
    assert sorted(name for name in wiring_docs.BLOCK.findall(page)) == sorted(wiring_docs.BLOCKS)
    assert page == wiring_docs.renewed(page), "run: make docs"


@pytest.mark.parametrize("block", wiring_docs.BLOCKS)
def test_a_stale_table_would_be_seen(block: str) -> None:
    page = wiring_docs.PAGE.read_text("utf-8")
    begin = f"<!-- begin: {block}, generated by tests/wiring/wiring_docs.py -->\n"
    assert begin in page
    stale = page.replace(begin, begin + "a line from before\n")
    assert wiring_docs.renewed(stale) == page

"""What a report is made of, in words: the HTML page and the PDF only lay it out, so that both say the same.

Every text here is already in the language of the report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Align = Literal["left", "right", "bar"]


@dataclass(frozen=True)
class Bar:
    """Place of an interval on the scale that all rows share, in percent of its width."""

    low: float
    high: float
    middle: float
    zero: float


@dataclass(frozen=True)
class Cell:
    """One cell: ``shade`` is its class in the map, ``hint`` what it says on hover."""

    text: str
    shade: str = ""
    hint: str = ""
    strong: bool = False
    bar: Bar | None = None


@dataclass(frozen=True)
class Column:
    """Head of a column; ``unit`` stands below the title; a wide one holds sentences."""

    title: str
    unit: str = ""
    align: Align = "right"
    wide: bool = False


@dataclass(frozen=True)
class Row:
    """A row; ``verdict`` and ``shape`` belong to its first cell."""

    cells: tuple[Cell, ...]
    verdict: str = ""
    shape: str = ""


@dataclass(frozen=True)
class Table:
    """A table. ``groups`` are heads over several columns, as (title, columns)."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    groups: tuple[tuple[str, int], ...] = ()
    look: Literal["plain", "numbers"] = "plain"
    kind: str = field(default="table", init=False)


@dataclass(frozen=True)
class MapBlock:
    """A stretch of steps that fits the page: column heads and one row of cells per site."""

    head: str
    steps: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Map:
    """The site x intensity map; ``legend`` is (shade, meaning) from strongest speeding to strongest slowing."""

    blocks: tuple[MapBlock, ...]
    legend: tuple[tuple[str, str], ...]
    label: str
    speeding: str
    slowing: str
    missing: str
    wide: str
    kind: str = field(default="map", init=False)


@dataclass(frozen=True)
class Text:
    """A paragraph; ``look`` is empty, ``small``, ``strong`` or ``always``."""

    text: str
    look: str = ""
    kind: str = field(default="text", init=False)


@dataclass(frozen=True)
class Heading:
    """A heading within a section; ``unit`` is small beside it."""

    text: str
    unit: str = ""
    level: int = 3
    kind: str = field(default="heading", init=False)


@dataclass(frozen=True)
class Bullets:
    """A list; each item is (what it is about, text), the former may be empty."""

    items: tuple[tuple[str, str], ...]
    kind: str = field(default="bullets", init=False)


@dataclass(frozen=True)
class Code:
    """A command line."""

    text: str
    kind: str = field(default="code", init=False)


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG in the colours of print; ``share`` is its width relative to the page's."""

    name: str
    description: str
    svg: str
    share: float


@dataclass(frozen=True)
class Figure:
    """A drawing under its title; ``zoom`` names the control that makes it larger, empty when there is none."""

    title: str
    drawing: Drawing
    caption: str
    zoom: str = ""
    kind: str = field(default="figure", init=False)


@dataclass(frozen=True)
class Side:
    """Two stacks of blocks beside each other; below each other where there is no room."""

    left: tuple[Any, ...]
    right: tuple[Any, ...]
    kind: str = field(default="side", init=False)


Block = Table | Map | Text | Heading | Bullets | Code | Figure | Side


@dataclass(frozen=True)
class Section:
    """A part of the report; ``name`` is its class. Empty blocks have been left out."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Verdict:
    """The answer: one sentence for all, one line a site as (verdict, shape, site, sentence), and what to mind."""

    title: str
    overall: str
    sites: tuple[tuple[str, str, str, str], ...]
    difference: str
    caution: str


@dataclass(frozen=True)
class Page:
    """A whole report: its head with the facts, the verdict if there is one, and sections; the first fills page 1.

    ``practice`` is (badge, sentence) of a session that is nobody's result; None for all others. ``early`` says what of
    the plan was not given; empty when all was.
    """

    language: str
    title: str
    kind: str
    badge: str
    facts: tuple[tuple[str, str], ...]
    verdict: Verdict | None
    sections: tuple[Section, ...]
    footer: str
    made: str
    practice: tuple[str, str] | None = None
    early: str = ""


def cells(*texts: str) -> tuple[Cell, ...]:
    """Plain cells."""
    return tuple(Cell(text) for text in texts)


def stack(*blocks: Block | None) -> tuple[Block, ...]:
    """Blocks without those that are None."""
    return tuple(block for block in blocks if block is not None)

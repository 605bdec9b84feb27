"""Shapes of a circuit diagram in SVG, and a record of what was drawn where, so that a test can follow the wires."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]
INK, GREY, PAPER = "#111111", "#666666", "#ffffff"
FONT = "'DejaVu Sans', Verdana, Arial, sans-serif"
LEAD = 14.0  # wire between the end of a two-legged part and its body


@dataclass
class Canvas:
    """An SVG picture that remembers its wires, pins and ground symbols.

    Attributes
    ----------
    colours : dict of str to (str, str)
        Colour and dash pattern of each net.
    wires : list of (str, list of points)
    pins : dict of str to list of points
        "U3.6" and where it was drawn; a pin may be drawn twice.
    grounds : list of points
        Tips of ground symbols: all of them are the net GND.
    """

    width: int
    height: int
    colours: dict[str, tuple[str, str]]
    wires: list[tuple[str, list[Point]]] = field(default_factory=list)
    pins: dict[str, list[Point]] = field(default_factory=dict)
    grounds: list[Point] = field(default_factory=list)
    _items: list[str] = field(default_factory=list)

    def svg(self) -> str:
        """The whole picture."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'font-family="{FONT}" fill="{INK}">\n<rect width="{self.width}" height="{self.height}" fill="{PAPER}"/>\n'
        )
        return head + "\n".join(self._items) + "\n</svg>\n"

    def add(self, item: str) -> None:
        self._items.append(item)

    def text(self, x: float, y: float, words: str, *, size: float = 16, at: str = "start", **style: str) -> None:
        """One line of text; `at` is start, middle or end."""
        more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
        self.add(f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{at}"{more}>{escape(words)}</text>')

    def lines(self, x: float, y: float, rows: list[str], *, size: float = 16, step: float = 1.35, **style: str) -> None:
        for i, row in enumerate(rows):
            self.text(x, y + i * size * step, row, size=size, **style)

    def path(self, points: list[Point], *, colour: str = INK, width: float = 2.5, dash: str = "", **style: str) -> None:
        at = " ".join(f"{x:g},{y:g}" for x, y in points)
        more = f' stroke-dasharray="{dash}"' if dash else ""
        more += "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
        fill = "" if "fill" in style else ' fill="none"'
        self.add(
            f'<polyline points="{at}"{fill} stroke="{colour}" stroke-width="{width:g}" stroke-linejoin="round"{more}/>'
        )

    def box(self, x: float, y: float, width: float, height: float, **style: str) -> None:
        look = {"fill": PAPER, "stroke": INK, "stroke_width": "2.5", "rx": "8"} | style
        more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in look.items())
        self.add(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{more}/>')

    def circle(self, x: float, y: float, radius: float, **style: str) -> None:
        look = {"fill": PAPER, "stroke": INK, "stroke_width": "2.5"} | style
        more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in look.items())
        self.add(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}"{more}/>')

    # --- what the record is about ------------------------------------------------------------------------------------
    def wire(self, net: str, *points: Point, width: float = 4) -> None:
        """A wire of this net through these points; ends must lie on pins, on other wires, or on ground symbols."""
        colour, dash = self.colours[net]
        self.path(list(points), colour=colour, width=width, dash=dash, stroke_linecap="round")
        self.wires.append((net, list(points)))

    def dot(self, x: float, y: float) -> None:
        """Joined here."""
        self.circle(x, y, 5.5, fill=INK, stroke="none")

    def pin(self, end: str, x: float, y: float, side: str, words: str, *, number: str = "") -> None:
        """A pin on the left or right edge of a part, its name inside, its number outside."""
        self.pins.setdefault(end, []).append((x, y))
        inside, at = (12, "start") if side == "left" else (-12, "end")
        self.box(x - 5, y - 5, 10, 10, rx="1", fill=INK, stroke="none")
        self.text(x + inside, y + 6, words, at=at, size=17, font_weight="bold")
        if number:
            self.text(x - inside, y - 7, number, at="end" if side == "left" else "start", size=14)

    def ground(self, x: float, y: float) -> None:
        """The box's ground, its tip at (x, y)."""
        self.grounds.append((x, y))
        for i, half in enumerate((16, 10, 4)):
            self.path([(x - half, y + 7 * i), (x + half, y + 7 * i)], width=3)

    def legs(self, ref: str, ends: tuple[str, str], a: Point, b: Point, body: float) -> tuple[Point, Point]:
        """Wire stubs of a two-legged part whose body of this length lies in the middle; returns the body's ends."""
        (ax, ay), (bx, by) = a, b
        length = abs(bx - ax) + abs(by - ay)
        ux, uy = (bx - ax) / length, (by - ay) / length
        stub = (length - body) / 2
        inner = (ax + ux * stub, ay + uy * stub), (bx - ux * stub, by - uy * stub)
        self.path([a, inner[0]], width=3)
        self.path([inner[1], b], width=3)
        for end, point in zip(ends, (a, b), strict=True):
            self.pins.setdefault(f"{ref}.{end}", []).append(point)
        return inner

    def resistor(self, ref: str, a: Point, b: Point) -> None:
        (ax, ay), (bx, by) = self.legs(ref, ("1", "2"), a, b, 40)
        x, y = min(ax, bx), min(ay, by)
        if ay == by:
            self.box(x, y - 10, 40, 20, rx="2")
        else:
            self.box(x - 10, y, 20, 40, rx="2")

    def capacitor(self, ref: str, a: Point, b: Point) -> None:
        """Vertical."""
        for x, y in self.legs(ref, ("1", "2"), a, b, 10):
            self.path([(x - 17, y), (x + 17, y)], width=4)

    def diode(self, ref: str, anode: Point, cathode: Point, *, lit: bool = False) -> None:
        (ax, ay), (kx, ky) = self.legs(ref, ("A", "K"), anode, cathode, 20)
        if ax == kx:
            self.path([(ax - 12, ay), (ax + 12, ay), (kx, ky), (ax - 12, ay)], width=2.5, fill=INK)
            self.path([(kx - 12, ky), (kx + 12, ky)], width=4)
        else:
            self.path([(ax, ay - 12), (ax, ay + 12), (kx, ky), (ax, ay - 12)], width=2.5, fill=PAPER if lit else INK)
            self.path([(kx, ky - 12), (kx, ky + 12)], width=4)
        if lit:
            for shift in (0, 12):
                x, y = (ax + kx) / 2 + shift, ay - 18
                self.path([(x, y), (x + 9, y - 14)], width=2)
                self.path([(x + 3, y - 11), (x + 9, y - 14), (x + 10, y - 7)], width=2)

    def cell(self, ref: str, plus: Point, minus: Point) -> None:
        """Vertical, plus at the top."""
        (px, py), (mx, my) = self.legs(ref, ("+", "-"), plus, minus, 14)
        self.path([(px - 22, py), (px + 22, py)], width=3)
        self.path([(mx - 11, my), (mx + 11, my)], width=7)

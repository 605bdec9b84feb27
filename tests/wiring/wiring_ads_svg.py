"""Draws docs/images/wiring-ads1292r.svg: the front end only; the rest of the box is in the other picture."""

from __future__ import annotations

from hbc_hil.ads1292r_parts import ADS1292R_PARTS, ads1292r_nets
from svg_shapes import GREY, INK, Canvas

WIDTH, HEIGHT = 1200, 760
VALUE = {part.ref: part.value for part in ADS1292R_PARTS}
COLOURS = {
    "SCLK": ("#0072b2", ""), "DIN": ("#56b4e9", ""), "DOUT": ("#009e73", ""), "CS": ("#cc79a7", ""),
    "DRDY": ("#d55e00", ""), "RESET": (GREY, ""), "3V3": ("#e69f00", ""), "GND": (INK, ""), "IN2P": ("#e69f00", ""),
    "IN2N": ("#d55e00", ""), "RLDOUT": (INK, ""), "LA": ("#e69f00", ""), "RA": ("#d55e00", ""), "RL": (INK, ""),
}  # fmt: skip
LINES = ("SCLK", "DIN", "DOUT", "CS", "DRDY", "RESET")
TOP, STEP = 190, 50


def drawing() -> Canvas:
    """The diagram, with the record of its wires."""
    canvas = Canvas(WIDTH, HEIGHT, COLOURS)
    canvas.text(40, 50, "hbc-box: ADS1292R instead of the AD8232", size=26, font_weight="bold")
    canvas.text(
        40, 80, "ESP32 DevKit; everything that is not drawn is as in the other picture. Generated from "
        "hil/hbc_hil/ads1292r_parts.py. Never built.", size=15,
    )  # fmt: skip
    _boxes(canvas)
    _bus(canvas)
    _supply(canvas)
    _electrodes(canvas)
    canvas.lines(40, 690, [
        "START to GND: conversions are started by command. CLKSEL to 3.3 V: the chip's own clock.",
        "IN1P and IN1N stay open: channel 1 is switched off. Research use, not a medical device.",
    ], size=15)  # fmt: skip
    return canvas


def _boxes(canvas: Canvas) -> None:
    canvas.box(80, 120, 160, 520, fill="#eef4fa")
    canvas.text(160, 150, "U1  ESP32", at="middle", size=17, font_weight="bold")
    canvas.box(520, 120, 210, 520, fill="#eef8f3")
    canvas.text(625, 150, "U5  " + VALUE["U5"], at="middle", size=15, font_weight="bold")


def _bus(canvas: Canvas) -> None:
    joined = {net.name: net.ends for net in ads1292r_nets("esp32-ad8232")}
    for row, name in enumerate(LINES):
        ours, theirs = joined[name]
        y = TOP + row * STEP
        canvas.pin(ours, 240, y, "right", ours.partition(".")[2])
        canvas.pin(theirs, 520, y, "left", theirs.partition(".")[2])
        canvas.wire(name, (240, y), (520, y))
        canvas.text(380, y - 8, name, at="middle", size=14)


def _supply(canvas: Canvas) -> None:
    y = TOP + len(LINES) * STEP
    canvas.pin("U1.3V3", 240, y, "right", "3V3")
    canvas.wire("3V3", (240, y), (520, y))
    for row, name in enumerate(("AVDD", "DVDD", "CLKSEL")):
        canvas.pin(f"U5.{name}", 520, y + 30 * row, "left", name)
    canvas.wire("3V3", (470, y), (470, y + 60))
    canvas.dot(470, y)
    for row in (1, 2):
        canvas.wire("3V3", (470, y + 30 * row), (520, y + 30 * row))
    canvas.dot(470, y + 30)
    canvas.pin("U1.GND", 240, y + 100, "right", "GND")
    canvas.wire("GND", (240, y + 100), (520, y + 100))
    canvas.pin("U5.GND", 520, y + 100, "left", "GND")
    canvas.pin("U5.START", 520, y + 130, "left", "START")
    canvas.wire("GND", (470, y + 100), (470, y + 130))
    canvas.wire("GND", (470, y + 130), (520, y + 130))
    canvas.dot(470, y + 100)


def _electrodes(canvas: Canvas) -> None:
    for row, (name, resistor, electrode) in enumerate(
        (("IN2P", "R8", "LA"), ("IN2N", "R9", "RA"), ("RLDOUT", "R10", "RL"))
    ):
        y = TOP + 60 + row * 110
        canvas.pin(f"U5.{name}", 730, y, "right", name)
        a, b = (820.0, float(y)), (960.0, float(y))
        canvas.wire(name, (730, y), a)
        canvas.resistor(resistor, a, b)
        canvas.wire(electrode, b, (1060, y))
        canvas.text(890, y - 22, f"{resistor}  {VALUE[resistor]}", at="middle", size=15, font_weight="bold")
        canvas.pins.setdefault(f"E.{electrode}", []).append((1060, y))
        canvas.circle(1072, y, 12)
        canvas.text(1096, y + 6, electrode, size=17, font_weight="bold")

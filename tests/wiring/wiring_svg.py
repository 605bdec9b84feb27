"""Draws docs/images/wiring.svg. Which pin meets which comes from hbc_hil.box_parts; where it stands, from here."""

from __future__ import annotations

from hbc_hil.box_parts import ELECTRODES, PARTS, TRIGGER_WIRINGS, TriggerWiring
from hbc_hil.boxes import BOXES
from svg_shapes import GREY, INK, Canvas, Point

WIDTH, HEIGHT = 1600, 1130
BOX = BOXES["esp32-ad8232"]
VALUE = {part.ref: part.value for part in PARTS}
# Okabe and Ito's colours, told apart by every kind of colour vision; the label on each wire does not need them.
COLOURS = {
    "GND": (INK, ""), "3V3": ("#e69f00", ""), "5V": ("#d55e00", ""), "TRIG": ("#0072b2", ""), "ECG": ("#009e73", ""),
    "LO-": ("#56b4e9", "12 6"), "LO+": ("#cc79a7", "12 6"), "SIG": (INK, ""), "SIG LED": (INK, ""),
    "COM": (GREY, ""), "RA": ("#d55e00", ""), "LA": ("#e69f00", ""), "RL": (INK, ""), "USB": (GREY, ""),
    "LED": (GREY, "3 6"), "LED A": (GREY, "3 6"), "BAT": (GREY, "3 6"), "BAT/2": (GREY, "3 6"),
}  # fmt: skip
ROWS = (270, 320, 370, 420, 470, 520)  # heights of the pins
CASE = (130, 150, 1135, 640)
BARRIER_X = 470


def drawing() -> Canvas:
    """The diagram, with the record of its wires."""
    canvas = Canvas(WIDTH, HEIGHT, COLOURS)
    canvas.text(40, 50, "hbc-box: wiring", size=30, font_weight="bold")
    canvas.text(
        40, 80, "ESP32 DevKit, AD8232 breakout, isolated trigger input. Generated from hil/hbc_hil/box_parts.py. "
        "Never built on real parts. Research use, not a medical device.", size=16,
    )  # fmt: skip
    x, y, width, height = CASE
    canvas.box(x, y, width, height, stroke=GREY, stroke_dasharray="2 7", rx="22", fill="#fbfbf8")
    canvas.text(x + 20, y + 30, "plastic case", size=16, fill=GREY, font_style="italic")
    _trigger_input(canvas)
    _controller(canvas)
    _front_end(canvas)
    _person(canvas)
    _options(canvas)
    _usb(canvas)
    _trigger_wirings(canvas)
    _notes(canvas)
    return canvas


def _label(canvas: Canvas, ref: str, x: float, y: float, at: str = "middle") -> None:
    canvas.text(x, y, f"{ref}  {VALUE[ref]}", at=at, size=16, font_weight="bold")


def _tag(canvas: Canvas, x: float, y: float, words: str) -> None:
    """Name of a wire, on the wire."""
    width = 9.6 * len(words) + 14
    canvas.box(x - width / 2, y - 12, width, 24, rx="12", stroke="none", fill="#ffffff")
    canvas.text(x, y + 5, words, at="middle", size=15)


def _trigger_input(canvas: Canvas) -> None:
    _, anode_y, cathode_y, _ = ROWS[:4]
    canvas.text(75, 262, "TRIGGER IN", at="middle", size=16, font_weight="bold")
    canvas.text(75, 283, "from the", at="middle", size=14)
    canvas.text(75, 300, "stimulator", at="middle", size=14)
    canvas.box(96, 305, 50, 80, rx="4")
    canvas.circle(121, 345, 19)
    canvas.circle(121, 345, 4, fill=INK)
    _label(canvas, "J1", 121, 410)
    for end, height in (("J1.centre", anode_y), ("J1.shell", cathode_y)):
        canvas.pins.setdefault(end, []).append((146, height))
        canvas.box(141, height - 5, 10, 10, rx="1", fill=INK, stroke="none")
    canvas.text(158, anode_y - 10, "centre", size=14)
    canvas.text(158, cathode_y + 22, "shell", size=14)
    canvas.wire("SIG", (146, anode_y), (216, anode_y))
    canvas.resistor("R1", (216, anode_y), (284, anode_y))
    _label(canvas, "R1", 250, anode_y - 22)
    canvas.wire("SIG LED", (284, anode_y), (420, anode_y))
    canvas.wire("COM", (146, cathode_y), (420, cathode_y))
    canvas.diode("D1", (345, cathode_y), (345, anode_y))
    canvas.dot(345, anode_y)
    canvas.dot(345, cathode_y)
    canvas.text(328, 356, f"D1  {VALUE['D1']}, ring up", at="end", size=14, font_weight="bold")
    _coupler(canvas)


def _coupler(canvas: Canvas) -> None:
    left, right = 420.0, 520.0
    canvas.path([(BARRIER_X, 185), (BARRIER_X, 560)], colour="#d55e00", width=3, dash="10 7")
    canvas.text(BARRIER_X, 585, "ISOLATION", at="middle", size=16, font_weight="bold", fill="#b34700")
    canvas.text(BARRIER_X, 604, "no wire crosses; 8 mm clear", at="middle", size=14, fill="#b34700")
    canvas.box(left, 235, 100, 220, fill="#f1f1f1", rx="4")
    canvas.add(f'<path d="M {BARRIER_X - 14} 235 a 14 14 0 0 0 28 0" fill="#fff" stroke="{INK}" stroke-width="2.5"/>')
    _label(canvas, "U3", 408, 222, at="end")
    canvas.text(408, 240, "from above, notch up", at="end", size=13)
    canvas.circle(left + 14, 248, 4, fill=INK)
    for number, words, height in zip("1234", ("", "A", "K", ""), ROWS, strict=False):
        canvas.pin(f"U3.{number}", left, height, "left", words, number=number)
    for number, words, height in zip("8765", ("VCC", "VE", "VO", "GND"), ROWS, strict=False):
        canvas.pin(f"U3.{number}", right, height, "right", words, number=number)
    vcc, enable, out, ground = ROWS[:4]
    canvas.wire("5V", (right, vcc), (760, vcc))
    canvas.wire("5V", (right, enable), (560, enable), (560, vcc))
    canvas.dot(560, vcc)
    canvas.wire("5V", (610, vcc), (610, 250))
    canvas.dot(610, vcc)
    canvas.capacitor("C1", (610, 250), (610, 200))
    canvas.wire("GND", (610, 200), (655, 200), (655, 212))
    canvas.ground(655, 212)
    _label(canvas, "C1", 585, 218, at="end")
    canvas.text(585, 236, "next to U3", at="end", size=13)
    canvas.wire("TRIG", (right, out), (760, out))
    canvas.wire("GND", (right, ground), (760, ground))
    canvas.wire("GND", (710, ground), (710, ground + 22))
    canvas.ground(710, ground + 22)
    canvas.dot(710, ground)
    canvas.resistor("R2", (650, enable), (650, out))
    canvas.wire("3V3", (760, enable), (650, enable))
    canvas.dot(650, out)
    canvas.text(668, 351, f"R2  {VALUE['R2']}", size=16, font_weight="bold")
    _tag(canvas, 705, vcc, "5 V")
    _tag(canvas, 585, out, "TRIG")
    _tag(canvas, 640, ground, "GND")


def _controller(canvas: Canvas) -> None:
    left, right = 760, 930
    canvas.box(left, 200, right - left, 500, fill="#eef4fa")
    canvas.text(845, 228, "U1", at="middle", size=20, font_weight="bold")
    canvas.text(845, 248, VALUE["U1"], at="middle", size=14)
    for end, height, words in (
        ("U1.5V", ROWS[0], "5V"), ("U1.3V3", ROWS[1], "3V3"), (f"U1.{BOX.trigger}", ROWS[2], f"{BOX.trigger}"),
        ("U1.GND", ROWS[3], "GND"), (f"U1.{BOX.led}", 640, f"{BOX.led}"),
    ):  # fmt: skip
        canvas.pin(end, left, height, "left", words)
    for end, height, words in (
        ("U1.GND", ROWS[0], "GND"), ("U1.3V3", ROWS[1], "3V3"), (f"U1.{BOX.ecg}", ROWS[2], f"{BOX.ecg}"),
        (f"U1.{BOX.lo_minus}", ROWS[3], f"{BOX.lo_minus}"), (f"U1.{BOX.lo_plus}", ROWS[4], f"{BOX.lo_plus}"),
        ("U1.BAT", 570, "BAT"), (f"U1.{BOX.battery}", 640, f"{BOX.battery}"),
    ):  # fmt: skip
        canvas.pin(end, right, height, "right", words)
    hint = ["numbers are GPIOs;", "boards print 27,", "IO27 or D27;", "5V may be VIN"]
    canvas.lines(845, 502, hint, size=13, step=1.2, at="middle")


def _front_end(canvas: Canvas) -> None:
    left, right = 1090, 1230
    canvas.box(left, 200, right - left, 350, fill="#eef8f3")
    canvas.text(1160, 228, "U2", at="middle", size=20, font_weight="bold")
    canvas.text(1160, 246, VALUE["U2"], at="middle", size=14)
    nets = ("GND", "3V3", "ECG", "LO-", "LO+")
    names = ("GND", "3.3V", "OUTPUT", "LO-", "LO+", "SDN")
    for name, height in zip(names, ROWS, strict=True):
        canvas.pin(f"U2.{name}", left, height, "left", name)
    for net, height in zip(nets, ROWS, strict=False):
        canvas.wire(net, (930, height), (left, height))
        _tag(canvas, 1010, height, {"3V3": "3.3 V"}.get(net, net))
    canvas.text(left - 12, ROWS[5] + 6, "SDN: leave open", at="end", size=14)


def _person(canvas: Canvas) -> None:
    contacts = {"RA": 290, "LA": 380, "RL": 470}
    places: dict[str, Point] = {"RA": (1425, 290), "LA": (1545, 455), "RL": (1425, 470)}
    arms = "M1465 205 V228 Q1395 240 1380 268 L1372 420 M1505 205 V228 Q1575 240 1590 268 L1596 420"
    trunk = "M1465 226 Q1400 240 1396 290 L1402 560 H1568 L1574 290 Q1570 240 1505 226 Z"
    canvas.circle(1485, 165, 42, fill="#f7f3ee", stroke=GREY)
    canvas.add(f'<path d="{arms}" fill="none" stroke="{GREY}" stroke-width="2.5"/>')
    canvas.add(f'<path d="{trunk}" fill="#f7f3ee"/>')
    canvas.text(1405, 552, "right", size=13, fill=GREY)
    canvas.text(1565, 552, "left", at="end", size=13, fill=GREY)
    canvas.text(1485, 172, "face", at="middle", size=14, fill=GREY)
    canvas.box(1215, 262, 40, 236, rx="6", fill="#dddddd")
    canvas.text(1235, 518, "jack", at="middle", size=13)
    for electrode in ELECTRODES:
        name, height, (x, y) = electrode.name, contacts[electrode.name], places[electrode.name]
        canvas.pins.setdefault(f"U2.{electrode.contact}", []).append((1255, height))
        canvas.box(1250, height - 5, 10, 10, rx="1", fill=INK, stroke="none")
        canvas.text(1270, height - 9, f"{name} ({electrode.contact})", size=14, font_weight="bold")
        canvas.text(1270, height + 20, f"IEC {electrode.iec}", size=13)
        canvas.text(1270, height + 36, f"AHA {electrode.aha}", size=13)
        canvas.wire(name, (1255, height), *([(x, height)] if y != height else []), (x, y))
        canvas.pins.setdefault(f"E.{name}", []).append((x, y))
        canvas.circle(x, y, 17)
        canvas.text(x, y + 6, name, at="middle", size=15, font_weight="bold")
    hint = ["Electrode cable: keep the three wires", "together, away from the coil.",
            "Check contacts with a meter: the", "colours of cheap cables differ."]  # fmt: skip
    canvas.lines(1285, 590, hint, size=14)


def _options(canvas: Canvas) -> None:
    """Status LED and battery: grey, since the box works without."""
    canvas.wire("LED", (760, 640), (728, 640))
    canvas.resistor("R5", (728, 640), (660, 640))
    canvas.wire("LED A", (660, 640), (636, 640))
    canvas.diode("LED1", (636, 640), (588, 640), lit=True)
    canvas.wire("GND", (588, 640), (560, 640), (560, 662))
    canvas.ground(560, 662)
    _label(canvas, "R5", 694, 675)
    canvas.text(612, 675, "LED1", at="middle", size=16, font_weight="bold")
    canvas.text(748, 697, f"optional: GPIO {BOX.led} is the LED on most boards", at="end", size=13)
    canvas.wire("BAT", (930, 570), (1215, 570))
    canvas.resistor("R3", (1020, 570), (1020, 640))
    canvas.wire("BAT/2", (930, 640), (1135, 640))
    canvas.resistor("R4", (1020, 640), (1020, 710))
    canvas.capacitor("C2", (1135, 640), (1135, 710))
    canvas.cell("BT1", (1215, 570), (1215, 660))
    for x, y in ((1020, 710), (1135, 710), (1215, 660)):
        canvas.ground(x, y)
    for x, y in ((1020, 570), (1020, 640)):
        canvas.dot(x, y)
    for ref, x, y in (("R3", 1036, 611), ("R4", 1036, 690)):
        canvas.text(x, y, f"{ref} {VALUE[ref]}", size=14, font_weight="bold")
    canvas.text(1160, 690, f"C2 {VALUE['C2']}", size=14, font_weight="bold")
    canvas.text(1194, 598, "+", at="end", size=18, font_weight="bold")
    canvas.text(1186, 621, "BT1", at="end", size=14, font_weight="bold")
    canvas.text(1060, 760, "optional: battery and its divider (set battery_wired 1)", at="middle", size=13)


def _usb(canvas: Canvas) -> None:
    canvas.pins.setdefault("U1.USB", []).append((845, 700))
    canvas.pins.setdefault("U4.box", []).append((845, 840))
    canvas.wire("USB", (845, 700), (845, 840), width=9)
    canvas.text(862, 730, "USB (data, 5 V)", size=14)
    canvas.box(755, 840, 180, 90, fill="#f1f1f1")
    canvas.path([(735, 885), (955, 885)], colour="#d55e00", width=3, dash="10 7")
    canvas.text(845, 868, f"U4  {VALUE['U4']}", at="middle", size=16, font_weight="bold")
    canvas.text(845, 912, "ADuM4160", at="middle", size=14)
    canvas.text(967, 881, "ISOLATION", size=16, font_weight="bold", fill="#b34700")
    canvas.path([(845, 930), (845, 975)], colour=GREY, width=9)
    canvas.box(770, 975, 150, 80, rx="6")
    canvas.path([(745, 1060), (945, 1060)], width=7)
    canvas.text(845, 1021, "laptop", at="middle", size=16)
    canvas.text(845, 1086, "on its battery,", at="middle", size=14, font_weight="bold")
    canvas.text(845, 1105, "charger unplugged", at="middle", size=14, font_weight="bold")


def _trigger_wirings(canvas: Canvas) -> None:
    left, top, width, row = 40, 815, 690, 62
    canvas.box(left, top, width, 46 + row * len(TRIGGER_WIRINGS), rx="8", stroke=GREY)
    for x, words in ((16, "Trigger output of the stimulator"), (410, "R1, its current"), (565, "trigger_rising")):
        canvas.text(left + x, top + 26, words, size=15, font_weight="bold")
    canvas.path([(left, top + 38), (left + width, top + 38)], colour=GREY, width=1.5)
    for i, wiring in enumerate(TRIGGER_WIRINGS):
        _one_wiring(canvas, wiring, left + 16, top + 38 + i * row)


def _one_wiring(canvas: Canvas, wiring: TriggerWiring, x: float, y: float) -> None:
    low, high = y + 46, y + 18
    rest, pulse = (high, low) if wiring.rests_high else (low, high)
    shape = [(x, rest), (x + 18, rest), (x + 18, pulse), (x + 44, pulse), (x + 44, rest), (x + 62, rest)]
    canvas.path(shape, colour="#0072b2", width=3)
    canvas.text(x + 82, y + 28, wiring.name, size=15, font_weight="bold")
    canvas.text(x + 82, y + 49, "; ".join(f"{a} to {b}" for a, b in wiring.wires), size=13)
    canvas.text(x + 394, y + 28, f"{wiring.resistor_ohm} Ω, {wiring.led_ma:.1f} mA", size=15)
    canvas.text(x + 610, y + 34, str(wiring.trigger_rising), size=18, font_weight="bold", at="middle")


def _notes(canvas: Canvas) -> None:
    canvas.box(990, 905, 580, 205, rx="8", stroke=GREY)
    canvas.lines(1006, 935, [
        "A dot joins wires; no two wires cross. Dotted grey wires are optional.",
        "All ground symbols and GND pins inside the case are one: the box's ground.",
        "J1's shell, D1 and pins 1 to 4 of U3 belong to the stimulator, never to GND.",
        "U3 inverts: a pulse that lights its LED pulls TRIG low.",
        "R2 goes to 3.3 V although U3 runs on 5 V: the ESP32 does not bear 5 V.",
        "OUT is the stimulator's trigger output, COM its ground.",
        "No person is connected while a charger or a mains-powered computer is.",
    ], size=14, step=1.75)  # fmt: skip

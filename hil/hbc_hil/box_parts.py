"""The real box as data: its parts and how they are joined. docs/build-the-box.md and its diagram are drawn from this.

It stands beside the simulator because the pins of both are the same numbers (:mod:`hbc_hil.boxes`): a wire that moves
moves in the firmware's test, in the simulated box and in the diagram. Values were chosen from data sheets; **no box has
been built from this list yet**.

A pin is written ``U3.6``: the part, a full stop, what is printed on it or its number.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbc_hil.boxes import box_named

RESISTOR_TRIGGER_OHM = 330  # R1
RESISTOR_TRIGGER_3V3_OHM = 180  # R1 for a trigger output of 3.3 V
PULL_UP_OHM = 1000  # R2
LED_FORWARD_V = 1.5  # 6N137 at 10 mA, typical
LED_MIN_MA, LED_MAX_MA = 6.3, 15.0  # 6N137, recommended operating conditions
OUTPUT_LOW_V = 0.2  # a saturated open collector
DIVIDER_OHM = (100_000, 100_000)  # R3, R4
# R6, R7: the ESP32-C3 reads up to some 2.5 V, the front end gives up to 3.25 V (times 0.6875: 2.23 V).
ECG_DIVIDER_OHM = {"esp32c3-ad8232": (10_000, 22_000)}
REFERENCE_V = 1.65  # half of 3.3 V, by 10 Mohm and 10 Mohm on the breakout
FRONT_END_GAIN = 1100  # AD8232: 100, times 1 + 1 Mohm / 100 kohm on the breakout


@dataclass(frozen=True)
class Part:
    """One line of the bill of materials.

    Attributes
    ----------
    ref : str
        Its name in the diagram.
    name, value : str
        What to buy; what stands in the diagram.
    price_eur : str
        Order of magnitude.
    look_for : str
        What tells the right part from a wrong one.
    optional : bool
    """

    ref: str
    name: str
    value: str
    price_eur: str
    look_for: str
    optional: bool = False


@dataclass(frozen=True)
class Net:
    """Pins that are joined. ``carries`` says in a few words what is on the wire."""

    name: str
    carries: str
    ends: tuple[str, ...]
    optional: bool = False


@dataclass(frozen=True)
class Electrode:
    """One electrode: jack contact, colours of both norms, place on the body."""

    name: str
    contact: str
    iec: str
    aha: str
    place: str


@dataclass(frozen=True)
class TriggerWiring:
    """How one kind of trigger output is joined to J1, and the setting that goes with it.

    Attributes
    ----------
    name : str
    rests_high : bool
        Level between pulses.
    wires : tuple of (str, str)
        From, to; "OUT" and "COM" are signal and common of the stimulator's trigger output.
    supply_v, switch_drop_v : float
        What drives the LED, and what the switch in series takes of it.
    resistor_ohm : int
        R1.
    trigger_rising : int
        Value for ``hbc box set trigger_rising``: 1 when the pulse starts with a rising edge at the ESP32.
    """

    name: str
    rests_high: bool
    wires: tuple[tuple[str, str], ...]
    supply_v: float
    switch_drop_v: float
    resistor_ohm: int
    trigger_rising: int

    @property
    def led_ma(self) -> float:
        """Current through the opto-coupler's LED, mA."""
        return (self.supply_v - self.switch_drop_v - LED_FORWARD_V) / self.resistor_ohm * 1e3


_DIRECT = (("OUT", "J1 centre"), ("COM", "J1 shell"))
_SOURCED = (("+4.5 V (3 x AA)", "J1 centre"), ("OUT", "J1 shell"), ("0 V of the cells", "COM"))
TRIGGER_WIRINGS = (
    TriggerWiring("TTL 5 V, active high (rests low)", False, _DIRECT, 5.0, 0.0, RESISTOR_TRIGGER_OHM, 0),
    TriggerWiring("TTL 5 V, active low (rests high)", True, _DIRECT, 5.0, 0.0, RESISTOR_TRIGGER_OHM, 1),
    TriggerWiring("logic 3.3 V, active high", False, _DIRECT, 3.3, 0.0, RESISTOR_TRIGGER_3V3_OHM, 0),
    TriggerWiring("open collector, pulls low", True, _SOURCED, 4.5, OUTPUT_LOW_V, RESISTOR_TRIGGER_OHM, 0),
)
ELECTRODES = (
    Electrode("RA", "sleeve", "red", "white", "below the right collar bone"),
    Electrode("LA", "ring", "yellow", "black", "lowest rib on the left, in line with the front of the armpit"),
    Electrode("RL", "tip", "black", "green", "lowest rib on the right"),
)
PARTS = (
    Part("U1", "ESP32 development board (ESP32-DevKitC or DevKit V1, ESP32-WROOM-32)", "ESP32 DevKit", "5-12",
         "USB bridge CP2102 or CH340; pins 3V3, 5V (or VIN), GND, 27, 32, 33, 34 on the header; not ESP32-CAM"),
    Part("U2", "AD8232 heart monitor breakout with 3.5 mm jack (SparkFun SEN-12650 or a copy)", "AD8232 breakout",
         "5-20", "six pins GND 3.3V OUTPUT LO- LO+ SDN; three electrodes; not the two-electrode version"),
    Part("U3", "Opto-coupler 6N137, DIP-8, with socket", "6N137", "1",
         "8 legs and 6N137 on top; PC817 and 4N35 have 4 and 6 legs and are too slow"),
    Part("R1", "Resistor 330 Ω, 1/4 W (180 Ω for a 3.3 V trigger)", "330 Ω", "0.1", "orange orange brown"),
    Part("R2", "Resistor 1 kΩ, 1/4 W", "1 kΩ", "0.1", "brown black red"),
    Part("D1", "Diode 1N4148", "1N4148", "0.1", "the ring marks the cathode"),
    Part("C1", "Ceramic capacitor 100 nF", "100 nF", "0.1", "104 is printed on it"),
    Part("J1", "BNC socket for panel mounting, isolated (plastic body)", "BNC", "2",
         "shell must not touch a metal panel nor the box's ground"),
    Part("E", "Electrode cable, 3.5 mm jack to three snaps", "3 electrodes", "3-8",
         "often sold with the breakout; find out which snap is which contact with a meter, colours differ"),
    Part("U4", "USB isolator, full speed 12 Mbit/s, with supply for the box (ADuM3160 or ADuM4160)", "USB isolator",
         "15-60", "isolation voltage and creepage stated; 200 mA at 5 V; ADuM4160 where a patient is connected"),
    Part("M1", "Plastic case about 100 x 70 x 40 mm, perfboard, sockets, wire, Ag/AgCl electrodes (wet gel)", "case",
         "10-20", "no metal case; fresh electrodes, dry gel is the usual cause of hum"),
    Part("LED1", "LED for the front panel, any colour", "LED", "0.1", "long leg is the anode", optional=True),
    Part("R5", "Resistor 1 kΩ, 1/4 W", "1 kΩ", "0.1", "brown black red", optional=True),
    Part("BT1", "LiPo cell 3.7 V with protection, on a board with LiPo socket (such as LOLIN D32)", "LiPo 3.7 V", "10",
         "protection circuit on the cell; check the polarity of the plug: there is no standard", optional=True),
    Part("R3", "Resistor 100 kΩ", "100 kΩ", "0.1", "brown black yellow; LOLIN D32 has it on board", optional=True),
    Part("R4", "Resistor 100 kΩ", "100 kΩ", "0.1", "brown black yellow; LOLIN D32 has it on board", optional=True),
    Part("C2", "Ceramic capacitor 100 nF", "100 nF", "0.1", "104 is printed on it", optional=True),
    Part("R6", "Resistor 10 kΩ 1 %", "10 kΩ", "0.1", "only with an ESP32-C3", optional=True),
    Part("R7", "Resistor 22 kΩ 1 %", "22 kΩ", "0.1", "only with an ESP32-C3", optional=True),
)  # fmt: skip


def gain(board: str) -> int:
    """Return the gain from the electrodes to the ADC pin of this board: front end and divider, if it has one."""
    upper_ohm, lower_ohm = ECG_DIVIDER_OHM.get(board, (0, 1))
    return round(FRONT_END_GAIN * lower_ohm / (upper_ohm + lower_ohm))


def nets(board: str = "esp32-ad8232") -> tuple[Net, ...]:
    """Return every connection of the box built around this board, the trigger wired directly.

    Raises
    ------
    ScenarioError
        If there is no such board.
    """
    box = box_named(board)
    ground: tuple[str, ...] = ("U1.GND", "U2.GND", "U3.5", "C1.2", "LED1.K", "BT1.-", "R4.2", "C2.2")
    ecg = [Net("ECG", "amplified ECG around 1.65 V", (f"U1.{box.ecg}", "U2.OUTPUT"))]
    if board in ECG_DIVIDER_OHM:
        ground = (*ground, "R7.2")
        ecg = [
            Net("ECG", "amplified ECG around 1.65 V", ("U2.OUTPUT", "R6.1")),
            Net("ECG ADC", "ECG within the converter's range", (f"U1.{box.ecg}", "R6.2", "R7.1")),
        ]
    return (
        Net("GND", "ground of the box", ground),
        Net("3V3", "3.3 V", ("U1.3V3", "U2.3.3V", "R2.1")),
        Net("5V", "5 V from USB", ("U1.5V", "U3.8", "U3.7", "C1.1")),
        Net("TRIG", "trigger, isolated, inverted", (f"U1.{box.trigger}", "U3.6", "R2.2")),
        *ecg,
        Net("LO-", "high when RA is off", (f"U1.{box.lo_minus}", "U2.LO-")),
        Net("LO+", "high when LA is off", (f"U1.{box.lo_plus}", "U2.LO+")),
        Net("SIG", "from the stimulator", ("J1.centre", "R1.1")),
        Net("SIG LED", "into the LED of the opto-coupler", ("R1.2", "U3.2", "D1.K")),
        Net("COM", "the stimulator's ground", ("J1.shell", "U3.3", "D1.A")),
        Net("RA", "right arm", ("U2.sleeve", "E.RA")),
        Net("LA", "left arm", ("U2.ring", "E.LA")),
        Net("RL", "right leg, driven", ("U2.tip", "E.RL")),
        Net("USB", "data and 5 V", ("U1.USB", "U4.box")),
        Net("LED", "status", (f"U1.{box.led}", "R5.1"), optional=True),
        Net("LED A", "status", ("R5.2", "LED1.A"), optional=True),
        Net("BAT", "cell", ("BT1.+", "R3.1", "U1.BAT"), optional=True),
        Net("BAT/2", "half the cell's voltage", (f"U1.{box.battery}", "R3.2", "R4.1", "C2.1"), optional=True),
    )

"""The box with an ADS1292R instead of the AD8232, as data: what is bought besides, and how it is joined.

The trigger side and everything else is that of :mod:`hbc_hil.box_parts`. Values are from the chip's data sheet
(SBAS502C); **no box has been built from this list yet**.
"""

from __future__ import annotations

from hbc_hil.box_parts import Net, Part, nets
from hbc_hil.boxes import box_named
from hbc_hil.errors import ScenarioError

LEAD_RESISTOR_OHM = 100_000  # R8, R9, R10: 3.3 V through one of them is 33 uA in single fault
ADS1292R_PARTS = (
    Part("U5", "ADS1292R breakout for 3.3 V (chip with its capacitors; not ADS1292 or ADS1291)", "ADS1292R breakout",
         "20-40", "the pins of the picture, AVDD and DVDD for 3.3 V; on board: capacitors of VREFP and VCAP1, and the "
         "feedback of the right-leg amplifier (RLDINV to RLDOUT)"),
    Part("R8", "Resistor 100 kΩ, 1/4 W", "100 kΩ", "0.1", "brown black yellow"),
    Part("R9", "Resistor 100 kΩ, 1/4 W", "100 kΩ", "0.1", "brown black yellow"),
    Part("R10", "Resistor 100 kΩ, 1/4 W", "100 kΩ", "0.1", "brown black yellow"),
)  # fmt: skip
_OF_THE_AD8232 = {"ECG", "ECG ADC", "LO+", "LO-", "RA", "LA", "RL"}


def ads1292r_nets(board: str = "esp32-ad8232") -> tuple[Net, ...]:
    """Return every connection of the box with this board and an ADS1292R.

    Raises
    ------
    ScenarioError
        There is no such board, or it cannot have one: its chip has no capture unit.
    """
    pins = box_named(board).ads
    if pins is None:
        raise ScenarioError(f"an {board} box cannot have an ADS1292R: its chip has no capture unit for DRDY")
    added = {"GND": ("U5.GND", "U5.START"), "3V3": ("U5.AVDD", "U5.DVDD", "U5.CLKSEL")}
    kept = [
        Net(net.name, net.carries, (*(end for end in net.ends if not end.startswith(("U2.", "R7."))),
                                    *added.get(net.name, ())), net.optional)
        for net in nets(board)
        if net.name not in _OF_THE_AD8232
    ]  # fmt: skip
    return (
        *kept,
        Net("SCLK", "clock of the SPI bus, 2 MHz", (f"U1.{pins.sclk}", "U5.SCLK")),
        Net("DIN", "commands", (f"U1.{pins.mosi}", "U5.DIN")),
        Net("DOUT", "samples", (f"U1.{pins.miso}", "U5.DOUT")),
        Net("CS", "low while the box talks", (f"U1.{pins.cs}", "U5.CS")),
        Net("DRDY", "falls when a sample is ready: its instant", (f"U1.{pins.drdy}", "U5.DRDY")),
        Net("RESET", "low resets the converter", (f"U1.{pins.reset}", "U5.PWDN/RESET")),
        Net("IN2P", "left arm, behind its resistor", ("U5.IN2P", "R8.1")),
        Net("IN2N", "right arm, behind its resistor", ("U5.IN2N", "R9.1")),
        Net("RLDOUT", "right leg, driven, behind its resistor", ("U5.RLDOUT", "R10.1")),
        Net("LA", "left arm", ("R8.2", "E.LA")),
        Net("RA", "right arm", ("R9.2", "E.RA")),
        Net("RL", "right leg, driven", ("R10.2", "E.RL")),
    )

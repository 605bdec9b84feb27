"""The boxes that the rig can build, as data: chip, and which pin does what (GPIO numbers of hbc_boards/<chip>.py).

The firmware holds the same numbers on its side of the wire; ``tests/firmware/test_boards.py`` keeps both equal. How
each pin was chosen (strapping pins, USB, flash, ADC1) stands in the board modules.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbc_hil.errors import ScenarioError

FRONT_ENDS = ("ad8232", "ads1292r")  # by the value of the box's setting front_end


@dataclass(frozen=True)
class Ads1292rPins:
    """GPIO numbers of the converter's lines; ``mosi`` is its DIN, ``miso`` its DOUT, ``reset`` its PWDN/RESET."""

    sclk: int
    mosi: int
    miso: int
    cs: int
    drdy: int
    reset: int


@dataclass(frozen=True)
class Box:
    """One kind of box.

    Attributes
    ----------
    chip : str
        Name of the chip, as the simulator and esptool spell it.
    machine : str
        What ``sys.implementation._machine`` of the stock MicroPython contains on this chip.
    trigger, lo_plus, lo_minus, ecg, battery, led, tx, rx : int
        GPIO numbers.
    capture : str
        ``"hardware"`` (MCPWM) or ``"software"`` (pin interrupt).
    divider : (int, int)
        What the resistors between amplifier and converter leave of the voltage: over, under.
    ads : Ads1292rPins, optional
        Where an ADS1292R goes instead of the AD8232; not without a capture unit, which times its samples.
    """

    chip: str
    machine: str
    trigger: int
    lo_plus: int
    lo_minus: int
    ecg: int
    battery: int
    led: int
    tx: int
    rx: int
    capture: str = "hardware"
    divider: tuple[int, int] = (1, 1)
    ads: Ads1292rPins | None = None


BOXES = {
    "esp32-ad8232": Box("esp32", "ESP32", 27, 32, 33, 34, 35, 2, 1, 3, ads=Ads1292rPins(18, 23, 19, 22, 26, 21)),
    "esp32s3-ad8232": Box("esp32s3", "ESP32S3", 4, 5, 6, 1, 2, 7, 43, 44, ads=Ads1292rPins(12, 11, 13, 10, 9, 8)),
    "esp32c6-ad8232": Box("esp32c6", "ESP32C6", 18, 19, 20, 2, 1, 21, 16, 17, ads=Ads1292rPins(6, 7, 3, 10, 11, 22)),
    "esp32c3-ad8232": Box("esp32c3", "ESP32C3", 4, 5, 6, 0, 1, 7, 21, 20, "software", (22, 32)),
}


def box_named(board: str) -> Box:
    """Return the box of this board name.

    Raises
    ------
    ScenarioError
        If there is none; the message lists those that exist.
    """
    if board not in BOXES:
        raise ScenarioError(f"no board {board!r}: choose one of {', '.join(BOXES)}")
    return BOXES[board]

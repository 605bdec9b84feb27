"""Which wire ends where, as data: the simulated world at the box's pins, and the jumpers between two real boards.

Pins of each kind of box stand in :mod:`hbc_hil.boxes`; what else the real box is made of, in :mod:`hbc_hil.box_parts`.
"""

from __future__ import annotations

from dataclasses import dataclass

from hbc_hil.boxes import BOXES, box_named
from hbc_hil.world import WIRE_LO_MINUS, WIRE_LO_PLUS, WIRE_TRIGGER

DEFAULT_BOARD = "esp32-ad8232"


def world_to_box(board: str) -> dict[int, int]:
    """Return the GPIO of this board at which each digital wire of the world ends.

    Raises
    ------
    ScenarioError
        If there is no such board.
    """
    box = box_named(board)
    return {WIRE_TRIGGER: box.trigger, WIRE_LO_PLUS: box.lo_plus, WIRE_LO_MINUS: box.lo_minus}


WORLD_TO_BOX = world_to_box(DEFAULT_BOARD)
ECG_TO_BOX_ADC = BOXES[DEFAULT_BOARD].ecg


@dataclass(frozen=True)
class Jumper:
    """One wire from the generator (an ESP32 or ESP32-S2, which have a DAC) to the box.

    Attributes
    ----------
    signal : str
        What it carries.
    from_gpio : int
        Pin of the generator.
    to_pin : str
        Name of the pin in :class:`hbc_hil.boxes.Box`; its number depends on the board under test.
    through : str
        What is soldered in between.
    """

    signal: str
    from_gpio: int
    to_pin: str
    through: str

    def ends(self, board: str = DEFAULT_BOARD) -> tuple[int, int]:
        """Return the GPIO of the generator and the GPIO of this box."""
        return self.from_gpio, int(getattr(box_named(board), self.to_pin))


# Generator: ESP32 DevKit. A resistor in each wire limits what flows if both ends drive (3.3 V / 150 ohm = 22 mA), and
# still pulls the box's trigger pin, with its 1 kohm to 3.3 V, down to 0.43 V (it must be below 0.82 V).
# The DAC's steps (3.3 V / 255 = 13 mV) are smoothed by 1 kohm and 100 nF: 1.6 kHz, 0.1 ms late, the same for each beat.
TRIGGER_JUMPER_OHM = 150
JUMPERS = (
    Jumper("trigger", 18, "trigger", f"{TRIGGER_JUMPER_OHM} Ω in series"),
    Jumper("ECG", 25, "ecg", "1 kΩ in series, then 100 nF to GND at the box"),
    Jumper("lead-off LA (LO+)", 32, "lo_plus", "150 Ω in series"),
    Jumper("lead-off RA (LO-)", 33, "lo_minus", "150 Ω in series"),
)
TRIGGER_OUT_TO_BOX_IN = JUMPERS[0].ends()
ECG_DAC_TO_BOX_ADC = JUMPERS[1].ends()
LO_PLUS_OUT_TO_BOX_IN = JUMPERS[2].ends()
LO_MINUS_OUT_TO_BOX_IN = JUMPERS[3].ends()
# What a check on real boards allows; below these it passes, printed are the measured values always.
EDGE_MARGIN_US = 20  # edge against the sample clock: two crystals, fitted to each other
EDGE_INTERVAL_MARGIN_NS = 1100  # from edge to edge: one tick of the RMT (1 us) and some of the capture
R_PEAK_MARGIN_MS = 2  # root mean square

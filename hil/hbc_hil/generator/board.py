# The pins of a generator board and the two outputs on them. Never run on a real chip yet.
#
# Which chips can serve: ESP32 and ESP32-S2, which have a DAC (GPIO 25, 26 and GPIO 17, 18; ESP-IDF soc/<chip>/include/
# soc/dac_channel.h). ESP32-S3, C3 and C6 have the pulse unit but no DAC: triggers only. All leave the pins of the USB
# bridge to the serial line, as the box does.

import sys

from esp32 import RMT
from machine import UART, Pin

RESOLUTION_HZ = 1000000  # ticks of 1 us
BAUD = 115200
# Word in sys.implementation._machine: (trigger, DAC or -1, LO+, LO-, tx, rx). Longer names first: "ESP32" is in all.
PINS = (
    ("ESP32S2", (4, 17, 5, 6, 43, 44)),
    ("ESP32S3", (4, -1, 5, 6, 43, 44)),
    ("ESP32C3", (4, -1, 5, 6, 21, 20)),
    ("ESP32C6", (18, -1, 19, 20, 16, 17)),
    ("ESP32", (18, 25, 32, 33, 1, 3)),
)


def pins_of(machine):
    """Pins for a chip by the name that MicroPython gives it; raises ValueError for one that cannot serve."""
    for word, pins in PINS:
        if word in machine.replace("-", ""):
            return pins
    raise ValueError("no generator pins for %s: use an ESP32 or an ESP32-S2" % machine)


def _machine():
    """The chip by the name of MicroPython's build, or by a word in board.txt for a build that names none."""
    try:
        with open("board.txt") as file:
            return file.read().strip()
    except OSError:
        return sys.implementation._machine


class Board:
    """Trigger output, ECG output, serial line."""

    def __init__(self):
        self.machine = _machine()
        self.trigger_gpio, self.dac_gpio, lo_plus, lo_minus, tx, rx = pins_of(self.machine)
        self._lo = (Pin(lo_plus, Pin.OUT, value=0), Pin(lo_minus, Pin.OUT, value=0))
        self.uart = UART(1, BAUD, tx=tx, rx=rx, txbuf=4096, rxbuf=1024, timeout=0)
        self._rmt = None
        self._dac = None
        self.set_idle(1)
        if self.dac_gpio >= 0:
            from machine import DAC

            self._dac = DAC(Pin(self.dac_gpio))

    def has_dac(self):
        return self._dac is not None

    def set_idle(self, active_high):
        """The level between two trains."""
        if self._rmt is not None:
            self._rmt.deinit()
        self._rmt = RMT(0, pin=Pin(self.trigger_gpio, Pin.OUT), resolution_hz=RESOLUTION_HZ, idle_level=not active_high)

    def play(self, durations, levels):
        """Begin a list; returns at once. Waits first while another is being played."""
        self._rmt.write_pulses(durations, levels)

    def playing(self):
        return self._rmt.active()

    def stop(self):
        self._rmt.active(False)

    def leads(self, bits):
        """What an AD8232 would say: bit 0 raises LO+ (LA is off), bit 1 LO- (RA is off)."""
        self._lo[0].value(bits & 1)
        self._lo[1].value(bits >> 1 & 1)

    def volts(self, byte):
        self._dac.write(byte)

# machine.DAC of the ESP32 port: 8 bits on one pin, in force when the call has run.

from chip import chip
from vtime import charge, now

WRITE_NS = 9000  # not measured on silicon


class DAC:
    def __init__(self, pin):
        self._pin = pin

    def write(self, value):
        if not 0 <= value <= 255:
            raise ValueError("value out of range")
        charge(WRITE_NS)
        chip.world.dac(now(), value)

# What all boxes with an AD8232 cardiac monitor circuit share, whatever their chip: converter and leads.
#
# A chip's module adds its pins and its way to time the trigger. Never run on a real board yet.

import micropython
from hbc_wire.messages import LEAD_LA_OFF, LEAD_RA_OFF
from machine import ADC, Pin

from hbc_boards.box import BoxBoard


class Pins:
    """Which GPIO does what."""

    def __init__(self, trigger, ecg, battery, lo_plus, lo_minus, led, tx, rx):
        self.trigger = trigger
        self.ecg = ecg
        self.battery = battery
        self.lo_plus = lo_plus
        self.lo_minus = lo_minus
        self.led = led
        self.tx = tx
        self.rx = rx


class Ad8232Board(BoxBoard):
    """A chip's Board adds pins, capture and the constants of the box and of the two below."""

    GAIN = 1100
    # read_lsb() at or beyond these is saturated: the amplifier's rail or the converter's end, whichever comes first.
    RAIL_LOW_LSB = 80  # the amplifier's rails are 0.05 V and 3.25 V
    RAIL_HIGH_LSB = 4000

    def __init__(self, pins, capture):
        BoxBoard.__init__(self, pins.battery, pins.led, pins.tx, pins.rx, capture)
        self._adc = ADC(Pin(pins.ecg), atten=ADC.ATTN_11DB)
        self._lo_plus = Pin(pins.lo_plus, Pin.IN)
        self._lo_minus = Pin(pins.lo_minus, Pin.IN)

    @micropython.native
    def read_lsb(self):
        """One reading of the ECG input, 0..4095; read_u16 repeats the top bits of the 12 below them."""
        return self._adc.read_u16() >> 4

    def leads(self):
        """Bits of Status.leads: with three electrodes LO+ tells of LA, LO- of RA (AD8232, DC mode)."""
        return (LEAD_LA_OFF if self._lo_plus.value() else 0) | (LEAD_RA_OFF if self._lo_minus.value() else 0)

# What all boxes with an AD8232 cardiac monitor circuit share, whatever their chip: converter, leads, LED, battery.
#
# A chip's module adds its pins and its way to time the trigger. Never run on a real board yet.

import os
from time import sleep_us

import machine
import micropython
from hbc_wire.messages import LEAD_LA_OFF, LEAD_RA_OFF
from machine import ADC, WDT, Pin
from micropython import const

from hbc_boards.port import Port

BATTERY_DIVIDER = const(2)  # two equal resistors from the battery to ground, the pin between them
BOOT_FILE = "boot_n.txt"


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


class Ad8232Board:
    """Everything the app may ask of the hardware. A chip's Board adds pins, capture and the constants below."""

    NAME = b""
    CAPTURE = b""
    CAPTURE_TICK_PS = 0
    ADC_LSB_NV = 0
    GAIN = 1100
    HAS_WATCHDOG = True
    # read_lsb() at or beyond these is saturated: the amplifier's rail or the converter's end, whichever comes first.
    RAIL_LOW_LSB = 80  # the amplifier's rails are 0.05 V and 3.25 V
    RAIL_HIGH_LSB = 4000

    def __init__(self, pins, capture):
        self.boot_n = _next_boot_n()
        self.reset_cause = machine.reset_cause() & 0xFF
        self.unique_id = "".join(["%02x" % byte for byte in machine.unique_id()]).encode()
        self.port = Port(pins.tx, pins.rx)
        self.capture = capture
        self._adc = ADC(Pin(pins.ecg), atten=ADC.ATTN_11DB)
        self._battery = ADC(Pin(pins.battery), atten=ADC.ATTN_11DB)
        self._lo_plus = Pin(pins.lo_plus, Pin.IN)
        self._lo_minus = Pin(pins.lo_minus, Pin.IN)
        self._led = Pin(pins.led, Pin.OUT, value=0)
        self._watchdog = None
        self.sleep_us = sleep_us

    @micropython.native
    def read_lsb(self):
        """One reading of the ECG input, 0..4095; read_u16 repeats the top bits of the 12 below them."""
        return self._adc.read_u16() >> 4

    def leads(self):
        """Bits of Status.leads: with three electrodes LO+ tells of LA, LO- of RA (AD8232, DC mode)."""
        return (LEAD_LA_OFF if self._lo_plus.value() else 0) | (LEAD_RA_OFF if self._lo_minus.value() else 0)

    def battery_mv(self):
        """Battery voltage by the chip's own calibration; means nothing when no divider is wired."""
        return self._battery.read_uv() * BATTERY_DIVIDER // 1000

    def set_led(self, on):
        self._led.value(1 if on else 0)

    def start_watchdog(self, timeout_ms=5000):
        """From now on the chip resets itself when feed() does not come in time. It cannot be stopped."""
        self._watchdog = WDT(timeout=timeout_ms)

    def feed(self):
        if self._watchdog:
            self._watchdog.feed()

    def reset(self):
        machine.reset()


def _next_boot_n():
    try:
        with open(BOOT_FILE) as file:
            boot_n = int(file.read()) + 1
    except (OSError, ValueError):
        boot_n = 1
    try:
        with open(BOOT_FILE + ".new", "w") as file:
            file.write(str(boot_n))
        os.rename(BOOT_FILE + ".new", BOOT_FILE)
    except OSError:  # a full or broken file system must not stop the box
        pass
    return boot_n

# What all boxes share, whatever their chip and front end: line, battery, LED, watchdog, boot counter.
#
# A front end adds where the samples come from and what it says of the electrodes. Never run on a real board yet.

import os
from time import sleep_us

import machine
from machine import ADC, WDT, Pin
from micropython import const

from hbc_boards.port import Port

BATTERY_DIVIDER = const(2)  # two equal resistors from the battery to ground, the pin between them
BOOT_FILE = "boot_n.txt"


class BoxBoard:
    """Everything the app may ask of the hardware but samples and electrodes."""

    NAME = b""
    CAPTURE = b""
    CAPTURE_TICK_PS = 0
    ADC_LSB_NV = 0
    GAIN = 0
    HAS_WATCHDOG = True
    FRONT_END = 0  # value of the setting front_end
    converter = None  # one that takes its samples by itself and says when

    def __init__(self, battery_gpio, led_gpio, tx_gpio, rx_gpio, capture):
        self.boot_n = _next_boot_n()
        self.reset_cause = machine.reset_cause() & 0xFF
        self.unique_id = "".join(["%02x" % byte for byte in machine.unique_id()]).encode()
        self.port = Port(tx_gpio, rx_gpio)
        self.capture = capture
        self._battery = ADC(Pin(battery_gpio), atten=ADC.ATTN_11DB)
        self._led = Pin(led_gpio, Pin.OUT, value=0)
        self._watchdog = None
        self.sleep_us = sleep_us

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

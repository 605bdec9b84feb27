# The first box: ESP32 (WROOM), AD8232 cardiac monitor circuit, isolated trigger input.

import os
import sys
from time import sleep_us

import machine
import micropython
from hbc_wire.messages import LEAD_LA_OFF, LEAD_RA_OFF, TEXT_MAX_N
from machine import ADC, Pin
from micropython import const

from hbc_boards.mcpwm_capture import Chip, McpwmCapture
from hbc_boards.port import Port

TRIGGER_GPIO = const(27)
ECG_GPIO = const(34)
LO_PLUS_GPIO = const(32)
LO_MINUS_GPIO = const(33)
TX_GPIO = const(1)
RX_GPIO = const(3)

CHIP = Chip(
    mcpwm_base=0x3FF5E000,
    clock_enable=0x3FF000C0,
    clock_bit=17,
    reset=0x3FF000C4,
    reset_bit=17,
    cap0_signal=109,
    gpio_in_sel=0x3FF44130,
)
BOOT_FILE = "boot_n.txt"
CRASH_FILE = "crash.txt"


class Board:
    """Everything the app may ask of the hardware."""

    NAME = b"esp32-ad8232"
    CAPTURE = b"hardware 12.5 ns (MCPWM)"
    CAPTURE_TICK_PS = 12500
    ADC_LSB_NV = 805861  # 3.3 V / 4095 at 11 dB; each chip differs by some per cent
    GAIN = 1100

    def __init__(self):
        self.boot_n = _next_boot_n()
        self.last_crash = _last_crash()
        self.reset_cause = machine.reset_cause() & 0xFF
        self.unique_id = "".join(["%02x" % byte for byte in machine.unique_id()]).encode()
        self.port = Port(TX_GPIO, RX_GPIO)
        self.capture = McpwmCapture(CHIP, TRIGGER_GPIO)
        self._adc = ADC(Pin(ECG_GPIO), atten=ADC.ATTN_11DB)
        self._lo_plus = Pin(LO_PLUS_GPIO, Pin.IN)
        self._lo_minus = Pin(LO_MINUS_GPIO, Pin.IN)
        self.sleep_us = sleep_us

    @micropython.native
    def read_lsb(self):
        """One reading of the ECG input, 0..4095; read_u16 repeats the top bits of the 12 below them."""
        return self._adc.read_u16() >> 4

    def leads(self):
        """Bits of Status.leads: with three electrodes LO+ tells of LA, LO- of RA (AD8232, DC mode)."""
        return (LEAD_LA_OFF if self._lo_plus.value() else 0) | (LEAD_RA_OFF if self._lo_minus.value() else 0)

    def crashed(self, error):
        """Write the fault down for the next boot's Note, then reboot: the box keeps running without a host."""
        try:
            with open(CRASH_FILE, "w") as file:
                sys.print_exception(error, file)
        finally:  # a full or broken file system must not stop the box
            machine.reset()


def _next_boot_n():
    try:
        with open(BOOT_FILE) as file:
            boot_n = int(file.read()) + 1
    except (OSError, ValueError):
        boot_n = 1
    with open(BOOT_FILE + ".new", "w") as file:
        file.write(str(boot_n))
    os.rename(BOOT_FILE + ".new", BOOT_FILE)
    return boot_n


def _last_crash():
    try:
        with open(CRASH_FILE) as file:
            lines = file.read().strip().split("\n")
        os.remove(CRASH_FILE)
    except OSError:
        return b""
    return ("after a fault: " + lines[-1]).encode()[:TEXT_MAX_N]

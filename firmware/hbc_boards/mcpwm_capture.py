# The MCPWM capture unit of the ESP32 family, driven by its registers: it latches an 80 MHz counter at the edge itself.
#
# MicroPython does not use this unit. Offsets and bits from ESP-IDF soc/<chip>/register/soc/mcpwm_reg.h and gpio_reg.h;
# never run on a real chip yet. Channel 0 takes the leading edge of the trigger pin, channel 1 the other edge of the
# same pin, so that a pulse has a width; channel 2 is latched by software to relate the counter to ticks_us. None ever
# overwrites another. Beside a converter that says when it has sampled, channel 1 takes that instant instead: the fall
# of its DRDY, which a second pulse counter counts.

from array import array

import hbc_mmio
from machine import Counter, Pin
from micropython import const

CAP_TIMER_CFG = const(0xE8)
CAP_CH0_CFG = const(0xF0)
CAP_CH1_CFG = const(0xF4)
CAP_CH2_CFG = const(0xF8)
CAP_CH0 = const(0xFC)
CAP_CH1 = const(0x100)
CAP_CH2 = const(0x104)
CAP_STATUS = const(0x108)
INT_RAW = const(0x114)
INT_CLR = const(0x11C)

TIMER_ENABLE = const(1)
CHANNEL_ENABLE = const(1)
CHANNEL_FALLING = const(2)
CHANNEL_RISING = const(4)
CHANNEL_SOFTWARE = const(1 << 12)
CAP0_INT = const(1 << 27)
CAP1_INT = const(1 << 28)
CAP2_INT = const(1 << 29)
IN_SEL_MATRIX = const(0x80)


class Chip:
    """Where one chip keeps its capture unit."""

    def __init__(
        self,
        mcpwm_base,
        clock_enable,
        clock_bit,
        reset,
        reset_bit,
        function_clock,
        function_clock_value,
        cap0_signal,
        gpio_in_sel,
    ):
        self.mcpwm_base = mcpwm_base
        self.clock_enable = clock_enable
        self.clock_bit = clock_bit
        self.reset = reset
        self.reset_bit = reset_bit
        self.function_clock = function_clock  # 0: the 80 MHz bus clock, there is no choice
        self.function_clock_value = function_clock_value
        self.cap0_signal = cap0_signal  # those of channels 1 and 2 follow
        self.gpio_in_sel = gpio_in_sel


class McpwmCapture:
    """Edges on one pin, latched in hardware at 12.5 ns; a pulse counter on the same pin knows every one."""

    CAN_WIDTH = True
    CAN_DRDY = True
    jitter_ns = 0  # the hardware takes the time: no latency that could vary

    def __init__(self, chip, gpio, rising=True, pull_up=False, drdy_gpio=-1):
        base = chip.mcpwm_base
        self.halves = array("H", [0, 0])
        self._gpio = gpio
        self._ch0_cfg = base + CAP_CH0_CFG
        self._ch1_cfg = base + CAP_CH1_CFG
        self._ch2_cfg = base + CAP_CH2_CFG
        self._ch0 = base + CAP_CH0
        self._ch1 = base + CAP_CH1
        self._ch2 = base + CAP_CH2
        self.latched = hbc_mmio.watcher(base + INT_RAW, CAP0_INT)
        self._int_clr = base + INT_CLR
        self._status = base + CAP_STATUS
        hbc_mmio.set_bits(chip.clock_enable, 1 << chip.clock_bit)
        if chip.function_clock:
            hbc_mmio.write(chip.function_clock, chip.function_clock_value)
        hbc_mmio.set_bits(chip.reset, 1 << chip.reset_bit)
        hbc_mmio.clear_bits(chip.reset, 1 << chip.reset_bit)
        hbc_mmio.write(chip.gpio_in_sel + 4 * chip.cap0_signal, IN_SEL_MATRIX | gpio)
        second = drdy_gpio if drdy_gpio >= 0 else gpio
        hbc_mmio.write(chip.gpio_in_sel + 4 * (chip.cap0_signal + 1), IN_SEL_MATRIX | second)
        hbc_mmio.write(base + CAP_TIMER_CFG, TIMER_ENABLE)
        hbc_mmio.write(self._ch2_cfg, CHANNEL_ENABLE)
        self._trigger_ints = CAP0_INT | CAP1_INT
        if drdy_gpio >= 0:
            self.CAN_WIDTH = False
            self._trigger_ints = CAP0_INT
            self.drdy_latched = hbc_mmio.watcher(base + INT_RAW, CAP1_INT)
            self._drdy_counter = Counter(1, Pin(drdy_gpio, Pin.IN), edge=Counter.FALLING)
            hbc_mmio.write(self._ch1_cfg, CHANNEL_ENABLE | CHANNEL_FALLING)
        self.configure(rising, pull_up)

    def configure(self, rising, pull_up):
        """Choose the leading edge and the pull-up; what was latched is forgotten, count() begins anew. May allocate."""
        edge, other = (CHANNEL_RISING, CHANNEL_FALLING) if rising else (CHANNEL_FALLING, CHANNEL_RISING)
        hbc_mmio.write(self._ch0_cfg, 0)  # off, so that a pin that moves with its pull-up leaves no edge
        if self.CAN_WIDTH:
            hbc_mmio.write(self._ch1_cfg, 0)
        pull = Pin.PULL_UP if pull_up else None  # None takes the pull off; the stubs do not know that
        pin = Pin(self._gpio, Pin.IN, pull)  # type: ignore[arg-type]
        # Without a filter: it would hide pulses from the counter that the capture unit sees.
        self._counter = Counter(0, pin, edge=Counter.RISING if rising else Counter.FALLING)
        hbc_mmio.write(self._ch0_cfg, CHANNEL_ENABLE | edge)
        if self.CAN_WIDTH:
            hbc_mmio.write(self._ch1_cfg, CHANNEL_ENABLE | other)
        hbc_mmio.write(self._int_clr, self._trigger_ints | CAP2_INT)

    def read(self):
        """Latched count of the trigger channel into halves (low, high)."""
        hbc_mmio.read(self._ch0, self.halves)

    def read_fall(self):
        """Count of the pin's last other edge into halves (low, high), whether or not it was cleared."""
        hbc_mmio.read(self._ch1, self.halves)

    def clear(self):
        hbc_mmio.write(self._int_clr, self._trigger_ints)

    def read_drdy(self):
        """Let go of the last fall of DRDY; its count, and that of any that came until now, into halves (low, high)."""
        hbc_mmio.write(self._int_clr, CAP1_INT)
        hbc_mmio.read(self._ch1, self.halves)

    def drdy_count(self):
        """Falls of DRDY that the second pulse counter saw, modulo 2**16."""
        return self._drdy_counter.value() & 0xFFFF

    def level(self):
        """1 for a rising edge, 0 for a falling one."""
        return 0 if hbc_mmio.test(self._status, 1) else 1

    def capture_now(self):
        """Latch the counter by software and leave it in halves."""
        hbc_mmio.set_bits(self._ch2_cfg, CHANNEL_SOFTWARE)
        hbc_mmio.read(self._ch2, self.halves)

    def count(self):
        """Leading edges that the pulse counter saw, modulo 2**16."""
        return self._counter.value() & 0xFFFF

# Trigger edges timed in software, for a chip without a capture unit (ESP32-C3): an interrupt schedules a callback, the
# callback reads ticks_us. Its time is therefore late, by how much is measured, and the box says so.
#
# The same methods as McpwmCapture. A stamp counts as 80 counts a microsecond, modulo 2**32, as the hardware counter
# does: 2**30 us are a whole number of its turns, so the wrap of ticks_us does not show.
#
# Latency. At boot the driver makes edges itself, on a pin it drives (the LED's), and takes the time from the write to
# the stamp: the shortest is taken off every stamp, so that a stamp is late by 0 .. jitter_ns and never early. In
# service a hardware timer with a period that no work of the box shares calls back through the same scheduler; by how
# much two of its stamps in a row lie off that period is the spread of the latency under real load. jitter_ns is the
# worst of the last 10 to 20 s, some 100 to 200 probes: a rarer delay is not in it.
#
# What the chip cannot know: a callback that the scheduler drops. Eight wait at most; when so many came at once that the
# queue must have been full, one more is counted, which audit() then calls lost.

from array import array
from time import sleep_us, ticks_add, ticks_diff, ticks_us

from machine import Pin, Timer
from micropython import const

RING_N = const(16)  # edges that wait for the loop; one a millisecond, while the loop is away for 16 ms
SCHEDULER_N = const(8)  # callbacks that MicroPython's scheduler holds on the ESP32 (MICROPY_SCHEDULER_DEPTH)
AT_ONCE_US = const(4000)  # callbacks this close together had waited: no stimulator is so fast for so long
PROBE_US = const(96432)  # against blocks of 50 ms and samples of 2 ms it drifts through every phase
PROBES_N = const(100)  # of one window, 9.6 s
JITTER_MAX_US = const(500000)
SELF_TEST_N = const(32)
SELF_TEST_WAIT_US = const(2000)


class SoftCapture:
    """Leading edges on one pin, stamped by a scheduled callback into a ring."""

    CAN_WIDTH = False  # a callback does not know which edge it was called for
    CAN_DRDY = False

    def __init__(self, gpio, test_gpio, rising=True, pull_up=False):
        self.halves = array("H", [0, 0])
        self._gpio = gpio
        self._ticks = array("i", [0] * RING_N)
        self._put_n = 0
        self._taken_n = 0
        self._read_n = -1  # number of the edge that was read last, -1 for none
        self._was_read = False
        self._counted = 0
        self._full_at_n = 0
        self._rising = rising
        self._latency_us = 0
        self._spread_us = array("i", [0, 0])  # worst of this window and of the last
        self._probes_n = 0
        self._probe_ticks = -1
        self._on_edge = self._edge  # bound once: a bound method is a heap object
        self._on_probe = self._probe
        self._self_test(test_gpio)
        self.configure(rising, pull_up)
        self._timer = Timer(0)
        self._timer.init(mode=Timer.PERIODIC, period=PROBE_US, tick_hz=1000000, callback=self._on_probe)

    @property
    def jitter_ns(self):
        """Measured spread of the latency: a stamp is late by 0 to this. Clamped: in ns it must stay a small integer."""
        spread_us = self._spread_us
        return min(max(spread_us[0], spread_us[1]) + 1, JITTER_MAX_US) * 1000

    def configure(self, rising, pull_up):
        """Choose the leading edge and the pull-up; edges that wait are forgotten, count() begins anew. May allocate."""
        pull = Pin.PULL_UP if pull_up else None  # None takes the pull off; the stubs do not know that
        pin = Pin(self._gpio, Pin.IN, pull)  # type: ignore[arg-type]
        pin.irq(handler=self._on_edge, trigger=Pin.IRQ_RISING if rising else Pin.IRQ_FALLING)
        self._rising = rising
        self._put_n = self._taken_n = self._counted = self._full_at_n = 0
        self._was_read = False

    def _edge(self, pin):
        ticks = ticks_add(ticks_us(), -self._latency_us)
        n = self._put_n
        at_once = ticks_diff(ticks, self._ticks[(n - SCHEDULER_N + 2) % RING_N])
        if n >= SCHEDULER_N - 2 and 0 <= at_once < AT_ONCE_US and n >= self._full_at_n:
            self._full_at_n = n + SCHEDULER_N  # the queue was full: one more may have been turned away
            self._counted += 1
        self._counted += 1
        if n - self._taken_n < RING_N:  # one that finds no room is counted and not timed: lost
            self._ticks[n % RING_N] = ticks
            self._put_n = n + 1

    def _probe(self, timer):
        ticks = ticks_us()
        if self._probe_ticks >= 0:
            off_us = abs(ticks_diff(ticks, self._probe_ticks) - PROBE_US)
            if off_us > self._spread_us[0]:
                self._spread_us[0] = off_us
        self._probe_ticks = ticks
        self._probes_n += 1
        if self._probes_n == PROBES_N:
            self._probes_n = 0
            self._spread_us[1] = self._spread_us[0]
            self._spread_us[0] = 0

    def _self_test(self, gpio):
        pin = Pin(gpio, Pin.OUT, value=0)
        pin.irq(handler=self._on_edge, trigger=Pin.IRQ_RISING)
        shortest_us = longest_us = -1
        for _ in range(SELF_TEST_N):
            n = self._put_n
            self._taken_n = n
            before = ticks_us()
            pin.value(1)
            while self._put_n == n and ticks_diff(ticks_us(), before) < SELF_TEST_WAIT_US:
                sleep_us(1)
            pin.value(0)
            if self._put_n > n:
                late_us = ticks_diff(self._ticks[n % RING_N], before)
                shortest_us = late_us if shortest_us < 0 or late_us < shortest_us else shortest_us
                longest_us = late_us if late_us > longest_us else longest_us
        pin.irq(handler=None)
        if shortest_us < 0:
            raise RuntimeError("the self-test of the trigger timing saw none of its edges on GPIO %d" % gpio)
        self._latency_us = shortest_us
        self._spread_us[1] = longest_us - shortest_us

    def latched(self):
        return self._put_n != self._taken_n

    def read(self):
        """Count of the oldest edge that waits into halves (low, high); without one, that of the last."""
        n = self._taken_n
        waits = self._put_n != n
        self._read_n = n if waits else -1
        self._was_read = True
        self._split(self._ticks[(n if waits else n - 1) % RING_N])

    def _split(self, ticks):
        low = (ticks & 0xFFFF) * 80
        self.halves[0] = low & 0xFFFF
        self.halves[1] = ((ticks >> 16) * 80 + (low >> 16)) & 0xFFFF

    def read_fall(self):
        self.read()

    def clear(self):
        """Let go of the edge that was read; without a read, of all."""
        if not self._was_read:
            self._taken_n = self._put_n
        elif self._read_n == self._taken_n:
            self._taken_n += 1
        self._was_read = False

    def level(self):
        """1 for a rising edge, 0 for a falling one."""
        return 1 if self._rising else 0

    def capture_now(self):
        """The present as a count, in halves."""
        self._split(ticks_us())

    def count(self):
        """Edges that were called for, and those that the scheduler must have dropped, modulo 2**16."""
        return self._counted & 0xFFFF

# From a latched hardware counter to device time.
#
# The driver (hbc_boards) hands over 32-bit counts as two 16-bit halves. Count and device time run from the same
# crystal, so one anchor relates them for ever; it moves along in whole steps of 2**20 us, which are exactly
# 0x0500_0000 counts of 12.5 ns: no rounding creeps in, and the counter's wrap (53.687 s) never matters.

from time import ticks_diff, ticks_us

from micropython import const

from hbc_fw.devicetime import Instant

COUNTS_PER_US = const(80)
ANCHOR_STEP_US = const(1 << 20)
ANCHOR_STEP_HIGH = const(0x0500)  # 80 * 2**20 >> 16
# An edge counts forward from the anchor, up to 53.687 s. It is polled within milliseconds, so an anchor
# that trails the present by 16 to 18 s leaves room on both sides.
ANCHOR_LAG_US = const(1 << 24)
BRACKET_TRIES = const(64)
BRACKET_TOLD_US = const(50)  # a wider one, as when the flash stalls the processor, says nothing about the anchor
ERROR_MAX_US = const(500000)  # what is shown at most: nanoseconds must stay below 2**30


class CaptureClock:
    """Relates the capture counter to device time."""

    def __init__(self, driver, clock):
        self._driver = driver
        self._clock = clock
        self._low = 0
        self._high = 0
        self._at = Instant()
        self._seen_at = Instant()
        self.bracket_half_ns = 0
        self.anchor_error_ns = 0

    def relate(self):
        """Place the anchor by the narrowest of many software captures between two reads of ticks_us."""
        clock = self._clock
        narrowest = 1 << 20
        for _ in range(BRACKET_TRIES):
            clock.read()
            before = clock.ticks
            self._driver.capture_now()
            width = ticks_diff(ticks_us(), before) + 1  # ticks are floored: the instant lies in [before, after + 1)
            if width < narrowest:
                narrowest = width
                self._low = self._driver.halves[0]
                self._high = self._driver.halves[1]
                self._at.set(clock)
        # The anchor's count belongs to the middle of the bracket: move count, not time, to keep time whole.
        self._shift(-(narrowest * COUNTS_PER_US // 2))
        self.bracket_half_ns = narrowest * 500 + 13

    def check(self):
        """One more bracket: how far its middle lies from what the anchor says, into anchor_error_ns.

        Returns False when both brackets together cannot explain the difference: then a clock has jumped.
        """
        clock = self._clock
        clock.read()
        before = clock.ticks
        self._driver.capture_now()
        width = ticks_diff(ticks_us(), before) + 1
        if width > BRACKET_TOLD_US:
            return True
        sub_tick = self.locate(self._driver.halves[0], self._driver.halves[1], self._seen_at)
        off_us = max(-ERROR_MAX_US, min(clock.since(self._seen_at), ERROR_MAX_US))
        self.anchor_error_ns = off_us * 1000 + width * 500 - sub_tick * 25 // 2
        return abs(self.anchor_error_ns) <= self.bracket_half_ns + width * 500 + 13

    def _shift(self, counts):
        total = self._low + counts
        self._low = total & 0xFFFF
        self._high = (self._high + (total >> 16)) & 0xFFFF

    def advance(self):
        """Let the anchor follow the present; call at least every 30 s."""
        while self._clock.since(self._at) > ANCHOR_LAG_US:
            self._at.add(ANCHOR_STEP_US)
            self._high = (self._high + ANCHOR_STEP_HIGH) & 0xFFFF

    def locate(self, low, high, at):
        """Put the device time of a count into at; return the sub-microsecond part in counts (0..79)."""
        low -= self._low
        high -= self._high
        if low < 0:
            low += 0x10000
            high -= 1
        high &= 0xFFFF
        # (high << 16 | low) // 80 in two digits, since the number itself may pass 2**30
        rest = ((high % COUNTS_PER_US) << 16) + low
        at.set(self._at)
        at.add(((high // COUNTS_PER_US) << 16) + rest // COUNTS_PER_US)
        return rest % COUNTS_PER_US

# Samples of a converter that has a clock of its own and says when it has sampled: its DRDY line falls, and the capture
# unit latches that instant on the counter that also times the trigger. Nothing depends on when this loop looks.
#
# On the wire a block is as ever: the time of its first sample, and for each how far it lies off an even grid of the
# nominal rate. Here the grid begins anew with each block, since the converter's clock may be 2 % off the nominal one;
# within a block that is less than a millisecond. What was not read in time is known from a second pulse counter.

from time import ticks_diff, ticks_us

import micropython
from hbc_wire.messages import RESIDUAL_MISSED
from micropython import const

from hbc_fw.devicetime import Instant
from hbc_fw.sampler import MIDSCALE_LSB, Sampler

LOOK_US = const(50)  # a conversion that should be there by now: look again so soon
SILENT_US = const(20000)  # without one for so long the converter stands still: from then on every sample is missed
BACK = b"ADS1292R answers again"
CATCH_UP_N = const(2600)  # samples missed at one go: after 5 s the watchdog has ended it


class DrdySampler(Sampler):
    """A Sampler whose instants come from the converter.

    capture: read_drdy(), halves, drdy_count(), drdy_latched(). converter: read(), value_lsb, start(), fault. Its values
    are centred already.
    """

    def __init__(self, converter, rail_lsb, capture, capture_clock, clock, rate_hz):
        rails_lsb = (MIDSCALE_LSB - rail_lsb, MIDSCALE_LSB + rail_lsb)
        Sampler.__init__(self, None, rails_lsb, clock, rate_hz)
        self._converter = converter
        self._read = converter.read
        self._capture = capture
        self._capture_clock = capture_clock
        self._latched = capture.drdy_latched
        self._counted = 0
        self._at = Instant()  # of the conversion at hand
        self._last_at = Instant()  # of the last sample, taken or missed
        self.fault = converter.fault
        self._news_at = Instant()
        self.news = [self._news_at, b""]  # a Note

    def start(self):
        """Begin with the next conversion, or without one after a while; what was converted before is forgotten."""
        Sampler.start(self)
        begun = self._clock.ticks
        self._capture.read_drdy()
        # A converter that has just been switched on shows nothing for four periods: that is no loss.
        while not self._latched() and ticks_diff(self._read_clock(), begun) < SILENT_US:
            pass
        self._last_at.set(self._clock)
        self._capture.read_drdy()
        self._counted = self._capture.drdy_count()

    def revive(self):
        """Begin anew with a converter that stands still; True when what is wrong with it has changed, see news."""
        fault = self._converter.start()
        if fault is self.fault:
            return False
        self.fault = fault
        self._news_at.set(self._clock)
        self.news[1] = fault or BACK
        return True

    @micropython.native
    def wait_us(self):
        """Microseconds until it is worth looking; 0 when a conversion waits, or when one is long overdue."""
        now = self._read_clock()
        if self._latched():
            return 0
        left_us = self.period_us - ticks_diff(now, self._last_at.ticks)
        if left_us > LOOK_US:
            return left_us
        return LOOK_US if left_us > -SILENT_US else 0

    @micropython.native
    def take(self):
        """Take the conversion that waits; without one, call the next sample missed."""
        capture = self._capture
        if not self._latched():
            self.silent = True
            self._miss(self.period_us)
            return
        capture.read_drdy()
        low = capture.halves[0]
        high = capture.halves[1]
        count = capture.drdy_count()
        valid = self._read()
        if self._latched():
            return  # one more came meanwhile: these bytes may be of both. The next turn takes the newer, this is missed
        self.silent = False
        at = self._at
        self._capture_clock.locate(low, high, at)
        self._fill_gap((count - self._counted) & 0xFFFF)
        self._counted = count
        late_us = ticks_diff(ticks_us(), at.ticks)
        if late_us > self.late_max_us:
            self.late_max_us = late_us
        self._last_at.set(at)
        value = self._converter.value_lsb
        if not valid:
            self.lost_n += 1
            self._place(self._last_lsb, True)
            return
        if value >= self.rail_high_lsb or value <= self.rail_low_lsb:
            self.saturated_n += 1
        self._last_lsb = value
        self._place(value, False)

    def _fill_gap(self, seen_n):
        """Call those missed that were converted since the last sample, and not read; the newest is at hand."""
        elapsed_us = self._at.since(self._last_at)
        period_us = self.period_us
        # A count that time contradicts: the converter stood still, or began anew. Then time alone tells.
        if abs(elapsed_us - seen_n * period_us) > period_us * (seen_n + 16) >> 5:
            seen_n = (elapsed_us + (period_us >> 1)) // period_us
        if seen_n > 1:
            step_us = elapsed_us // seen_n
            for _ in range(min(seen_n - 1, CATCH_UP_N)):
                self._miss(step_us)

    def _miss(self, step_us):
        self._last_at.add(step_us)
        self.lost_n += 1
        self._place(self._last_lsb, True)

    @micropython.native
    def _place(self, value, missed):
        """Put a sample whose instant is _last_at."""
        if self._fill_n == 0:
            self._next_at.set(self._last_at)
        self._put(value, RESIDUAL_MISSED if missed else self._last_at.since(self._next_at))

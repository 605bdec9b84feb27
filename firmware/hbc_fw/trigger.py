# TMS trigger edges: what the driver has latched becomes numbered edges, and nothing is lost uncounted.
#
# Every leading edge at the pin ends as exactly one of four: a number (TriggerEdge), a runt (narrower than
# min_width_us), held off (within hold_off_us after the last numbered edge), or lost (overrun in the latch, known from
# the pulse counter). Their sum is the pulse counter.

from array import array

from micropython import const

from hbc_fw.capture import COUNTS_PER_US
from hbc_fw.devicetime import Instant

JUDGE_SLACK_US = const(20)  # more than a bracket: clock and counter do not agree better
QUIET_US = const(2000000)
FAR = const((1 << 30) - 1)
FAR_HIGH = const(0x3FFF)


class TriggerInput:
    """Takes latched edges from the driver and accounts for every one.

    With min_width_us an edge waits until its pulse has been seen to end, or to last: the driver latches the other edge
    of the pin, too, one deep as well. An edge whose end nobody saw, but that had time to be wide enough, counts as wide
    enough. Call settle() or audit() before relying on what the log holds up to decide_us ago.
    """

    def __init__(self, driver, capture_clock, clock, edges):
        self._driver = driver
        self._capture_clock = capture_clock
        self._clock = clock
        self._edges = edges
        self._at = Instant()  # of the edge at hand, or of the one that waits for its width
        self._sub_tick = 0
        self._count = array("H", [0, 0])  # and its count
        self._fall = array("H", [0, 0])  # the last fall seen while no edge waited: it belongs to none that will
        self._accepted_at = Instant()
        self._any = False
        self._count_before = 0
        self.waits = False
        self.rising = 1
        self.pull_up = 0
        self.min_width_us = 0
        self.hold_off_us = 0
        self.decide_us = 0  # an edge older than this is decided
        self.lost_n = 0
        self.runts_n = 0
        self.held_off_n = 0
        self.pending = driver.latched
        self._begin()

    def _begin(self):
        # An edge from before the anchor cannot be placed: it would seem to lie one wrap of the counter ahead.
        # Count first, then clear: one that falls in between is counted as lost, not forgotten.
        driver = self._driver
        self._counted = driver.count()
        driver.clear()
        if driver.CAN_WIDTH:
            driver.read_fall()
            self._fall[0] = driver.halves[0]
            self._fall[1] = driver.halves[1]

    def configure(self, rising, pull_up):
        """Choose edge and pull-up. What is latched is taken first; while the input is switched it sees nothing."""
        self.audit()
        if self._driver.latched():
            self.take()
        while self.waits:
            self._decide_now()
        self._driver.configure(rising, pull_up)
        self.rising = rising
        self.pull_up = pull_up
        self._begin()

    def set_min_width(self, us):
        """Pulses shorter than this are runts; 0 takes every edge at once."""
        while self.waits:
            self._decide_now()
        self.min_width_us = us
        self.decide_us = us + JUDGE_SLACK_US if us else 0

    def busy(self):
        """True when an edge of any kind came within the last two seconds."""
        if not self._any:
            return False
        # The newest edge may be younger than the last look at the clock.
        return self._clock.within(self._at, QUIET_US) or self._at.within(self._clock, QUIET_US)

    def take(self):
        """Move what is latched towards the log.

        The latch is one deep. Reading before and after the clear tells whether a newer edge slipped in between:
        one that came before the clear would otherwise vanish with the flag.
        """
        driver = self._driver
        halves = driver.halves
        self._count_before = driver.count()
        driver.read()
        low, high = halves[0], halves[1]
        driver.clear()
        driver.read()
        newer_low, newer_high = halves[0], halves[1]
        self._leading(low, high)
        if newer_low != low or newer_high != high:
            self._leading(newer_low, newer_high)

    def _leading(self, low, high):
        count = self._count
        if self._any and count[0] == low and count[1] == high:
            return  # its flag rose after the clear; it was taken by the second read already
        if self.waits:
            driver = self._driver
            driver.read_fall()
            gap = _counts_between(count[0], count[1], low, high)
            self._judge(driver.halves[0], driver.halves[1], gap)
        self._any = True
        count[0] = low
        count[1] = high
        self._counted = (self._counted + 1) & 0xFFFF
        self._sub_tick = self._capture_clock.locate(low, high, self._at)
        if self.min_width_us:
            self.waits = True
            return
        held = self._accept()
        # Overrun since the edge before: within the hold-off if this one is, for they came earlier; else lost.
        unseen = (self._count_before - self._counted) & 0xFFFF
        if unseen < 0x8000:
            self._counted = self._count_before
            if held:
                self.held_off_n += unseen
            else:
                self.lost_n += unseen

    def decide(self):
        """Judge the edge that waits, if it is old enough; False when it is not."""
        if self._clock.since(self._at) < self.decide_us:
            return False
        self._decide_now()
        return True

    def _decide_now(self):
        driver = self._driver
        driver.read_fall()
        low, high = driver.halves[0], driver.halves[1]
        if driver.latched():  # the fall may be the next pulse's
            self.take()
        else:
            self._judge(low, high, FAR)

    def _judge(self, low, high, gap):
        # (low, high): the latest fall. gap: counts to the next leading edge, before which this pulse had fallen.
        width = gap
        if low != self._fall[0] or high != self._fall[1]:
            fell = _counts_between(self._count[0], self._count[1], low, high)
            if fell < gap:
                width = fell
        self.waits = False
        if width < self.min_width_us * COUNTS_PER_US:
            self.runts_n += 1
        else:
            self._accept()

    def _accept(self):
        if self._edges.put_n and self._at.within(self._accepted_at, self.hold_off_us):
            self.held_off_n += 1
            return True
        self._accepted_at.set(self._at)
        self._edges.put(self._at, self._sub_tick, 0, self._driver.level())
        return False

    def settle(self):
        """Decide what can be decided."""
        while self.waits and self.decide():
            pass

    def audit(self):
        """Compare with the pulse counter on the same pin; what it has more was overrun in the latch."""
        driver = self._driver
        low = high = 0
        if driver.CAN_WIDTH:
            driver.read_fall()
            low, high = driver.halves[0], driver.halves[1]
        counted = driver.count()
        if driver.latched():
            self.take()  # counted after its latch: take it before judging
        else:
            missing = (counted - self._counted) & 0xFFFF
            if missing and missing < 0x8000:
                self.lost_n += missing
                self._counted = counted
            if not self.waits:  # no later edge has this fall; known, it cannot seem new after a wrap of the counter
                self._fall[0] = low
                self._fall[1] = high
        self.settle()


def _counts_between(low, high, later_low, later_high):
    """Counts from one to the other, if that is less than 13.4 s; else FAR."""
    low = later_low - low
    high = later_high - high
    if low < 0:
        low += 0x10000
        high -= 1
    high &= 0xFFFF
    return FAR if high >= FAR_HIGH else (high << 16) + low

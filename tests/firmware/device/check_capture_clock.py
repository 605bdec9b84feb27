# The capture counter against device time, in integers: a simulated crystal, one counter, one ticks_us.
#
# Prints the errors it saw; what they may be is asserted by tests/firmware/test_capture.py, which also runs mutated
# copies of capture.py through here. Times in half nanoseconds, so that 12.5 ns is a whole number.

import sys
import time
from array import array

import kit
from hbc_fw.capture import CaptureClock
from hbc_fw.devicetime import DeviceClock, Instant

TICK_HALF_NS = 25
COUNTER_WRAP_NS = (1 << 32) * 25 // 2
TICKS_WRAP_NS = (1 << 30) * 1000


class Crystal:
    """Simulated time, with a 32-bit counter of 80 MHz and ticks_us; calls take time, and not always the same."""

    def __init__(self, seed, start_ns):
        self.random = kit.Random(seed)
        self.now_ns = start_ns
        self.phase = self.random.below(1 << 40)  # the counter started some other time, not on a whole microsecond
        self.halves = array("H", [0, 0])
        self.slower_ns = 0
        self.later_slower_ns = 0  # what every capture after the first takes longer

    def pass_ns(self, low_ns, high_ns):
        self.now_ns += self.random.between(low_ns, high_ns)

    def ticks_us(self):
        self.pass_ns(200, 900)
        ticks = self.now_ns // 1000 % (1 << 30)
        self.pass_ns(200, 900)
        return ticks

    def count_at(self, t_ns):
        return (2 * t_ns + self.phase) // TICK_HALF_NS % (1 << 32)

    def capture_now(self):
        self.pass_ns(300 + self.slower_ns, 1500 + self.slower_ns)
        self.slower_ns = self.later_slower_ns
        count = self.count_at(self.now_ns)
        self.halves[0] = count & 0xFFFF
        self.halves[1] = count >> 16
        self.pass_ns(300, 1500)


class Bench:
    """A crystal with the box's clocks on it."""

    def __init__(self, seed, start_ns, low=None):
        self.crystal = Crystal(seed, start_ns)
        if low is not None:  # the first capture is the narrowest, and finds the low half near this
            self.crystal.later_slower_ns = 2000
            self.crystal.phase = (low * TICK_HALF_NS - 2 * start_ns) % (TICK_HALF_NS << 48)
        time.source[0] = self.crystal.ticks_us
        self.clock = DeviceClock()
        self.origin_ns = start_ns // TICKS_WRAP_NS * TICKS_WRAP_NS  # epoch 0 of the box
        self.capture = CaptureClock(self.crystal, self.clock)
        self.capture.relate()
        self.at = Instant()

    def error(self, edge_ns):
        """Half nanoseconds by which the box places an edge too late."""
        count = self.crystal.count_at(edge_ns)
        sub_tick = self.capture.locate(count & 0xFFFF, count >> 16, self.at)
        ticks = (self.at.epoch * (1 << 30) + self.at.ticks) * 80 + sub_tick
        assert 0 <= sub_tick < 80
        return ticks * TICK_HALF_NS - 2 * (edge_ns - self.origin_ns)


def hours(seed, edges_n):
    """Edges at random over hours, many of them at the very wraps; the box is looked after now and then."""
    bench = Bench(seed, TICKS_WRAP_NS - 7_000_000_000)
    crystal = bench.crystal
    start_ns = crystal.now_ns
    errors = []
    counter_wraps_n = 0
    for _ in range(edges_n):
        before_ns = crystal.now_ns
        kind = crystal.random.below(4)
        if kind == 0:
            crystal.pass_ns(0, 20_000_000)
        elif kind == 1:
            crystal.pass_ns(0, 29_500_000_000)  # "at least every 30 s"
        else:  # to the next wrap of the counter or of ticks_us, as far as the box may be left alone
            if kind == 2:
                left_ns = COUNTER_WRAP_NS - (2 * crystal.now_ns + crystal.phase) // 2 % COUNTER_WRAP_NS
            else:
                left_ns = TICKS_WRAP_NS - crystal.now_ns % TICKS_WRAP_NS
            if left_ns < 29_000_000_000:
                crystal.now_ns += left_ns + crystal.random.between(0, 40)
        edge_ns = crystal.now_ns - crystal.random.between(0, (50, 3_000_000)[crystal.random.below(2)])
        if edge_ns > start_ns + 100_000_000:
            errors.append(bench.error(edge_ns))
        counter_wraps_n += crystal.count_at(crystal.now_ns) < crystal.count_at(before_ns)
        bench.clock.read()
        bench.capture.advance()
    return bench, errors, (crystal.now_ns - start_ns) // 1_000_000_000, counter_wraps_n


def boots(boots_n):
    """Many boots: at each, one edge tells how far off the relation is; worst share of the bracket that is reported."""
    worst = 0
    widest = 0
    for seed in range(boots_n):
        low = seed % 200 - 150 if seed % 2 else None  # where moving the anchor borrows from the high half
        bench = Bench(1000 + seed, (seed % 40) * 50_000_000_123, low)
        error = abs(bench.error(bench.crystal.now_ns))
        worst = max(worst, error - 2 * bench.capture.bracket_half_ns)
        widest = max(widest, bench.capture.bracket_half_ns)
    return worst, widest


def main(edges_n, boots_n):
    bench, errors, virtual_s, counter_wraps_n = hours(5, edges_n)
    beyond, widest = boots(boots_n)
    kit.done(
        virtual_s=virtual_s,
        counter_wraps_n=counter_wraps_n,
        ticks_wraps_n=bench.clock.epoch,
        edges_n=len(errors),
        error_ns=[min(errors) / 2, max(errors) / 2],
        bracket_half_ns=bench.capture.bracket_half_ns,
        beyond_bracket_ns=beyond / 2,
        widest_half_ns=widest,
    )


main(int(sys.argv[1]), int(sys.argv[2]))

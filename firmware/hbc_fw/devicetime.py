# Device time: 64-bit microseconds since boot as (epoch, ticks), time = epoch * 2**30 + ticks.
#
# No integer here reaches 2**30, so nothing allocates on a 32-bit MicroPython (docs/time.md).

from time import ticks_add, ticks_diff, ticks_us

import micropython


class Instant:
    """A point in device time. Mutable, so that the loop can reuse it without allocating."""

    def __init__(self):
        self.epoch = 0
        self.ticks = 0

    def set(self, other):
        self.epoch = other.epoch
        self.ticks = other.ticks

    def add(self, us):
        """Move by 0 <= us < 2**29."""
        ticks = ticks_add(self.ticks, us)
        if ticks < self.ticks:
            self.epoch += 1
        self.ticks = ticks

    def add_signed(self, us):
        """Move by -2**29 < us < 2**29."""
        if us >= 0:
            self.add(us)
            return
        ticks = ticks_add(self.ticks, us)
        if ticks > self.ticks:
            self.epoch -= 1
        self.ticks = ticks

    @micropython.native
    def since(self, other):
        """Microseconds from other to self; both lie within 2**29 us (9 minutes) of each other."""
        return ticks_diff(self.ticks, other.ticks)

    def within(self, other, us):
        """True when self lies 0 to us - 1 microseconds (us < 2**29) after other, however far apart they are."""
        if self.epoch - other.epoch != (1 if self.ticks < other.ticks else 0):
            return False
        return 0 <= ticks_diff(self.ticks, other.ticks) < us


class DeviceClock(Instant):
    """ticks_us carried through its wrap at 2**30 us (17.9 min); read() must run at least that often."""

    def __init__(self):
        self.epoch = 0
        self.ticks = ticks_us()

    @micropython.native
    def read(self):
        """Take the time; return the ticks, epoch and ticks stay in this object."""
        ticks = ticks_us()
        if ticks < self.ticks:
            self.epoch += 1
        self.ticks = ticks
        return ticks

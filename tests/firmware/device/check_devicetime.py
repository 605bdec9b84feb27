# Device time against plain big integers, through many wraps of ticks_us; every operation runs under heap_lock.

import sys
import time

import kit
from hbc_fw.devicetime import DeviceClock, Instant

WRAP = 1 << 30
HALF = 1 << 29


def value(at):
    return at.epoch * WRAP + at.ticks


def check_clock(steps_n):
    """The clock follows through every wrap when it is read at least once in 17.9 minutes."""
    random = kit.Random(1)
    now = WRAP - 5
    time.ticks[0] = now % WRAP
    clock = DeviceClock()
    offset = now - clock.ticks  # the box knows no epochs from before its boot
    longest = 0
    for k in range(steps_n):
        step = (random.below(3), random.below(100000), random.below(WRAP), WRAP - 1)[random.below(4)]
        longest = max(longest, step)
        now += step
        time.ticks[0] = now % WRAP
        ticks = kit.locked(clock.read)
        assert ticks == now % WRAP, (k, ticks, now)
        assert value(clock) == now - offset, (k, value(clock), now - offset)
        assert 0 <= clock.ticks < WRAP
    return clock.epoch, longest


def check_instant(steps_n):
    """add, add_signed, set and since agree with integers wherever an instant stands."""
    random = kit.Random(2)
    at, other = Instant(), Instant()
    at.epoch = 3
    truth = value(at)
    wraps_n = 0
    for k in range(steps_n):
        before = at.epoch
        kind = random.below(4)
        if kind == 0:
            us = random.below((2, 1000, HALF)[random.below(3)])
            kit.locked(at.add, us)
        elif kind == 1:
            us = random.between(-(HALF - 1), HALF - 1)
            if truth + us < 0:
                us = -us
            kit.locked(at.add_signed, us)
        elif kind == 2:  # exactly on and around the wrap
            us = min(WRAP - at.ticks + random.between(-1, 1), HALF - 1)
            us = max(us, 0)
            kit.locked(at.add_signed, us)
        else:
            us = 0
            kit.locked(other.set, at)
            away = random.between(-(HALF - 1), HALF - 1)
            if truth + away >= 0:
                kit.locked(other.add_signed, away)
                assert kit.locked(other.since, at) == away, (k, away)
                assert kit.locked(at.since, other) == -away, (k, away)
                assert value(other) == truth + away
        truth += us
        assert value(at) == truth, (k, kind, us, value(at), truth)
        assert 0 <= at.ticks < WRAP
        wraps_n += at.epoch != before
    return wraps_n


def main(steps_n):
    epochs_n, longest_us = check_clock(steps_n)
    kit.done(epochs_n=epochs_n, longest_us=longest_us, wraps_n=check_instant(steps_n), steps_n=steps_n)


if __name__ == "__main__":
    main(int(sys.argv[1]))

# What the device-side checks share: random numbers that are the same on every interpreter, locking, and the result.

import json
import sys

from micropython import heap_lock, heap_unlock

IS_32_BIT = sys.maxsize < 1 << 32


class Random:
    """SplitMix64: the same numbers on a 32-bit and a 64-bit interpreter (both have big integers)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        """Uniform in 0..limit-1."""
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return (z ^ (z >> 31)) % limit

    def between(self, low, high):
        """Uniform in low..high, both included."""
        return low + self.below(high - low + 1)


_NOTHING = object()


def locked(function, a=_NOTHING, b=_NOTHING, c=_NOTHING):
    """Call under heap_lock: any allocation raises MemoryError. Returns the result."""
    heap_lock()  # star arguments would themselves allocate
    try:
        if a is _NOTHING:
            return function()
        if b is _NOTHING:
            return function(a)
        if c is _NOTHING:
            return function(a, b)
        return function(a, b, c)
    finally:
        heap_unlock()


def done(**results):
    """The check's last word: one line of JSON."""
    print(json.dumps(results))

# `time` for tests of single pieces: ticks_us is whatever the test puts into `source`, wrapping at 2**30 as on the box.

import sys

_path = sys.path
sys.path = ()
from time import *  # noqa: E402, F403 - the interpreter's own, then overridden

sys.path = _path

PERIOD = 1 << 30
ticks = [0]  # a test that does not put a function into `source` sets this
source = [None]


def ticks_us():
    return source[0]() if source[0] else ticks[0]


if sys.maxsize > 1 << 32:  # a 32-bit interpreter has the box's own, which allocate nothing

    def ticks_diff(a, b):
        return ((a - b + (PERIOD >> 1)) & (PERIOD - 1)) - (PERIOD >> 1)

    def ticks_add(a, b):
        if not -(PERIOD >> 1) < b < PERIOD >> 1:
            raise OverflowError("ticks interval overflow")
        return (a + b) & (PERIOD - 1)

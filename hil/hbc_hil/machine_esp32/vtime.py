# Virtual time in one small array, so that the calls which firmware makes thousands of times a second are single viper
# functions. This file runs on the PC only, where viper integers have 64 bits: a time is two 32-bit words.

from array import array

import micropython
from costs import MMIO, SLEEP_CALL, TICKS_US

NEVER = 1 << 61
# Words of the state: 0-1 now (ns), 2 draw, 3-4 next thing to look at (ns), 5 ticks offset (us), 6 cost scale,
# 7 INT_RAW of the capture unit (the one register that is polled all the time), 8-9 next look at the host's line (ns),
# 10-12 costs of the three functions that are polled (viper cannot read a global as an integer), 13 soft timers
state = array("I", [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, TICKS_US, MMIO, SLEEP_CALL, 0])
INT_RAW_WORD = 7
careful_sleep = [None]  # sleeps from timer to timer
wake = [None]  # function called when `now` has reached the next thing to look at


@micropython.viper
def draw(key: int, index: int) -> int:
    # Uniform 31 bits from (key, index): three rounds of multiply and shift, whatever was drawn before.
    x = (key ^ (index * 0x1E3779B1)) & 0x7FFFFFFF
    x = ((x ^ (x >> 16)) * 0x2C1B3C6D) & 0x7FFFFFFF
    x = ((x ^ (x >> 13)) * 0x297A2D39) & 0x7FFFFFFF
    return x ^ (x >> 15)


@micropython.viper
def now() -> int:
    s = ptr32(state)
    return int(s[0]) | (int(s[1]) << 32)


@micropython.viper
def set_now(ns: int):
    s = ptr32(state)
    s[0] = ns
    s[1] = ns >> 32


@micropython.viper
def set_next(ns: int):
    s = ptr32(state)
    s[3] = ns
    s[4] = ns >> 32


@micropython.viper
def charge(ns: int):
    """Let a call take its time and up to a quarter more; then whatever is due happens.

    The three functions below repeat these lines: a call costs as much as they do, and firmware makes thousands a
    second.
    """
    s = ptr32(state)
    x = (int(s[2]) * 0x41C64E6D + 12345) & 0x7FFFFFFF
    s[2] = x
    ns = ns * int(s[6])
    t = (int(s[0]) | (int(s[1]) << 32)) + ns + ((((x >> 16) & 0xFF) * ns) >> 10)
    s[0] = t
    s[1] = t >> 32
    if t >= (int(s[3]) | (int(s[4]) << 32)):
        wake[0]()


@micropython.viper
def ticks_us() -> int:
    s = ptr32(state)
    x = (int(s[2]) * 0x41C64E6D + 12345) & 0x7FFFFFFF
    s[2] = x
    ns = int(s[10]) * int(s[6])
    t = (int(s[0]) | (int(s[1]) << 32)) + ns + ((((x >> 16) & 0xFF) * ns) >> 10)
    s[0] = t
    s[1] = t >> 32
    if t >= (int(s[3]) | (int(s[4]) << 32)):
        wake[0]()
        t = int(s[0]) | (int(s[1]) << 32)
    return (t // 1000 + int(s[5])) & 0x3FFFFFFF


@micropython.viper
def int_raw(mask: int) -> bool:
    """The capture unit's INT_RAW register, as one access sees it."""
    s = ptr32(state)
    x = (int(s[2]) * 0x41C64E6D + 12345) & 0x7FFFFFFF
    s[2] = x
    ns = int(s[11]) * int(s[6])
    t = (int(s[0]) | (int(s[1]) << 32)) + ns + ((((x >> 16) & 0xFF) * ns) >> 10)
    s[0] = t
    s[1] = t >> 32
    if t >= (int(s[3]) | (int(s[4]) << 32)):
        wake[0]()
    return bool(int(s[7]) & mask)


@micropython.viper
def sleep_us(us: int):
    """Free-running: jump, unless a soft timer may fire on the way."""
    s = ptr32(state)
    if int(s[13]):
        careful_sleep[0](us)
        return
    x = (int(s[2]) * 0x41C64E6D + 12345) & 0x7FFFFFFF
    s[2] = x
    ns = int(s[12]) * int(s[6])
    t = (int(s[0]) | (int(s[1]) << 32)) + ns + ((((x >> 16) & 0xFF) * ns) >> 10) + us * 1000
    s[0] = t
    s[1] = t >> 32
    if t >= (int(s[3]) | (int(s[4]) << 32)):
        wake[0]()


@micropython.viper
def poll_due(ns: int) -> bool:
    """Charge, and tell whether it is time to look at the line from the host."""
    charge(ns)
    s = ptr32(state)
    return bool((int(s[0]) | (int(s[1]) << 32)) >= (int(s[8]) | (int(s[9]) << 32)))


@micropython.viper
def set_poll(ns: int):
    s = ptr32(state)
    s[8] = ns
    s[9] = ns >> 32


@micropython.viper
def skip(ns: int):
    """Jump ahead, as sleeping does when nothing else must happen on the way."""
    s = ptr32(state)
    t = (int(s[0]) | (int(s[1]) << 32)) + ns
    s[0] = t
    s[1] = t >> 32
    if t >= (int(s[3]) | (int(s[4]) << 32)):
        wake[0]()

# Virtual time in one small array, so that the calls which firmware makes thousands of times a second are single viper
# functions. This file runs on the PC only, where viper integers have 64 bits: a time is two 32-bit words.

from array import array

import micropython

NEVER = 1 << 61
# Words of the state: 0-1 now (ns), 2 draw, 3-4 next thing to look at (ns), 5 ticks offset (us), 6 cost scale,
# 7 INT_RAW of the capture unit (the one register that is polled all the time)
state = array("I", [0, 0, 1, 0, 0, 0, 1, 0])
INT_RAW_WORD = 7
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
    """Let a call take its time and up to a quarter more; then whatever is due happens."""
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
def ticks_us(ns: int) -> int:
    charge(ns)
    s = ptr32(state)
    return ((int(s[0]) | (int(s[1]) << 32)) // 1000 + int(s[5])) & 0x3FFFFFFF


@micropython.viper
def int_raw(ns: int, mask: int) -> bool:
    charge(ns)
    s = ptr32(state)
    return bool(int(s[7]) & mask)


@micropython.viper
def skip(ns: int):
    """Jump ahead, as sleeping does when nothing else must happen on the way."""
    s = ptr32(state)
    t = (int(s[0]) | (int(s[1]) << 32)) + ns
    s[0] = t
    s[1] = t >> 32
    if t >= (int(s[3]) | (int(s[4]) << 32)):
        wake[0]()

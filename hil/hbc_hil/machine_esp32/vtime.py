# Virtual time in one small array, so that the calls which firmware makes thousands of times a second are single viper
# functions. This file runs on the PC only, where viper integers have 64 bits: a time is two 32-bit words.

from array import array

import micropython
from costs import MMIO, SLEEP_CALL, TICKS_US

NEVER = 1 << 61
# Words of the state: 0-1 now (ns), 2 draw, 3-4 next thing to look at (ns), 5 ticks offset (us), 6 cost scale,
# 7 INT_RAW of the capture unit (the one register that is polled all the time), 8-9 next look at the host's line (ns),
# 10-12 costs of the three functions that are polled (viper cannot read a global as an integer), 13 soft timers,
# 14 address of INT_RAW, 15-16 start of the world's chunk (ns), 17-18 its last instant (ns), 19 its step (ns / 1024),
# 20 bits of INT_RAW that are watched
state = array("I", [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, TICKS_US, MMIO, SLEEP_CALL, 0, 0, 0, 0, 0, 0, 1, 0])
INT_RAW_WORD = 7
INT_RAW_ADDRESS_WORD = 14
WATCHED_WORD = 20
samples = [b""]  # of the world's chunk
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


slow_test = [None]  # for any other register


@micropython.viper
def test(address: int, mask: int) -> bool:
    """hbc_mmio.test: whether any of these bits is set. Nearly always asked of the capture unit's INT_RAW."""
    s = ptr32(state)
    if address != int(s[14]):
        return bool(slow_test[0](address, mask))
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
def watch() -> bool:
    """test() of INT_RAW for the bits that are watched."""
    s = ptr32(state)
    x = (int(s[2]) * 0x41C64E6D + 12345) & 0x7FFFFFFF
    s[2] = x
    ns = int(s[11]) * int(s[6])
    t = (int(s[0]) | (int(s[1]) << 32)) + ns + ((((x >> 16) & 0xFF) * ns) >> 10)
    s[0] = t
    s[1] = t >> 32
    if t >= (int(s[3]) | (int(s[4]) << 32)):
        wake[0]()
    return bool(int(s[7]) & int(s[20]))


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
def set_chunk(start_ns: int, last_ns: int, step_q10: int):
    s = ptr32(state)
    s[15] = start_ns
    s[16] = start_ns >> 32
    s[17] = last_ns
    s[18] = last_ns >> 32
    s[19] = step_q10


@micropython.viper
def pin_units(t_ns: int) -> int:
    """Voltage at the amplifier's output in units of 62.5 / 16 uV; past the chunk's end its last value.

    Times in 1/1024 ns: a drifting crystal's step is no whole number of nanoseconds.
    """
    s = ptr32(state)
    last_ns = int(s[17]) | (int(s[18]) << 32)
    if t_ns > last_ns:
        t_ns = last_ns
    rel_q10 = (t_ns - (int(s[15]) | (int(s[16]) << 32))) << 10
    step_q10 = int(s[19])
    i = rel_q10 // step_q10
    rest = rel_q10 - i * step_q10
    volts = ptr16(samples[0])
    low = int(volts[i])
    return low * 16 + (int(volts[i + 1]) - low) * rest * 16 // step_q10


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

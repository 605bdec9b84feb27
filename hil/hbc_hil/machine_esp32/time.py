# `time` as the firmware sees it: virtual, charged, and wrapping at 2**30 us like the ESP32 port.

import sys

_path = sys.path
sys.path = ()
from time import *  # noqa: F403 - the interpreter's own, then overridden

sys.path = _path

import costs
import micropython
from chip import chip


def ticks_us():
    chip.charge(costs.TICKS_US)
    return (chip.now + chip.boot_ns) // 1000 & 0x3FFFFFFF


def ticks_ms():
    chip.charge(costs.TICKS_US)
    return (chip.now + chip.boot_ns) // 1000000 & 0x3FFFFFFF


@micropython.viper
def ticks_diff(a: int, b: int) -> int:
    return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000


@micropython.viper
def ticks_add(a: int, b: int) -> int:
    return (a + b) & 0x3FFFFFFF


def sleep_us(us):
    chip.charge(costs.SLEEP_CALL)
    chip.sleep(us * 1000)


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(s):
    sleep_us(int(s * 1000000))


def time_ns():
    return chip.now


def time():
    return chip.now // 1000000000

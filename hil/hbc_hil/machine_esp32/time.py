# `time` as the firmware sees it: virtual, charged, and wrapping at 2**30 us like the ESP32 port.

import sys

_path = sys.path
sys.path = ()
from time import *  # noqa: F403 - the interpreter's own, then overridden

sys.path = _path

import costs
import micropython
import vtime
from chip import chip

ticks_us = vtime.ticks_us


def ticks_ms():
    vtime.charge(costs.TICKS_US)
    return (vtime.now() // 1000 + chip.ticks_from_us) // 1000 & 0x3FFFFFFF


@micropython.viper
def ticks_diff(a: int, b: int) -> int:
    return ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000


@micropython.viper
def ticks_add(a: int, b: int) -> int:
    return (a + b) & 0x3FFFFFFF


def _sleep_us(us):
    vtime.charge(costs.SLEEP_CALL)
    chip.sleep(us * 1000)


vtime.careful_sleep[0] = _sleep_us
sleep_us = _sleep_us if chip.paced else vtime.sleep_us


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(s):
    sleep_us(int(s * 1000000))


def time_ns():
    return vtime.now()


def time():
    return vtime.now() // 1000000000

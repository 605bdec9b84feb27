# The ESP32-C3's software capture with the heap locked, over wraps of ticks_us: counts, order, what is lost and told.
#
# `machine` is a stand-in that calls back at once. Prints what was seen; asserted by tests/firmware/test_soft_capture.py
# on 64-bit and, where an integer of 2**30 would show as an allocation, on 32-bit MicroPython.

import sys
import time

import kit

LATENCY_US = 17  # of the stand-in's callbacks in the self-test
HANDLERS = {}  # gpio -> (handler, trigger)


class Pin:
    IN, OUT, PULL_UP, IRQ_RISING, IRQ_FALLING = range(5)

    def __init__(self, gpio, mode, pull=None, value=0):
        self.gpio = gpio

    def irq(self, handler=None, trigger=0):
        HANDLERS[self.gpio] = (handler, trigger)

    def value(self, level):
        handler, _ = HANDLERS.get(self.gpio, (None, 0))
        if level and handler:
            time.ticks[0] += LATENCY_US
            handler(self)


class Timer:
    PERIODIC = 1

    def __init__(self, unit):
        pass

    def init(self, mode, period, tick_hz, callback):
        Timer.period_us = period * 1000000 // tick_hz
        Timer.callback = callback


class Machine:
    Pin = Pin
    Timer = Timer


sys.modules["machine"] = Machine
time.sleep_us = lambda us: None
from hbc_boards.soft_capture import SoftCapture  # noqa: E402 - machine must stand in first


def main():
    random = kit.Random(3)
    time.ticks[0] = 1000
    capture = SoftCapture(4, 7)
    at_rest_ns = capture.jitter_ns
    handler, trigger = HANDLERS[4]
    wrong_n = wraps_n = edges_n = 0
    now_us = 0

    def edge(us):
        time.ticks[0] = time.ticks_add(us, LATENCY_US)
        handler(None)

    def take():
        capture.read()
        capture.clear()

    # Each edge once, its count that of its microsecond, through many wraps of ticks_us.
    for _ in range(400):
        step_us = random.below(1 << 28) + 1000
        wraps_n += (now_us + step_us) // time.PERIOD
        now_us = (now_us + step_us) & (time.PERIOD - 1)
        kit.locked(edge, now_us)
        edges_n += kit.locked(capture.latched)
        kit.locked(take)
        low, high = capture.halves[0], capture.halves[1]
        count_us = now_us & 0xFFFF
        wrong_n += low != (count_us * 80) & 0xFFFF
        wrong_n += high != ((now_us >> 16) * 80 + (count_us * 80 >> 16)) & 0xFFFF
        wrong_n += kit.locked(capture.latched)
    counted_n = capture.count()

    # A burst while the loop is away: sixteen are held, in order, the rest are counted; the queue was never full.
    for k in range(20):
        kit.locked(edge, now_us + 10_000 + 2000 * k)
    burst_n = (capture.count() - counted_n) & 0xFFFF
    held = []
    while capture.latched():
        take()
        low, high = capture.halves[0], capture.halves[1]
        held.append((low + (high << 16)) // 80 if high < 0x4000 else -1)
    rising = (kit.locked(capture.level), trigger == Pin.IRQ_RISING)

    # Eight at once: the scheduler's queue was full.
    capture.configure(False, True)
    handler, trigger = HANDLERS[4]
    for k in range(8):
        kit.locked(edge, now_us + 100_000 + 30 * k)
    full_n = capture.count()
    kit.locked(capture.clear)  # without a read: all of them
    empty = not capture.latched()

    # The probe: late by up to 800 us, and once by 2 s, which must not become a large integer.
    def probe(us):
        time.ticks[0] = us
        Timer.callback(None)

    at_us = 5000
    for k in range(150):
        at_us += Timer.period_us
        kit.locked(probe, at_us + (800 if k == 40 else random.below(100)))
    probed_ns = capture.jitter_ns
    for _ in range(250):
        at_us += Timer.period_us
        kit.locked(probe, at_us + random.below(100))
    forgotten_ns = capture.jitter_ns
    kit.locked(probe, at_us + Timer.period_us + 2_000_000)
    kit.done(
        at_rest_ns=at_rest_ns, wrong_n=wrong_n, wraps_n=wraps_n, edges_n=edges_n, counted_n=counted_n, burst_n=burst_n,
        held_n=len(held), in_order=held == sorted(held), rising=rising, full_n=full_n, empty=empty,
        falling=(capture.level(), trigger == Pin.IRQ_FALLING), probed_ns=probed_ns, forgotten_ns=forgotten_ns,
        clamped_ns=capture.jitter_ns,
    )  # fmt: skip


main()

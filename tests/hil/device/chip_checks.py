# Runs on the simulated ESP32 instead of the firmware (tests/hil/test_chip.py): what does the chip do?
#
# CHECK names the function; its result goes to result.json, then the chip sleeps until its world ends. Register
# addresses are written out here once more, from ESP-IDF's headers, and not taken from the model or the driver.
# ruff: noqa: F821 - CHECK is put in front of this file

import json
from array import array
from time import sleep_ms, sleep_us, ticks_add, ticks_diff, ticks_ms, ticks_us

import hbc_mmio
from machine import ADC, UART, Counter, Pin, Timer

CLOCK_ENABLE, RESET, MCPWM_BIT = 0x3FF000C0, 0x3FF000C4, 1 << 17
BASE = 0x3FF5E000
TIMER_CFG, CH0_CFG, CH2_CFG = BASE + 0xE8, BASE + 0xF0, BASE + 0xF8
CH0, CH2, STATUS = BASE + 0xFC, BASE + 0x104, BASE + 0x108
INT_RAW, INT_CLR = BASE + 0x114, BASE + 0x11C
IN_SEL = 0x3FF44130 + 4 * 109
TRIGGER = 27
CAP0 = 1 << 27
halves = array("H", [0, 0])


def load(address):
    hbc_mmio.read(address, halves)
    return halves[0] | halves[1] << 16


def sleep_until(us):
    """Virtual microseconds since power-up."""
    left_us = ticks_diff(ticks_add(BOOT, us), ticks_us())
    while left_us > 0:
        sleep_us(left_us)
        left_us = ticks_diff(ticks_add(BOOT, us), ticks_us())


def clock_on():
    hbc_mmio.set_bits(CLOCK_ENABLE, MCPWM_BIT)


def capture_on(channel=4, select=0x80 | TRIGGER):
    clock_on()
    hbc_mmio.write(IN_SEL, select)
    hbc_mmio.write(TIMER_CFG, 1)
    hbc_mmio.write(CH0_CFG, 1 | channel)
    hbc_mmio.write(INT_CLR, CAP0)


def refused(function, *args):
    try:
        function(*args)
    except ValueError as error:
        return str(error)
    return None


def gate():
    """Without clock the unit is deaf and dumb; reset empties it; while reset is held it is, too."""
    hbc_mmio.write(TIMER_CFG, 1)
    dead = load(TIMER_CFG)
    hbc_mmio.write(CH2_CFG, 1 << 12 | 1)
    dead_capture = [load(INT_RAW), load(CH2)]
    clock_on()
    alive_before = load(TIMER_CFG)
    hbc_mmio.write(TIMER_CFG, 1)
    alive = load(TIMER_CFG)
    hbc_mmio.write(CH2_CFG, 1 << 12 | 1)
    raw = load(INT_RAW)
    hbc_mmio.clear_bits(CLOCK_ENABLE, MCPWM_BIT)
    raw_gated = load(INT_RAW)
    test_gated = hbc_mmio.test(INT_RAW, 1 << 29)
    hbc_mmio.write(INT_CLR, 1 << 29)
    clock_on()
    raw_again = load(INT_RAW)
    hbc_mmio.set_bits(RESET, MCPWM_BIT)
    held = [load(TIMER_CFG), load(INT_RAW)]
    hbc_mmio.write(TIMER_CFG, 1)
    hbc_mmio.clear_bits(RESET, MCPWM_BIT)
    return {
        "dead": dead, "dead_capture": dead_capture, "alive_before": alive_before, "alive": alive, "raw": raw,
        "raw_gated": raw_gated, "test_gated": test_gated, "raw_again": raw_again, "held": held,
        "after_reset": [load(TIMER_CFG), load(INT_RAW)],
        "unknown_read": refused(load, 0x3FF5E200), "unknown_write": refused(hbc_mmio.write, 0x3FF00000, 1),
        "prescale": refused(hbc_mmio.write, CH0_CFG, 1 | 1 << 3),
    }  # fmt: skip


def latch():
    """Rising edges at 10, 20, 20.5, 30 ms: one deep, cleared by writing ones, value kept."""
    capture_on()
    before = load(INT_RAW)
    sleep_until(15_000)
    first, raw = load(CH0), load(INT_RAW)
    hbc_mmio.write(INT_CLR, 1 << 28)
    raw_other_bit = load(INT_RAW)
    hbc_mmio.write(INT_CLR, CAP0)
    raw_cleared, kept = load(INT_RAW), load(CH0)
    sleep_until(25_000)
    second = load(CH0)
    hbc_mmio.write(INT_CLR, CAP0)
    sleep_until(35_000)
    return {
        "before": before, "first": first, "raw": raw, "raw_other_bit": raw_other_bit, "raw_cleared": raw_cleared,
        "kept": kept, "second": second, "third": load(CH0), "tested": hbc_mmio.test(INT_RAW, CAP0),
        "status": load(STATUS) & 1,
    }  # fmt: skip


def selection():
    """Which edge of a 5 ms pulse is latched, for each way of choosing it; counts from a common start."""
    seen = []
    ways = (
        (4, 0x80 | TRIGGER), (2, 0x80 | TRIGGER), (6, 0x80 | TRIGGER), (4, 0xC0 | TRIGGER), (2, 0xC0 | TRIGGER),
        (4 | 1 << 11, 0x80 | TRIGGER), (4 | 1 << 11, 0xC0 | TRIGGER), (0, 0x80 | TRIGGER), (4, TRIGGER), (4, 0x80 | 26),
    )  # fmt: skip
    for k in range(len(ways)):
        channel, select = ways[k]
        capture_on(channel, select)
        sleep_until(20_000 * k + 12_500)  # between the edges at 10 and 15 ms
        early = load(INT_RAW) & CAP0 != 0
        hbc_mmio.write(INT_CLR, CAP0)
        sleep_until(20_000 * k + 18_000)
        seen.append([early, load(INT_RAW) & CAP0 != 0, load(STATUS) & 1])
    return {"seen": seen}


def software():
    """The counter by software capture against ticks_us: offset within each bracket, over 60 s and the 32-bit wrap."""
    capture_on()
    rows = []
    for _ in range(300):
        before = ticks_us()
        hbc_mmio.set_bits(CH2_CFG, 1 << 12 | 1)
        count = load(CH2)
        rows.append([ticks_diff(before, BOOT), count, ticks_diff(ticks_us(), BOOT)])
        sleep_ms(200)
    return {"rows": rows, "config": load(CH2_CFG)}


def counters():
    """The pulse counter sees every edge while the processor sleeps, and only those asked for."""
    pin = Pin(TRIGGER, Pin.IN)
    rising, falling = Counter(0, pin, edge=Counter.RISING), Counter(1, pin, edge=Counter.FALLING)
    both = Counter(2, pin, edge=Counter.RISING | Counter.FALLING)
    capture_on()
    sleep_until(900_000)
    return {"rising": rising.value(), "falling": falling.value(), "both": both.value(), "level": pin.value()}


def adc_noise():
    """A steady voltage, read 4000 times; and how long that takes."""
    adc = ADC(Pin(34), atten=ADC.ATTN_11DB)
    start = ticks_us()
    values = [adc.read_u16() for _ in range(4000)]
    return {"u16": values, "read_us": ticks_diff(ticks_us(), start) / 4000, "other_pin": refused(ADC, Pin(36))}


def adc_ramp():
    """A ramp over the whole range in one second, with the instants of the reads."""
    adc = ADC(Pin(34), atten=ADC.ATTN_11DB)
    rows = []
    while ticks_diff(ticks_us(), BOOT) < 950_000:
        before = ticks_us()
        value = adc.read_u16() >> 4
        rows.append([ticks_diff(before, BOOT), ticks_diff(ticks_us(), BOOT), value])
        sleep_us(400)
    return {"rows": rows}


def uart():
    """Writes return at once while there is room, and wait for the line when there is none."""
    port = UART(1, 115200, tx=1, rx=3, txbuf=1024, rxbuf=64, timeout=0)
    block = bytes([n & 0xFF for n in range(512)])
    took_us = []
    for _ in range(8):
        start = ticks_us()
        written_n = port.write(block, 512)
        took_us.append(ticks_diff(ticks_us(), start))
    return {
        "took_us": took_us, "written_n": written_n, "any": port.any(), "read": port.readinto(bytearray(4)),
        "uart0": refused(UART, 0, 115200),
    }  # fmt: skip


def timers():
    """A 1 ms timer whose callback once takes 20 ms: eight wait, the rest are dropped, all are late."""
    calls = []

    def tick(timer):
        calls.append(ticks_diff(ticks_us(), start))
        if len(calls) == 5:
            sleep_us(20_000)

    timer = Timer(0)
    timer.init(period=1, mode=Timer.PERIODIC, callback=tick)
    start = ticks_us()
    sleep_ms(50)
    timer.deinit()
    periodic_n = len(calls)
    once = []
    Timer(1).init(period=5, mode=Timer.ONE_SHOT, callback=lambda t: once.append(ticks_diff(ticks_us(), start)))
    armed = ticks_diff(ticks_us(), start)
    sleep_ms(30)
    return {"calls": calls, "periodic_n": periodic_n, "once": once, "armed": armed, "after_deinit_n": len(calls)}


def irq():
    """Pin callbacks: which edges, how late, and dropped when eight wait."""
    seen = []
    pin = Pin(TRIGGER, Pin.IN)
    pin.irq(lambda p: seen.append([ticks_diff(ticks_us(), BOOT), p.value()]), trigger=Pin.IRQ_RISING)
    sleep_until(30_000)  # single edges at 10 and 20 ms
    single = list(seen)
    port = UART(1, 115200, tx=1, rx=3, txbuf=256)
    busy = []
    pin.irq(lambda p: busy.append(1) or (len(busy) == 1 and port.write(bytes(1100), 1100)), trigger=Pin.IRQ_FALLING)
    sleep_until(400_000)  # 20 pulses of 1 ms each from 100 ms on; the first callback is busy for 60 ms
    return {"single": single, "busy_n": len(busy), "seen_n": len(seen)}  # the second handler has replaced the first


def clock():
    """Time passes with every call, wraps at 2**30, and sleeping lasts as long as asked."""
    start = ticks_us()
    for _ in range(1000):
        ticks_us()
    polled_us = ticks_diff(ticks_us(), start)
    naps = []
    for us in (1, 100, 5000, 100_000):
        before = ticks_us()
        sleep_us(us)
        naps.append(ticks_diff(ticks_us(), before) - us)
    wrapped = []
    for _ in range(30):
        wrapped.append(ticks_us())
        sleep_ms(10)
    return {"polled_us": polled_us, "naps": naps, "ticks": wrapped, "ms": ticks_ms(), "us": ticks_us()}


BOOT = ticks_us()
with open("result.json", "w") as file:
    json.dump(globals()[CHECK](), file)
while True:
    sleep_us(100_000)

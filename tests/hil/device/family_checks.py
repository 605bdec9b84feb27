# Runs on the simulated chips instead of the firmware (tests/hil/test_chip_family.py): what differs from chip to chip.
#
# CHECK names the function; its result goes to result.json, then the chip sleeps until its world ends. table.json holds
# the registers of this chip as tests/support_registers.py has them, and its trigger pin.
# ruff: noqa: F821 - CHECK is put in front of this file

import json
from array import array
from time import sleep_us, ticks_add, ticks_diff, ticks_us

import hbc_mmio
import machine
from machine import ADC, Pin

with open("table.json") as file:
    T = json.load(file)
BASE = T.get("mcpwm_base", 0)
TRIGGER = T["trigger"]
halves = array("H", [0, 0])
CAP0, CAP1 = 1 << 27, 1 << 28


def load(address):
    hbc_mmio.read(address, halves)
    return halves[0] | halves[1] << 16


def sleep_until(us):
    """Virtual microseconds since power-up."""
    left_us = ticks_diff(ticks_add(BOOT, us), ticks_us())
    while left_us > 0:
        sleep_us(left_us)
        left_us = ticks_diff(ticks_add(BOOT, us), ticks_us())


def refused(function, *args):
    try:
        function(*args)
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
    return None


def unit_on(function_clock=None):
    hbc_mmio.set_bits(T["clock_enable"], 1 << T["clock_bit"])
    if T["function_clock"]:
        hbc_mmio.write(T["function_clock"], T["function_clock_value"] if function_clock is None else function_clock)
    hbc_mmio.set_bits(T["reset"], 1 << T["reset_bit"])
    hbc_mmio.clear_bits(T["reset"], 1 << T["reset_bit"])
    for k in range(2):
        hbc_mmio.write(T["gpio_in_sel"] + 4 * (T["cap0_signal"] + k), 0x80 | TRIGGER)
    hbc_mmio.write(BASE + 0xE8, 1)
    hbc_mmio.write(BASE + 0xF0, 1 | 4)
    hbc_mmio.write(BASE + 0xF4, 1 | 2)
    hbc_mmio.write(BASE + 0xF8, 1)
    hbc_mmio.write(BASE + 0x11C, 7 << 27)


def registers():
    """Pulses of 60 us at 10, 20, 30 ms: rising on channel 0, falling on channel 1."""
    unit_on()
    sleep_until(15_000)
    raw = load(BASE + 0x114)
    rise, fall = load(BASE + 0xFC), load(BASE + 0x100)
    status = load(BASE + 0x108)
    hbc_mmio.write(BASE + 0x11C, CAP0)
    raw_fall = load(BASE + 0x114)
    hbc_mmio.write(BASE + 0x11C, CAP1)
    hbc_mmio.write(BASE + 0xF4, 2)  # channel 1 off: it keeps what it had
    sleep_until(25_000)
    return {
        "raw": raw >> 27, "raw_fall": raw_fall >> 27, "status": status & 3,
        "rise": rise, "fall": fall, "second": load(BASE + 0xFC), "stale": load(BASE + 0x100),
        "raw_second": load(BASE + 0x114) >> 27,
        "foreign": [refused(load, address) for address in T["foreign"]],
        "foreign_write": [refused(hbc_mmio.write, address, 1) for address in T["foreign"]],
    }  # fmt: skip


def function_clock():
    """The C6 counts from whatever the function clock says, and not at all without one."""
    seen = []
    for value in (
        1 << 22,
        1 << 20 | 1 << 12,
        1 << 22 | 1 << 20 | 3 << 12,
        1 << 22 | 2 << 20,
        1 << 22 | 1 << 20 | 1 << 12,
    ):
        unit_on(value)
        hbc_mmio.write(BASE + 0xF8, 1 << 12 | 1)
        first = load(BASE + 0x104)
        before = ticks_us()
        sleep_us(5000)
        hbc_mmio.write(BASE + 0xF8, 1 << 12 | 1)
        seen.append([load(BASE + 0x104) - first, ticks_diff(ticks_us(), before), load(BASE + 0x114) >> 29 & 1])
    return {"seen": seen}


def driver():
    """The firmware's own driver: both edges, then the other polarity, then edges while it is switched."""
    from hbc_boards import choose

    capture = choose()().capture
    seen = []
    for rising in (True, False, True):
        capture.configure(rising, not rising)
        start = ticks_us()
        while ticks_diff(ticks_us(), start) < 9_000:
            sleep_us(50)
            if capture.latched():
                sleep_us(200)  # the pulse has ended by then
                capture.read()
                lead = [capture.halves[0], capture.halves[1]]
                ended = hbc_mmio.test(BASE + 0x114, CAP1)
                capture.read_fall()
                seen.append(
                    [rising, lead, ended, [capture.halves[0], capture.halves[1]], capture.level(), capture.count()]
                )
                capture.clear()
                seen[-1] += [capture.latched(), hbc_mmio.test(BASE + 0x114, CAP1)]
    return {"seen": seen, "width": capture.CAN_WIDTH, "jitter_ns": capture.jitter_ns}


def no_unit():
    """The C3 has neither unit: nothing answers, and there is no Counter to import."""
    return {
        "read": refused(load, 0x60014114), "write": refused(hbc_mmio.write, 0x3FF000C0, 1),
        "test": refused(hbc_mmio.test, 0x3FF5E114, 1),
        "counter": hasattr(machine, "Counter"), "freq": machine.freq(),
    }  # fmt: skip


def filters():
    """Pulses of 60 us with runts of 2 us between: a filter of 5 us hides the runts from the pulse counter."""
    pin = Pin(TRIGGER, Pin.IN)
    plain = machine.Counter(1, pin, edge=machine.Counter.RISING)
    filtered = machine.Counter(2, pin, edge=machine.Counter.RISING, filter_ns=5000)
    sleep_until(25_000)
    counts = [plain.value(), filtered.value()]
    again = machine.Counter(1, pin, edge=machine.Counter.FALLING)  # the same unit, from zero
    sleep_until(45_000)
    return {"counts": counts, "same": again is plain, "falling": again.value(), "filtered": filtered.value()}


def pins():
    """Pulls on pins that nothing drives, pins that the chip has not, and the battery."""
    free = T["free"]
    up = Pin(free, Pin.IN, Pin.PULL_UP).value()
    down = Pin(free, Pin.IN, Pin.PULL_DOWN).value()
    led = Pin(T["led"], Pin.OUT, value=0)
    for level in (1, 0, 1):
        led.value(level)
        sleep_us(1000)
    battery = ADC(Pin(T["battery"]), atten=ADC.ATTN_11DB)
    return {
        "up": up, "down": down, "wrong": refused(Pin, T["absent"]), "input_only": refused(Pin, T["ecg"], Pin.OUT),
        "no_adc": refused(ADC, Pin(T["led"])),
        "battery_uv": [battery.read_uv() for _ in range(64)],
    }  # fmt: skip


def pauses():
    """How long two reads of the clock lie apart, at worst and how often."""
    worst_us = many_n = 0
    last = ticks_us()
    while ticks_diff(ticks_us(), BOOT) < 900_000:
        sleep_us(10)
        now = ticks_us()
        apart_us = ticks_diff(now, last)
        last = now
        worst_us = max(worst_us, apart_us)
        many_n += apart_us > 150
    return {"worst_us": worst_us, "many_n": many_n}


BOOT = ticks_us()
result = globals()[CHECK]()
with open("result.json", "w") as file:
    json.dump(result, file)
while True:
    sleep_us(100_000)

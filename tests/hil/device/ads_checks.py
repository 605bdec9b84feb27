# Runs on the simulated chip instead of firmware (tests/hil/test_ads1292r.py): the simulated ADS1292R and its driver.
#
# CHECK names the function; its result goes to result.json, then the chip sleeps until its world ends. ESP32 pins.
# ruff: noqa: F821 - CHECK is put in front of this file

import json
from time import sleep_us, ticks_diff, ticks_us

from hbc_boards import ads1292r, esp32
from hbc_boards.mcpwm_capture import McpwmCapture
from machine import SPI, Counter, Pin

SDATAC, RDATAC, RDATA, START, STOP, RESET = 0x11, 0x10, 0x12, 0x08, 0x0A, 0x06


class Wire:
    """The converter's lines, a byte at a time."""

    def __init__(self, baud=2000000, polarity=0, phase=1, pause_us=10):
        self.cs = Pin(22, Pin.OUT, value=1)
        self.reset = Pin(21, Pin.OUT, value=1)
        self.drdy = Pin(26, Pin.IN)
        self.falls = Counter(1, self.drdy, edge=Counter.FALLING)
        self.spi = SPI(1, baud, polarity=polarity, phase=phase, sck=Pin(18), mosi=Pin(23), miso=Pin(19))
        self.pause_us = pause_us
        sleep_us(40000)

    def send(self, *values):
        """One command with its bytes; what came back meanwhile."""
        self.cs.value(1)
        sleep_us(10)
        self.cs.value(0)
        back = []
        for value in values:
            one = bytearray(1)
            self.spi.write_readinto(bytes([value]), one)
            sleep_us(self.pause_us)
            back.append(one[0])
        sleep_us(10)
        return back

    def read(self, first, n):
        return self.send(0x20 | first, n - 1, *[0] * n)[2:]

    def store(self, first, *values):
        self.send(0x40 | first, len(values) - 1, *values)

    def frame(self):
        data = bytearray(9)
        self.cs.value(1)
        sleep_us(10)
        self.cs.value(0)
        self.spi.readinto(data)
        sleep_us(10)
        return list(data)

    def wait(self):
        """Until DRDY falls anew."""
        n = self.falls.value()
        while self.falls.value() == n:
            sleep_us(10)


def refused(function, *args):
    try:
        function(*args)
    except ValueError as error:
        sleep_us(20)
        return str(error)
    return ""


def registers():
    wire = Wire()
    in_data_mode = wire.read(0, 12)
    wire.store(1, 3)
    wire.send(SDATAC)
    default = wire.read(0, 12)
    wire.store(1, 1, 0xE0, 0x10, 0x81, 0x10, 0x2C, 0x0C)
    wire.store(9, 2, 3)
    written = wire.read(0, 12)
    one = wire.read(5, 1)
    fixed = [
        refused(wire.store, 2, 0x20),
        refused(wire.store, 3, 0),
        refused(wire.store, 1, 8),
        refused(wire.store, 5, 0x70),
    ]
    wire.send(0x00)
    wire.send(RESET)
    sleep_us(100)
    after_reset = wire.read(0, 12)
    wire.send(SDATAC)
    again = wire.read(0, 12)
    return {"in_data_mode": in_data_mode, "default": default, "written": written, "one": one, "fixed": fixed,
            "after_reset": after_reset, "again": again}  # fmt: skip


def timing():
    fast, slow = Wire(pause_us=0), None
    fast.send(SDATAC)
    block = bytes([0x41, 0, 3])
    fast.cs.value(1)
    sleep_us(10)
    fast.cs.value(0)
    fast.spi.write(block)  # 4 us a byte at 2 MHz
    sleep_us(10)
    careful = Wire()
    too_fast = careful.read(1, 1)
    slow = Wire(baud=500000)
    slow.cs.value(1)
    sleep_us(10)
    slow.cs.value(0)
    slow.spi.write(block)  # 16 us a byte
    sleep_us(10)
    slow_enough = careful.read(1, 1)
    wrong = Wire(phase=0).read(0, 1)
    too_soon = [refused(careful.send, RESET), careful.read(0, 1)]  # within the nine cycles after a reset
    early = Wire()
    early.cs.value(1)
    sleep_us(10)
    early.cs.value(0)
    early.spi.write(bytes([SDATAC]))
    lift = refused(early.cs.value, 1)
    return {"too_fast": too_fast, "slow_enough": slow_enough, "wrong": wrong, "too_soon": too_soon, "lift": lift}


def rates():
    """Settling and period of DRDY at each rate, in microseconds, by the capture unit."""
    capture = McpwmCapture(esp32.CHIP, esp32.TRIGGER_GPIO, drdy_gpio=26)
    wire = Wire()
    wire.send(SDATAC)
    seen = []
    for rate in range(4):
        wire.store(1, rate)
        wire.store(2, 0xE0)
        begun = capture.drdy_count()
        capture.capture_now()
        before = capture.halves[0] | capture.halves[1] << 16
        wire.send(START)
        falls = []
        while len(falls) < 12:
            if capture.drdy_latched():
                capture.read_drdy()
                falls.append(capture.halves[0] | capture.halves[1] << 16)
            sleep_us(20)
        counted = (capture.drdy_count() - begun) & 0xFFFF
        wire.send(STOP)
        seen.append([(falls[0] - before) / 80, (falls[11] - falls[0]) / 11 / 80, counted])
        sleep_us(20000)
    still = capture.drdy_latched()
    capture.read_drdy()
    sleep_us(20000)
    return {"seen": seen, "stopped": [still, capture.drdy_latched()]}


def reading():
    wire = Wire()
    wire.send(SDATAC)
    wire.store(1, 2, 0xE0, 0x10, 0x81, 0x05, 0x2C, 0x0C)  # test signal asked for, and off
    wire.send(START)
    wire.wait()
    stopped = wire.frame()  # neither RDATA nor RDATAC: nothing
    by_command = wire.send(RDATA, *[0] * 9)[1:]
    high_after = wire.drdy.value()
    wire.send(RDATAC)
    wire.wait()
    low_before = wire.drdy.value()
    frame = wire.frame()
    raised = wire.drdy.value()
    again = wire.frame()
    wire.send(SDATAC)
    wire.store(2, 0xE3)  # 1 Hz square wave
    levels = []
    for _ in range(60):
        wire.wait()
        data = wire.send(RDATA, *[0] * 9)[1:]
        levels.append(((data[6] ^ 0x80) << 16 | data[7] << 8 | data[8]) - (1 << 23))
        sleep_us(19000)
    wire.send(RDATAC)
    wire.wait()
    wire.cs.value(1)
    sleep_us(10)
    wire.cs.value(0)
    head, tail = bytearray(4), bytearray(5)
    wire.spi.readinto(head)
    sleep_us(2500)  # the next conversion falls in between
    wire.spi.readinto(tail)
    sleep_us(10)
    whole = wire.frame()
    return {"stopped": stopped, "by_command": by_command, "frame": frame, "again": again, "levels": levels,
            "pins": [high_after, low_before, raised], "torn": list(head + tail), "whole": whole}  # fmt: skip


def driver():
    """The driver at each rate: how its samples follow the input, and what it says of the electrodes."""
    wire = Wire()
    seen = []
    for rate_hz in (125, 250, 500, 1000):
        converter = ads1292r.Ads1292r(wire.spi, wire.cs, wire.reset, rate_hz)
        begun = ticks_us()
        counter = Counter(1, wire.drdy, edge=Counter.FALLING)
        values, good_n, leads = [], 0, 0
        n = counter.value()
        while ticks_diff(ticks_us(), begun) < 400000:
            if counter.value() != n:
                n = counter.value()
                good_n += converter.read()
                values.append(converter.value_lsb)
                leads |= converter.leads
            sleep_us(50)
        seen.append([converter.fault.decode(), len(values), good_n, min(values), max(values), leads])
    no_rate = refused(ads1292r.Ads1292r, wire.spi, wire.cs, wire.reset, 2000)
    return {"seen": seen, "no_rate": no_rate}


def corner():
    """At each rate: how long the driver takes to forget a step, to 1/e, in microseconds by its own samples."""
    wire = Wire()
    seen = []
    for rate_hz in (125, 250, 500, 1000):
        converter = ads1292r.Ads1292r(wire.spi, wire.cs, wire.reset, rate_hz)
        top, left_n = 0, 0
        while not left_n or converter.value_lsb > top * 0.36788:
            wire.wait()
            converter.read()
            if converter.value_lsb > top and not left_n:
                top = converter.value_lsb
            elif top > 5000:
                left_n += 1
        seen.append(left_n * 1000000 // rate_hz)
    return {"seen": seen}


def beside_an_edge():
    """A trigger edge and a conversion, both latched: what stays of each when the other is let go of."""
    wire = Wire()
    capture = McpwmCapture(esp32.CHIP, esp32.TRIGGER_GPIO, drdy_gpio=26)
    converter = ads1292r.Ads1292r(wire.spi, wire.cs, wire.reset, 500)
    while not (capture.latched() and capture.drdy_latched()):
        sleep_us(100)
    capture.read()
    before = list(capture.halves)
    capture.read_drdy()
    kept = [capture.latched(), capture.drdy_latched()]
    capture.read()
    same = before == list(capture.halves)
    wire.wait()
    capture.clear()
    return {"fault": converter.fault.decode(), "edge_kept": kept, "edge_same": same,
            "conversion_kept": [capture.latched(), capture.drdy_latched()], "count": capture.count()}  # fmt: skip


class Disturbed:
    """The bus, with bits of some bytes turned over."""

    def __init__(self, spi):
        self.spi = spi
        self.n = 0  # bytes of commands so far
        self.sent = {}  # number of such a byte -> bits
        self.back = {}
        self.frame = bytes(9)  # bits of what is read at one go

    def write_readinto(self, out, into):
        self.n += 1
        self.spi.write_readinto(bytes([out[0] ^ self.sent.get(self.n, 0)]), into)
        into[0] ^= self.back.get(self.n, 0)

    def readinto(self, into):
        self.spi.readinto(into)
        for i in range(9):
            into[i] ^= self.frame[i]


def spoiled_frames():
    """What read() says of frames with these bits turned over, and whether the last good sample stays."""
    wire = Wire()
    bus = Disturbed(wire.spi)
    converter = ads1292r.Ads1292r(bus, wire.cs, wire.reset, 500)
    seen = []
    for spoil in ("", "10", "40", "F0", "000001", "000080", "300000000000FF"):
        bus.frame = bytes(9)
        wire.wait()
        good = converter.read()
        before = converter.value_lsb, converter.leads
        bus.frame = bytes([int(spoil[i : i + 2] or "0", 16) for i in range(0, 18, 2)])
        for _ in range(5):
            wire.wait()
        taken = converter.read()
        seen.append([spoil, good, taken, before == (converter.value_lsb, converter.leads)])
    return {"seen": seen}


def spoiled_start():
    """What start() says when one byte of its own, or of the answer, was spoiled on the way."""
    wire = Wire()
    bus = Disturbed(wire.spi)
    converter = ads1292r.Ads1292r(bus, wire.cs, wire.reset, 500)
    seen = [converter.fault.decode()]

    def started(sent, back):
        bus.n, bus.sent, bus.back = 0, sent, back
        return converter.start().decode()

    # Three commands; WREG and its length, seven registers; the same, two registers; RREG and its length, ID first.
    bits = ((6, 1), (7, 8), (8, 32), (9, 16), (10, 16), (11, 16), (12, 16), (15, 4), (16, 4))
    stored = [started({n: bit}, {}) for n, bit in bits]
    answers = [started({}, {19: bit}) for bit in (0x20, 0x73, 0x8C)]
    return {"first": seen[0], "stored": stored, "answers": answers, "again": started({}, {})}


result = globals()[CHECK]()
with open("result.json", "w") as file:
    json.dump(result, file)
while True:
    sleep_us(100_000)

# Runs on the simulated ESP32 instead of the firmware (tests/hil/test_driver_rules.py): the board's own parts, method by
# method, in a world that the test knows.
# ruff: noqa: F821 - CHECK is put in front of this file

import json
from time import sleep_us, ticks_add, ticks_diff, ticks_us

import hbc_mmio
from hbc_boards import box
from hbc_boards.esp32 import CHIP, RX_GPIO, TRIGGER_GPIO, TX_GPIO, Board
from hbc_boards.mcpwm_capture import McpwmCapture
from hbc_boards.port import Port

INT_RAW = CHIP.mcpwm_base + 0x114
FALL = 1 << 28  # channel 1: the pin's other edge came since the last clear


def sleep_until(us):
    """Virtual microseconds since power-up."""
    left_us = ticks_diff(ticks_add(BOOT, us), ticks_us())
    while left_us > 0:
        sleep_us(left_us)
        left_us = ticks_diff(ticks_add(BOOT, us), ticks_us())


def number(driver):
    return driver.halves[0] | driver.halves[1] << 16


def look(driver):
    """Everything the driver says at this moment."""
    seen = {"latched": driver.latched(), "fall_latched": hbc_mmio.test(INT_RAW, FALL), "count": driver.count()}
    seen["level"] = driver.level()
    driver.read()
    seen["edge"] = number(driver)
    driver.read_fall()
    seen["fall"] = number(driver)
    return seen


def walk():
    """Before any pulse; after one; cleared; after two more that nobody took; then the other polarity."""
    driver = McpwmCapture(CHIP, TRIGGER_GPIO)
    before_us = ticks_diff(ticks_us(), BOOT)
    driver.capture_now()
    seen = {"now": number(driver), "now_us": [before_us, ticks_diff(ticks_us(), BOOT)]}
    driver.capture_now()
    seen["now_again"] = number(driver)
    seen["calm"] = look(driver)
    sleep_until(70_000)
    seen["inside"] = look(driver)
    sleep_until(100_000)
    seen["one"] = look(driver)
    driver.clear()
    seen["cleared"] = look(driver)
    sleep_until(200_000)
    seen["overrun"] = look(driver)
    driver.clear()
    driver.configure(False, False)
    seen["other"] = look(driver)
    sleep_until(300_000)
    seen["falling"] = look(driver)
    return seen


def board():
    """The whole board, built twice as by two boots: electrodes, converter, boot number."""
    boots = [Board().boot_n, 0]
    other = Board()
    boots[1] = other.boot_n
    seen = {"boots": boots, "name": other.NAME.decode(), "leads": [], "lsb": []}
    for ms in (50, 150, 250, 350):
        sleep_until(ms * 1000)
        seen["leads"].append(other.leads())
        seen["lsb"].append([other.read_lsb() for _ in range(16)])
    return seen


class PowerFailureError(Exception):
    """Nothing in the firmware may catch it."""


class DyingFile:
    """The power fails with the first byte of a write."""

    def __init__(self, path, mode="r"):
        self._file = open(path, mode)  # noqa: SIM115 - it is the context itself

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self._file.close()

    def read(self):
        return self._file.read()

    def write(self, text):
        self._file.write(text[:1])
        raise PowerFailureError


def boot_number():
    """Boot 42, whose power fails while its number is written; the next boot; then one whose file holds rubbish."""
    seen = []
    for kept, file in (("41", DyingFile), (None, open), ("4x", open)):
        if kept:
            with open(box.BOOT_FILE, "w") as target:
                target.write(kept)
        box.open = file
        try:
            seen.append(box._next_boot_n())
        except PowerFailureError:
            seen.append("power failed")
    return {"seen": seen}


def line():
    """Frames of 100 bytes whenever there is room for one: how much leaves in 200 ms, and what room is left."""
    port = Port(TX_GPIO, RX_GPIO)
    frame = bytearray(100)
    rooms = [port.room_n()]
    port.write(frame, 100)
    rooms.append(port.room_n())
    written_n = 100
    least_n = 1024
    start = ticks_us()
    while ticks_diff(ticks_us(), start) < 200_000:
        room_n = port.room_n()
        if room_n >= 100:
            port.write(frame, 100)
            written_n += 100
            least_n = min(least_n, port.room_n())
        else:
            sleep_us(500)
    sleep_us(150_000)
    rooms.append(port.room_n())
    return {"rooms": rooms, "written_n": written_n, "least_n": least_n}


BOOT = ticks_us()
with open("result.json", "w") as file:
    json.dump(globals()[CHECK](), file)
while True:
    sleep_us(100_000)

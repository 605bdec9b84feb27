# Runs on the simulated ESP32-C3 instead of the firmware (tests/hil/test_soft_driver_rules.py): what the software
# capture takes off a stamp, and what its ring does when the loop is away.
# ruff: noqa: F821 - CHECK is put in front of this file

import json
from time import sleep_us, ticks_diff, ticks_us

from hbc_boards.esp32c3 import LED_GPIO, TRIGGER_GPIO
from hbc_boards.soft_capture import RING_N, SoftCapture


def away():
    """Sleep while more edges come than the ring holds, then take what is there."""
    driver = SoftCapture(TRIGGER_GPIO, LED_GPIO)
    while ticks_diff(ticks_us(), BOOT) < 400_000:
        sleep_us(500)
    taken_us = []
    while driver.latched():
        driver.read()
        taken_us.append((driver.halves[1] << 16 | driver.halves[0]) // 80)
        driver.clear()
    return {"taken_us": taken_us, "count": driver.count(), "ring_n": RING_N, "jitter_ns": driver.jitter_ns}


BOOT = ticks_us()
with open("result.json", "w") as file:
    json.dump(globals()[CHECK](), file)
while True:
    sleep_us(100_000)

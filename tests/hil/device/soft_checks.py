# Runs on the simulated ESP32-C3 instead of the firmware (tests/hil/test_boards_in_rig.py): the software capture alone.
#
# CHECK names the function; its result goes to result.json, then the chip sleeps until its world ends.
# ruff: noqa: F821 - CHECK is put in front of this file

import json
from time import sleep_us, ticks_diff, ticks_us

from hbc_boards.soft_capture import SoftCapture
from machine import UART

TRIGGER, LED = 4, 7


def drain(capture, edges):
    while capture.latched():
        capture.read()
        low, high = capture.halves[0], capture.halves[1]
        edges.append((high << 16 | low) // 80)
        capture.clear()


def watch(capture, until_us, busy_us):
    """Take edges for a while, busy in pieces of very different lengths in between; their microseconds, unwrapped."""
    edges = []
    k = 0
    start = ticks_us()
    while ticks_diff(ticks_us(), start) < until_us:
        k += 1
        sleep_us(20 + k * k * 37 % busy_us)  # the last 150 us of a sleep serve no callbacks
        drain(capture, edges)
    whole = []
    turns = 0
    for n in range(len(edges)):
        if n and edges[n] < edges[n - 1]:
            turns += 1
        whole.append(edges[n] + turns * (1 << 32) // 80)
    return whole


def jitter():
    capture = SoftCapture(TRIGGER, LED)
    at_rest_us = capture.jitter_ns // 1000
    worst_us = 0
    edges = []
    for _ in range(5):
        edges += watch(capture, 5_000_000, 400)
        worst_us = max(worst_us, capture.jitter_ns // 1000)
    return {"edges_us": edges, "jitter_us": worst_us, "at_rest_us": at_rest_us}


def flood():
    capture = SoftCapture(TRIGGER, LED)
    port = UART(1, 115200, tx=21, rx=20, txbuf=256)
    edges = watch(capture, 480_000, 100)
    port.write(bytes(1100), 1100)  # busy for 60 ms, until the line has taken it
    edges += watch(capture, 150_000, 100)
    return {"taken_n": len(edges), "counted_n": capture.count()}


def calm():
    capture = SoftCapture(TRIGGER, LED)
    return {"taken_n": len(watch(capture, 4_400_000, 100))}


def falling():
    capture = SoftCapture(TRIGGER, LED)
    capture.configure(False, True)
    return {"edges_us": watch(capture, 1_100_000, 100), "level": capture.level()}


with open("result.json", "w") as file:
    json.dump(globals()[CHECK](), file)
while True:
    sleep_us(100_000)

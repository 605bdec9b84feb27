# Shadows firmware/hbc_mmio.py: the same five calls, on the modelled registers. Every access acts and takes time.

import costs
import micropython
from mcpwm import INT_RAW, capture
from vtime import charge, int_raw


@micropython.native
def test(address, mask):
    if address == INT_RAW:  # looked at thousands of times a second
        return int_raw(mask)
    charge(costs.MMIO)
    return capture.load(address) & mask != 0


def read(address, halves):
    charge(costs.MMIO)
    value = capture.load(address)
    halves[0] = value & 0xFFFF
    halves[1] = value >> 16 & 0xFFFF


def write(address, value):
    charge(costs.MMIO)
    capture.store(address, value & 0xFFFFFFFF)


def set_bits(address, mask):
    charge(costs.MMIO)
    capture.store(address, capture.load(address) | mask)


def clear_bits(address, mask):
    charge(costs.MMIO)
    capture.store(address, capture.load(address) & ~mask)

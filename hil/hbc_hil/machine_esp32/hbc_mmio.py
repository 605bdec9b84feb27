# Shadows firmware/hbc_mmio.py: the same five calls, on the modelled registers. Every access acts and takes time.

import costs
from chip import chip
from mcpwm import INT_RAW, capture

_registers = capture.registers


def test(address, mask):
    chip.charge(costs.MMIO)
    if address == INT_RAW:  # looked at thousands of times a second
        return _registers[INT_RAW] & mask != 0
    return capture.load(address) & mask != 0


def read(address, halves):
    chip.charge(costs.MMIO)
    value = capture.load(address)
    halves[0] = value & 0xFFFF
    halves[1] = value >> 16 & 0xFFFF


def write(address, value):
    chip.charge(costs.MMIO)
    capture.store(address, value & 0xFFFFFFFF)


def set_bits(address, mask):
    chip.charge(costs.MMIO)
    capture.store(address, capture.load(address) | mask)


def clear_bits(address, mask):
    chip.charge(costs.MMIO)
    capture.store(address, capture.load(address) & ~mask)

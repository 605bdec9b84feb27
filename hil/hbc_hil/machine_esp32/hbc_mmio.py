# Shadows firmware/hbc_mmio.py: the same six calls, on the modelled registers. Every access acts and takes time.

import costs
from mcpwm import INT_RAW, capture
from vtime import WATCHED_WORD, charge, slow_test, state, test, watch


def _test(address, mask):
    charge(costs.MMIO)
    return capture.load(address) & mask != 0


slow_test[0] = _test


def watcher(address, mask):
    if address != INT_RAW or state[WATCHED_WORD] not in (0, mask):
        return lambda: test(address, mask)
    state[WATCHED_WORD] = mask
    return watch


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

# Register access: the only flashed code that the simulated rig replaces (it shadows this file by path).
#
# Top-level on purpose, so that it can be shadowed. A register's 32 bits are handed over as two 16-bit halves,
# since an integer of 2**30 or more is a heap object on a 32-bit MicroPython. Tested on memory of its own
# (tests/firmware/test_mmio.py); never run on a real ESP32 yet.

import micropython


@micropython.viper
def read(address: int, halves: ptr16):
    """halves[0], halves[1] = low and high 16 bits of the register."""
    register = ptr32(address)
    value = int(register[0])
    halves[0] = value & 0xFFFF
    halves[1] = (value >> 16) & 0xFFFF


@micropython.viper
def test(address: int, mask: int) -> bool:
    """True when any bit of the mask (below 2**30) is set in the register."""
    register = ptr32(address)
    return bool(int(register[0]) & mask)


def watcher(address, mask):
    """A function of no arguments that tests these bits: the latch is polled thousands of times a second."""

    @micropython.native
    def watch():
        return test(address, mask)

    return watch


@micropython.viper
def write(address: int, value: int):
    """Store a whole register."""
    register = ptr32(address)
    register[0] = value


@micropython.viper
def set_bits(address: int, mask: int):
    """Read, set the bits of the mask, write."""
    register = ptr32(address)
    register[0] = int(register[0]) | mask


@micropython.viper
def clear_bits(address: int, mask: int):
    """Read, clear the bits of the mask, write."""
    register = ptr32(address)
    register[0] = int(register[0]) & ~mask

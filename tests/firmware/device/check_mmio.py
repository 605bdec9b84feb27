# The real hbc_mmio, viper and all, on memory of its own: registers in the middle of a bytearray.

from array import array
from struct import unpack_from

import hbc_mmio
import kit
from uctypes import addressof

MEMORY = bytearray(64)
VALUES = (0, 1, 0x80, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFF0000, 0xFFFFFFFF, 0x12345678)


def register(at):
    return unpack_from("<I", MEMORY, at)[0]


def main():
    base = addressof(MEMORY)
    halves = array("H", [7, 7, 7])
    checks_n = 0
    for at in (16, 20, 44):
        for value in VALUES:
            for mask in (1, 1 << 12, 1 << 17, 1 << 27, 1 << 29, 0x3FFFFFFF):
                for i in range(len(MEMORY)):
                    MEMORY[i] = 0xA5
                kit.locked(hbc_mmio.write, base + at, value)
                assert register(at) == value
                kit.locked(hbc_mmio.read, base + at, halves)
                assert list(halves) == [value & 0xFFFF, value >> 16, 7]
                assert kit.locked(hbc_mmio.test, base + at, mask) is (value & mask != 0)
                assert kit.locked(hbc_mmio.watcher(base + at, mask)) is (value & mask != 0)
                kit.locked(hbc_mmio.set_bits, base + at, mask)
                assert register(at) == value | mask
                kit.locked(hbc_mmio.clear_bits, base + at, mask)
                assert register(at) == value & ~mask
                for i in range(len(MEMORY)):
                    assert at <= i < at + 4 or MEMORY[i] == 0xA5, "a neighbour was written"
                checks_n += 1
    kit.done(checks_n=checks_n)


main()

# How much of the heap the firmware's own objects take: the app with everything it built, less the board below it.
#
# On 64-bit a pointer is twice as wide and a block of the heap twice as large as on the box, so this is an upper bound.

import gc

import kit
from hbc_fw.app import App
from hbc_fw.startup import LastBoot


class Anything:
    """A board that costs nothing worth counting: it exists before the first measurement."""

    NAME = b"board"
    CAPTURE = b"capture"
    CAPTURE_TICK_PS = 12500
    ADC_LSB_NV = 805861
    GAIN = 1100
    RAIL_LOW_LSB = 16
    RAIL_HIGH_LSB = 4080
    CAN_WIDTH = True
    CAN_DRDY = True
    FRONT_END = 0
    converter = None
    HAS_WATCHDOG = False
    boot_n = reset_cause = 1
    unique_id = b"24dcc3a1b2c4"
    jitter_ns = 0

    def __init__(self):
        from array import array

        self.halves = array("H", [0, 0])
        self.capture = self.port = self
        self.read_lsb = self.set_led = self.latched = self.count = self.capture_now = self.read_fall = self.nothing
        self.clear = self.any = self.sleep_us = self.nothing

    def nothing(self, *_):
        return 0


def overwrite_stack(depth):
    """The collector takes whatever looks like a pointer for one, in old frames of the stack, too."""
    a = b = c = d = e = f = g = h = depth
    if depth:
        overwrite_stack(depth - 1)
    return a + b + c + d + e + f + g + h


def used():
    overwrite_stack(40)
    gc.collect()
    return gc.mem_alloc()


def main():
    board = Anything()
    last_boot = LastBoot(0, b"")
    before = used()
    app = App(board, last_boot)
    kit.done(objects_bytes=used() - before, held=str(type(app)))


main()

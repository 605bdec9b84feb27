# The whole app under heap_lock, through a wrap of ticks_us, with edges, runts, requests and a full second's reports.
#
# For the 32-bit interpreter, where a large integer would show: there without native code, so tests/firmware/
# test_no_allocation.py strips the decorators and puts plain stand-ins into the place of the viper modules.

import sys
import time
from array import array

import kit
from hbc_fw.app import App
from hbc_fw.startup import LastBoot
from hbc_wire import framing, messages

MASK = (1 << 30) - 1
EDGE_EVERY_US = 30_000
LARGEST = MASK


class Board:
    """Pins, converter, line and capture unit on one counter of microseconds; a call takes some of them."""

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
    HAS_WATCHDOG = True
    boot_n = LARGEST
    reset_cause = 1
    unique_id = b"24dcc3a1b2c4"
    jitter_ns = 0

    def __init__(self):
        self.now = MASK - 2_000_000
        time.source[0] = self.ticks_us
        self.halves = array("H", [0, 0])
        self.rise = self.fall = self.now
        self.edge_at = time.ticks_add(self.now, 1_000_000)
        self.flag = False
        self.edges_n = 65_500
        self.fed_n = self.lit_n = 0
        self.request = b""
        self.request_i = 0
        self.bytes_n = 0
        self.frames = []
        self.capture = self.port = self

    def passes(self, us):
        self.now = time.ticks_add(self.now, us)
        while time.ticks_diff(self.now, self.edge_at) >= 0:
            self.rise = self.edge_at
            self.fall = time.ticks_add(self.edge_at, 200 if self.edges_n % 3 else 20)
            self.flag = True
            self.edges_n += 1
            self.edge_at = time.ticks_add(self.edge_at, EDGE_EVERY_US)

    def ticks_us(self):
        self.passes(3)
        return self.now

    def sleep_us(self, us):
        self.passes(us)

    def read_lsb(self):
        self.passes(40)
        return 2048 + self.now % 500

    def leads(self):
        return 0

    def battery_mv(self):
        return 3900

    def set_led(self, on):
        self.lit_n += 1

    def feed(self):
        self.fed_n += 1

    # --- the capture unit: 80 counts a microsecond, in halves ------------------------------------------------------
    def _split(self, ticks):
        low = (ticks & 0xFFFF) * 80
        self.halves[0] = low & 0xFFFF
        self.halves[1] = ((ticks >> 16) * 80 + (low >> 16)) & 0xFFFF

    def latched(self):
        return self.flag

    def read(self):
        self._split(self.rise)

    def read_fall(self):
        self._split(self.fall)

    def clear(self):
        self.flag = False

    def level(self):
        return 1

    def count(self):
        return self.edges_n & 0xFFFF

    def capture_now(self):
        self._split(self.now)

    # --- the line --------------------------------------------------------------------------------------------------
    def room_n(self):
        return 1024

    def write(self, buf, n):
        self.passes(300)
        self.bytes_n += n

    def any(self):
        return len(self.request) - self.request_i

    def read_into(self, buf):
        if self.request_i == len(self.request):
            return 0
        buf[0] = self.request[self.request_i]
        self.request_i += 1
        return 1


def turn(app):
    """One turn of App.run."""
    if not app.step():
        app.idle()


def main(seconds):
    board = Board()
    app = App(board, LastBoot(0, b""))
    app.trigger.set_min_width(100)
    app.trigger.hold_off_us = 50_000
    app.health.battery_wired = 1
    app.sampler.start()
    app.sampler.samples_n = (1 << 29) - 500
    turns_n = 0
    for second in range(seconds):
        asked = ((messages.ClockPing, ()), (messages.ListSettings, ()), (messages.FetchEvents, (0, 0, 65535)))
        row, values = asked[second % 3]
        board.request = framing.encode(messages.pack(row, 1, LARGEST, *values))
        board.request_i = 0
        reports_n = app.health.reports_n
        while app.health.reports_n == reports_n:
            kit.locked(turn, app)
            turns_n += 1
    kit.done(
        is_32_bit=kit.IS_32_BIT,
        turns_n=turns_n,
        wrapped=app.clock.epoch,
        samples_n=app.sampler.samples_n - (1 << 29) + 500,
        edges_n=app.edges.put_n,
        runts_n=app.trigger.runts_n,
        held_off_n=app.trigger.held_off_n,
        lost_n=app.trigger.lost_n,
        due_n=board.edges_n - 65_500,
        peaks_n=app.peaks.put_n,
        fed_n=board.fed_n,
        lit_n=board.lit_n,
        bytes_n=board.bytes_n,
        samples_lost_n=app.sampler.lost_n,
        commands_bad_n=app.commands.bad_n,
        anchor_error_ns=app.capture_clock.anchor_error_ns,
    )


main(int(sys.argv[1]))

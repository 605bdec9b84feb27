# The 500 Hz sample clock: an even grid in device time, and for every sample how far from the grid it was truly taken.

from time import ticks_diff, ticks_us

import micropython
from hbc_wire.messages import RESIDUAL_MISSED
from micropython import const

from hbc_fw.block import BLOCK_N, Block
from hbc_fw.devicetime import Instant

BLOCKS_N = const(64)  # 3.2 s: what a slow line may hold up, and what the detector may look back on after its learning
MIDSCALE_LSB = const(2048)


class Sampler:
    """Reads the ADC when the grid says so, into a ring of blocks.

    A block lives through three stages, in ring order: filled by take(), detected on by the app once the look-back has
    passed, sent by the outbox. taken_n, detected_n and sent_n count blocks through them.
    """

    def __init__(self, read_lsb, rails_lsb, clock, rate_hz):
        self._read_lsb = read_lsb
        self.rail_low_lsb = rails_lsb[0] - MIDSCALE_LSB  # at or beyond these a sample is saturated
        self.rail_high_lsb = rails_lsb[1] - MIDSCALE_LSB
        self._clock = clock
        self._read_clock = clock.read  # at hand: asked at every turn of the loop
        self.period_us = 1000000 // rate_hz
        self.blocks = [Block() for _ in range(BLOCKS_N)]
        self.taken_n = 0
        self.detected_n = 0
        self.sent_n = 0
        self.samples_n = 0
        self.lost_n = 0
        self.saturated_n = 0
        self.fault = b""  # what a converter with a clock of its own lacks, in words
        self.silent = False  # True while a converter with a clock of its own stands still (hbc_fw.drdy_sampler)
        self.late_max_us = 0  # since the last Status, as is waiting_max_n (blocks)
        self.waiting_max_n = 0
        self._next_at = Instant()
        self._fill_n = 0
        self._last_lsb = 0

    def start(self):
        """Begin the grid now."""
        self._clock.read()
        self._next_at.set(self._clock)

    @micropython.native
    def wait_us(self):
        """Microseconds until the next sample is due; negative when late."""
        return ticks_diff(self._next_at.ticks, self._read_clock())

    @micropython.native
    def take(self):
        """Take the sample that is due. Grid points that passed meanwhile repeat the last value, marked as missed."""
        before = ticks_us()
        value = self._read_lsb() - MIDSCALE_LSB
        after = ticks_us()
        middle = ticks_diff(after, before) >> 1
        late_us = ticks_diff(before, self._next_at.ticks) + middle
        if late_us > self.late_max_us:
            self.late_max_us = late_us
        while late_us >= self.period_us:
            self._put(self._last_lsb, RESIDUAL_MISSED)
            self.lost_n += 1
            late_us -= self.period_us
        if value >= self.rail_high_lsb or value <= self.rail_low_lsb:
            self.saturated_n += 1
        self._last_lsb = value
        self._put(value, late_us)

    @micropython.native
    def _put(self, value, residual_us):
        block = self.blocks[self.taken_n % BLOCKS_N]
        i = self._fill_n
        if i == 0:
            if self.taken_n - self.sent_n >= BLOCKS_N:  # every block still waits for the line: count, do not overwrite
                if residual_us != RESIDUAL_MISSED:
                    self.lost_n += 1
                self.samples_n += 1
                self._next_at.add(self.period_us)
                return
            block.first_idx = self.samples_n
            block.first_at.set(self._next_at)
        block.ecg_lsb[i] = value
        block.residual_us[i] = residual_us
        self.samples_n += 1
        self._next_at.add(self.period_us)
        self._fill_n = i + 1
        if i + 1 == BLOCK_N:
            self._fill_n = 0
            self.taken_n += 1
            if self.taken_n - self.sent_n > self.waiting_max_n:
                self.waiting_max_n = self.taken_n - self.sent_n

    @micropython.native
    def block_to_detect(self, lookback_us):
        """The next block whose look-back has passed, so that a late edge can still blank it; or None."""
        if self.detected_n == self.taken_n:
            return None
        block = self.blocks[self.detected_n % BLOCKS_N]
        end_us = BLOCK_N * self.period_us + lookback_us
        return block if ticks_diff(self._clock.ticks, block.first_at.ticks) >= end_us else None

    def instant_of(self, idx, frac_q8, at):
        """Put the true instant of sample idx + frac_q8 / 256 into at; False when its block is no longer held."""
        n = self.detected_n
        for k in range(n, max(n - BLOCKS_N, -1), -1):
            block = self.blocks[k % BLOCKS_N]
            i = idx - block.first_idx
            if 0 <= i < BLOCK_N:
                late_us = block.residual_us[i]
                at.set(block.first_at)
                at.add_signed(
                    i * self.period_us
                    + (frac_q8 * self.period_us >> 8)
                    + (0 if late_us == RESIDUAL_MISSED else late_us)
                )
                return True
        return False

    def block_to_send(self):
        """The next block that went through the detector, or None."""
        return self.blocks[self.sent_n % BLOCKS_N] if self.sent_n < self.detected_n else None

# The sampler against a plain model of its grid, and its ring when the line takes nothing.
#
# The loop around it is tried on the simulated chip (tests/hil); here the rails and the ring's end are met on purpose.

import time

import kit
from hbc_fw.block import BLOCK_N
from hbc_fw.devicetime import DeviceClock, Instant
from hbc_fw.sampler import BLOCKS_N, Sampler
from hbc_wire import messages

WRAP = 1 << 30
PERIOD_US = 2000
RAILS_LSB = (16, 4080)


def value(at):
    return at.epoch * WRAP + at.ticks


class Adc:
    """Reads take 37 us (odd: a half must be rounded down), values step through both rails."""

    READ_US = 37

    def __init__(self):
        self.read_n = 0
        self.now = 0

    def ticks(self):
        return self.now % WRAP

    def lsb(self):
        return (self.read_n * 37) % 4096

    def read_lsb(self):
        raw = self.lsb()
        self.read_n += 1
        self.now += self.READ_US
        return raw


def check_sampler(samples_n):
    """Grid, residuals, missed points, both rails, and a line that takes nothing for longer than the ring holds."""
    random = kit.Random(12)
    adc = Adc()
    adc.now = WRAP - 1000000  # the grid crosses the wrap
    start = adc.now
    time.source[0] = adc.ticks
    clock = DeviceClock()
    offset = adc.now - value(clock)
    sampler = Sampler(adc.read_lsb, RAILS_LSB, clock, 500)
    sampler.start()
    grid = []  # (value, residual) of every grid point
    saturated_n = missed_n = 0
    while len(grid) < samples_n:
        adc.now = max(adc.now, start + len(grid) * PERIOD_US) + random.below(60)
        if random.below(40) == 0:
            adc.now += random.below(5 * PERIOD_US)  # a stall
        assert sampler.wait_us() == start + len(grid) * PERIOD_US - adc.now
        late_us = adc.now + Adc.READ_US // 2 - (start + len(grid) * PERIOD_US)
        raw = adc.lsb()
        saturated_n += raw >= RAILS_LSB[1] or raw <= RAILS_LSB[0]
        sampler.take()
        while late_us >= PERIOD_US:
            grid.append((grid[-1][0] if grid else 0, messages.RESIDUAL_MISSED))
            missed_n += 1
            late_us -= PERIOD_US
        grid.append((raw - 2048, late_us))
        block = sampler.block_to_detect(4000)
        if block is not None:
            sampler.detected_n += 1
            idx = block.first_idx
            assert idx % BLOCK_N == 0
            assert value(block.first_at) + offset == start + idx * PERIOD_US
            assert [(block.ecg_lsb[i], block.residual_us[i]) for i in range(BLOCK_N)] == grid[idx : idx + BLOCK_N], idx
            assert adc.now >= start + (idx + BLOCK_N) * PERIOD_US + 4000 - PERIOD_US, "look-back not waited for"
            _check_instant(sampler, block, grid, start - offset, random)
            while sampler.sent_n < sampler.detected_n:
                assert sampler.block_to_send() is not None
                sampler.sent_n += 1
    assert sampler.samples_n == len(grid)
    assert (sampler.lost_n, sampler.saturated_n) == (missed_n, saturated_n)
    dropped_n = _check_full_ring(sampler, adc)
    time.source[0] = None
    return {"missed_n": missed_n, "saturated_n": saturated_n, "dropped_n": dropped_n}


def _check_instant(sampler, block, grid, origin, random):
    k = random.below(BLOCK_N)
    at = Instant()
    idx = block.first_idx + k
    residual = grid[idx][1]
    expected = origin + idx * PERIOD_US + (0 if residual == messages.RESIDUAL_MISSED else residual)
    assert sampler.instant_of(idx, 128, at), idx
    assert value(at) == expected + PERIOD_US // 2, (value(at), expected)


def _check_full_ring(sampler, adc):
    """Nobody sends: exactly BLOCKS_N blocks are kept, the rest is counted, and the kept ones stay as they were."""
    lost_n = sampler.lost_n
    due = adc.now - sampler.wait_us() * -1
    while sampler._fill_n:  # to the next edge of a block
        adc.now = due
        sampler.take()
        due += PERIOD_US
    first_n = sampler.taken_n
    waiting = first_n - sampler.sent_n
    for _ in range((BLOCKS_N + 3) * BLOCK_N):
        adc.now = due
        sampler.take()
        due += PERIOD_US
    assert sampler.taken_n - sampler.sent_n == BLOCKS_N, sampler.taken_n - sampler.sent_n
    oldest = sampler.blocks[sampler.sent_n % BLOCKS_N]
    newest = sampler.blocks[(sampler.taken_n - 1) % BLOCKS_N]
    assert newest.first_idx - oldest.first_idx == (BLOCKS_N - 1) * BLOCK_N
    assert sampler.lost_n - lost_n == (3 + waiting) * BLOCK_N
    return sampler.lost_n - lost_n


if __name__ == "__main__":
    kit.done(**check_sampler(6000))

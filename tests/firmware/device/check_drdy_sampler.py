# The sampler of a converter with a clock of its own, under heap_lock: every conversion is in a block at its instant, or
# marked as missed and counted; through stalls of the loop, a conversion that falls into a read, frames that are none, a
# converter that stands still, a wrap of ticks_us and, within a long stall, of the pulse counter. Argument: conversions.

import sys
import time
from array import array

import kit
from hbc_fw.block import BLOCK_N
from hbc_fw.devicetime import DeviceClock
from hbc_fw.drdy_sampler import DrdySampler
from hbc_wire.messages import RESIDUAL_MISSED

WRAP = 1 << 30
PERIOD_US = 1991  # a clock 0.45 % fast
NOMINAL_US = 2000
WRAP_AT_US = 1500000
LONG_STALL_N = 300  # conversions: a clock 0.45 % fast is a whole one ahead of the nominal period
SHORT_STILL_N = 6  # periods: too short to be called silent
RAIL_LSB = 32000
TORN = -12345  # bytes of two conversions
OFFSET_US = WRAP - WRAP_AT_US  # ticks_us at the bench's time 0; under the lock no number may reach 2**30


class Bench:
    """Converter, capture unit and its clock: instants in microseconds since an origin that no one else knows."""

    def __init__(self):
        self.now = 0
        self.due = self.now + 700
        self.fallen_at = 0
        self.flag = False
        self.counter = 65000
        self.code = self.latched_code = 0
        self.value_lsb = 0
        self.fault = b""
        self.halves = array("H", [0, 0])
        self.read_us = 90
        self.bad = False
        self.still = False
        self.capture_drdy_n = 0
        self.instants = array("i", [0] * 20000)  # of each conversion
        self.railed = False
        self.railed_n = 0  # good samples at a rail

    def pass_us(self, us):
        self.now += us
        while self.due <= self.now:
            if not self.still:
                self.fallen_at = self.due
                self.flag = True
                self.counter += 1
                self.code += 1
                self.instants[self.code] = self.due
            self.due += PERIOD_US

    def ticks(self):
        self.pass_us(2)
        return time.ticks_add(OFFSET_US, self.now)

    # the capture unit: a count of microseconds is enough here
    def drdy_latched(self):
        return self.flag

    def read_drdy(self):
        self.flag = False
        self.halves[0] = self.fallen_at & 0xFFFF
        self.halves[1] = (self.fallen_at >> 16) & 0xFFFF

    def drdy_count(self):
        return self.counter & 0xFFFF

    def locate(self, low, high, at):
        us = high << 16 | low
        at.epoch = 1 if us >= WRAP_AT_US else 0
        at.ticks = time.ticks_add(OFFSET_US, us)
        return 0

    # the converter
    def read(self):
        code = self.code
        self.pass_us(self.read_us)
        torn = self.code != code
        if self.bad:
            return False
        self.value_lsb = TORN if torn else code % 30000
        if self.railed and not torn:
            self.value_lsb = RAIL_LSB if code & 1 else -RAIL_LSB
            self.railed_n += 1
        return True

    def start(self):
        self.fault = b"" if not self.still else b"mute"
        return self.fault


def main(conversions_n):
    bench = Bench()
    time.source[0] = bench.ticks
    random = kit.Random(5)
    clock = DeviceClock()
    sampler = DrdySampler(bench, RAIL_LSB, bench, bench, clock, 500)
    sampler.start()
    first_code = bench.code
    taken = []  # (code, instant) as the blocks have them
    missed_n = stalls_n = silent_n = railed_n = 0
    news = []
    long_stall_at = 65536 - LONG_STALL_N // 2
    until = first_code + conversions_n
    stand_still_at = first_code + conversions_n // 2
    short_still_at = first_code + conversions_n * 3 // 4
    while bench.code < until:
        if random.below(60) == 0:
            bench.pass_us(random.below(9 * PERIOD_US))  # the loop was elsewhere
            stalls_n += 1
        if long_stall_at and bench.counter >= long_stall_at:
            long_stall_at = 0
            bench.pass_us(LONG_STALL_N * PERIOD_US)
        if short_still_at and bench.code > short_still_at:
            short_still_at = 0
            bench.still = True
            bench.pass_us(SHORT_STILL_N * PERIOD_US)
            bench.still = False
        bench.railed = random.below(50) == 0
        bench.read_us = 2500 if random.below(90) == 0 else 90  # longer than a period: the next falls into it
        bench.bad = random.below(200) == 0
        if stand_still_at and bench.code > stand_still_at:
            stand_still_at = 0
            bench.still = True
            for _ in range(400):
                bench.pass_us(500)
                if kit.locked(sampler.wait_us) <= 0:
                    kit.locked(sampler.take)
            silent_n = sampler.silent
            for still in (True, False):
                bench.still = still
                if kit.locked(sampler.revive):
                    news.append(sampler.news[1].decode())
        wait_us = kit.locked(sampler.wait_us)
        if wait_us > 0:
            bench.pass_us(min(wait_us, 500))
        else:
            kit.locked(sampler.take)
        while sampler.sent_n < sampler.taken_n:
            block = sampler.blocks[sampler.sent_n % len(sampler.blocks)]
            first = block.first_at.epoch * WRAP + block.first_at.ticks
            for i in range(BLOCK_N):
                late = block.residual_us[i]
                if late == RESIDUAL_MISSED:
                    missed_n += 1
                elif abs(block.ecg_lsb[i]) == RAIL_LSB:
                    railed_n += 1
                else:
                    taken.append((block.ecg_lsb[i], first + i * NOMINAL_US + late, block.first_idx + i))
            sampler.detected_n += 1
            sampler.sent_n += 1
    wrong_n = 0
    for code, at, _ in taken:
        if at != OFFSET_US + bench.instants[code]:
            wrong_n += 1
    # While it stood still nothing was converted: places go on with time there, elsewhere they are conversions.
    apart = [place - code for code, _, place in taken]
    kit.done(
        is_32_bit=kit.IS_32_BIT, taken_n=len(taken), missed_n=missed_n, lost_n=sampler.lost_n, stalls_n=stalls_n,
        wrong_n=wrong_n, silent=bool(silent_n), news=news, wrapped=clock.epoch, counter=bench.counter,
        railed_n=railed_n, railed=[bench.railed_n, sampler.saturated_n],
        apart=[min(apart) - apart[0], max(apart) - apart[0]], waiting_n=sampler._fill_n,
    )  # fmt: skip


main(int(sys.argv[1]))

# The sampler of a converter with a clock of its own, under heap_lock: every conversion is in a block at its instant, or
# marked as missed and counted; through stalls of the loop, a conversion that falls into a read, frames that are none, a
# converter that stands still, and a wrap of ticks_us. Argument: conversions.

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
        if self.bad:
            return False
        self.value_lsb = code % 30000
        return True

    def start(self):
        self.fault = b"" if not self.still else b"mute"
        return self.fault


def main(conversions_n):
    bench = Bench()
    time.source[0] = bench.ticks
    random = kit.Random(5)
    clock = DeviceClock()
    sampler = DrdySampler(bench, 32000, bench, bench, clock, 500)
    sampler.start()
    first_code = bench.code
    taken = []  # (code, instant) as the blocks have them
    missed_n = stalls_n = silent_n = news_n = 0
    until = first_code + conversions_n
    stand_still_at = first_code + conversions_n // 2
    while bench.code < until:
        if random.below(60) == 0:
            bench.pass_us(random.below(9 * PERIOD_US))  # the loop was elsewhere
            stalls_n += 1
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
            news_n += kit.locked(sampler.revive)
            bench.still = False
            news_n += kit.locked(sampler.revive)
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
        wrong_n=wrong_n, silent=bool(silent_n), news_n=news_n, wrapped=clock.epoch,
        apart=[min(apart) - apart[0], max(apart) - apart[0]], waiting_n=sampler._fill_n,
    )  # fmt: skip


main(int(sys.argv[1]))

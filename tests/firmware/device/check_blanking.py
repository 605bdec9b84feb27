# The box's mask of blanked samples for random edges, instants and settings, through a wrap of ticks_us.

import sys

import kit
from hbc_fw.blanking import LOOKBACK_US, Blanker
from hbc_fw.block import BLOCK_N, Block
from hbc_wire.messages import RESIDUAL_MISSED

WRAP = 1 << 30
PERIOD_US = 2000


def edges_until(random, edges, end_us):
    """More edges up to a time: single ones, bursts, long silences."""
    while edges[-1] < end_us:
        gap_us = (500, 5_000, 20_000, 100_000, 300_000)[random.below(5)]
        edges.append(edges[-1] + 80 + random.below(gap_us))
        if random.below(3) == 0:  # to the whole sample period: the limits themselves are met, too
            edges[-1] += -edges[-1] % 1000


def main(blocks_n):
    random = kit.Random(9)
    start_us = WRAP - WRAP % 1000 - 2_000_000
    edges = [start_us]
    put_n = 0
    blanker = Blanker(15)
    block = Block()
    rows = []
    for n in range(blocks_n):
        if random.below(6) == 0:
            blanker.blank_ms = (0, 1, 15, 255, random.below(256))[random.below(5)]
        first_us = start_us + n * BLOCK_N * PERIOD_US
        block.first_idx = n * BLOCK_N
        block.first_at.epoch, block.first_at.ticks = first_us // WRAP, first_us % WRAP
        instants_us = []
        for i in range(BLOCK_N):
            missed = random.below(20) == 0
            late_us = random.below((40, PERIOD_US)[random.below(2)])
            block.residual_us[i] = RESIDUAL_MISSED if missed else late_us
            instants_us.append(first_us + i * PERIOD_US + (0 if missed else late_us))
        seen_us = first_us + BLOCK_N * PERIOD_US + LOOKBACK_US + random.below(3000)  # when the loop comes to it
        edges_until(random, edges, seen_us)
        while edges[put_n] <= seen_us:
            kit.locked(blanker.put, edges[put_n] % WRAP)
            put_n += 1
        blanked_n = kit.locked(blanker.mark, block, PERIOD_US)
        assert blanked_n == sum(block.blanked)
        rows.append([instants_us, list(block.blanked), block.blank_ms])
    kit.done(rows=rows, edges_us=edges[:put_n], lookback_us=LOOKBACK_US)


main(int(sys.argv[1]))

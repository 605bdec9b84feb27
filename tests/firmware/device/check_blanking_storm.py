# Edges at 1 kHz through a whole block and its look-back: every sample is blanked, none forgotten by a full ring.

import kit
from hbc_fw.blanking import LOOKBACK_US, Blanker
from hbc_fw.block import BLOCK_N, Block

PERIOD_US = 2000
WRAP = 1 << 30


def blanked(edges_us, start_us, blank_ms):
    """The mask of a block that starts at start_us when these edges came before it was marked."""
    blanker = Blanker(blank_ms)
    for edge_us in edges_us:
        blanker.put((start_us + edge_us) % WRAP)
    block = Block()
    block.first_at.ticks = start_us % WRAP
    marked_n = blanker.mark(block, PERIOD_US)
    mask = list(block.blanked)
    assert sum(mask) == marked_n
    return mask


def main():
    block_us = BLOCK_N * PERIOD_US
    storms_n = 0
    for start_us in (5_000_000, WRAP - 20_000, WRAP):
        storm = range(-3000, block_us + LOOKBACK_US, 1000)
        assert blanked(storm, start_us, 1) == [1] * BLOCK_N, start_us
        storms_n += len(storm)
        # The first edges alone, then many that lie too late to blank the first samples.
        late = [0] + list(range(20_000, block_us + LOOKBACK_US, 1000))  # noqa: RUF005 - no unpacking in this MicroPython
        mask = blanked(late, start_us, 3)
        assert mask[:8] == [1, 1, 0, 0, 0, 0, 0, 0], mask
        assert mask[8:] == [1] * (BLOCK_N - 8), mask
    kit.done(storms_n=storms_n)


if __name__ == "__main__":
    main()

# Which samples a TMS pulse spoils: a pure function of edge times and sample instants, never of arrival, so that
# the host computes the very same mask from the recording (hbc_host.blanking).

from array import array
from time import ticks_diff

from hbc_wire.messages import RESIDUAL_MISSED
from micropython import const

LOOKBACK_US = const(4000)  # a sample this long before an edge is blanked too: the pulse may precede its trigger
LONGEST_US = const(255000)  # blank_ms is one byte on the wire
RECENT_N = const(128)  # more edges than fit into one block at 1 kHz


class Blanker:
    """Remembers recent edges and marks the samples of a block that lie in [-lookback, blank) around one."""

    def __init__(self, blank_ms):
        self.blank_ms = blank_ms
        self._ticks = array("i", [0] * RECENT_N)
        self._put_n = 0
        self._first_n = 0

    def put(self, ticks):
        self._ticks[self._put_n % RECENT_N] = ticks
        self._put_n += 1
        if self._put_n - self._first_n > RECENT_N:
            self._first_n += 1

    def mark(self, block, period_us):
        """Fill block.blanked; return the number of blanked samples."""
        n = len(block.ecg_lsb)
        blanked = block.blanked
        residual_us = block.residual_us
        for i in range(n):
            blanked[i] = 0
        block.blank_ms = self.blank_ms
        blank_us = self.blank_ms * 1000
        blanked_n = 0
        for k in range(self._first_n, self._put_n):
            edge_us = ticks_diff(self._ticks[k % RECENT_N], block.first_at.ticks)
            if edge_us + blank_us < -period_us:
                if k == self._first_n and edge_us + LONGEST_US < -period_us:
                    self._first_n += 1  # over for good, whatever blank_ms becomes: blocks only move on
                continue
            if not blank_us:  # switched off, look-back included; edges age nevertheless
                continue
            # Grid points near the edge first, then the true instants: a residual is below one period.
            i = max(0, (edge_us - LOOKBACK_US) // period_us - 1)
            while i < n:
                late_us = residual_us[i]
                after_us = i * period_us + (0 if late_us == RESIDUAL_MISSED else late_us) - edge_us
                if after_us >= blank_us:
                    break
                if after_us >= -LOOKBACK_US and not blanked[i]:
                    blanked[i] = 1
                    blanked_n += 1
                i += 1
        return blanked_n

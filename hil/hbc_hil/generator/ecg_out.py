# ECG on the DAC: a table of bytes, played round and round on an even grid of microseconds.
#
# The DAC is written by the loop, so an output is late by as much as the loop was busy; the grid itself never moves.
# How late at worst is told with every turn of the table. The table comes from the host: synthetic or recorded.

TABLE_MAX_N = 40000


class EcgOut:
    """table[i] is due at start + turn * len(table) * period + i * period."""

    def __init__(self, write, clock):
        self._write = write
        self._clock = clock
        self.table = bytearray(0)
        self.period_us = 1000
        self.running = False
        self.turn_n = 0
        self.late_max_us = 0
        self.skipped_n = 0
        self._turn_us = 0
        self._i = 0

    def clear(self, n, rate_hz):
        self.running = False
        self.table = bytearray(n)
        self.period_us = 1000000 // rate_hz

    def start(self, at_us):
        self._turn_us = at_us
        self._i = 0
        self.turn_n = 0
        self.late_max_us = 0
        self.skipped_n = 0
        self.running = len(self.table) > 0

    def wait_us(self, now_us):
        return self._turn_us + self._i * self.period_us - now_us

    def step(self, now_us):
        """Write what is due; returns the time at which the table began when it has just been played to its end."""
        late_us = now_us - self._turn_us - self._i * self.period_us
        if late_us > self.late_max_us:
            self.late_max_us = late_us
        over_n = late_us // self.period_us  # outputs whose time has passed are left out, so that the grid holds
        if over_n:
            over_n = min(over_n, len(self.table) - 1 - self._i)
            self.skipped_n += over_n
            self._i += over_n
        self._write(self.table[self._i])
        self._i += 1
        if self._i < len(self.table):
            return None
        began_us = self._turn_us
        self._turn_us += len(self.table) * self.period_us
        self._i = 0
        self.turn_n += 1
        return began_us

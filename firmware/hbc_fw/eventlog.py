# Numbered events (edges, R-peaks): a queue towards the host and a memory for a host that missed some.

from array import array


class EventLog:
    """A ring of the last `capacity_n` events, each with its running number from 0 since boot.

    detailed: with room for the sample index of a peak.
    put_n: events so far; sent_n: the next one to send. One overwritten before it was sent shows as a missing number.
    """

    def __init__(self, capacity_n, detailed=True):
        self.capacity_n = capacity_n
        self._epoch = array("H", bytes(2 * capacity_n))
        self._ticks = array("i", bytes(4 * capacity_n))
        self._detail = array("i", bytes(4 * capacity_n if detailed else 0))
        self._low = bytearray(capacity_n)  # sub-tick of an edge, fraction of a peak
        self._high = bytearray(capacity_n)  # level of an edge, quality of a peak
        self.put_n = 0
        self.sent_n = 0
        self.queue_max_n = 0

    def put(self, at, low, detail, high):
        k = self.put_n % self.capacity_n
        self._epoch[k] = at.epoch & 0xFFFF
        self._ticks[k] = at.ticks
        if self._detail:
            self._detail[k] = detail
        self._low[k] = low
        self._high[k] = high
        self.put_n += 1
        waiting = self.put_n - self.sent_n
        if waiting > self.capacity_n:
            self.sent_n += 1
        elif waiting > self.queue_max_n:
            self.queue_max_n = waiting

    def oldest_n(self):
        """Running number of the oldest event still held."""
        return self.put_n - self.capacity_n if self.put_n > self.capacity_n else 0

    def load(self, n, at):
        """Put the time of event n into at; low(n), high(n), detail(n) give the rest."""
        k = n % self.capacity_n
        at.epoch = self._epoch[k]
        at.ticks = self._ticks[k]

    def low(self, n):
        return self._low[n % self.capacity_n]

    def high(self, n):
        return self._high[n % self.capacity_n]

    def detail(self, n):
        return self._detail[n % self.capacity_n]

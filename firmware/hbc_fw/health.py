# Once a second: who this box is, how it fares, and what it lost.

from hbc_wire import messages
from micropython import const

from hbc_fw.commands import SLOT_HELLO, SLOT_LOST, SLOT_STATUS
from hbc_fw.devicetime import Instant

PERIOD_US = const(1000000)


class Health:
    """Collects the counters of Status and Lost, and says when they are due."""

    def __init__(self, board, parts, hello):
        self._board = board
        self._parts = parts
        self._clock = parts.clock
        self._sampler = parts.sampler
        self._trigger = parts.trigger
        self._edges = parts.edges
        self._peaks = parts.peaks
        self._outbox = parts.outbox
        self._commands = parts.commands
        self._hello = hello
        self._at = Instant()
        self._due = Instant()
        self._due.set(parts.clock)
        self._status = [self._at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        self._lost = [self._at, 0, 0, 0]
        self.mem_free_bytes = 0

    def due(self):
        return self._clock.since(self._due) >= 0

    def report(self):
        """Queue Hello, Status and Lost for this second."""
        self._due.add(PERIOD_US)
        self._at.set(self._clock)
        sampler, edges = self._sampler, self._edges
        status = self._status
        status[1] = self._board.leads()
        status[2] = sampler.saturated_n & 0xFFFF
        status[3] = sampler.samples_n
        status[4] = edges.put_n
        status[5] = self._peaks.put_n
        status[6] = min(edges.queue_max_n, 255)
        status[7] = sampler.waiting_max_n
        status[8] = sampler.late_max_us
        status[9] = self.mem_free_bytes
        status[10] = self._commands.bad_n & 0xFFFF
        sampler.saturated_n = sampler.waiting_max_n = sampler.late_max_us = edges.queue_max_n = 0
        lost = self._lost
        # Only what has no running number: a host sees by itself which numbered events never came.
        lost[1] = self._trigger.lost_n
        lost[2] = sampler.lost_n
        lost[3] = self._parts.peaks_unplaced_n
        self._outbox.put_single(SLOT_HELLO, messages.Hello, self._hello)
        self._outbox.put_single(SLOT_STATUS, messages.Status, status)
        self._outbox.put_single(SLOT_LOST, messages.Lost, lost)

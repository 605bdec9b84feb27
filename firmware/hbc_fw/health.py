# Once a second: who this box is, how it fares, and what it lost.

from time import ticks_diff

import micropython
from hbc_wire import messages
from micropython import const

from hbc_fw.commands import SLOT_HEALTH, SLOT_HELLO, SLOT_LOST, SLOT_NOTE_ANCHOR, SLOT_STATUS
from hbc_fw.devicetime import Instant

PERIOD_US = const(1000000)
HELLO_BRACKET = const(6)  # place of bracket_half_ns
BATTERY_LOW_MV = const(3300)  # one lithium cell: its protection switches off at 2.5 to 3.0 V
# Samples reach 2**30 after 24.8 days, where an integer becomes a heap object; left for the last second: 8 million.
COUNT_MAX_N = const((1 << 30) - (1 << 23))
ANCHOR_BROKEN = b"trigger and sample clock disagree: edge times are off"


class Health:
    """Collects the counters of Status, Lost and Health, and says when they are due."""

    def __init__(self, board, parts, hello, boot_faults_n):
        self._board = board
        self._parts = parts
        self._clock = parts.clock
        self._sampler = parts.sampler
        self._trigger = parts.trigger
        self._edges = parts.edges
        self._peaks = parts.peaks
        self._outbox = parts.outbox
        self._commands = parts.commands
        self._settings = parts.settings
        self._hello = hello
        self._at = Instant()
        self._due = Instant()
        self._due.set(parts.clock)
        self._status = [self._at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        self._lost = [self._at, 0, 0, 0]
        self._health = [self._at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, boot_faults_n]
        self._anchor_note = [self._at, ANCHOR_BROKEN]
        self._battery_mv = 0
        self.battery_wired = 0
        self.leads = 0
        self.anchor_broken = False
        self.recovering = boot_faults_n > 0
        self.mem_free_bytes = 0
        self.reports_n = 0

    @micropython.native
    def due(self):
        return ticks_diff(self._clock.ticks, self._due.ticks) >= 0

    def report(self):
        """Queue Hello, Status, Lost and Health for this second."""
        self._due.add(PERIOD_US)
        self._at.set(self._clock)
        self.reports_n += 1
        self._fill_status()
        lost = self._lost
        # Only what has no running number: a host sees by itself which numbered events never came.
        lost[1] = self._trigger.lost_n
        lost[2] = self._sampler.lost_n
        lost[3] = self._parts.peaks_unplaced_n
        self._fill_health()
        # A stamp taken in software is late by up to what was measured of late; hardware is never late.
        self._hello[HELLO_BRACKET] = self._parts.capture_clock.bracket_half_ns + self._board.capture.jitter_ns
        outbox = self._outbox
        outbox.put_single(SLOT_HELLO, messages.Hello, self._hello)
        outbox.put_single(SLOT_STATUS, messages.Status, self._status)
        outbox.put_single(SLOT_LOST, messages.Lost, lost)
        outbox.put_single(SLOT_HEALTH, messages.Health, self._health)

    def _fill_status(self):
        sampler, edges = self._sampler, self._edges
        self.leads = self._board.leads()
        status = self._status
        status[1] = self.leads
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

    def _fill_health(self):
        parts, trigger, outbox = self._parts, self._trigger, self._outbox
        self._battery_mv = self._board.battery_mv() if self.battery_wired else 0
        if not parts.capture_clock.check() and not self.anchor_broken:
            self.anchor_broken = True
            outbox.put_single(SLOT_NOTE_ANCHOR, messages.Note, self._anchor_note)
        health = self._health
        health[1] = self._battery_mv
        health[2] = parts.hum.take()
        health[3] = messages.SIGNAL_LEAD_OFF if self.leads else parts.detector.signal_state
        health[4] = (parts.polarity_votes > 0) - (parts.polarity_votes < 0)
        health[5] = parts.loop_max_us
        health[6] = min(outbox.waiting_max_n, 255)
        health[7] = parts.capture_clock.anchor_error_ns
        health[8] = self._board.capture.jitter_ns
        health[9] = trigger.runts_n
        health[10] = trigger.held_off_n
        parts.loop_max_us = outbox.waiting_max_n = 0

    def counters_full(self):
        """True when a running number will soon be too large for the box; only a restart helps."""
        trigger = self._trigger
        most_n = max(self._sampler.samples_n, self._edges.put_n, trigger.lost_n)
        return max(most_n, trigger.runts_n, trigger.held_off_n) > COUNT_MAX_N

    def fault(self):
        """True when a technician should look: a fault, clocks that disagree, a mute converter, settings, battery."""
        battery_low = 0 < self._battery_mv < BATTERY_LOW_MV
        broken = self.anchor_broken or self._sampler.silent
        return self.recovering or broken or self._settings.damaged or battery_low

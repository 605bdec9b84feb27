# The box in one loop. Its order is its priority.

import gc
from time import ticks_diff

import micropython
from hbc_wire import messages
from micropython import const

from hbc_fw import fastwire, startup
from hbc_fw.blanking import LOOKBACK_US, Blanker
from hbc_fw.block import BLOCK_N
from hbc_fw.capture import CaptureClock
from hbc_fw.commands import NO_RESTART, SLOT_ACK, SLOT_NOTE_BOOT, SLOT_NOTE_FRONT_END, SLOT_NOTE_SETTINGS, Commands
from hbc_fw.detector import RPeakDetector
from hbc_fw.devicetime import DeviceClock, Instant
from hbc_fw.eventlog import EventLog
from hbc_fw.health import Health
from hbc_fw.hum import HumMeter
from hbc_fw.led import Led
from hbc_fw.outbox import Outbox
from hbc_fw.sampler import Sampler
from hbc_fw.settings import Settings, SettingsFile, box_settings
from hbc_fw.trigger import TriggerInput

FIRMWARE = b"hbc 0.1.0"
RATE_HZ = const(500)
BLANK_MS = const(8)
EDGES_HELD_N = const(1024)  # five minutes of Dash
PEAKS_HELD_N = const(512)
IDLE_MAX_US = const(500)  # the edge latch is one deep: look at it at least this often
EDGES_IN_ROW_N = const(4)  # then something else: a trigger input that oscillates must not starve the rest
WATCHDOG_MS = const(5000)
GOOD_AFTER_S = const(10)  # a boot that runs for so long was a good one (hbc_fw.startup)
LAST_BYTES_US = const(100000)  # what the driver may still hold: 1 KiB takes 89 ms
VOTES_MAX_N = const(8)
COUNTERS_FULL = b"restart: running numbers are used up, as after 24 days"


class App:
    """Wires the parts together at boot; then step() for ever. Nothing allocates once run() has locked the heap."""

    def __init__(self, board, last_boot):
        self.board = board
        self.clock = DeviceClock()
        self.edges = EventLog(EDGES_HELD_N, detailed=False)
        self.peaks = EventLog(PEAKS_HELD_N)
        self.capture_clock = CaptureClock(board.capture, self.clock)
        self.capture_clock.relate()
        self.trigger = TriggerInput(board.capture, self.capture_clock, self.clock, self.edges)
        self.sampler = self._sampler(board)
        self.detector = RPeakDetector(RATE_HZ)
        self.detector.set_rails(self.sampler.rail_low_lsb, self.sampler.rail_high_lsb)
        self.hum = HumMeter(RATE_HZ)
        self.blanker = Blanker(BLANK_MS)
        self.port = board.port
        self.outbox = Outbox(self, fastwire.encode_into, fastwire.put_int16s)
        self.settings = Settings(box_settings(self), SettingsFile(), self.trigger.busy)
        self.commands = Commands(board.port, self.clock, self.outbox, self.settings)
        self.health = Health(board, self, self._hello(), last_boot.faults_n)
        self.led = Led(board.set_led)
        self.loop_max_us = 0  # longest pass since the last Health
        self.peaks_unplaced_n = 0  # R-peaks older than the blocks still held: found, but without a time
        self.polarity_votes = 0  # of the last R-peaks, up minus down
        self._at = Instant()
        self._full_note = [self.clock, COUNTERS_FULL]
        self._looked = self.clock.ticks
        self._in_row_n = 0
        self._blanker_n = 0  # edges handed to the blanker
        self._detector_idx = 0  # sample index that the detector expects next
        self._detector_base_idx = 0  # sample index at which it was last reset
        self._remark(SLOT_NOTE_BOOT, last_boot.remark)
        self._remark(SLOT_NOTE_SETTINGS, self.settings.load())
        self._remark(SLOT_NOTE_FRONT_END, self.sampler.fault)
        # What every turn asks, at hand: to find a method the interpreter first goes through all attributes in vain.
        self._pending = self.trigger.pending
        self._wait_us = self.sampler.wait_us
        self._take_sample = self.sampler.take
        self._block_to_detect = self.sampler.block_to_detect
        self._any_request = self.port.any
        self._report_due = self.health.due
        self._flush_one = self.outbox.flush_one
        self._sleep_us = board.sleep_us

    def _sampler(self, board):
        if not board.converter:
            return Sampler(board.read_lsb, (board.RAIL_LOW_LSB, board.RAIL_HIGH_LSB), self.clock, RATE_HZ)
        from hbc_fw.drdy_sampler import DrdySampler  # only here: other boxes keep the memory

        return DrdySampler(board.converter, board.RAIL_LSB, board.capture, self.capture_clock, self.clock, RATE_HZ)

    def _remark(self, slot, text):
        if text:
            at = Instant()
            at.set(self.clock)
            self.outbox.put_single(slot, messages.Note, [at, text])

    def run(self):
        """Until power fails or the host wants a restart; a fault leaves as an exception (hbc_fw.startup)."""
        gc.collect()
        self.health.mem_free_bytes = gc.mem_free()
        if self.board.HAS_WATCHDOG:
            self.board.start_watchdog(WATCHDOG_MS)
        self.sampler.start()
        step, idle = self.step, self.idle
        micropython.heap_lock()
        try:
            while True:
                if not step():
                    idle()
        finally:
            micropython.heap_unlock()

    @micropython.native
    def step(self):
        """Do the most urgent thing; False when there is none."""
        trigger = self.trigger
        if self._pending() and self._in_row_n < EDGES_IN_ROW_N:  # 1. TMS edges: stamped, but the latch is one deep
            self._in_row_n += 1
            trigger.take()
            return True
        self._in_row_n = 0
        wait_us = self._wait_us()
        ticks = self.clock.ticks  # read just now
        pass_us = ticks_diff(ticks, self._looked)
        if pass_us > self.loop_max_us:
            self.loop_max_us = pass_us
        self._looked = ticks
        if wait_us <= 0:  # 2. a sample is due
            self._take_sample()
        elif trigger.waits and trigger.decide():  # 3. an edge whose width is known now is in the log
            pass
        elif self._block_to_detect(LOOKBACK_US + trigger.decide_us):  # 4. blank, detect
            self.detect()
        elif self._any_request() and self.commands.ready():  # 5. host requests
            self.commands.receive()
        elif self.commands.restart_mode != NO_RESTART:
            self.restart()
        elif self._report_due():  # 6. once a second
            self.report()
        else:  # 7. bytes out, most urgent first
            return self._flush_one()
        return True

    @micropython.native
    def idle(self):
        """Sleep until the next sample, but wake at once for an edge."""
        pending, sleep_us = self._pending, self._sleep_us
        wait_us = self._wait_us()
        while wait_us > 0 and not pending():
            nap_us = wait_us if wait_us < IDLE_MAX_US else IDLE_MAX_US
            sleep_us(nap_us)
            wait_us -= nap_us
        self._looked = self.clock.read()

    def pass_edges_on(self, block):
        """Every numbered edge goes to the blanker, and none before the block that it may touch.

        A detector that is behind, as after a storm of edges, would else find the oldest of them forgotten: the blanker
        remembers fewer than the log.
        """
        log, at = self.edges, self._at
        until_us = BLOCK_N * self.sampler.period_us + LOOKBACK_US
        n = max(self._blanker_n, log.oldest_n())
        while n < log.put_n:
            log.load(n, at)
            if at.since(block.first_at) >= until_us:
                break
            self.blanker.put(at.ticks)
            n += 1
        self._blanker_n = n

    def detect(self):
        """One block through blanking and the detector; its R-peaks go to the log."""
        self.trigger.audit()
        sampler = self.sampler
        block = sampler.block_to_detect(LOOKBACK_US)
        self.pass_edges_on(block)
        self.blanker.mark(block, sampler.period_us)
        if block.first_idx != self._detector_idx:  # samples were dropped before this block: learn anew
            self.detector.reset()
            self._detector_base_idx = block.first_idx
        self._detector_idx = block.first_idx + BLOCK_N
        for k in range(self.detector.push_block(block.ecg_lsb, block.blanked, BLOCK_N)):
            self.put_peak(k)
        self.hum.push(block.ecg_lsb)
        sampler.detected_n += 1
        self.led.tick(self.peaks.put_n, self.health.leads, self.health.fault())
        self.board.feed()

    def put_peak(self, k):
        """Give the detector's peak k a time and a number."""
        detector = self.detector
        idx = self._detector_base_idx + detector.peak_idx[k]
        frac_q8 = detector.peak_frac_q8[k]
        votes = self.polarity_votes + detector.peak_polarity[k]
        self.polarity_votes = max(-VOTES_MAX_N, min(votes, VOTES_MAX_N))
        if self.sampler.instant_of(idx, frac_q8, self._at):
            self.peaks.put(self._at, frac_q8, idx, detector.peak_quality[k])
        else:
            self.peaks_unplaced_n += 1

    def report(self):
        """Once a second."""
        self.capture_clock.advance()
        self.health.report()
        if self.sampler.silent and self.sampler.revive():
            self.outbox.put_single(SLOT_NOTE_FRONT_END, messages.Note, self.sampler.news)
        if self.health.counters_full():
            self.outbox.put_single(SLOT_NOTE_BOOT, messages.Note, self._full_note)
            self.commands.restart_mode = messages.RESTART_APP
        if self.health.recovering and self.health.reports_n > GOOD_AFTER_S:
            self.health.recovering = False
            micropython.heap_unlock()  # one flash write, only in a boot that followed a fault
            startup.forget_faults()
            micropython.heap_lock()

    def restart(self):
        """Let the answer and the last remark leave, then boot again."""
        while self.outbox.waits(SLOT_ACK) or self.outbox.waits(SLOT_NOTE_BOOT):
            self.outbox.flush_one()
        self.board.sleep_us(LAST_BYTES_US)
        if self.commands.restart_mode == messages.RESTART_REPL:
            micropython.heap_unlock()
            try:
                startup.ask_for_prompt()
            except OSError:  # a full or broken file system: the app comes back, and the host sees that it did
                pass
            micropython.heap_lock()
        self.board.reset()

    def _hello(self):
        board = self.board
        return [
            messages.WIRE_VERSION,
            board.boot_n,
            RATE_HZ,
            board.ADC_LSB_NV,
            board.GAIN,
            board.CAPTURE_TICK_PS,
            self.capture_clock.bracket_half_ns,
            LOOKBACK_US,
            board.reset_cause,
            board.unique_id,
            board.NAME,
            FIRMWARE,
            board.CAPTURE,
        ]

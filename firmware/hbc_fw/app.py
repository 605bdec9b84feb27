# The box in one loop. Its order is its priority.

import gc

import micropython
from hbc_wire import messages
from micropython import const

from hbc_fw import fastwire
from hbc_fw.blanking import LOOKBACK_US, Blanker
from hbc_fw.block import BLOCK_N
from hbc_fw.capture import CaptureClock, TriggerInput
from hbc_fw.commands import SLOT_NOTE, Commands
from hbc_fw.detector import RPeakDetector
from hbc_fw.devicetime import DeviceClock, Instant
from hbc_fw.eventlog import EventLog
from hbc_fw.health import Health
from hbc_fw.outbox import Outbox
from hbc_fw.sampler import Sampler
from hbc_fw.settings import Setting, Settings

FIRMWARE = b"hbc 0.1.0"
RATE_HZ = const(500)
BLANK_MS = const(8)
EDGES_HELD_N = const(1024)  # five minutes of Dash
PEAKS_HELD_N = const(512)
IDLE_MAX_US = const(500)  # the edge latch is one deep: look at it at least this often


class App:
    """Wires the parts together at boot; then step() for ever. Nothing allocates once run() has locked the heap."""

    def __init__(self, board):
        self.board = board
        self.clock = DeviceClock()
        self.edges = EventLog(EDGES_HELD_N)
        self.peaks = EventLog(PEAKS_HELD_N)
        self.capture_clock = CaptureClock(board.capture, self.clock)
        self.capture_clock.relate()
        self.trigger = TriggerInput(board.capture, self.capture_clock, self.edges)
        self.sampler = Sampler(board.read_lsb, self.clock, RATE_HZ)
        self.detector = RPeakDetector(RATE_HZ)
        self.blanker = Blanker(BLANK_MS)
        self.port = board.port
        self.outbox = Outbox(self, fastwire.encode_into, fastwire.put_int16s)
        settings = Settings([Setting("blank_ms", 0, 255, self._set_blank_ms)])
        self.commands = Commands(board.port, self.clock, self.outbox, settings)
        self.health = Health(board, self, self._hello())
        self.peaks_unplaced_n = 0  # R-peaks older than the blocks still held: found, but without a time
        self._at = Instant()
        self._blanker_n = 0  # edges handed to the blanker
        self._detector_idx = 0  # sample index that the detector expects next
        self._detector_base_idx = 0  # sample index at which it was last reset
        if board.last_crash:
            booted_at = Instant()
            booted_at.set(self.clock)
            self.outbox.put_single(SLOT_NOTE, messages.Note, [booted_at, board.last_crash])

    def run(self):
        """Until power fails; a fault is written down and reboots the box."""
        gc.collect()
        self.health.mem_free_bytes = gc.mem_free()
        self.sampler.start()
        micropython.heap_lock()
        try:
            while True:
                if not self.step():
                    self.idle()
        except Exception as error:
            micropython.heap_unlock()
            self.board.crashed(error)

    @micropython.native
    def step(self):
        """Do the most urgent thing; False when there is none."""
        if self.trigger.pending():  # 1. TMS edges: stamped already, but the latch is one deep
            self.take_edges()
        elif self.sampler.wait_us() <= 0:  # 2. a sample is due
            self.sampler.take()
        elif self.sampler.block_to_detect(LOOKBACK_US):  # 3. blank, detect
            self.detect()
        elif self.port.any() and self.commands.ready():  # 4. host requests
            self.commands.receive()
        elif self.health.due():  # 5. once a second
            self.capture_clock.advance()
            self.health.report()
        else:  # 6. bytes out, most urgent first
            return self.outbox.flush_one()
        return True

    @micropython.native
    def idle(self):
        """Sleep until the next sample, but wake at once for an edge."""
        wait_us = self.sampler.wait_us()
        while wait_us > 0 and not self.trigger.pending():
            nap_us = wait_us if wait_us < IDLE_MAX_US else IDLE_MAX_US
            self.board.sleep_us(nap_us)
            wait_us -= nap_us

    def take_edges(self):
        self.trigger.take()
        while self._blanker_n < self.edges.put_n:
            self.edges.load(self._blanker_n, self._at)
            self.blanker.put(self._at.ticks)
            self._blanker_n += 1

    def detect(self):
        """One block through blanking and the detector; its R-peaks go to the log."""
        self.trigger.audit()
        if self._blanker_n < self.edges.put_n:
            self.take_edges()
        sampler = self.sampler
        block = sampler.block_to_detect(LOOKBACK_US)
        self.blanker.mark(block, sampler.period_us)
        if block.first_idx != self._detector_idx:  # samples were dropped before this block: learn anew
            self.detector.reset()
            self._detector_base_idx = block.first_idx
        self._detector_idx = block.first_idx + BLOCK_N
        detector = self.detector
        for k in range(detector.push_block(block.ecg_lsb, block.blanked, BLOCK_N)):
            idx = self._detector_base_idx + detector.peak_idx[k]
            frac_q8 = detector.peak_frac_q8[k]
            if sampler.instant_of(idx, frac_q8, self._at):
                self.peaks.put(self._at, frac_q8, idx, detector.peak_quality[k])
            else:
                self.peaks_unplaced_n += 1
        sampler.detected_n += 1

    def _set_blank_ms(self, value):
        self.blanker.blank_ms = value

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

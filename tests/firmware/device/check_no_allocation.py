# The parts of the box that the loop calls, under heap_lock, with the largest numbers they may meet.
#
# On a 64-bit interpreter this finds tuples, closures and bytes; on the 32-bit one also every integer of 2**30 or more.
# ruff: noqa: RUF005 - no unpacking in this MicroPython

import time
from array import array

import kit
from hbc_fw.blanking import LOOKBACK_US, Blanker
from hbc_fw.block import BLOCK_N, Block
from hbc_fw.capture import CaptureClock
from hbc_fw.commands import Commands
from hbc_fw.devicetime import DeviceClock, Instant
from hbc_fw.eventlog import EventLog
from hbc_fw.health import Health
from hbc_fw.led import Led
from hbc_fw.outbox import Outbox
from hbc_fw.settings import Setting, Settings
from hbc_fw.trigger import TriggerInput
from hbc_wire import framing, messages

WRAP = 1 << 30
LARGEST = WRAP - 1


class Driver:
    """Latches and counter with the largest values of the chip."""

    CAN_WIDTH = True

    def __init__(self):
        self.jitter_ns = 500_000_000
        self.fall_low = 0xFFFF
        self.halves = array("H", [0, 0])
        self.low = 0xFFFF
        self.high = 0xFFFF
        self.flag = True
        self.counter = 0xFFFF

    def capture_now(self):
        self.read()

    def read(self):
        self.halves[0] = self.low
        self.halves[1] = self.high

    def latched(self):
        return self.flag

    def read_fall(self):
        self.halves[0] = self.fall_low
        self.halves[1] = self.high

    def clear(self):
        self.flag = False

    def level(self):
        return 1

    def count(self):
        return self.counter


class Port:
    """Keeps the last frame that was written; hands out the bytes of one request."""

    def __init__(self):
        self.frame = bytearray(400)
        self.frame_n = 0
        self.frames_n = 0
        self.request = b""
        self.request_i = 0

    def room_n(self):
        return 1024

    def write(self, buf, n):
        for i in range(n):
            self.frame[i] = buf[i]
        self.frame_n = n
        self.frames_n += 1

    def any(self):
        return len(self.request) - self.request_i

    def read_into(self, buf):
        if self.request_i == len(self.request):
            return 0
        buf[0] = self.request[self.request_i]
        self.request_i += 1
        return 1

    def last(self):
        """The last frame as a message."""
        return messages.unpack(framing.payload_of(bytes(self.frame[1 : self.frame_n - 1])))[1]


class Sampler:
    """What outbox and health see of the sampler."""

    def __init__(self, block):
        self.block = block
        self.sent_n = 0
        self.detected_n = 0
        self.samples_n = LARGEST
        self.saturated_n = LARGEST
        self.lost_n = LARGEST
        self.late_max_us = LARGEST
        self.waiting_max_n = 64

    def block_to_send(self):
        return self.block


class Board:
    def __init__(self, capture):
        self.capture = capture
        self.led_on_n = 0

    def leads(self):
        return 3

    def battery_mv(self):
        return 65535

    def set_led(self, on):
        self.led_on_n += on


class Detector:
    """What health sees of the detector."""

    signal_state = 5


class Hum:
    def take(self):
        return 32767


class File:
    """A settings file that takes all or nothing."""

    def __init__(self):
        self.works = True
        self.kept = b""

    def save(self, rows):
        if not self.works:
            raise OSError(28)
        self.kept = b"".join([b"%s=%d\n" % (row.name, row.value) for row in rows])


class Box:
    """The parts, wired as hbc_fw.app wires them."""

    def __init__(self):
        time.ticks[0] = WRAP - 100
        self.clock = DeviceClock()
        self.clock.epoch = 0xFFFE
        self.driver = Driver()
        self.port = Port()
        self.edges = EventLog(16, detailed=False)
        self.peaks = EventLog(16)
        self.capture_clock = CaptureClock(self.driver, self.clock)
        self.trigger = TriggerInput(self.driver, self.capture_clock, self.clock, self.edges)
        self.block = Block()
        self.sampler = Sampler(self.block)
        self.blanker = Blanker(15)
        self.outbox = Outbox(self, framing.encode_into, messages.put_int16s_plain)
        self.blank_ms = 15
        self.peaks_unplaced_n = LARGEST
        self.loop_max_us = LARGEST
        self.polarity_votes = -8
        self.detector = Detector()
        self.hum = Hum()
        self.file = File()
        self.busy = False
        rows = (Setting("blank_ms", 15, 0, 255, self.set_blank_ms), Setting("other", LARGEST, 0, LARGEST, None))
        self.settings = Settings(rows, self.file, lambda: self.busy)
        self.commands = Commands(self.port, self.clock, self.outbox, self.settings)
        self.board = Board(self.driver)
        texts = [b"24dcc3a1b2c4", b"board", b"fw", b"capture"]
        self.hello = [1, LARGEST, 500, 805861, 1100, 12500, LARGEST, 4000, 1] + texts
        self.outbox.waiting_max_n = LARGEST

    def set_blank_ms(self, value):
        self.blank_ms = value

    def later(self, us):
        """Let time pass outside the lock; the test's own sum may be large."""
        time.ticks[0] = (time.ticks[0] + us) % WRAP
        kit.locked(self.clock.read)

    def flush(self):
        while kit.locked(self.outbox.flush_one):
            if self.sampler.sent_n > self.sampler.detected_n:
                raise AssertionError("sent what was not there")


def check_bites():
    """The lock catches what it is meant to catch."""
    half = 1 << 29
    try:
        kit.locked(lambda: half + half)
    except MemoryError:
        return True
    return False


def check_capture(box):
    """relate, advance, locate, take, audit: from either side of each wrap."""
    kit.locked(box.capture_clock.relate)
    at = Instant()
    for step in range(400):
        box.later(29_000_000 if step % 3 else 517)
        kit.locked(box.capture_clock.advance)
        for low, high in ((0, 0), (0xFFFF, 0xFFFF), (step * 163 % 65536, step * 7919 % 65536)):
            sub_tick = kit.locked(box.capture_clock.locate, low, high, at)
            assert 0 <= sub_tick < 80
            assert 0 <= at.ticks < WRAP
        box.driver.low, box.driver.high = step, 65535 - step
        box.driver.flag = True
        box.driver.counter = (box.driver.counter + 1 + step % 2) & 0xFFFF
        kit.locked(box.trigger.take)
        kit.locked(box.trigger.audit)
    assert box.trigger.lost_n == 200, box.trigger.lost_n
    return box.edges.put_n


def check_width(box):
    """Runts, held-off and accepted edges under the lock; every judgement, from either side of each wrap."""
    trigger, driver = box.trigger, box.driver
    kit.locked(trigger.set_min_width, 100)
    trigger.hold_off_us = 20_000
    for step in range(600):
        box.later((517, 29_000_000, 21_000)[step % 3])
        kit.locked(box.capture_clock.advance)
        driver.low, driver.high = step * 163 % 65536, (box.clock.ticks >> 10) & 0xFFFF
        driver.fall_low = (driver.low + (50, 40_000)[step % 2]) & 0xFFFF
        driver.flag = True
        driver.counter = (driver.counter + 1) & 0xFFFF
        kit.locked(trigger.take)
        kit.locked(trigger.busy)
        if step % 5:
            kit.locked(trigger.settle)
            kit.locked(trigger.audit)
    kit.locked(trigger.set_min_width, 0)
    assert not trigger.waits
    return [trigger.runts_n, trigger.held_off_n]


def check_events(box):
    """Both logs filled over the brim, then sent, then resent."""
    at = Instant()
    at.epoch, at.ticks = 0xFFFF, LARGEST
    for n in range(40):
        put_peak = lambda: box.peaks.put(at, 255, LARGEST - 40, 255)  # noqa: E731 - four arguments
        kit.locked(put_peak)
        assert kit.locked(box.peaks.high, n) == 255
    assert box.peaks.put_n - box.peaks.sent_n == 16
    frames_n = box.port.frames_n
    box.flush()
    assert kit.locked(box.outbox.put_again, messages.FETCH_PEAKS, 30, 10)
    assert not kit.locked(box.outbox.put_again, messages.FETCH_PEAKS, (1 << 29) - 1, 65535)
    assert kit.locked(box.outbox.put_again, messages.FETCH_EDGES, box.edges.put_n - 4, 4)
    box.flush()
    return box.port.frames_n - frames_n


def check_block(box):
    """A full block with the largest instant, blanked by edges all around it, packed and framed."""
    block = box.block
    block.first_idx = LARGEST
    block.first_at.epoch, block.first_at.ticks = 0xFFFF, LARGEST
    for i in range(BLOCK_N):
        block.ecg_lsb[i] = -32768 if i % 2 else 32767
        block.residual_us[i] = messages.RESIDUAL_MISSED if i == 7 else 1999
    blanked_n = 0
    for k in range(300):
        ticks = (LARGEST + 700 * k - 60_000) % WRAP
        kit.locked(box.blanker.put, ticks)
        blanked_n += kit.locked(box.blanker.mark, block, 2000)
    assert LOOKBACK_US == 4000
    box.sampler.detected_n = box.sampler.sent_n + 1
    box.flush()
    message = box.port.last()
    assert message.first_us == (0xFFFF << 30) + LARGEST
    assert message.first_idx == LARGEST
    assert len(message.ecg_lsb) == BLOCK_N
    return blanked_n


REQUESTS = (
    (messages.ClockPing, (LARGEST,)),
    (messages.Setting, (LARGEST, "blank_ms", 8)),
    (messages.Setting, (LARGEST, "blank_ms", 0x40000008)),
    (messages.Setting, (LARGEST, "blank_ms", -0x7FFFFFF8)),
    (messages.Setting, (LARGEST, "blank_ms", -1)),
    (messages.Setting, (LARGEST, "blank_ms", 0x7FFFFFFF)),
    (messages.Setting, (LARGEST, "x" * 64, LARGEST)),
    (messages.FetchEvents, (LARGEST, 0, 0, 65535)),
    (messages.FetchEvents, (LARGEST, 1, LARGEST, 65535)),
    (messages.FetchEvents, (LARGEST, 0, 0xFFFFFFFF, 65535)),
    (messages.FetchEvents, (LARGEST, 255, 0, 1)),
    (messages.Setting, (LARGEST, "blank_ms", 9)),
    (messages.Setting, (LARGEST, "blank_ms", 10)),
    (messages.Setting, (LARGEST, "blank_ms", 10)),
    (messages.Setting, (LARGEST, "blank_ms", 10)),
    (messages.Restart, (LARGEST, 1)),
    (messages.Restart, (LARGEST, 2)),
)


def check_commands(box):
    """Every request with the largest values it can hold, then rubbish; the answers as (name, status, value)."""
    answers = []
    for n, (message, values) in enumerate(REQUESTS):
        box.busy = n == 11  # an edge just came
        box.file.works = n != 12  # no room in the flash; the next time there is, and the last time nothing changes
        box.port.request = framing.encode(messages.pack(message, 9, *values))
        box.port.request_i = 0
        while box.port.any():
            assert kit.locked(box.commands.ready)
            kit.locked(box.commands.receive)
        kit.locked(box.outbox.flush_one)
        answer = box.port.last()
        assert answer.token == LARGEST
        answers.append([message.name] + list(answer[1:3]))
        box.flush()
    random = kit.Random(4)
    box.port.request = bytes([random.below(256) for _ in range(4000)]) + b"\1" * 300 + b"\0"
    box.port.request_i = 0
    while box.port.any():
        kit.locked(box.commands.receive)
        box.flush()
    assert box.commands.bad_n > 5
    return answers


def check_list(box):
    """All settings, one message each, under the lock."""
    box.port.request = framing.encode(messages.pack(messages.ListSettings, 9, LARGEST))
    box.port.request_i = 0
    kit.locked(box.commands.receive)
    listed = []
    while kit.locked(box.outbox.flush_one):
        listed.append(list(box.port.last()))
    return listed


def check_led(box):
    """Every pattern of the light."""
    led = Led(box.board.set_led)
    for k in range(400):
        kit.locked(led.tick, k // 16, k // 100 % 2, k // 200)
    return box.board.led_on_n


def check_health(box):
    """Reports with every counter at its largest."""
    box.trigger.lost_n = box.trigger.runts_n = box.trigger.held_off_n = LARGEST
    reporter = Health(box.board, box, box.hello, 3)
    reporter.battery_wired = 1
    reports_n = 0
    for _ in range(5):
        box.later(1_000_001)
        if kit.locked(reporter.due):
            kit.locked(reporter.report)
            box.flush()
            reports_n += 1
            assert kit.locked(reporter.fault), "three boots in a row had failed"
            assert kit.locked(reporter.counters_full)
    health = box.port.last()
    assert health.runts_n == health.held_off_n == LARGEST
    assert health.jitter_ns == 500_000_000
    assert (health.battery_mv, health.polarity, health.signal_state, health.boot_faults_n) == (65535, -1, 5, 3)
    return reports_n


def main():
    bites = check_bites()
    box = Box()
    kit.done(
        bites=bites,
        is_32_bit=kit.IS_32_BIT,
        edges_n=check_capture(box),
        width=check_width(box),
        events_sent_n=check_events(box),
        blanked_n=check_block(box),
        answers=check_commands(box),
        listed=check_list(box),
        kept=box.file.kept.decode(),
        restart_mode=box.commands.restart_mode,
        led_on_n=check_led(box),
        reports_n=check_health(box),
        frames_n=box.port.frames_n,
        blank_ms=box.blank_ms,
    )


main()

# Event log and outbox, each against a plain model: what is kept, what is sent, in which order, and how often.
#
# The loop around them is tried on the simulated chip (tests/hil); here every edge of a ring is met on purpose.

import sys

import kit
from hbc_fw.devicetime import DeviceClock, Instant
from hbc_fw.eventlog import EventLog
from hbc_fw.outbox import EDGES_IN_ROW_N, Outbox
from hbc_fw.sampler import Sampler
from hbc_wire import framing, messages
from hbc_wire.messages import put_int16s_plain

WRAP = 1 << 30


def value(at):
    return at.epoch * WRAP + at.ticks


def check_event_log(steps_n):
    """A ring of 7: what is held, from which number, how many waited, and what was overwritten unsent."""
    random = kit.Random(11)
    log = EventLog(7)
    kept = []  # all events ever put
    at = Instant()
    sent = overwritten_n = 0
    deepest = 0
    for _ in range(steps_n):
        if random.below(3):
            at.epoch, at.ticks = random.below(3), random.below(WRAP)
            event = (value(at), random.below(80), random.below(1 << 29), random.below(256))
            log.put(at, event[1], event[2], event[3])
            kept.append(event)
            if len(kept) - sent > 7:
                sent += 1
                overwritten_n += 1
            deepest = max(deepest, len(kept) - sent)
        elif sent < len(kept):
            log.sent_n += 1
            sent += 1
        assert (log.put_n, log.sent_n, log.queue_max_n) == (len(kept), sent, deepest)
        assert log.oldest_n() == max(0, len(kept) - 7)
        for n in range(log.oldest_n(), log.put_n):
            log.load(n, at)
            assert (value(at), log.low(n), log.detail(n), log.high(n)) == kept[n], n
    return {"overwritten_n": overwritten_n, "events_n": len(kept)}


class Port:
    """Takes frames when it has room; unpacks them at once."""

    def __init__(self):
        self.open = True
        self.received = []

    def room_n(self):
        return 1024 if self.open else 319

    def write(self, buf, n):
        frame = bytes(memoryview(buf)[:n])
        assert (frame[0], frame[-1]) == (0, 0)
        assert 0 not in frame[1:-1]
        seq, message = messages.unpack(framing.payload_of(frame[1:-1]))
        self.received.append((seq, message))


class Parts:
    def __init__(self, edges_held_n):
        self.port = Port()
        self.edges = EventLog(edges_held_n)
        self.peaks = EventLog(8)
        self.sampler = Blocks()


class Blocks:
    """A sampler that has one block ready."""

    def __init__(self):
        self.sent_n = 0
        self.detected_n = 0
        self.block = Sampler(lambda: 0, (0, 4095), DeviceClock(), 500).blocks[0]

    def block_to_send(self):
        return self.block if self.sent_n < self.detected_n else None


def _outbox(edges_held_n=8):
    parts = Parts(edges_held_n)
    return parts, Outbox(parts, framing.encode_into, put_int16s_plain)


def _put(log, n, at):
    for _ in range(n):
        at.ticks = 1000 * log.put_n + 1
        log.put(at, log.put_n % 80, 7 * log.put_n, log.put_n % 2)


def _kinds(parts):
    return [type(message).__name__ for _, message in parts.port.received]


def _drain(parts, outbox):
    parts.port.received.clear()
    while outbox.flush_one():
        pass
    return parts.port.received


def check_outbox():
    """Order, numbers, once and no more, a closed line, events asked for again, and what was overwritten meanwhile."""
    parts, outbox = _outbox()
    at = Instant()
    assert not outbox.flush_one(), "nothing to send"
    parts.sampler.detected_n = 1
    outbox.put_single(0, messages.ClockPing, [1])
    outbox.put_single(0, messages.ClockPing, [2])  # the newest of a kind is the one worth sending
    _put(parts.peaks, 2, at)
    _put(parts.edges, 3, at)
    parts.port.open = False
    assert not outbox.flush_one(), "a frame was sent into a full line"
    parts.port.open = True
    _drain(parts, outbox)
    assert _kinds(parts) == ["TriggerEdge"] * 3 + ["RPeak"] * 2 + ["ClockPing", "EcgBlock"], _kinds(parts)
    assert not outbox.waits(0), "a message was sent and is still waiting"
    assert not outbox.flush_one()
    assert parts.port.received[5][1].token == 2
    assert [seq for seq, _ in parts.port.received] == list(range(7))
    edge, peak = parts.port.received[1][1], parts.port.received[4][1]
    assert (edge.edge_n, edge.edge_us, edge.edge_sub_tick, edge.level) == (1, 1001, 1, 1)
    assert (peak.peak_n, peak.peak_us, peak.sample_idx, peak.sample_frac_q8, peak.quality) == (1, 1001, 7, 1, 1)
    _check_again(parts, outbox, at)
    _check_storm_and_list(at)
    for seq in (0xFF, 0xFFFF):
        outbox.seq = seq
        _put(parts.edges, 2, at)
        _drain(parts, outbox)
        assert [seq for seq, _ in parts.port.received] == [seq, (seq + 1) & 0xFFFF]
    return {"frames_n": outbox.sent_n}


def _check_again(parts, outbox, at):
    edges, peaks = messages.FETCH_EDGES, messages.FETCH_PEAKS
    assert outbox.put_again(edges, 1, 2)
    assert outbox.put_again(peaks, 0, 1)
    _drain(parts, outbox)
    again = [(type(m).__name__, m[0], m[1]) for _, m in parts.port.received]
    assert again == [("TriggerEdge", 1, 1001), ("TriggerEdge", 2, 2001), ("RPeak", 0, 1)], again
    assert not outbox.put_again(edges, 2, 5), "events that are not there were promised"
    _drain(parts, outbox)
    assert [m.edge_n for _, m in parts.port.received] == [2]
    _put(parts.edges, 1, at)  # number 3, not sent yet: asking for it again must not send it twice
    assert not outbox.put_again(edges, 3, 1)
    _drain(parts, outbox)
    assert [m.edge_n for _, m in parts.port.received] == [3]
    _put(parts.edges, 8, at)
    _drain(parts, outbox)
    assert not outbox.put_again(edges, 3, 2), "3 has just been overwritten"
    assert outbox.put_again(edges, 4, 8)
    _put(parts.edges, 3, at)  # 4, 5, 6 go before they could be sent again
    _drain(parts, outbox)
    assert [m.edge_n for _, m in parts.port.received] == [12, 13, 14, 7, 8, 9, 10, 11]
    assert all(m.edge_us == 1000 * m.edge_n + 1 for _, m in parts.port.received)


class Row:
    def __init__(self, name, value, lowest, highest):
        self.name, self.value, self.lowest, self.highest = name, value, lowest, highest


def _check_storm_and_list(at):
    """An input that oscillates does not silence the box; a list of settings comes whole, in order, and once."""
    parts, outbox = _outbox(64)
    _put(parts.edges, 64, at)
    outbox.put_single(3, messages.ClockPing, [9])
    outbox.put_list(77, (Row(b"blank_ms", 8, 0, 255), Row(b"polarity", -1, -2, 3)))
    _drain(parts, outbox)
    kinds = _kinds(parts)
    assert kinds.index("ClockPing") == EDGES_IN_ROW_N, kinds
    assert [m.edge_n for _, m in parts.port.received if type(m).__name__ == "TriggerEdge"] == list(range(64))
    rows = [m for _, m in parts.port.received if type(m).__name__ == "SettingIs"]
    assert [tuple(row) for row in rows] == [(77, 0, 2, "blank_ms", 8, 0, 255), (77, 1, 2, "polarity", -1, -2, 3)]
    assert kinds[-2:] == ["SettingIs", "SettingIs"]


CHECKS = {"event_log": lambda: check_event_log(600), "outbox": check_outbox}

if __name__ == "__main__":
    kit.done(**CHECKS[sys.argv[1]]())

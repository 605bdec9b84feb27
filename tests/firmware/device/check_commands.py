# Requests, byte by byte as a line brings them: what is answered, what is refused, and what comes after rubbish.

import kit
from hbc_fw.commands import BODY_MAX_N, SLOT_ACK, SLOT_PONG, Commands
from hbc_fw.devicetime import DeviceClock
from hbc_wire import framing, messages


class Port:
    def __init__(self):
        self.waiting = b""

    def read_into(self, buf):
        if not self.waiting:
            return 0
        buf[0] = self.waiting[0]
        self.waiting = self.waiting[1:]
        return 1


class Outbox:
    """Writes down what it is given; values are read at once, as if the line were free."""

    def __init__(self):
        self.said = []
        self.held = True

    def waits(self, slot):
        return False

    def put_single(self, slot, message, values):
        if slot == SLOT_PONG:
            self.said.append(("pong", values[0]))
        elif slot == SLOT_ACK:
            self.said.append(("ack", values[0], values[1], values[2]))

    def put_again(self, kind, first_n, count_n):
        self.said.append(("again", kind, first_n, count_n))
        return self.held


class Settings:
    """Knows one name; any value will do."""

    rows = ()
    restart_due = False

    def apply(self, buf, at, n, value):
        known = bytes(buf[at : at + n]) == b"blank_ms"
        return messages.ACK_OK if known else messages.ACK_UNKNOWN_NAME


class Desk:
    def __init__(self):
        self.port = Port()
        self.outbox = Outbox()
        self.commands = Commands(self.port, DeviceClock(), self.outbox, Settings())

    def hears(self, data):
        """What was said to these bytes, and how many requests were bad."""
        self.outbox.said = []
        before_n = self.commands.bad_n
        self.port.waiting = data
        while self.port.waiting:
            self.commands.receive()
        return self.outbox.said, self.commands.bad_n - before_n


def request(message, *values):
    return framing.encode(messages.pack(message, 0, *values))


def flipped(frame, at):
    return frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]


def check_answers(desk):
    """Each kind, with the largest token that is allowed, and values of both signs."""
    largest = (1 << 30) - 1
    assert desk.hears(request(messages.ClockPing, largest)) == ([("pong", largest)], 0)
    fetch = request(messages.FetchEvents, 5, messages.FETCH_PEAKS, 70000, 513)
    assert desk.hears(fetch) == ([("again", 1, 70000, 513), ("ack", 5, messages.ACK_OK, 0)], 0)
    desk.outbox.held = False
    assert desk.hears(fetch)[0][1] == ("ack", 5, messages.ACK_GONE, 0)
    assert desk.hears(request(messages.FetchEvents, 5, 2, 0, 1)) == ([("ack", 5, messages.ACK_OUT_OF_RANGE, 2)], 0)
    for value in (0, 1, -1, -2, 255, -32768, (1 << 30) - 1, -(1 << 29)):
        said = desk.hears(request(messages.Setting, 9, "blank_ms", value))
        assert said == ([("ack", 9, messages.ACK_OK, value)], 0), (value, said)
    unknown = desk.hears(request(messages.Setting, 9, "blank_us", 3))
    assert unknown == ([("ack", 9, messages.ACK_UNKNOWN_NAME, 3)], 0)


def check_rubbish(desk):
    """Damaged, short, unknown and endless requests are counted, and the next good one is answered."""
    ping = request(messages.ClockPing, 77)
    good = [("pong", 77)]
    for at in range(1, len(ping) - 1):
        said, bad_n = desk.hears(flipped(ping, at) + ping)
        # A flip can make a zero, and two bodies of one; and the last good one is always answered.
        assert said == good, (at, said)
        assert bad_n in (1, 2), (at, bad_n)
    assert desk.hears(b"\x00" + b"\x07" * (BODY_MAX_N + 9) + b"\x00" + ping) == (good, 1)
    assert desk.hears(b"\x00" + b"\x07" * (BODY_MAX_N + 9) + b"\x00" + ping + ping) == (good * 2, 1)
    assert desk.hears(b"\x00\x00\x00" + ping) == (good, 0)
    assert desk.hears(framing.encode(b"\x20\x00\x00\x01") + ping) == (good, 1)
    assert desk.hears(request(messages.Lost, 1, 2, 3, 4) + ping) == (good, 1)
    for cut in range(2, len(ping) - 1):
        assert desk.hears(ping[:cut] + ping)[0] == good, cut


def main():
    desk = Desk()
    check_answers(desk)
    check_rubbish(desk)
    kit.done(bad_n=desk.commands.bad_n)


if __name__ == "__main__":
    main()

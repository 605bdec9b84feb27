# Requests from the host: bytes in, one answer out. Fixed buffers, no allocation, nothing from the wire is evaluated.

from hbc_wire import framing, messages

from hbc_fw.devicetime import Instant

BODY_MAX_N = 160  # the longest request is a Setting
READ_MAX_N = 64  # bytes at one go: samples must not wait for a talkative host
EVENTS_MAX_N = 1 << 29  # running numbers that can be asked for; the end of a range is a small integer, too
# Slots of the outbox for single messages: the lower, the more urgent. A remark of its own for each who may make one.
SLOT_PONG, SLOT_ACK, SLOT_HELLO, SLOT_STATUS, SLOT_LOST, SLOT_HEALTH = range(6)
SLOT_NOTE_BOOT, SLOT_NOTE_SETTINGS, SLOT_NOTE_ANCHOR, SLOT_NOTE_FRONT_END = range(6, 10)
NO_RESTART = -1


class Commands:
    """Collects the bytes between two delimiters, checks them, answers."""

    def __init__(self, port, clock, outbox, settings):
        self._port = port
        self._clock = clock
        self._outbox = outbox
        self._settings = settings
        self._in = bytearray(1)
        self._body = bytearray(BODY_MAX_N)
        self._body_n = 0
        self._overlong = False
        self._received = Instant()
        self._pong = [0, self._received, clock]  # the clock itself: sent_us is the time of packing
        self._ack = [0, 0, 0]
        self.bad_n = 0
        self.restart_mode = NO_RESTART  # that of a Restart which has been answered

    def ready(self):
        """True when a request may be read: an answer that still waits could be overwritten by the next."""
        return not (self._outbox.waits(SLOT_PONG) or self._outbox.waits(SLOT_ACK))

    def receive(self):
        """Read from the port until a request is complete, at most READ_MAX_N bytes, and carry it out."""
        for _ in range(READ_MAX_N):
            if not self._port.read_into(self._in):
                return
            byte = self._in[0]
            if byte:
                if self._body_n < BODY_MAX_N:
                    self._body[self._body_n] = byte
                    self._body_n += 1
                else:
                    self._overlong = True
            elif self._body_n:
                self._finish()
                self._body_n = 0
                self._overlong = False
                return

    def _finish(self):
        body = self._body
        if self._overlong:
            self.bad_n += 1
            return
        n = framing.cobs_decode_into(body, self._body_n, body)
        if n < messages.HEADER_N + framing.CRC_N or not framing.crc_matches(body, n):
            self.bad_n += 1
            return
        self._carry_out(body, n - framing.CRC_N)

    def _carry_out(self, body, n):
        kind = body[0]
        if n < messages.HEADER_N + 4:
            self.bad_n += 1
            return
        # Tokens MUST be below 2**30 (docs/wire-protocol.md): a larger one would be a heap object here.
        token = body[3] | (body[4] << 8) | (body[5] << 16) | ((body[6] & 0x3F) << 24)
        if kind == messages.ClockPing.msg_id and n == 7:
            self._clock.read()
            self._received.set(self._clock)
            self._pong[0] = token
            self._outbox.put_single(SLOT_PONG, messages.ClockPong, self._pong)
        elif kind == messages.FetchEvents.msg_id and n == 14:
            first_n = _signed(body, 8)
            if body[7] > messages.FETCH_PEAKS:
                self._answer(token, messages.ACK_OUT_OF_RANGE, body[7])
                return
            held = 0 <= first_n < EVENTS_MAX_N
            held = held and self._outbox.put_again(body[7], first_n, body[12] | (body[13] << 8))
            self._answer(token, messages.ACK_OK if held else messages.ACK_GONE, 0)
        elif kind == messages.Setting.msg_id and n >= 12 and n == 12 + body[7]:
            value = _signed(body, 8 + body[7])
            self._answer(token, self._settings.apply(body, 8, body[7], value), value)
            if self._settings.restart_due:
                self.restart_mode = messages.RESTART_APP
        elif kind == messages.ListSettings.msg_id and n == 7:
            self._outbox.put_list(token, self._settings.rows)
        elif kind == messages.Restart.msg_id and n == 8:
            known = body[7] <= messages.RESTART_REPL
            self._answer(token, messages.ACK_OK if known else messages.ACK_OUT_OF_RANGE, body[7])
            self.restart_mode = body[7] if known else NO_RESTART
        else:
            self.bad_n += 1

    def _answer(self, token, status, value):
        self._ack[0] = token
        self._ack[1] = status
        self._ack[2] = value
        self._outbox.put_single(SLOT_ACK, messages.Ack, self._ack)


def _signed(body, at):
    """Signed 32 bits from body[at:], saturated to what is a small integer on the box (31 bits)."""
    top = body[at + 3]
    if 0x40 <= top < 0xC0:
        return 0x3FFFFFFF if top < 0x80 else -0x3FFFFFFF
    value = body[at] | (body[at + 1] << 8) | (body[at + 2] << 16) | ((top & 0x3F) << 24)
    return value if top < 0x40 else value - 0x3FFFFFFF - 1

# Every message on the wire, one line each; packing and unpacking are loops over this table.
#
# Runs on CPython and on MicroPython from this one file, so no typing, dataclasses or struct.Struct here.
# On the box nothing below may allocate once the tables exist: fields are written byte by byte with
# integers below 2**30 (a larger one is a heap object on a 32-bit MicroPython).
#
# Field codes, all little-endian:
#   B H I   unsigned 8, 16, 32 bit
#   b h i   signed 8, 16, 32 bit
#   Q       unsigned 64-bit device microseconds; on the box an object with .epoch and .ticks
#           (time = epoch * 2**30 + ticks)
#   s       UTF-8 text: length (B), then the bytes
#   a       array of signed 16 bit: count (B), then the values

from collections import namedtuple

WIRE_VERSION = 1
TICKS_BITS = 30  # ticks_us wraps at 2**30 us on the box
HEADER_N = 3  # type (B), frame sequence (H)
CRC_N = 4
ARRAY_MAX_N = 64  # the box owns fixed buffers; a longer array is refused, never truncated
TEXT_MAX_N = 64  # so that a Hello with four texts of this length still fits framing.FRAME_MAX_N

BY_ID: dict[int, "Message"] = {}
BY_NAME: dict[str, "Message"] = {}


class Message:
    """One row of the table: id, name, and the fields' names and codes."""

    def __init__(self, msg_id, name, fields):
        pairs = [field.split(":") for field in fields.split()]
        self.msg_id = msg_id
        self.name = name
        self.names = tuple([pair[0] for pair in pairs])
        self.codes = "".join([pair[1] for pair in pairs])
        self.kinds = tuple(self.codes)  # the same: MicroPython looks a string's character up among all its names
        self.make = namedtuple(name, self.names)  # type: ignore[misc]  # names come from the table
        BY_ID[msg_id] = self
        BY_NAME[name] = self


# --- who and how -----------------------------------------------------------------------------------------------------
Hello = Message(
    0x01,
    "Hello",
    "wire_version:B boot_n:I rate_hz:H adc_lsb_nv:I gain:H capture_tick_ps:I bracket_half_ns:I lookback_us:H "
    "reset_cause:B unique_id:s board:s firmware:s capture:s",
)
Status = Message(
    0x02,
    "Status",
    "status_us:Q leads:B saturated_n:H samples_n:I edges_n:I peaks_n:I edge_queue_max_n:B blocks_max_n:B late_max_us:I "
    "mem_free_bytes:I commands_bad_n:H",
)
Lost = Message(0x03, "Lost", "lost_us:Q edges_n:I samples_n:I peaks_n:I")
Health = Message(
    0x04,
    "Health",
    "health_us:Q battery_mv:H hum_lsb:H signal_state:B polarity:b loop_max_us:I outbox_max_n:B anchor_error_ns:i "
    "jitter_ns:I runts_n:I held_off_n:I boot_faults_n:B",
)
# --- what happened in the body and at the coil -----------------------------------------------------------------------
TriggerEdge = Message(0x10, "TriggerEdge", "edge_n:I edge_us:Q edge_sub_tick:B level:B")
RPeak = Message(0x11, "RPeak", "peak_n:I peak_us:Q sample_idx:I sample_frac_q8:B quality:B")
EcgBlock = Message(0x12, "EcgBlock", "first_idx:I first_us:Q blank_ms:B ecg_lsb:a residual_us:a")
Note = Message(0x13, "Note", "note_us:Q text:s")
# --- host to box, and the answers ------------------------------------------------------------------------------------
ClockPing = Message(0x20, "ClockPing", "token:I")
ClockPong = Message(0x21, "ClockPong", "token:I received_us:Q sent_us:Q")
FetchEvents = Message(0x22, "FetchEvents", "token:I kind:B first_n:I count_n:H")
Setting = Message(0x23, "Setting", "token:I name:s value:i")
Ack = Message(0x24, "Ack", "token:I status:B value:i")
ListSettings = Message(0x25, "ListSettings", "token:I")
SettingIs = Message(0x26, "SettingIs", "token:I setting_idx:B settings_n:B name:s value:i lowest:i highest:i")
Restart = Message(0x27, "Restart", "token:I mode:B")

# EcgBlock.residual_us of a sample that was not taken in time: its value repeats the one before
RESIDUAL_MISSED = -32768
# Status.leads bits
LEAD_LA_OFF = 1
LEAD_RA_OFF = 2
LEAD_BOTH_OFF = LEAD_LA_OFF | LEAD_RA_OFF  # or the right leg's: without it neither arm has a reference
# Health.signal_state, the worst last
SIGNAL_GOOD, SIGNAL_NOISY, SIGNAL_HUM, SIGNAL_SATURATED, SIGNAL_FLAT, SIGNAL_LEAD_OFF = range(6)
# FetchEvents.kind
FETCH_EDGES = 0
FETCH_PEAKS = 1
# Ack.status
ACK_OK = 0
ACK_UNKNOWN_NAME = 1
ACK_OUT_OF_RANGE = 2
ACK_GONE = 3  # some of the events asked for are no longer held
ACK_BUSY = 4  # not now: an edge came within the last two seconds, and keeping a setting pauses the box
ACK_NOT_KEPT = 5  # in force, but the flash did not take it: it lasts until the next boot
# Restart.mode
RESTART_APP = 0
RESTART_REPL = 1

WIDTHS = {"B": 1, "b": 1, "H": 2, "h": 2, "I": 4, "i": 4, "Q": 8}


class MessageError(ValueError):
    """A payload that passed its checksum but is not a message of this table."""


def _put(buf, at, value, width):
    while width:
        buf[at] = value & 0xFF
        value >>= 8
        at += 1
        width -= 1
    return at


def _put_time(buf, at, value):
    # 64 bits from (epoch, ticks < 2**30) without ever forming an integer above 2**30.
    if isinstance(value, int):
        return _put(buf, at, value, 8)
    epoch = value.epoch
    ticks = value.ticks
    buf[at] = ticks & 0xFF
    buf[at + 1] = (ticks >> 8) & 0xFF
    buf[at + 2] = (ticks >> 16) & 0xFF
    buf[at + 3] = (ticks >> 24) | ((epoch & 3) << 6)
    return _put(buf, at + 4, epoch >> 2, 4)


def _put_text(buf, at, value):
    data = value.encode() if isinstance(value, str) else value
    if len(data) > TEXT_MAX_N:
        raise MessageError("text of %d bytes exceeds %d" % (len(data), TEXT_MAX_N))
    buf[at] = len(data)
    at += 1
    for i in range(len(data)):
        buf[at] = data[i]
        at += 1
    return at


def _put_array(buf, at, values, put_int16s):
    n = len(values)
    if n > ARRAY_MAX_N:
        raise MessageError("array of %d values exceeds %d" % (n, ARRAY_MAX_N))
    buf[at] = n
    return put_int16s(buf, at + 1, values, n)


def put_int16s_plain(buf, at, values, n):
    """Write n signed 16-bit values at buf[at:]; the box passes its viper twin of this to pack_into."""
    for i in range(n):
        value = values[i]
        buf[at] = value & 0xFF
        buf[at + 1] = (value >> 8) & 0xFF
        at += 2
    return at


def pack_into(buf, message, seq, values, put_int16s=put_int16s_plain):
    """Write header and fields of one message at buf[0:]; return the length. The checksum is framing's.

    values: one per field, in table order. Allocates nothing on the box when texts are bytes and times are
    (epoch, ticks) objects. Raises MessageError for a text or array over its limit.
    """
    buf[0] = message.msg_id
    at = _put(buf, 1, seq, 2)
    kinds = message.kinds
    for i in range(len(kinds)):
        code = kinds[i]
        if code == "Q":
            at = _put_time(buf, at, values[i])
        elif code == "a":
            at = _put_array(buf, at, values[i], put_int16s)
        elif code == "s":
            at = _put_text(buf, at, values[i])
        elif code == "B":
            buf[at] = values[i]
            at += 1
        elif code == "b":
            buf[at] = values[i] & 0xFF
            at += 1
        elif code == "H" or code == "h":
            at = _put(buf, at, values[i], 2)
        else:
            at = _put(buf, at, values[i], 4)
    return at


def pack(message, seq, *values):
    """Payload bytes of one message, without checksum."""
    if len(values) != len(message.codes):
        raise MessageError("%s has %d fields, %d values given" % (message.name, len(message.codes), len(values)))
    buf = bytearray(HEADER_N + sum([_room(c, v) for c, v in zip(message.codes, values)]))
    return bytes(buf[: pack_into(buf, message, seq, values)])


def _room(code, value):
    if code == "s":
        return 1 + len(value) * (4 if isinstance(value, str) else 1)  # a character has at most 4 UTF-8 bytes
    if code == "a":
        return 1 + 2 * len(value)
    return WIDTHS[code]


def _get(buf, at, width, end):
    if at + width > end:
        raise MessageError("payload of %d bytes ends inside a field" % end)
    value = 0
    for i in range(width):
        value |= buf[at + i] << (8 * i)
    return value


def _get_signed(buf, at, width, end):
    value = _get(buf, at, width, end)
    return value - (1 << (8 * width)) if buf[at + width - 1] & 0x80 else value


def _text(payload, at, end):
    try:
        return str(bytes(payload[at:end]), "utf-8")
    except UnicodeError:
        raise MessageError("text of %d bytes is not UTF-8" % (end - at))  # noqa: B904 - no "raise from" there


def unpack(payload, n=None):
    """(seq, message as a namedtuple) of one payload without checksum; raises MessageError.

    Arrays come back as tuples of int, times as int microseconds, texts as str.
    """
    end = len(payload) if n is None else n
    message = BY_ID.get(payload[0]) if end >= HEADER_N else None
    if message is None:
        raise MessageError("unknown message: %d bytes, type 0x%02x" % (end, payload[0] if end else 0))
    seq = _get(payload, 1, 2, end)
    at = HEADER_N
    values = []
    for code in message.codes:
        if code == "s" or code == "a":
            count = _get(payload, at, 1, end)
            at += 1
            width = count if code == "s" else 2 * count
            if at + width > end:
                raise MessageError("payload of %d bytes ends inside %s" % (end, message.name))
            if code == "s":
                value = _text(payload, at, at + width)
            else:
                value = tuple([_get_signed(payload, at + 2 * i, 2, end) for i in range(count)])
        else:
            width = WIDTHS[code]
            value = _get_signed(payload, at, width, end) if code in "bhi" else _get(payload, at, width, end)
        at += width
        values.append(value)
    if at != end:
        raise MessageError("%s has %d bytes, payload has %d" % (message.name, at, end))
    return seq, message.make(*values)

# Frames on the wire: 0x00, COBS(payload + CRC-32), 0x00. No I/O here.
#
# A delimiter stands before and after each frame, so that one flipped bit can spoil one frame only.
# Runs on CPython and on MicroPython from this one file. The plain functions below are the definition;
# the box replaces the hot ones by viper twins (hbc_fw/fastwire.py), the host may pass a C decoder.
# All integers stay below 2**30: the CRC is kept in two 16-bit halves.

try:
    from binascii import crc32
except ImportError:  # the smallest MicroPython builds
    crc32 = None  # type: ignore[assignment]

CRC_N = 4
DELIMITER = 0
FRAME_MAX_N = 320  # longest accepted COBS body; the longest message of the table needs less (tested)


class FrameError(ValueError):
    """Bytes between two delimiters that are no frame."""


def _crc_tables():
    low = bytearray(512)
    high = bytearray(512)
    for i in range(256):
        lo, hi = i, 0
        for _ in range(8):
            carry = lo & 1
            lo = (lo >> 1) | ((hi & 1) << 15)
            hi >>= 1
            if carry:  # polynomial 0xEDB88320, reflected
                lo ^= 0x8320
                hi ^= 0xEDB8
        low[2 * i], low[2 * i + 1] = lo & 0xFF, lo >> 8
        high[2 * i], high[2 * i + 1] = hi & 0xFF, hi >> 8
    return low, high


CRC_LOW, CRC_HIGH = _crc_tables()  # 256 little-endian 16-bit halves each


def append_crc(buf, n):
    """Write the CRC-32 (IEEE 802.3) of buf[0:n] to buf[n:n+4]; return n + 4. Allocates nothing."""
    lo, hi = 0xFFFF, 0xFFFF
    for i in range(n):
        k = ((lo ^ buf[i]) & 0xFF) << 1
        lo = ((lo >> 8) | ((hi & 0xFF) << 8)) ^ (CRC_LOW[k] | (CRC_LOW[k + 1] << 8))
        hi = (hi >> 8) ^ (CRC_HIGH[k] | (CRC_HIGH[k + 1] << 8))
    lo ^= 0xFFFF
    hi ^= 0xFFFF
    buf[n] = lo & 0xFF
    buf[n + 1] = lo >> 8
    buf[n + 2] = hi & 0xFF
    buf[n + 3] = hi >> 8
    return n + CRC_N


def encode_into(buf, n, out, at=0):
    """Write the frame of payload buf[0:n] to out[at:]; return the end. buf needs 4 spare bytes for the CRC.

    out needs n + 4 + n // 254 + 4 bytes. Allocates nothing.
    """
    n = append_crc(buf, n)
    out[at] = DELIMITER
    code_at = at + 1
    at += 2
    run = 1
    for i in range(n):
        byte = buf[i]
        if byte:
            out[at] = byte
            at += 1
            run += 1
        if not byte or run == 255:
            out[code_at] = run
            code_at = at
            at += 1
            run = 1
    out[code_at] = run
    out[at] = DELIMITER
    return at + 1


def encode(payload):
    """The frame of one payload, delimiters included."""
    n = len(payload)
    buf = bytearray(n + CRC_N)
    buf[:n] = payload
    out = bytearray(n + CRC_N + n // 254 + 4)
    return bytes(out[: encode_into(buf, n, out)])


def cobs_decode_into(body, n, out):
    """Undo COBS of body[0:n] into out; return the length, or -1 when it is not COBS. Allocates nothing.

    out may be body itself: decoding never overtakes the bytes it reads.
    """
    at = 0
    i = 0
    while i < n:
        code = body[i]
        if code == 0 or i + code > n:
            return -1
        for k in range(1, code):
            byte = body[i + k]
            if byte == 0:
                return -1
            out[at] = byte
            at += 1
        i += code
        if code < 255 and i < n:
            out[at] = 0
            at += 1
    return at


def cobs_decode(body):
    """Undo COBS of one frame body (no delimiters); raises FrameError."""
    out = bytearray(len(body))
    n = cobs_decode_into(body, len(body), out)
    if n < 0:
        raise FrameError("%d bytes between delimiters are not COBS" % len(body))
    return bytes(out[:n])


def crc_matches(buf, n):
    """True when buf[n-4:n] is the CRC-32 of buf[0:n-4]; buf is left as it was. Allocates nothing on the box."""
    if n < CRC_N:
        return False
    at = n - CRC_N
    low = buf[at] | (buf[at + 1] << 8)  # halves, and no tuple of four: that would be a heap object
    high = buf[at + 2] | (buf[at + 3] << 8)
    append_crc(buf, at)
    same = buf[at] | (buf[at + 1] << 8) == low and buf[at + 2] | (buf[at + 3] << 8) == high
    buf[at] = low & 0xFF
    buf[at + 1] = low >> 8
    buf[at + 2] = high & 0xFF
    buf[at + 3] = high >> 8
    return same


def payload_of(body, decode=cobs_decode):
    """Payload (no CRC) of one frame body; raises FrameError when COBS or CRC does not hold.

    decode: another COBS decoder that raises ValueError, such as the C one of the package ``cobs``.
    """
    try:
        data = decode(body)
    except ValueError as error:
        raise FrameError(str(error))  # noqa: B904 - MicroPython has no "raise from"
    n = len(data) - CRC_N
    if n < 1:
        raise FrameError("frame of %d bytes is shorter than its checksum" % len(data))
    if crc32 is None:
        good = crc_matches(bytearray(data), n + CRC_N)
    else:
        good = crc32(data[:n]) == data[n] | (data[n + 1] << 8) | (data[n + 2] << 16) | (data[n + 3] << 24)
    if not good:
        raise FrameError("checksum of a frame of %d bytes does not hold" % len(data))
    return data[:n]


class Deframer:
    """Bytes in, payloads out, in any split. Counts what it must throw away; the split changes no count.

    bad_n: bodies that were no frame; skipped_bytes_n: the bytes in them. What stands before the first
    delimiter is no loss when it is no frame: whoever joins a running box begins inside one.
    """

    def __init__(self, decode=cobs_decode):
        self.decode = decode
        self.bad_n = 0
        self.skipped_bytes_n = 0
        self._rest = b""
        self._joining = True
        self._overlong = False  # inside a body that is already counted as bad

    def feed(self, data):
        """Payloads completed by these bytes, oldest first."""
        bodies = (self._rest + data).split(b"\0")
        self._rest = bodies.pop()
        payloads: list[bytes] = []
        for body in bodies:
            if body:
                self._take(body, payloads)
            self._joining = False
            self._overlong = False
        if self._overlong or len(self._rest) > FRAME_MAX_N:  # noise without a delimiter must not grow for ever
            self._drop(self._rest)
            self._rest = b""
            self._overlong = True
        return payloads

    def _take(self, body, payloads):
        if self._overlong or len(body) > FRAME_MAX_N:
            self._drop(body)
            return
        try:
            payloads.append(payload_of(body, self.decode))
        except FrameError:
            self._drop(body)

    def _drop(self, body):
        if not (self._joining or self._overlong):
            self.bad_n += 1
        self.skipped_bytes_n += len(body)

# Viper twins of the two hot loops of hbc_wire, proved equal to them in tests/wire. The plain ones define the bytes.

import micropython
from hbc_wire.framing import CRC_HIGH, CRC_LOW


@micropython.viper
def put_int16s(buf: ptr8, at: int, values: ptr16, n: int) -> int:
    for i in range(n):
        value = int(values[i])
        buf[at] = value & 0xFF
        buf[at + 1] = (value >> 8) & 0xFF
        at += 2
    return at


@micropython.viper
def _encode(buf: ptr8, n: int, out: ptr8, low: ptr16, high: ptr16) -> int:
    # Same two 16-bit halves and the same COBS as hbc_wire.framing.encode_into, in one viper call.
    lo = 0xFFFF
    hi = 0xFFFF
    for i in range(n):
        k = (lo ^ int(buf[i])) & 0xFF
        lo = ((lo >> 8) | ((hi & 0xFF) << 8)) ^ int(low[k])
        hi = (hi >> 8) ^ int(high[k])
    lo ^= 0xFFFF
    hi ^= 0xFFFF
    buf[n] = lo & 0xFF
    buf[n + 1] = lo >> 8
    buf[n + 2] = hi & 0xFF
    buf[n + 3] = hi >> 8
    n += 4
    out[0] = 0
    code_at = 1
    at = 2
    run = 1
    for i in range(n):
        byte = int(buf[i])
        if byte != 0:
            out[at] = byte
            at += 1
            run += 1
        if byte == 0 or run == 255:
            out[code_at] = run
            code_at = at
            at += 1
            run = 1
    out[code_at] = run
    out[at] = 0
    return at + 1


def encode_into(buf, n, out):
    """Frame of payload buf[0:n] in out; returns its length. buf needs 4 spare bytes."""
    return _encode(buf, n, out, CRC_LOW, CRC_HIGH)

# What the driver of the ADS1292R makes of 24 bits, against the same in whole numbers of Python.

from array import array

import kit
from hbc_boards import ads1292r


def plain(code, state, shift):
    state[0] += (code * 64 - state[0]) >> shift
    value = (code - (state[0] >> 6) + 8) >> 4
    if code >= (1 << 24) - 17:
        value = 32767
    if code <= 16:
        value = -32767
    value = max(-32767, min(value, 32767))
    state[1] = state[1] + 1 if abs(value) >= 32000 else 0
    if state[1] == 25:
        state[0], state[1] = code * 64, 0
    return value


def main():
    random = kit.Random(3)
    frame = bytearray(9)
    differ_n = 0
    railed_n = 0
    for shift in (6, 7, 8, 9):
        code = 1 << 23
        state = [code << 6, 0]
        offset = array("I", [0, 0])
        for i in range(4000):
            if i % 500 == 0:
                code = (0, (1 << 24) - 1, 1 << 23, random.below(1 << 24))[random.below(4)]
            code = max(0, min(code + random.below(4001) - 2000, (1 << 24) - 1))
            signed = code ^ 0x800000
            frame[6], frame[7], frame[8] = signed >> 16, signed >> 8 & 0xFF, signed & 0xFF
            if i == 0:
                ads1292r._begin(frame, offset)
                state = [code << 6, 0]
            value = kit.locked(ads1292r._scaled, frame, offset, shift)
            expected = plain(code, state, shift)
            differ_n += value != expected
            railed_n += abs(expected) == 32767
    kit.done(differ_n=differ_n, railed_n=railed_n)


main()

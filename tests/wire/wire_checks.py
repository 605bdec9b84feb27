# Checks of the wire that run unchanged on CPython, on 64-bit MicroPython and on 32-bit MicroPython in node.
#
# No typing and no pytest here: each check is a function that raises AssertionError and returns what it counted.
# ruff: noqa: B905, RUF005, PT018 - the MicroPython of the box has no zip(strict=)
# tests/wire/test_wire_rules.py runs them in process, test_wire_interpreters.py by subprocess.

import json
import sys
from binascii import unhexlify

from hbc_wire import framing, messages


class Instant:
    """Device time as the box keeps it: two small integers."""

    def __init__(self, time_us):
        self.epoch = time_us >> messages.TICKS_BITS
        self.ticks = time_us & ((1 << messages.TICKS_BITS) - 1)


def read_vectors(path):
    with open(path) as file:
        rows = json.load(file)["vectors"]
    for row in rows:
        row["payload"] = unhexlify(row["payload"])
        row["frame"] = unhexlify(row["frame"])
    return rows


def plain(values):
    """Values as JSON has them: arrays as lists."""
    return [list(value) if isinstance(value, tuple) else value for value in values]


def unpacked(data, deframer=None):
    """(messages as (name, seq, values), deframer) of a stream of bytes."""
    deframer = deframer or framing.Deframer()
    found = []
    for payload in deframer.feed(data):
        seq, message = messages.unpack(payload)
        found.append((messages.BY_ID[payload[0]].name, seq, plain(message)))
    return found, deframer


def check_vectors(rows, _):
    """Packing gives the golden bytes, and the golden bytes give the values back."""
    for row in rows:
        message = messages.BY_NAME[row["message"]]
        payload = messages.pack(message, row["seq"], *row["values"])
        assert payload == row["payload"], (row["message"], payload, row["payload"])
        frame = framing.encode(payload)
        assert len(frame) <= framing.FRAME_MAX_N + 2, (row["message"], len(frame))
        found, deframer = unpacked(row["frame"])
        assert found == [(row["message"], row["seq"], row["values"])], (row, found)
        assert deframer.bad_n == 0
        # An encoder may close a full run of 254 bytes with an empty one, or not; both decode to the same.
        assert unpacked(frame)[0] == found
        if len(payload) < 254 - framing.CRC_N:
            assert frame == row["frame"], row["message"]
    return len(rows)


def a_stream(rows):
    """A short stream: one frame of each message that is small, for it is tried once per bit."""
    return [row for row in rows if row["seq"] == 0x1234 and len(row["frame"]) <= 40]


def check_splits(rows, _):
    """However the bytes are cut, the messages and the counts are the same."""
    some = a_stream(rows)
    stream = b"".join([row["frame"] for row in some]) + b"\x05noise\0" + some[0]["frame"]
    whole, deframer = unpacked(stream)
    assert len(whole) == len(some) + 1
    assert (deframer.bad_n, deframer.skipped_bytes_n) == (1, 6)
    cuts = [[k] for k in range(1, len(stream))]
    cuts += [list(range(step, len(stream), step)) for step in range(1, 18)]
    for places in cuts:
        found = []
        deframer = framing.Deframer()
        start = 0
        for place in places + [len(stream)]:
            found += unpacked(stream[start:place], deframer)[0]
            start = place
        assert found == whole, places
        assert (deframer.bad_n, deframer.skipped_bytes_n) == (1, 6), places
    return len(cuts)


def check_flips(rows, _):
    """No single flipped bit of any golden frame ever yields a message that was not sent."""
    flips_n = 0
    for row in rows:
        frame = bytearray(row["frame"])
        right = [(row["message"], row["seq"], row["values"])]
        for place in range(len(frame)):
            for bit in range(8):
                frame[place] ^= 1 << bit
                found = unpacked(bytes(frame))[0]
                assert not found or found == right, (row["message"], place, bit, found)
                frame[place] ^= 1 << bit
                flips_n += 1
    return flips_n


def check_stream_flips(rows, _):
    """A flipped bit in a stream costs one frame at most, and never changes another."""
    some = a_stream(rows)
    stream = bytearray(b"".join([row["frame"] for row in some]))
    whole = unpacked(bytes(stream))[0]
    lost_n = 0
    for place in range(len(stream)):
        for bit in range(8):
            stream[place] ^= 1 << bit
            found, deframer = unpacked(bytes(stream))
            stream[place] ^= 1 << bit
            k = 0
            while k < len(found) and found[k] == whole[k]:
                k += 1
            assert found == whole or found == whole[:k] + whole[k + 1 :], (place, bit)
            if len(found) < len(whole):
                lost_n += 1
                assert deframer.bad_n or k == 0 or deframer._rest, (place, bit)
    return lost_n


def check_noise(_, noise):
    """Noise yields no message, and the deframer holds on to no more than one frame of it."""
    deframer = framing.Deframer()
    for start in range(0, len(noise), 1000):
        assert not deframer.feed(noise[start : start + 1000])
        assert len(deframer._rest) <= framing.FRAME_MAX_N
    return deframer.bad_n


def device_values(row):
    """Values as the box holds them: texts as bytes, times as (epoch, ticks), integers below 2**30."""
    values = []
    for code, value in zip(messages.BY_NAME[row["message"]].codes, row["values"]):
        if code == "s":
            value = value.encode()
        elif code == "Q":
            value = Instant(value & ((1 << 60) - 1))  # 36,000 years: an epoch is a small integer, too
        elif code in "Ii":
            value = max(-(1 << 29), min(value, (1 << 30) - 1))
        values.append(value)
    return values


def check_device_times(rows, _):
    """A time as (epoch, ticks) gives the same eight bytes as the integer."""
    for row in rows:
        message = messages.BY_NAME[row["message"]]
        ints = [v if c != "Q" else v & ((1 << 60) - 1) for c, v in zip(message.codes, row["values"])]
        held = [Instant(v) if c == "Q" else v for c, v in zip(message.codes, ints)]
        assert messages.pack(message, 1, *ints) == messages.pack(message, 1, *held), row["message"]
    return len(rows)


def check_no_allocation(rows, _):
    """Packing, framing and checking under heap_lock: nothing is allocated, on 32 bit not even an integer."""
    from micropython import heap_lock, heap_unlock

    work = [(messages.BY_NAME[row["message"]], row["seq"], device_values(row)) for row in rows]
    buf = bytearray(400)
    out = bytearray(400)
    pack_into, encode_into = messages.pack_into, framing.encode_into
    decode_into, matches = framing.cobs_decode_into, framing.crc_matches
    done_n = 0
    for message, seq, values in work:
        heap_lock()
        try:
            n = pack_into(buf, message, seq, values)
            end = encode_into(buf, n, out)
        finally:
            heap_unlock()
        body = bytearray(out[1 : end - 1])
        heap_lock()
        try:
            back_n = decode_into(body, len(body), body)
            good = matches(body, back_n)
        finally:
            heap_unlock()
        assert good and back_n == n + framing.CRC_N, message.name
        assert bytes(body[:n]) == messages.pack(message, seq, *values)
        done_n += 1
    return done_n


def check_heap_lock_bites(_, __):
    """The check above can fail: under heap_lock a 32-bit MicroPython cannot make the integer 2**30."""
    from micropython import heap_lock, heap_unlock

    half = 1 << 29
    heap_lock()
    try:
        half + half
        bitten = 0
    except MemoryError:
        bitten = 1
    finally:
        heap_unlock()
    assert bitten == (sys.maxsize < 1 << 32), "64-bit keeps 2**30 small, 32-bit does not"
    return bitten


def check_fast_twins(rows, _):
    """The box's viper twins write the very bytes of the plain functions."""
    from array import array

    from hbc_fw import fastwire

    plain_buf, fast_buf, plain_out, fast_out = [bytearray(400) for _ in range(4)]
    for row in rows:
        message = messages.BY_NAME[row["message"]]
        values = device_values(row)
        held = [array("h", v) if c == "a" else v for c, v in zip(message.codes, values)]
        n = messages.pack_into(plain_buf, message, row["seq"], values)
        assert messages.pack_into(fast_buf, message, row["seq"], held, fastwire.put_int16s) == n
        end = framing.encode_into(plain_buf, n, plain_out)
        assert fastwire.encode_into(fast_buf, n, fast_out) == end, message.name
        assert fast_out[:end] == plain_out[:end], message.name
    return len(rows)


EVERYWHERE = (check_vectors, check_splits, check_flips, check_stream_flips, check_noise, check_device_times)
ON_MICROPYTHON = (check_no_allocation, check_heap_lock_bites)


def main(vectors_path, noise_path, names):
    """Run checks by name and print one line for each."""
    rows = read_vectors(vectors_path)
    with open(noise_path, "rb") as file:
        noise = file.read()
    for name in names:
        print(name, globals()[name](rows, noise))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

"""The rules of the wire, on CPython and with the decoders that the host uses."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_host.protocol import StreamDecoder, new_deframer
from hbc_wire import framing, messages
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import make_vectors
import wire_checks

ROWS = wire_checks.read_vectors(str(make_vectors.PATH))


@pytest.mark.parametrize("check", wire_checks.EVERYWHERE, ids=lambda check: check.__name__)
def test_rule_holds_on_cpython(check: Callable[..., int], noise_file: Path) -> None:
    assert check(ROWS, noise_file.read_bytes()) >= 0


def test_golden_vectors_are_those_of_the_table() -> None:
    assert make_vectors.PATH.read_text("utf-8") == make_vectors.text(), "run: python tests/wire/make_vectors.py"


def test_every_message_has_golden_vectors_with_distinct_values() -> None:
    for name in messages.BY_NAME:
        payloads = {row["payload"] for row in ROWS if row["message"] == name}
        assert len(payloads) == 4, name


def test_the_longest_message_fits_a_frame() -> None:
    longest_of = {**messages.WIDTHS, "s": 1 + messages.TEXT_MAX_N, "a": 1 + 2 * messages.ARRAY_MAX_N}
    for message in messages.BY_ID.values():
        longest_n = messages.HEADER_N + framing.CRC_N
        for code in message.codes:
            longest_n += longest_of[code]
        body_n = longest_n + longest_n // 254 + 1
        assert body_n <= framing.FRAME_MAX_N, (message.name, body_n)


def test_ids_and_names_are_unique_and_a_64_bit_field_is_a_time() -> None:
    assert len(messages.BY_ID) == len(messages.BY_NAME)
    for message in messages.BY_ID.values():
        assert len(set(message.names)) == len(message.names)
        for name, code in zip(message.names, message.codes, strict=True):
            assert code != "Q" or name.endswith("_us"), (message.name, name)


def test_the_host_decodes_every_golden_frame_to_the_same_values() -> None:
    for row in ROWS:
        if row["message"] == "Hello":
            continue  # its golden version numbers are not ours: test_link.py
        [received] = StreamDecoder().feed(row["frame"])
        values = [value.tolist() if isinstance(value, np.ndarray) else value for value in received.message]
        assert type(received.message).__name__ == row["message"]
        assert (received.seq, values) == (row["seq"], row["values"])


@pytest.mark.parametrize("decode", [framing.cobs_decode, None], ids=["plain", "c"])
def test_a_flip_in_any_golden_frame_never_becomes_another_payload(decode: Callable[[bytes], bytes] | None) -> None:
    for row in ROWS:
        for place in range(len(row["frame"])):
            spoiled = bytearray(row["frame"])
            spoiled[place] ^= 1 << (place % 8)
            deframer = framing.Deframer(decode) if decode else new_deframer()
            assert deframer.feed(bytes(spoiled)) in ([], [row["payload"]])


@pytest.mark.parametrize("seed", [2, 3])
def test_noise_full_of_delimiters_yields_nothing(seed: int) -> None:
    noise = bytearray(random.Random(seed).randbytes(200_000))
    noise[::7] = bytes(len(noise[::7]))
    deframer = new_deframer()
    assert deframer.feed(bytes(noise)) == []
    assert deframer.bad_n > 10_000


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_frame_and_payload_are_inverse_for_any_bytes(payload: bytes) -> None:
    frame = framing.encode(payload)
    assert frame[0] == frame[-1] == 0
    assert 0 not in frame[1:-1]
    assert framing.payload_of(frame[1:-1]) == payload if payload else True
    assert new_deframer().feed(frame) == ([payload] if payload and len(frame) - 2 <= framing.FRAME_MAX_N else [])


def _values(code: str) -> st.SearchStrategy[Any]:
    if code == "s":
        return st.text(max_size=messages.TEXT_MAX_N).filter(lambda text: len(text.encode()) <= messages.TEXT_MAX_N)
    if code == "a":
        return st.lists(st.integers(-0x8000, 0x7FFF), max_size=messages.ARRAY_MAX_N).map(tuple)
    return st.integers(*make_vectors.LIMITS[code])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_unpack_undoes_pack_for_any_values(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(sorted(messages.BY_ID.values(), key=lambda row: row.msg_id)))
    seq = data.draw(st.integers(0, 0xFFFF))
    values = [data.draw(_values(code)) for code in message.codes]
    payload = messages.pack(message, seq, *values)
    assert payload == make_vectors.payload_of(message, seq, values)
    assert messages.unpack(payload) == (seq, tuple(values))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(sorted(messages.BY_ID)))
def test_a_payload_that_is_no_message_is_refused_with_message_error(rest: bytes, kind: int) -> None:
    for payload in (rest, bytes([kind]) + rest):
        try:
            seq, message = messages.unpack(payload)
        except messages.MessageError:
            continue
        assert messages.pack(messages.BY_ID[payload[0]], seq, *message) == payload


def test_too_long_texts_and_arrays_are_refused_with_value_and_limit() -> None:
    with pytest.raises(messages.MessageError, match="text of 65 bytes exceeds 64"):
        messages.pack(messages.Note, 0, 0, "x" * 65)
    values = [0] * (len(messages.EcgBlock.codes) - 2)
    with pytest.raises(messages.MessageError, match="array of 65 values exceeds 64"):
        messages.pack(messages.EcgBlock, 0, *values, [0] * 65, [0] * 65)
    with pytest.raises(messages.MessageError, match="ClockPing has 1 fields, 2 values given"):
        messages.pack(messages.ClockPing, 0, 1, 2)


def test_an_endless_body_is_one_bad_frame_and_the_next_frame_is_good() -> None:
    frame = ROWS[0]["frame"]
    for step in (1, 7, 5000):
        deframer = framing.Deframer()
        stream = b"\0" + b"\x55" * 5000 + frame
        payloads = [payload for at in range(0, len(stream), step) for payload in deframer.feed(stream[at : at + step])]
        assert payloads == [ROWS[0]["payload"]]
        assert (deframer.bad_n, deframer.skipped_bytes_n) == (1, 5000)


@pytest.mark.parametrize("step", [1, 1000])
def test_a_frame_longer_than_the_limit_is_refused_even_when_it_is_whole(step: int) -> None:
    frame = framing.encode(b"\x01" * framing.FRAME_MAX_N)
    deframer = framing.Deframer()
    stream = b"\0" + frame + frame
    assert [deframer.feed(stream[at : at + step]) for at in range(0, len(stream), step)][-1] == []
    assert deframer.bad_n == 2


def test_joining_in_the_middle_of_a_frame_is_no_loss() -> None:
    frame = ROWS[0]["frame"]
    deframer = framing.Deframer()
    assert deframer.feed(frame[5:] + frame) == [ROWS[0]["payload"]]
    assert deframer.bad_n == 0

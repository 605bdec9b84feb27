"""The fast reading of whole recordings gives what the slow one gives, on whatever damage."""

from __future__ import annotations

import math
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hbc_host.chunks import FROM_BOX, HOST_NOTE, TO_BOX, Chunk, Chunks
from hbc_host.frames import Frames
from hbc_host.parts import LOST, PART, note
from hbc_host.protocol import BULK_N, SequenceCounter, frame, new_deframer, unpack
from hbc_host.recorder import FILE_HEADER, FILE_MAGIC, LOG_NAME, LogWriter
from hbc_host.replay import verify_replay
from hbc_host.session import META_NAME
from hbc_host.tally import Tally
from hbc_native._rpeak import ffi, lib
from hbc_native.frames import gather
from hbc_wire import messages
from hbc_wire.framing import Deframer, encode
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_reader import chunk_at, slow_log, slow_stream
from support import Sent, a_meta, box_frames, hello_values, stream_of, with_flips
from support_fuzz import check_deframe, check_log, chunk

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "native"


@cache
def busy_log(seed: int) -> bytes:
    """Three connections in two parts, with pings, notes, another boot, and reads of any size."""
    rng = np.random.default_rng(seed)
    log = FILE_HEADER.pack(FILE_MAGIC, 1)
    host_s, token = 10.0, 0
    endings = [note(60.0, LOST, reason="cable"), note(61.0, "back", port="b"), note(math.nan, PART)]
    for connection in range(3):
        sent = box_frames(1.2, boot_n=7 + connection // 2, start_us=100_000 + 5_000_000 * (connection % 2), seed=seed)
        data, at = stream_of(sent), 0
        while at < len(data):
            size = int(rng.integers(1, 400))
            host_s += 0.05
            log += chunk(FROM_BOX, host_s, data[at : at + size])
            at += size
            if rng.random() < 0.2:
                token += 1
                log += chunk(TO_BOX, host_s, frame(messages.ClockPing, token, token))
                pong = frame(messages.ClockPong, token, token, token * 1000, token * 1000 + 50)
                log += chunk(FROM_BOX, host_s + 0.01, pong)
            if rng.random() < 0.3:
                log += chunk(*note(host_s, "rating", value=token))
        log += b"".join(chunk(*ending) for ending in endings[connection : connection + 2])
    return log


def test_three_connections_are_read_as_the_slow_reader_reads_them() -> None:
    for seed in range(5):
        check_log(busy_log(seed))
    expected = slow_stream(slow_log(busy_log(1)).chunks)
    assert len(expected.aways) == 2
    assert len(expected.pings) > 5
    assert len(expected.notes) > 5  # the oracle saw what the test is about


@pytest.mark.parametrize("per_byte", [1e-5, 1e-4, 1e-3, 1e-2])
def test_any_flipped_bits_give_what_the_slow_reader_gives(per_byte: float) -> None:
    for seed in range(4):
        check_log(with_flips(busy_log(seed), per_byte, seed)[0])
        check_deframe(with_flips(stream_of(box_frames(3.0)), per_byte, seed)[0])


CUT = st.tuples(st.floats(0, 1), st.integers(0, 900), st.binary(max_size=700))  # where, how many bytes, what instead
LENGTHS = st.lists(st.sampled_from([1, 3, 254, 255, 256, 312, 316, 317, 318, 319, 320, 321, 400]), max_size=6)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 3), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 900), st.binary(max_size=700)), max_size=6)
)
def test_any_cuts_and_insertions_give_what_the_slow_reader_gives(
    seed: int, cuts: list[tuple[float, int, bytes]]
) -> None:
    log = busy_log(seed)
    for where, cut_n, inserted in cuts:
        at = int(where * len(log))
        log = log[:at] + inserted + log[at + cut_n :]
    check_log(log)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([1, 3, 254, 255, 256, 312, 316, 317, 318, 319, 320, 321, 400]), max_size=6), st.binary()
)
def test_frames_of_any_length_up_to_the_longest_are_told_apart(lengths: list[int], salt: bytes) -> None:
    bodies = [bytes((salt + bytes(range(256)) * 2)[:n]) for n in lengths]
    check_deframe(b"".join(encode(body) for body in bodies) + b"\x01" * 700 + encode(b"after noise") + salt)


def test_the_checksum_in_c_is_that_of_zlib() -> None:
    crc = ffi.new("hbc_crc *")
    lib.hbc_crc_init(crc)
    data = np.random.default_rng(1).integers(0, 256, 1000, np.uint8).tobytes()
    for n in (0, 1, 2, 3, 4, 5, 7, 8, 1000):
        assert lib.hbc_crc_of(crc, 0, data, n) == crc32(data[:n])
        assert lib.hbc_crc_of(crc, crc32(b"before"), data, n) == crc32(data[:n], crc32(b"before"))


def test_nothing_is_written_beyond_the_places_given() -> None:
    crc = ffi.new("hbc_crc *")
    lib.hbc_crc_init(crc)
    data = stream_of(box_frames(1.0))
    payloads, ends, at = ffi.new("uint8_t[]", len(data)), ffi.new("int64_t[4]"), ffi.new("int64_t[4]")
    ends[3] = at[3] = -77
    found = ffi.new("hbc_deframed *")
    assert lib.hbc_deframe(crc, data, len(data), 1, 320, payloads, ends, at, 3, found) == -1
    assert (ends[3], at[3], found.frames_n) == (-77, -77, 3)
    log = busy_log(0)
    places = ffi.new("int64_t[4]")
    places[3] = -77
    assert lib.hbc_log_chunks(crc, log, len(log), 8, b"\xc5hb\xa9", 1 << 16, places, 3) == -1
    assert places[3] == -77


def test_damaged_bytes_in_exact_buffers_meet_no_sanitizer(tmp_path: Path) -> None:
    """The harness copies each input to memory of exactly its size, so that one byte too far is seen."""
    gcc = shutil.which("gcc")
    assert gcc, "gcc is not installed; the C cannot be built without it"
    inputs, expected = [], []
    for seed in range(16):
        log = with_flips(busy_log(seed % 4), (1e-4, 1e-3, 1e-2)[seed % 3], seed)[0][: 6_000 - 311 * seed]
        stream = b"".join(each.data for each in slow_log(log).chunks if each.kind == FROM_BOX)
        for data in (log, stream, log[: seed % 9], stream[: seed % 9]):
            inputs.append(len(data).to_bytes(4, "little") + data)
            expected.append(_in_words(data))
    (tmp_path / "inputs").write_bytes(b"".join(inputs))
    flags = ["-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsanitize=undefined,address"]
    sources = [
        str(Path(__file__).resolve().parents[1] / "native" / "frames_harness.c"),
        str(NATIVE / "src" / "hbc_frames.c"),
    ]
    command = [
        gcc,
        *flags,
        "-fno-sanitize-recover=all",
        f"-I{NATIVE / 'include'}",
        *sources,
        "-o",
        str(tmp_path / "run"),
    ]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [tmp_path / "run", tmp_path / "inputs"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == expected


def _in_words(data: bytes) -> str:
    """What the harness prints for one input: frames, payload bytes and their checksum, bad, skipped; whole chunks."""
    plain = Deframer()
    payloads = plain.feed(data)
    whole = b"".join(payloads)
    at, chunks_n = 0, 0
    while at < len(data):
        found = chunk_at(data, at)
        chunks_n += found is not None
        at += 1 if found is None else 24 + len(found.data)
    return f"{len(payloads)} {len(whole)} {crc32(whole):08x} {plain.bad_n} {plain.skipped_bytes_n} {chunks_n}"


def counts(tally: Tally) -> tuple[object, ...]:
    missed = tally.missed
    holes = missed.edges.holes, missed.peaks.holes
    events = missed.edges_n, missed.beats_n, missed.lost_n, missed.boots_n
    return (
        tally.frames_n,
        tally.bad_n,
        tally.lost_n,
        tally.bytes_n,
        tally.hello,
        holes,
        events,
        tally._frames.repeated_n,
    )


@pytest.mark.parametrize("per_byte", [0.0, 1e-4, 1e-3])
def test_many_messages_at_once_are_counted_as_one_by_one(per_byte: float) -> None:
    def spoilt(sent: list[Sent]) -> bytes:
        malformed = [frame(messages.Note, 9, 5, b"\xff"), b"\0\x05abcd\0"]  # no UTF-8; no frame
        return b"".join(one.data + (malformed[n % 2] if n % 97 == 0 else b"") for n, one in enumerate(sent))

    data = spoilt(box_frames(40.0)) + spoilt(box_frames(25.0, boot_n=8)) + stream_of(box_frames(9.0, boot_n=8))
    data = with_flips(data, per_byte, 3)[0]
    listened, silent = Tally(on_message=lambda message: None), Tally()
    for at in range(0, len(data), BULK_N + 1000):
        part = data[at : at + BULK_N + 1000]
        listened.take(Chunk(FROM_BOX, float(at), part))
        silent.take(Chunk(FROM_BOX, float(at), part))
        assert counts(silent) == counts(listened)
    assert listened.bad_n > 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(1, 40)), max_size=8), st.booleans())
def test_frame_numbers_in_one_go_cost_what_they_cost_one_by_one(runs: list[tuple[int, int]], resume: bool) -> None:
    one, many = SequenceCounter(), SequenceCounter()
    for first, n in runs:
        seqs = np.arange(first, first + n, dtype=np.int64) & 0xFFFF
        if resume:
            one.resume()
            many.resume()
        for seq in seqs.tolist():
            one.push(seq)
        many.push_all(seqs)
        assert vars(one) == vars(many)


def test_which_frames_can_be_unpacked_is_known_of_all_at_once() -> None:
    whole = new_deframer().feed(stream_of(box_frames(2.0)))
    odd = [payload[:n] for payload in {p[0]: p for p in whole}.values() for n in (3, 4, len(payload) - 1)]
    odd += [payload + b"\0" for payload in whole[:30]] + [b"\x77abc", whole[8][:-1] + b"\x07"]
    for payload in [*whole, *odd]:
        try:
            unpack(payload)
            unpacks = True
        except messages.MessageError:
            unpacks = False
        assert Frames([payload]).known().tolist() == [unpacks]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(), st.binary(max_size=9)), max_size=12), st.data())
def test_chunks_side_by_side_are_the_chunks_one_by_one(
    fields: list[tuple[int, float, bytes]], draw: st.DataObject
) -> None:
    one_by_one = [Chunk(*each) for each in fields]
    cut, end = sorted(draw.draw(st.integers(0, len(fields))) for _ in range(2))
    many = Chunks.of(one_by_one)
    assert many == one_by_one
    assert Chunks.joined([many[:cut], many[cut:end], Chunks.of(one_by_one[end:])]) == one_by_one
    assert many.data(cut, end) == b"".join(chunk.data for chunk in one_by_one[cut:end])
    picked = np.flatnonzero(many.kind == FROM_BOX)
    assert many.picked(picked) == [chunk for chunk in one_by_one if chunk.kind == FROM_BOX]
    assert many != [*one_by_one, Chunk(FROM_BOX, 0.0, b"")]
    assert not fields or many != [*one_by_one[:-1], Chunk(HOST_NOTE + 1, 0.0, b"")]


@pytest.mark.parametrize(
    ("at", "length_n"), [([0, 8], [4, 3]), ([-1], [2]), ([4], [-1]), ([2**62], [2**62]), ([0], [1, 1])]
)
def test_pieces_that_are_not_there_are_refused(at: list[int], length_n: list[int]) -> None:
    with pytest.raises(ValueError, match=r"piece|lengths"):
        gather(b"0123456789", np.array(at), np.array(length_n))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=2), st.sampled_from([messages.Hello, messages.Note])), max_size=30))
def test_payloads_that_differ_in_more_than_their_number_are_told_apart(sent: list[tuple[bytes, Any]]) -> None:
    payloads = [bytes((row.msg_id, n, 0)) + body for n, (body, row) in enumerate(sent)]
    of_body: dict[bytes, list[int]] = {}
    for place, (body, row) in enumerate(sent):
        if row is messages.Hello:
            of_body.setdefault(body, []).append(place)
    found = Frames(payloads).distinct(messages.Hello)
    assert {payload[messages.HEADER_N :]: places.tolist() for places, payload in found} == of_body
    assert [payload for _, payload in found] == [payloads[places[0]] for places, _ in found]


@pytest.mark.parametrize("per_byte", [0.0, 1e-5, 1e-3])
def test_a_replay_in_large_reads_gives_the_result_of_many_small_ones(tmp_path: Path, per_byte: float) -> None:
    (tmp_path / META_NAME).write_text(a_meta().to_json(), "utf-8")
    data = (
        stream_of(box_frames(60.0))
        + frame(messages.Hello, 1, *hello_values(boot_n=9))
        + stream_of(box_frames(9.0, boot_n=9))
    )
    data = with_flips(data, per_byte, 4)[0]
    writer = LogWriter(tmp_path / LOG_NAME)
    for n, at in enumerate(range(0, len(data), 140)):
        writer.append(Chunk(FROM_BOX, at / 2750, data[at : at + 140]))
        if n in (400, 401, 900):
            writer.append(note(at / 2750, LOST, reason="cable"))
    writer.close()
    fast, slow = verify_replay(tmp_path), verify_replay(tmp_path, speed=1e9)
    assert fast.same
    assert slow.same
    assert fast == slow

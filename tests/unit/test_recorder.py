"""The log keeps bytes verbatim, and what is damaged or cut off costs no more than itself."""

from __future__ import annotations

import errno
import math
import os
import tracemalloc
from pathlib import Path

import pytest
from hbc_host import recorder
from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.errors import SessionError
from hbc_host.recorder import CHUNK_HEADER, CHUNK_MAX_N, FILE_HEADER, LogWriter, read_log
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHUNKS = [
    Chunk(FROM_BOX, 1.0, b"hello"),
    Chunk(TO_BOX, 1.25, b"ping"),
    Chunk(FROM_BOX, 1.5, bytes(range(256))),
    Chunk(FROM_BOX, 2.0, b"tail"),
]


def write(path: Path, chunks: list[Chunk]) -> bytes:
    writer = LogWriter(path)
    for chunk in chunks:
        writer.append(chunk)
    writer.close()
    assert writer.bytes_n == path.stat().st_size
    return path.read_bytes()


def test_chunks_come_back_verbatim_with_both_directions(tmp_path: Path) -> None:
    write(tmp_path / "log", CHUNKS)
    log = read_log(tmp_path / "log")
    assert list(log.chunks) == CHUNKS
    assert (log.damaged_n, log.damaged_bytes_n, log.truncated) == (0, 0, False)


def test_a_log_cut_at_any_byte_keeps_every_whole_chunk(tmp_path: Path) -> None:
    data = write(tmp_path / "log", CHUNKS)
    ends = [FILE_HEADER.size]
    for chunk in CHUNKS:
        ends.append(ends[-1] + CHUNK_HEADER.size + len(chunk.data))
    for cut in range(FILE_HEADER.size + 1, len(data) + 1):
        (tmp_path / "cut").write_bytes(data[:cut])
        log = read_log(tmp_path / "cut")
        whole_n = sum(end <= cut for end in ends) - 1
        assert list(log.chunks[:whole_n]) == CHUNKS[:whole_n]
        assert log.truncated == (cut not in ends)


def test_any_flipped_bit_in_the_log_is_noticed_and_costs_one_chunk(tmp_path: Path) -> None:
    data = write(tmp_path / "log", CHUNKS)
    path = tmp_path / "bad"
    for place in range(FILE_HEADER.size, len(data)):
        spoiled = bytearray(data)
        spoiled[place] ^= 1 << (place % 8)
        path.write_bytes(spoiled)
        log = read_log(path)
        assert log.damaged_n + log.truncated == 1, place
        whole = [chunk for chunk in log.chunks if not math.isnan(chunk.host_s)]
        assert len(whole) == 3, place
        assert all(chunk in CHUNKS for chunk in whole)


def test_the_bytes_of_a_damaged_chunk_are_still_read(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "log", CHUNKS))
    data[FILE_HEADER.size + CHUNK_HEADER.size + 1] ^= 1
    (tmp_path / "log").write_bytes(data)
    assert read_log(tmp_path / "log").chunks[0].data == b"hdllo"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.binary(max_size=400), st.integers(0, 500))
def test_no_garbage_in_a_log_breaks_reading(tmp_path: Path, garbage: bytes, at: int) -> None:
    data = write_once(tmp_path)
    (tmp_path / "bad").write_bytes(data[: FILE_HEADER.size + at] + garbage + data[FILE_HEADER.size + at :])
    log = read_log(tmp_path / "bad")
    assert CHUNKS[3] in log.chunks or at >= len(data) - FILE_HEADER.size - 28


def write_once(folder: Path) -> bytes:
    path = folder / "once"
    return path.read_bytes() if path.exists() else write(path, CHUNKS)


def test_more_than_a_chunk_holds_is_split_and_nothing_lost(tmp_path: Path) -> None:
    data = bytes(range(251)) * 1000
    write(tmp_path / "log", [Chunk(FROM_BOX, 3.0, data)])
    chunks = read_log(tmp_path / "log").chunks
    assert b"".join(chunk.data for chunk in chunks) == data
    assert max(len(chunk.data) for chunk in chunks) == CHUNK_MAX_N


def test_the_disk_gets_its_bytes_at_most_a_second_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    synced_s: list[float] = []
    monkeypatch.setattr(recorder.os, "fsync", lambda _: synced_s.append(now_s))
    writer = LogWriter(tmp_path / "log", clock=lambda: now_s)
    for step in range(100):
        now_s = step * 0.05
        if step < 60:
            writer.append(CHUNKS[0])
        else:
            writer.sync_if_due()
    assert [round(at_s, 2) for at_s in synced_s] == [1.0, 2.0, 3.0], "and none when nothing was written since"
    writer.close()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk full"), (errno.EROFS, "choose a folder that is yours"), (errno.EIO, "check the disk")],
)
def test_a_disk_that_refuses_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    writer = LogWriter(tmp_path / "log")
    writer.append(CHUNKS[0])

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(recorder.os, "write", refuse)
        with pytest.raises(SessionError, match=words):
            writer.append(CHUNKS[1])
    writer.close()
    assert read_log(tmp_path / "log").chunks == (CHUNKS[0],)


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(recorder.os, "write", lambda fd, data: real(fd, bytes(data)[:7]))
    write(tmp_path / "log", CHUNKS)
    assert list(read_log(tmp_path / "log").chunks) == CHUNKS


def test_an_existing_log_is_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "log", CHUNKS)
    with pytest.raises(SessionError, match="already holds a recording"):
        LogWriter(tmp_path / "log")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes and holds no data"),
        (FILE_HEADER.pack(b"HBCLOG", 1), "holds no data"),
        (FILE_HEADER.pack(b"HBCLOG", 2) + b"x" * 40, "format 2, this program reads up to 1; update"),
        (b"time,value\n1,2\n", "no recording of hbc-box"),
    ],
)
def test_what_is_no_log_is_refused_in_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "log").write_bytes(data)
    with pytest.raises(SessionError, match=words):
        read_log(tmp_path / "log")


def test_an_absent_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="cannot read"):
        read_log(tmp_path / "none")


def test_thousands_of_damaged_places_cost_no_more_memory_than_one(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "log")
    for k in range(4000):
        writer.append(Chunk(FROM_BOX, float(k), b"0123456789" * 5))
    writer.close()
    data = bytearray((tmp_path / "log").read_bytes())
    each_n = CHUNK_HEADER.size + 50
    for k in range(0, 4000, 2):
        data[FILE_HEADER.size + k * each_n + CHUNK_HEADER.size] ^= 1
    (tmp_path / "log").write_bytes(data)
    tracemalloc.start()
    log = read_log(tmp_path / "log")
    peak_n = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (log.damaged_n, len(log.chunks)) == (2000, 4000)
    assert [math.isnan(chunk.host_s) for chunk in log.chunks[:4]] == [True, False, True, False]
    assert peak_n < 10 * len(data)

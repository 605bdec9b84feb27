"""A recording ends in one of three ways, and each leaves a session that loads."""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hbc_host.errors import NoHelloError, SessionError, TransportError, VersionMismatchError
from hbc_host.manifest import MANIFEST_NAME
from hbc_host.protocol import frame
from hbc_host.record import record
from hbc_host.recorder import LOG_NAME, read_log
from hbc_host.session import META_NAME, load_session
from hbc_wire import messages
from support import FakeTransport, OpenedSerial, a_meta, beat_times_us, box_frames, hello_values, pty_box, stream_of

REPOSITORY = Path(__file__).resolve().parents[2]
WAIT_S = 120.0  # other work may hold this computer up


def chunks_of(data: bytes, n: int = 500) -> list[bytes]:
    return [data[at : at + n] for at in range(0, len(data), n)]


def test_over_a_real_pty_every_byte_is_recorded_and_the_silent_end_stops_it(tmp_path: Path) -> None:
    sent = box_frames(20.0)
    seen: list[Any] = []
    until_s = time.monotonic() + WAIT_S
    with pty_box() as box:
        port = OpenedSerial(box.path, lambda: box.send_later(stream_of(sent)))
        summary = record(
            port, tmp_path / "s", meta=a_meta(), on_message=seen.append,
            stop=lambda: len(seen) >= len(sent) or time.monotonic() > until_s,
        )  # fmt: skip
    assert (summary.ended, summary.reason) == ("stopped", "")
    assert (summary.frames_n, summary.frames_lost_n, summary.frames_bad_n) == (len(sent), 0, 0)
    assert len(seen) == len(sent)
    assert summary.bytes_n == len(stream_of(sent))
    assert b"".join(chunk.data for chunk in read_log(tmp_path / "s" / LOG_NAME).chunks) == stream_of(sent)
    session = load_session(tmp_path / "s")
    assert session.beats_us.tolist() == beat_times_us(20.0)
    assert (summary.beats_n, summary.edges_n) == (len(session.beats_us), len(session.edges_tick))
    assert session.meta == a_meta()


def test_unplugging_in_mid_recording_leaves_a_session_and_says_so(tmp_path: Path) -> None:
    sent = box_frames(20.0)
    half = stream_of(sent[: len(sent) // 2])
    heard: list[bytes] = []
    with pty_box() as box:

        def pull() -> None:
            while sum(map(len, heard)) < len(half):
                time.sleep(0.005)
            box.unplug()

        port = OpenedSerial(box.path, lambda: box.send_later(half, pull))
        summary = record(
            port, tmp_path / "s", meta=a_meta(), stop=lambda: False, tap=lambda chunk: heard.append(chunk.data)
        )
    assert summary.ended == "port_lost"
    assert "disappeared; check the cable" in summary.reason
    assert "is kept in" in summary.reason
    session = load_session(tmp_path / "s")
    assert session.frames_n == summary.frames_n == len(sent) // 2
    assert session.frames_lost_n == 0


CHILD = """
import sys
from pathlib import Path
from hbc_host.record import record
from hbc_host.transport import SerialTransport
from support import a_meta
record(SerialTransport(sys.argv[1]), Path(sys.argv[2]), meta=a_meta(), stop=lambda: False)
"""


def in_the_file(log: Path) -> bytes:
    """The bytes that another program has written so far."""
    try:
        return b"".join(chunk.data for chunk in read_log(log).chunks)
    except (OSError, SessionError):  # not begun yet
        return b""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_killing_the_host_loses_only_what_it_had_not_read(tmp_path: Path, number: signal.Signals) -> None:
    paths = [REPOSITORY / "tests", *(Path(path) for path in sys.path if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in paths)}
    sent = box_frames(30.0)
    with pty_box() as box:
        child = subprocess.Popen([sys.executable, "-c", CHILD, box.path, str(tmp_path / "s")], env=environment)
        try:
            # Hello again and again, until the child has opened the port (which empties it) and made the directory.
            until_s = time.monotonic() + WAIT_S
            while not (tmp_path / "s").exists():
                assert child.poll() is None
                assert time.monotonic() < until_s
                if box.drained():
                    box.send(sent[0].data)
                time.sleep(0.02)
            box.send(stream_of(sent[1:800]))
            while sent[799].data not in in_the_file(tmp_path / "s" / LOG_NAME):
                assert time.monotonic() < until_s, "what the host reads does not come into the file"
                time.sleep(0.02)
            child.send_signal(number)
            assert child.wait(timeout=WAIT_S) == (-number if number == signal.SIGKILL else 0)
        finally:
            child.kill()
            child.wait()
    session = load_session(tmp_path / "s")
    assert session.frames_n >= 800, "everything that was read is in the file, although it was never closed"
    assert session.frames_lost_n == 0
    assert session.notes == () or all("arrived twice" in note for note in session.notes)


def test_nothing_is_written_when_no_box_answers(tmp_path: Path) -> None:
    for transport, error, timeout_s in (
        (FakeTransport([b"noise" * 100]), NoHelloError, 0.05),
        (FakeTransport([frame(messages.Hello, 0, *hello_values(wire_version=2))]), VersionMismatchError, WAIT_S),
        (FakeTransport([], error=TransportError("port x disappeared")), TransportError, WAIT_S),
    ):
        with pytest.raises(error):
            record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: True, hello_timeout_s=timeout_s)
        assert list(tmp_path.iterdir()) == []
        assert not transport.is_open


def test_a_used_directory_is_refused_before_the_port_is_opened(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "notes.txt").write_text("mine")
    transport = FakeTransport([])
    with pytest.raises(SessionError, match="is not empty; choose another folder"):
        record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(SessionError, match="choose another folder"):
        record(transport, tmp_path / "file", meta=a_meta(), stop=lambda: True)
    with pytest.raises(SessionError, match="cannot record to"):
        record(FakeTransport([box_frames(1.0)[0].data]), Path("/proc/nonesuch/s"), meta=a_meta(), stop=lambda: True)


def test_an_empty_directory_may_be_used_and_is_private(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    transport = FakeTransport(chunks_of(stream_of(box_frames(2.0))))
    record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: transport.at_end)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "s").iterdir()} == {0o600}
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [MANIFEST_NAME, META_NAME, LOG_NAME]
    assert [path.name for path in tmp_path.iterdir()] == ["s"], "no temporary directory is left"


def test_a_full_disk_ends_the_recording_in_one_line_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    left_n = 20_000

    def filling(number: int, data: bytes) -> int:
        nonlocal left_n
        left_n -= len(data)
        if left_n < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(number, data)

    monkeypatch.setattr(os, "write", filling)
    transport = FakeTransport(chunks_of(stream_of(box_frames(20.0))))
    summary = record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: transport.at_end)
    assert summary.ended == "disk"
    assert re.search(r"disk full .* what was recorded so far is kept", summary.reason)
    assert load_session(tmp_path / "s").frames_n > 100


def test_a_box_that_never_falls_silent_is_cut_off_two_seconds_after_stop(tmp_path: Path) -> None:
    now_s = 0.0

    def clock() -> float:
        return now_s

    class Endless(FakeTransport):
        def read(self) -> bytes:
            nonlocal now_s
            now_s += 0.05
            time.sleep(0.001)
            return sent[int(now_s / 0.05) % len(sent)].data

    sent = box_frames(5.0)
    summary = record(Endless([]), tmp_path / "s", meta=a_meta(), stop=lambda: now_s > 10.0, clock=clock)
    assert summary.ended == "stopped"
    assert summary.duration_s > 10


def test_what_is_on_its_way_when_stop_comes_is_still_recorded(tmp_path: Path) -> None:
    stream = stream_of(box_frames(30.0))
    transport = FakeTransport(chunks_of(stream, 64))
    summary = record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: True)
    assert summary.bytes_n == len(stream)


def test_silence_that_was_noted_before_stop_does_not_end_the_recording(tmp_path: Path) -> None:
    """The queue may hold idle reads from before the last bytes came; only a later one means that all is in."""

    class Late(FakeTransport):
        reads_n = 0

        def read(self) -> bytes:
            self.reads_n += 1
            return super().read()

    stream = stream_of(box_frames(2.0))
    transport = Late([stream[:1000]])

    def stop() -> bool:
        until_n = transport.reads_n + 10
        while transport.reads_n < until_n:  # meanwhile the reader thread notes silence, again and again
            time.sleep(0.001)
        transport.put(stream[1000:])
        return True

    assert record(transport, tmp_path / "s", meta=a_meta(), stop=stop).bytes_n == len(stream)


def test_a_reboot_in_mid_recording_is_not_counted_as_loss(tmp_path: Path) -> None:
    stream = stream_of(box_frames(10.0, boot_n=1, seq=30_000) + box_frames(10.0, boot_n=2))
    transport = FakeTransport(chunks_of(stream))
    summary = record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: transport.at_end)
    assert summary.frames_lost_n == 0
    assert load_session(tmp_path / "s").boots_n == 2


def test_a_box_that_changes_its_version_in_mid_recording_is_refused_and_the_rest_kept(tmp_path: Path) -> None:
    stream = stream_of(box_frames(10.0)) + frame(messages.Hello, 0, *hello_values(wire_version=2))
    transport = FakeTransport(chunks_of(stream))
    with pytest.raises(VersionMismatchError):
        record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: transport.at_end)
    assert load_session(tmp_path / "s").duration_s == pytest.approx(10.0, abs=0.1)


def test_pings_and_pongs_give_a_clock_fit(tmp_path: Path) -> None:
    """A box that answers pings over a real pty: device time is host time plus 1000 s, and the fit finds that."""
    from hbc_host.clocksync import fit_clock
    from hbc_host.protocol import StreamDecoder

    over = threading.Event()
    until_s = time.monotonic() + WAIT_S
    pongs_n = 0
    with pty_box() as box:

        def answer() -> None:
            nonlocal pongs_n
            decoder = StreamDecoder()
            seq = 0
            while not over.is_set():
                if not pongs_n:  # then silence, so that the recording ends as soon as it is told to
                    box.send(frame(messages.Hello, seq, *hello_values()))
                    seq += 1
                if not select.select([box.master], [], [], 0.05)[0]:
                    continue
                for _, ping in decoder.feed(os.read(box.master, 1000)):
                    now_us = int((time.monotonic() + 1000.0) * 1e6)
                    box.send(frame(messages.ClockPong, seq, ping.token, now_us, now_us))
                    seq += 1
                    pongs_n += 1

        thread = threading.Thread(target=answer)
        port = OpenedSerial(box.path, thread.start)
        try:
            summary = record(
                port, tmp_path / "s", meta=a_meta(), ping=True,
                stop=lambda: pongs_n >= 3 or time.monotonic() > until_s,
            )  # fmt: skip
        finally:
            over.set()
            thread.join()
    session = load_session(summary.path)
    assert len(session.pings) >= 2
    fit = fit_clock(session.pings)
    error_us = abs(fit.to_host_s(fit.origin_us) + 1000.0 - fit.origin_us * 1e-6) * 1e6
    assert error_us <= fit.max_error_us + 1


def test_nobody_asks_for_the_wall_clock_while_recording_and_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that setting it, by hand or by NTP, cannot harm; labels and the manifest's date come from `datetime`."""

    def never() -> float:
        raise AssertionError("time.time() was called")

    monkeypatch.setattr(time, "time", never)
    transport = FakeTransport(chunks_of(stream_of(box_frames(5.0))))
    record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: transport.at_end, ping=True, fetch=True)
    assert load_session(tmp_path / "s").frames_lost_n == 0

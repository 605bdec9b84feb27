"""The same bytes over ways that share no code: pyserial on our pty, on socat's pty pair, on TCP, and a bare read.

socat is an independent program (Debian: apt install socat); without it these tests skip.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hbc_host.chunks import FROM_BOX
from hbc_host.record import record
from hbc_host.recorder import read_log
from hbc_host.session import load_session, session_hash
from hbc_host.transport import SerialTransport
from support import OpenedSerial, a_meta, box_frames, pty_box, stream_of

SENT = stream_of(box_frames(20.0))
WAIT_S = 180.0  # generous: the machine may be busy


@pytest.fixture
def socat() -> str:
    found = shutil.which("socat")
    if found is None:
        pytest.skip("socat is not installed (apt install socat): no second path to compare with")
    return found


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as program:
        try:
            yield program
        finally:
            program.terminate()


def wait_for(what: Callable[[], object]) -> None:
    until_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < until_s, "did not happen in time"
        time.sleep(0.01)


@contextmanager
def socat_pair(socat: str, place: Path) -> Iterator[tuple[str, str]]:
    """Two ptys that socat joins: what goes into one comes out of the other."""
    near, far = place / "near", place / "far"
    with running(socat, *(f"pty,raw,echo=0,link={link}" for link in (near, far))):
        wait_for(lambda: near.exists() and far.exists())
        yield str(near), str(far)


class Sender:
    """Writes to a terminal from a thread, as a box does that nobody answers; the terminal stays open until the end."""

    def __init__(self, path: str) -> None:
        self._number = os.open(path, os.O_WRONLY | os.O_NOCTTY)

    def send(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        view = memoryview(SENT)
        with suppress(OSError):  # the test is over
            while view:
                view = view[os.write(self._number, view[:512]) :]

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._number)


def recorded(path: Path) -> bytes:
    return b"".join(chunk.data for chunk in read_log(path / "wire.hbclog").chunks if chunk.kind == FROM_BOX)


def record_all(transport: SerialTransport, out: Path) -> Path:
    """Record until all bytes are there."""
    bytes_n = 0
    until_s = time.monotonic() + WAIT_S

    def count(chunk: object) -> None:
        nonlocal bytes_n
        bytes_n += len(chunk.data)  # type: ignore[attr-defined]

    record(
        transport, out, meta=a_meta(), tap=count, hello_timeout_s=WAIT_S,
        stop=lambda: bytes_n >= len(SENT) or time.monotonic() > until_s,
    )  # fmt: skip
    return out


def test_a_pty_pair_of_another_program_brings_the_same_bytes_and_the_same_result(socat: str, tmp_path: Path) -> None:
    with pty_box() as box:
        ours = record_all(OpenedSerial(box.path, lambda: box.send_later(SENT)), tmp_path / "ours")
    with socat_pair(socat, tmp_path) as (near, far), Sender(far) as box_end:
        second = record_all(OpenedSerial(near, box_end.send), tmp_path / "second")
    assert recorded(ours) == recorded(second) == SENT
    assert session_hash(load_session(ours)) == session_hash(load_session(second))


def test_tcp_brings_the_same_bytes(tmp_path: Path) -> None:
    """No terminal at all: pyserial's socket:// from a server of ours."""
    is_open = threading.Event()  # opening throws away what came before
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                is_open.wait(WAIT_S)
                connection.sendall(SENT)
                with suppress(OSError):
                    connection.recv(1)  # until the other side closes

        threading.Thread(target=serve, daemon=True).start()
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        out = record_all(OpenedSerial(url, is_open.set), tmp_path / "tcp")
    assert recorded(out) == SENT


def test_what_pyserial_reads_is_what_a_bare_read_of_the_terminal_gives(socat: str, tmp_path: Path) -> None:
    with socat_pair(socat, tmp_path) as (near, far), Sender(far) as box_end:
        number = os.open(near, os.O_RDONLY | os.O_NOCTTY)
        tty.setraw(number)
        box_end.send()
        bare = b""
        until_s = time.monotonic() + WAIT_S
        while len(bare) < len(SENT) and time.monotonic() < until_s:
            if select.select([number], [], [], 0.1)[0]:
                bare += os.read(number, 4096)
        os.close(number)
    assert sha256(bare).hexdigest() == sha256(SENT).hexdigest()


def test_what_the_host_sends_arrives_unchanged_at_the_far_end(socat: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 40  # XON, XOFF, carriage return, end of file: all the bytes that terminals meddle with
    with socat_pair(socat, tmp_path) as (near, far):
        number = os.open(far, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        transport = SerialTransport(near)
        transport.open()
        transport.write(data)
        arrived = b""
        until_s = time.monotonic() + WAIT_S
        while len(arrived) < len(data) and time.monotonic() < until_s:
            with suppress(BlockingIOError):
                arrived += os.read(number, 4096)
            time.sleep(0.001)
        transport.close()
        os.close(number)
    assert arrived == data

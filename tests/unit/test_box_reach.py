"""What answers at a port is told apart: our app, another version of it, a prompt, an empty chip, something else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import serial
from hbc_host import requests
from hbc_host.box import reach
from hbc_host.box.info import ask_box
from hbc_host.errors import NoHelloError, TransportError, VersionMismatchError
from hbc_host.protocol import frame
from hbc_wire import messages
from support import PtyBox, box_frames, clock_from, hello_values, pty_box, stream_of


@contextmanager
def talking(data: bytes) -> Iterator[PtyBox]:
    """A port from which these bytes come again and again, whoever opens it."""
    with pty_box() as box:
        over = threading.Event()

        def talk() -> None:
            while not over.wait(0.02):
                if box.drained():
                    box.send(data)
                    box.sends_n += 1

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        try:
            yield box
        finally:
            over.set()
            thread.join()


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known ends the listening; a busy computer does not."""
    monkeypatch.setattr(reach, "LISTEN_S", 60.0)


@pytest.mark.usefixtures("_patient")
def test_our_app_is_known_by_its_hello() -> None:
    with talking(frame(messages.Hello, 1, *hello_values(unique_id="beef"))) as box:
        found = reach.look(box.path)
    assert (found.kind, found.hello.unique_id) == (reach.APP, "beef")


@pytest.mark.usefixtures("_patient")
def test_an_app_of_another_wire_version_is_refused_by_info_but_known_to_flash() -> None:
    with talking(frame(messages.Hello, 1, *hello_values(wire_version=2))) as box:
        assert reach.look(box.path).kind == reach.OTHER_APP
        with pytest.raises(VersionMismatchError, match="flash the box again"):
            ask_box(box.path, clock=lambda: 0.0)


@pytest.mark.usefixtures("_patient")
def test_an_empty_chip_is_known_by_the_words_of_its_rom() -> None:
    with talking(b"rst:0x10 (RTCWDT_RTC_RESET),boot:0x13\r\ninvalid header: 0xffffffff\r\n") as box:
        assert reach.look(box.path).kind == reach.EMPTY


def test_silence_and_something_else_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "LISTEN_S", 0.1)
    monkeypatch.setattr(reach, "PROMPT_S", 0.1)
    with pty_box() as box:
        assert reach.look(box.path).kind == reach.SILENT
    with talking(b"$GPGGA,123519,4807.038,N\r\n") as box:
        listens_from: list[int] = []  # sendings before the port was open

        def has_spoken() -> bool:
            listens_from.append(box.sends_n)
            return box.sends_n >= listens_from[0] + 3

        monkeypatch.setattr(reach, "time", SimpleNamespace(monotonic=clock_from(has_spoken)))
        assert reach.look(box.path).kind == reach.TALKS


@pytest.mark.parametrize(
    ("said", "words"),
    [(b"\r\n>>> ", "hbc box recover"), (b"invalid header: 0xffffffff\r\n", "hbc box flash")],
    ids=["prompt", "empty"],
)
def test_info_of_a_board_without_its_app_says_which_command_brings_it(said: bytes, words: str) -> None:
    with talking(said) as box, pytest.raises(NoHelloError, match=words):
        ask_box(box.path, hello_s=3.0)


def test_a_busy_port_says_so() -> None:
    with (
        pty_box() as box,
        serial.Serial(box.path, exclusive=True),
        pytest.raises(TransportError, match="is busy; close the other program"),
    ):
        reach.look(box.path)


def test_info_counts_what_is_lost_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "ANSWER_TIMEOUT_S", 0.05)  # nobody will answer here
    sent = box_frames(30.0)
    with pty_box() as box:

        def talk() -> None:
            box.wait_for_a_word()  # opening a port throws away what came before
            box.send(stream_of(sent[:40] + sent[43:90]))
            said.set()

        said = threading.Event()
        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        info = ask_box(box.path, listen_s=0.5, clock=clock_from(lambda: said.is_set() and box.drained()))
        thread.join()
    assert info.frames_lost_n == 3
    assert (info.settings, info.clock, info.rtt_ms) == (None, None, None)
    assert info.status is not None

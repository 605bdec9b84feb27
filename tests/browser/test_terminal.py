"""The live page's twin in a terminal: a real pseudo-terminal, the same feed, keys and words."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from browser.scene import SITES, Scene, coupling
from hbc_host.app import words
from hbc_host.app.desk import Desk
from hbc_host.app.screen import Screen, sparkline
from hbc_host.app.state import LiveState
from hbc_host.app.words import Words
from rich.console import Console

WAIT_S = 120.0  # the machine may be busy
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]")


class Terminal:
    """A program in a terminal of 120 columns and 40 rows."""

    def __init__(self, folder: Path, language: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        command = [sys.executable, "-W", "error", "-m", "hbc_host.app.tui", "--live", str(folder), "--lang", language]
        environment = os.environ | {"TERM": "xterm-256color"}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.bytes = b""

    def shows(self, text: str) -> None:
        """Wait until a text appears after what was seen before."""
        self.reads_until(lambda: text in self.text())
        self.bytes = b""

    def reads_until(self, condition: Callable[[], bool]) -> None:
        """Read what the program shows, as a terminal does, until something is so."""
        until_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < until_s, self.text()[-3000:]
            if select.select([self._master], [], [], 0.1)[0]:
                with suppress(OSError):  # the program has ended
                    self.bytes += os.read(self._master, 65536)

    def text(self) -> str:
        return ESCAPES.sub("", self.bytes.decode("utf-8", "ignore"))

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@contextmanager
def terminal(folder: Path, language: str = "en") -> Iterator[Terminal]:
    shown = Terminal(folder, language)
    try:
        yield shown
    finally:
        shown.close()


def test_a_session_is_followed_and_conducted_in_a_terminal_in_dutch(tmp_path):
    with Scene(tmp_path, "nl") as scene, terminal(tmp_path, "nl") as shown:
        shown.shows("66 slagen/min")
        scene.state["phase"] = "move_coil"
        shown.shows("Plaats de spoel op 5CM-L")
        shown.press("r4")
        scene.feed.publish(coupling(SITES[0], 4))
        shown.shows("2,1 slagen/min trager")
        scene.alarm()
        shown.shows("STOP NU DE STIMULATOR")
        shown.press("7\r")  # too soon, and no initials
        time.sleep(1.2)
        shown.press("AB\r")
        shown.shows("bevestigd door AB")
        shown.press("vhoofd\r2\rsinds de pauze\rAB\r")
        shown.reads_until(lambda: len(scene.done) == 4)
        shown.press("q")
        shown.reads_until(lambda: shown.process.poll() == 0)
    event = {"what": "headache", "severity": "moderate", "text": "sinds de pauze", "by": "AB"}
    assert scene.done[:2] == [("ready", {}), ("rating", {"site": "", "value": 4})]
    assert scene.done[2:] == [("acknowledge", {"alarm": "slow-0", "by": "AB"}), ("adverse_event", event)]


def test_a_session_that_is_not_there_is_waited_for_and_one_that_breaks_off_is_said_to_be_old(tmp_path):
    with terminal(tmp_path) as shown:
        shown.shows("waiting for the session")
        with Scene(tmp_path):
            shown.shows("66 bpm")
        shown.shows("FEED LOST")
        assert shown.process.poll() is None


def test_a_terminal_says_how_long_a_session_waits_and_takes_no_word_for_one_that_is_over(tmp_path):
    why = "The session is over: write adverse events with: hbc patient event P-014 --visit 1"
    with terminal(tmp_path) as shown:
        with Scene(tmp_path) as scene:
            scene.state.update(phase="finished", ends_in_s=65.0)
            shown.shows("it ends by itself in 1 min 05 s")
            scene.state.update(over_why=why, ends_in_s=None)
            shown.shows("write adverse events with: hbc patient event P-014")
            shown.press("vhead\r2\r\rAB\rrn1e")
        shown.shows("session over")
        shown.press("nhello\rq")
        shown.reads_until(lambda: shown.process.poll() == 0)
    assert scene.done == []


def test_without_a_terminal_it_says_so_in_one_line(tmp_path):
    command = [sys.executable, "-m", "hbc_host.app.tui", "--live", str(tmp_path)]
    found = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert found.returncode == 2
    assert found.stderr == "error: this view needs a terminal; use the page, or hbc session show\n"


@pytest.mark.parametrize(
    ("keys", "request_"),
    [
        ("r", ("ready", {})),
        ("s\r", None),
        ("sy\r", ("skip_site", {})),
        ("i200\rAB\r", None),
        ("i45\rAB\r", ("intensity", {"mso_pct": 45.0, "by": "AB"})),
        ("eenough\rA\r\x7f\x7fAB\r", ("end", {"why": "enough", "by": "AB"})),
        ("nhello\x1b", None),
        ("nhallo\x7fo\r", ("remark", {"text": "hallo"})),
    ],
)
def test_each_key_asks_for_what_it_needs_and_nothing_else(keys, request_):
    desk = Desk(Words("en"))
    answers = [desk.key(key, LiveState()) for key in keys]
    assert [answer for answer in answers if answer] == ([request_] if request_ else [])


def test_an_answer_that_cannot_be_used_is_said_to_be_and_asked_for_again():
    desk = Desk(Words("en"))
    for key in "vhead\r7\r":
        desk.key(key, LiveState())
    assert desk.prompt == "Not possible. Once more: How bad? 1 mild, 2 moderate, 3 severe: _"
    for key in "2\r":
        desk.key(key, LiveState())
    assert desk.prompt.startswith("In your words")


def test_at_80_columns_no_hint_is_torn_and_too_many_pulses_have_a_mark():
    console = Console(width=80, height=50, record=True, file=io.StringIO())
    live = LiveState()
    live.take({"kind": "state", "phase": "pause", "now_s": 1.0, "pulses_delivered_n": 900, "pulses_planned_n": 600})
    say = Words("nl")
    console.print(Screen(say).render(live, "live", Desk(say), console.size))
    lines = console.export_text().splitlines()
    assert any("▲ 900 van 600" in line for line in lines)
    for key, what in words.KEYS:
        if key not in "TM":
            assert any(f" {key} " in line and say.say(what) in line for line in lines), what


def test_bars_follow_the_values_and_need_some():
    assert sparkline([], 10) == ""
    assert sparkline([700.0, 800.0, None, 900.0], 10) == "▁▅█"
    assert len(sparkline([float(k) for k in range(100)], 7)) == 7

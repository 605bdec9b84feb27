"""The live page in a terminal, for remote sessions: ``python -m hbc_host.app.tui --live FOLDER --lang en``.

The same feed, words and states as the page; keys are the same where a terminal has them. Quitting (Q) ends the view
only, never the session.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from hbc_host.app import view
from hbc_host.app.desk import Desk
from hbc_host.app.screen import Screen
from hbc_host.app.state import LiveState
from hbc_host.app.words import Words
from hbc_host.errors import HbcError, InputError
from hbc_host.i18n import LANGUAGES
from hbc_host.live.feed_client import FeedClient, NoFeedError

LOOK_S = 0.1
RETRY_S = 1.0
SILENT_S = 2.5
BELL_EVERY_S = 1.7  # by the clock alone: it follows neither heart nor trains


def main(arguments: list[str] | None = None) -> int:
    """Show a session until it is over or Q is pressed; returns the exit code."""
    parser = argparse.ArgumentParser(prog="hbc live terminal", description="The live page of a session, in a terminal.")
    parser.add_argument("--live", type=Path, required=True, metavar="FOLDER", help="session folder")
    parser.add_argument("--lang", choices=sorted(LANGUAGES), default="en")
    given = parser.parse_args(arguments)
    try:
        show(given.live, given.lang)
    except HbcError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def show(folder: Path, language: str) -> None:
    """Follow the feed of a session folder in this terminal.

    Raises
    ------
    InputError
        There is no terminal, or the language is not there.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("this view needs a terminal; use the page, or hbc session show")
    viewer = Viewer(folder, Words(language))
    console = Console()
    with single_keys(), Live(console=console, screen=True, auto_refresh=False) as screen:
        while viewer.step(LOOK_S):
            if viewer.wants_bell():
                console.bell()
            screen.update(viewer.picture(console.size), refresh=True)


class Viewer:
    """One terminal: follows the feed, reads keys, draws.

    Parameters
    ----------
    folder : Path
    words : Words
    """

    def __init__(self, folder: Path, words: Words) -> None:
        self._folder, self._words = folder, words
        self.live = LiveState()
        self.desk = Desk(words)
        self._client: FeedClient | None = None
        self._asked_n = 0  # requests that no answer came to yet
        self._heard_s = self._tried_s = self._bell_s = float("-inf")
        self.is_over = False

    @property
    def feed(self) -> str:
        """State of the feed, as in :data:`hbc_host.app.view.FEEDS`."""
        if not self.live.state:
            return "waiting"
        if time.monotonic() - self._heard_s < SILENT_S:
            return "live"
        return "over" if self.live.has_ended else "lost"

    @property
    def over_why(self) -> str:
        """Why nothing can be noted any more; empty while a session takes words."""
        return view.over_words(self.live, self._words, self.feed)

    def step(self, wait_s: float) -> bool:
        """Take what has come, for at most ``wait_s`` seconds; False when the person wants to leave."""
        until_s = time.monotonic() + wait_s
        self._connect()
        for key in waiting_keys():
            request = self.desk.key(key, self.live, self.over_why)
            if request is not None:
                self._send(*request)
        while self._client is not None and (left_s := until_s - time.monotonic()) > 0:
            self._receive(left_s)
        time.sleep(max(0.0, until_s - time.monotonic()))
        return not self.desk.wants_out

    def picture(self, size: Any) -> Any:
        """What the terminal shows now."""
        return Screen(self._words).render(self.live, self.feed, self.desk, size)

    def wants_bell(self) -> bool:
        """True now and then while an alarm waits for somebody."""
        if not self.live.to_acknowledge() or time.monotonic() < self._bell_s + BELL_EVERY_S:
            return False
        self._bell_s = time.monotonic()
        return True

    def _connect(self) -> None:
        if self._client is not None or time.monotonic() < self._tried_s + RETRY_S:
            return
        self._tried_s = time.monotonic()
        try:
            self._client = FeedClient(self._folder)
            self.live.seen_here.clear()
        except NoFeedError:
            return

    def _receive(self, wait_s: float) -> None:
        assert self._client is not None
        try:
            message = self._client.receive(timeout_s=wait_s)
        except (NoFeedError, ValueError):
            self._client.close()
            self._client = None
            if self.live.has_ended:  # nobody is left who could write an answer down
                self.live.seen_here |= {str(alarm.get("id")) for alarm in self.live.alarms()}
            if self._asked_n:  # what was asked and not answered may not have been written down: say so
                self._asked_n = 0
                self.desk.done({"ok": False, "text": self.over_why})
            return
        if message is None:
            return
        self._heard_s = time.monotonic()
        if message.get("kind") == "done":
            self._asked_n = max(0, self._asked_n - 1)
            self.desk.done(message)
        else:
            self.live.take(message)

    def _send(self, do: str, fields: dict[str, Any]) -> None:
        try:
            if self._client is None:
                raise NoFeedError("no session")
            self._client.send(do, **fields)
            self._asked_n += 1
        except NoFeedError:
            if do == "acknowledge":
                self.live.seen_here.add(str(fields.get("alarm")))
            self.desk.done({"ok": False, "text": self.over_why})


@contextmanager
def single_keys() -> Iterator[None]:
    """Keys arrive as they are pressed; the terminal is put back as it was."""
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def waiting_keys() -> str:
    """Keys pressed since the last look."""
    found = ""
    while select.select([sys.stdin], [], [], 0)[0]:
        pressed = os.read(sys.stdin.fileno(), 64)  # below the buffer that select cannot see
        if not pressed:
            break
        found += pressed.decode("utf-8", "ignore")
    return found


if __name__ == "__main__":
    sys.exit(main())

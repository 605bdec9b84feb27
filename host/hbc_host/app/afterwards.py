"""What a page says when its session is over: how long it can be read, and where the report is."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path

from hbc_host.app.words import Words
from hbc_host.i18n import mark

NOTICED_S = 2.5  # at most so long after the session's end its page knows of it; see SILENT_S of the hub


class Afterwards:
    """Begins anew each time that a session is over.

    Parameters
    ----------
    words : Words
    stay_s : float
        How long pages can be read after the session, seconds.
    """

    def __init__(self, words: Words, stay_s: float) -> None:
        self._words, self._stay_s = words, stay_s
        self._wall_s = self._since_s = math.inf

    def begin(self) -> None:
        """The session is over now."""
        self._wall_s, self._since_s = time.time(), time.monotonic()

    @property
    def has_stayed(self) -> bool:
        """For as long as pages are kept; also when the computer's wall clock was put right meanwhile."""
        return time.monotonic() > self._since_s + self._stay_s

    def until(self) -> str:
        """Until when this page can be read."""
        time_ = time.strftime("%H:%M", time.localtime(self._wall_s + self._stay_s))
        return self._words.say(mark("This page can be read until {time}."), time=time_)

    def report(self, path: Path) -> str:
        """Where the report is, once it was written; empty before, and for one of before, of an earlier part."""
        with contextlib.suppress(OSError):
            if path.stat().st_mtime >= self._wall_s - NOTICED_S:
                return self._words.say(mark("Report: {path}"), path=path)
        return ""

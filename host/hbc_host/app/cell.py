"""One place of the page: its text, and how grave it is."""

from __future__ import annotations

from typing import NamedTuple

OK, WARN, STOP, NONE = "ok", "warn", "stop", "none"


class Cell(NamedTuple):
    """What one place shows: text, and how grave it is (ok, warn, stop, none), which also chooses colour and shape."""

    text: str
    level: str = NONE

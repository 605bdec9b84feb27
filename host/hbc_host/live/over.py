"""The end of a session: how long it waits for last words when all sites are done, and what later ones are told."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Sequence
from typing import Any

from hbc_host.clinic.visit import Visit
from hbc_host.live.follow import Follow

STAY_S = 600.0  # a page may want to enter an event after the last train; nobody there: see ALONE_S
ALONE_S = 3.0


def closed_words(visit: Visit, store: Sequence[str] = (), *, is_kept: bool = True) -> str:
    """Why nothing is noted any more, and where an adverse event goes now.

    Parameters
    ----------
    visit : Visit
        A practice patient is in no course of treatment: no command is named.
    store : sequence of str
        Option that names the store, when it is not the usual one: the command works as it stands in any terminal.
    is_kept : bool
        The store knows the visit.
    """
    if visit.practice:
        return "The session is over: nothing is noted here any more."
    if not is_kept:
        return "The session is over, and the store does not know it: write adverse events down on paper."
    command = shlex.join(["hbc", "patient", "event", visit.pseudonym, "--visit", str(visit.visit_n), *store])
    return f"The session is over: write adverse events with: {command}"


class LastWait:
    """Follows how long a session that is finished still waits for somebody to end it.

    Parameters
    ----------
    stay_s : float
        How long it waits while a page is there, seconds.

    Attributes
    ----------
    left_s : float
        Until it ends by itself, seconds; infinite while it is not finished, and while somebody is under observation.
    """

    def __init__(self, stay_s: float = STAY_S) -> None:
        self._stay_s = stay_s
        self._since_s: float | None = None
        self._told = False
        self.left_s = math.inf

    def look(self, follow: Follow, pages_n: int) -> bool:
        """True when the session is to end now; to be asked again and again."""
        now_s = time.monotonic()
        if not follow.is_finished:
            self._since_s, self.left_s, self._told = None, math.inf, False
            return False
        if self._since_s is None:
            self._since_s = now_s
        # While somebody is under observation after an event, the session waits for the end of that.
        if follow.observation is not None and pages_n:
            self._since_s, self.left_s = now_s, math.inf
            return follow.ended
        self.left_s = max(0.0, self._since_s + (self._stay_s if pages_n else ALONE_S) - now_s)
        return follow.ended or self.left_s == 0.0

    def fields(self, over_why: str) -> dict[str, Any]:
        """For the feed's state: why the session is over, and seconds until it ends by itself, where that is known."""
        is_waiting = not over_why and math.isfinite(self.left_s)
        return {"over_why": over_why, "ends_in_s": round(self.left_s, 1) if is_waiting else None}

    def news(self, follow: Follow) -> str:
        """A line for the terminal, once, when the session begins to wait; else empty."""
        if self._since_s is None or self._told or follow.ended:
            return ""
        self._told = True
        if math.isinf(self.left_s):
            return "all sites are done: the session waits for the end of the observation (O)"
        return f"all sites are done: press E to end the session, or it ends by itself in {_time(self.left_s)}"


def _time(seconds: float) -> str:
    return f"{seconds / 60.0:.0f} min" if seconds >= 90.0 else f"{math.ceil(seconds)} s"

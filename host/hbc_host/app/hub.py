"""Between one feed and any number of browsers: follows the session, remembers it, hands on what is new.

The feed is read by a thread, everything else runs in the event loop. A browser that does not read gets a fresh start
when it reads again, and holds nobody up.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from pathlib import Path
from typing import Any

from hbc_host.app import results, view
from hbc_host.app.afterwards import Afterwards
from hbc_host.app.browser import Browser
from hbc_host.app.details import said
from hbc_host.app.process import STAY_S
from hbc_host.app.state import LiveState
from hbc_host.app.words import Words
from hbc_host.errors import HbcError
from hbc_host.i18n import mark
from hbc_host.live.feed_client import FeedClient
from hbc_host.names import report_name

log = logging.getLogger(__name__)

RETRY_S = 0.5
SILENT_S = 2.5  # the feed tells its state at least twice a second
TICK_S = 0.5


class Hub:
    """Follows the feed of one session folder.

    Parameters
    ----------
    folder : Path
        Session folder; its feed may come later, go, and come again.
    language : str
        Of all pages.
    stay_s : float
        How long pages can be read after the session, seconds.
    """

    def __init__(self, folder: Path, language: str, stay_s: float = STAY_S) -> None:
        self.folder, self.words = folder, Words(language)
        self.live = LiveState()
        self.feed = "waiting"
        self.browsers: set[Browser] = set()
        self.idle_since_s = time.monotonic()
        self._heard_s = 0.0
        self._afterwards = Afterwards(self.words, stay_s)
        self._client: FeedClient | None = None
        self._stop = threading.Event()
        self._asked: list[Browser] = []

    # -- the thread that reads the feed ----------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to follow, from a thread of its own."""
        threading.Thread(target=self._follow, args=(loop,), name="hbc-page-feed", daemon=True).start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stop.is_set():
            try:
                with FeedClient(self.folder) as client:
                    self._client = client
                    loop.call_soon_threadsafe(self._connected)
                    while not self._stop.is_set():
                        message = client.receive(timeout_s=RETRY_S)
                        if message is not None:
                            loop.call_soon_threadsafe(self.take, message)
            except (HbcError, ValueError) as fault:
                log.debug("no feed: %s", fault)
            except RuntimeError:  # the loop is closed: the page is over
                return
            self._client = None
            try:
                loop.call_soon_threadsafe(self._lost)
            except RuntimeError:
                return
            self._stop.wait(RETRY_S)

    # -- the event loop --------------------------------------------------------------------------------------------

    def _connected(self) -> None:
        """A feed begins, or begins again: what was asked of the one before is not answered any more."""
        self._lost()
        self.live.seen_here.clear()

    def _lost(self) -> None:
        """What was asked and not answered may not have been written down: say so."""
        asked, self._asked = self._asked, []
        for browser in asked:
            browser.put({"kind": "done", "do": "", "ok": False, "text": self._over_words()})

    def take(self, message: dict[str, Any]) -> None:
        """A message of the feed: remember it and hand it on."""
        self._heard_s = time.monotonic()
        kind = message.get("kind")
        if kind == "done":
            if self._asked:
                self._asked.pop(0).put(self._done(message))
            return
        try:
            is_new = self.live.take(message)
        except (KeyError, TypeError, ValueError):
            log.warning("a message of kind %s was not understood", kind)
            return
        if kind in ("ecg", "beat", "pulse"):
            if is_new:
                self._tell(message)
            if kind != "beat":
                return
        self.refresh()

    def _done(self, message: dict[str, Any]) -> dict[str, Any]:
        do, text = str(message.get("do")), said(str(message.get("text") or ""), self.words)
        # What names codes or the patient's rating is said by the page in words of its own.
        return {"kind": "done", "do": do, "ok": bool(message.get("ok")), "text": "" if do == "acknowledge" else text}

    def _tell(self, message: dict[str, Any]) -> None:
        for browser in self.browsers:
            if not browser.put(message):
                self._begin(browser)

    def refresh(self) -> None:
        """Bring each page up to date; only what changed is sent."""
        self._judge_feed()
        cells = view.cells(self.live, self.words, self.feed) | results.coupling_cells(self.live, self.words)
        parts: dict[str, dict[str, Any]] = {
            "alarm": {"kind": "alarm", "alarm": view.alarm_prompt(self.live, self.words, self.feed)},
            "problems": {
                "kind": "problems",
                "lines": [list(line) for line in view.problem_lines(self.live, self.words, self.feed)],
                "open": view.open_problems(self.live, self.words),
            },
            "response": results.response(self.live, self.words),
            "map": results.site_map(self.live, self.words),
            "result": {"kind": "result", "lines": results.result_lines(self.live, self.words)},
            "report": {"kind": "report", "text": self._report()},
            "session": self._session(),
            "rests": {"kind": "rests", "rests": list(map(list, self.live.rests)), "now_s": self.live.now_s},
        }
        for browser in self.browsers:
            if not browser.show(cells, parts):
                self._begin(browser)

    def _report(self) -> str:
        """Where the report is, once it was written: after the session, which tells no page of it any more."""
        own = str((self.live.hello.get("session") or {}).get("language") or "en")
        path = self.folder.resolve() / report_name(self.words.language, own)
        return self._afterwards.report(path) if self.feed == "over" else ""

    def _session(self) -> dict[str, Any]:
        session, state = self.live.hello.get("session") or {}, self.live.state
        wanted = {key: str(session.get(key) or "") for key in ("pseudonym", "protocol", "operator")}
        if session.get("practice"):
            wanted["protocol"] = self.words.say(mark("PRACTICE")) + f" · {wanted['protocol']}"
        phase = "finished" if state.get("over_why") else str(state.get("phase") or "")
        stays = self._afterwards.until() if self.feed == "over" else ""
        told = {"phase": phase, "feed": self.feed, "over": self._over_words(), "stays": stays}
        return {"kind": "session", **wanted, **told}

    def _over_words(self) -> str:
        return view.over_words(self.live, self.words, self.feed)

    @property
    def has_stayed(self) -> bool:
        """The session is over, and for as long as pages are kept."""
        return self.feed == "over" and self._afterwards.has_stayed

    def say_goodbye(self) -> None:
        """Pages keep what they show, and need not look for this server any more."""
        for browser in self.browsers:
            browser.put({"kind": "bye"})

    def _judge_feed(self) -> None:
        age_s = time.monotonic() - self._heard_s
        if self._client is not None and self._heard_s and age_s < SILENT_S:
            self.feed, self.idle_since_s = "live", time.monotonic()
        elif not self.live.state:
            self.feed = "waiting"
        else:
            # A feed that closes in good order has told its end before.
            over = self.live.has_ended
            before = self.feed
            self.feed = "over" if over and self._client is None else ("lost" if age_s >= SILENT_S else before)
            if self.feed == "over" and before != "over":
                self._afterwards.begin()

    async def tick(self) -> None:
        """Twice a second: what only time changes, and a sign of life for pages that would else believe themselves."""
        while True:
            await asyncio.sleep(TICK_S)
            self.refresh()
            for browser in self.browsers:
                browser.put({"kind": "tick"})
            if self.browsers:
                self.idle_since_s = time.monotonic()

    def join(self) -> Browser:
        """A page that opens."""
        browser = Browser()
        self.browsers.add(browser)
        self._begin(browser)
        return browser

    def leave(self, browser: Browser) -> None:
        """A page that closed."""
        self.browsers.discard(browser)
        self._asked = [one for one in self._asked if one is not browser]

    def _begin(self, browser: Browser) -> None:
        """Start a page anew, whatever it missed."""
        browser.forget()
        for message in self.live.history():
            browser.put(message)

    def ask(self, browser: Browser, do: str, fields: dict[str, Any]) -> None:
        """Hand a request of a page to the session; its answer goes to that page."""
        client, why = self._client, self._over_words()
        try:
            if client is None or (why and do != "acknowledge"):
                raise HbcError("no session")
            client.send(do, **fields)
        except HbcError:
            if do == "acknowledge":  # the screen must be free again, though nobody could write it down
                self.live.seen_here.add(str(fields.get("alarm")))
            browser.put({"kind": "done", "do": do, "ok": False, "text": why})
            self.refresh()
            return
        self._asked.append(browser)

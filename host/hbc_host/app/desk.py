"""Keys of the terminal view: one key does one thing, and what needs words asks for them on the bottom line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from hbc_host.app import words
from hbc_host.app.commands import parse_fields
from hbc_host.app.details import said
from hbc_host.app.state import LiveState
from hbc_host.app.words import Words
from hbc_host.i18n import mark

ENTER, ESCAPE, BACKSPACE = "\r\n", "\x1b", "\x7f\b"
TEXT_MAX_N = 200
SAID_S = 6.0
REFUSED_S = 30.0  # what was not done must not go unread
READING_KEYS = "cq"  # they write nothing down, and go on working when a session is over
RATINGS = "0123456789x"  # as on the page: X is ten, for which there is no key
DEAD_S = 1.0  # keys meant for something else must not acknowledge an alarm that has just come up
INITIALS_MIN_N = 2

ASK_BY = mark("Your initials, then Enter (Esc: back)")
ASK_WHAT = mark("What happened? First letters of one of: {choices}")
ASK_SEVERITY = mark("How bad? 1 mild, 2 moderate, 3 severe")
ASK_TEXT = mark("In your words, then Enter")
ASK_PERCENT = mark("Percent of stimulator output, then Enter")
ASK_SKIP = mark("Skip this site? Type Y, then Enter (Esc: back)")
ASK_WHY = mark("End the session: why? Then Enter (Esc: back)")
AGAIN = mark("Not possible. Once more:")
NOT_UNDERSTOOD = mark("That was not understood; nothing was done")

Request = tuple[str, dict[str, Any]]


@dataclass
class Form:
    """Questions that are still open, and what was answered."""

    do: str
    questions: list[tuple[str, str]]
    fields: dict[str, Any] = field(default_factory=dict)
    typed: str = ""
    again: bool = False  # the last answer could not be used


class Desk:
    """Turns keys into requests.

    Parameters
    ----------
    say : Words
    """

    def __init__(self, say: Words) -> None:
        self._say = say
        self.form: Form | None = None
        self.wants_out = False
        self.shows_cards = False
        self._said, self._said_until_s = "", float("-inf")
        self._alarm: Any = None
        self._raised_s = float("-inf")

    @property
    def prompt(self) -> str:
        """The bottom line: an open question with what was typed so far, or the last answer."""
        if self.form is not None:
            question = self.form.questions[0][1]
            choices = ", ".join(self._say.say(what) for what in words.EVENTS.values())
            again = f"{self._say.say(AGAIN)} " if self.form.again else ""
            return again + self._say.say(question, choices=choices) + f": {self.form.typed}_"
        return self._said if time.monotonic() < self._said_until_s else ""

    def done(self, message: dict[str, Any]) -> None:
        """What became of a request."""
        text = said(str(message.get("text") or ""), self._say)
        fallback = mark("Done")
        if not message.get("ok"):
            fallback = mark("No answer: the session is over, or busy. Perhaps this is not noted; try again.")
        if message.get("do") == "acknowledge":
            text = ""
        self._tell(text or self._say.say(fallback), SAID_S if message.get("ok") else REFUSED_S)

    def _tell(self, text: str, for_s: float = SAID_S) -> None:
        self._said, self._said_until_s = text, time.monotonic() + for_s

    def key(self, key: str, live: LiveState, over_why: str = "") -> Request | None:
        """One key; the request that it completes. When the session is over, ``over_why`` says why it completes none."""
        self.look(live)
        is_writing = self.form is not None and self.form.do != "acknowledge"
        if over_why and (is_writing or (self.form is None and key.isprintable() and key.lower() not in READING_KEYS)):
            self.form = None
            self._tell(over_why, REFUSED_S)
            return None
        return self._type(key) if self.form is not None else self._press(key.lower(), live)

    def look(self, live: LiveState) -> None:
        """An alarm that waits takes the keyboard, whatever was being typed."""
        waiting = live.to_acknowledge()
        newest = waiting[0].get("id") if waiting else None
        if newest is not None and newest != self._alarm:
            self.form = Form("acknowledge", [("by", ASK_BY)], {"alarm": newest})
            self._raised_s = time.monotonic()
        elif newest is None and self._alarm is not None and self.form is not None and self.form.do == "acknowledge":
            self.form = None
        self._alarm = newest

    def _press(self, key: str, live: LiveState) -> Request | None:
        if key in RATINGS:  # of the site under way or just over, which the session knows; shown may be the next
            return "rating", {"site": "", "value": RATINGS.index(key)}
        forms: dict[str, Callable[[], Form]] = {
            "v": lambda: Form(
                "adverse_event", [("what", ASK_WHAT), ("severity", ASK_SEVERITY), ("text", ASK_TEXT), ("by", ASK_BY)]
            ),
            "n": lambda: Form("remark", [("text", ASK_TEXT)]),
            "i": lambda: Form("intensity", [("mso_pct", ASK_PERCENT), ("by", ASK_BY)]),
            "o": lambda: Form("observation_over", [("by", ASK_BY)]),
            "s": lambda: Form("skip_site", [("sure", ASK_SKIP)]),
            "e": lambda: Form("end", [("why", ASK_WHY), ("by", ASK_BY)]),
        }
        if key in forms:
            self.form = forms[key]()
        elif key == "r":
            return "ready", {}
        elif key == "a":
            self._acknowledge(live)
        elif key == "c":
            self.shows_cards = not self.shows_cards
        elif key == "q":
            self.wants_out = True
        return None

    def _acknowledge(self, live: LiveState) -> None:
        open_codes = [str(one["code"]) for one in live.problems() if not one.get("acknowledged_by")]
        names = [str(alarm["id"]) for alarm in live.to_acknowledge()] + open_codes
        if names:
            self.form = Form("acknowledge", [("by", ASK_BY)], {"alarm": names[0]})
        else:
            self._tell(self._say.say(mark("Nothing to acknowledge")))

    def _type(self, key: str) -> Request | None:
        form = self.form
        assert form is not None
        if time.monotonic() < self._raised_s + DEAD_S:
            return None
        if key == ESCAPE:
            self.form = Form("acknowledge", [("by", ASK_BY)], {"alarm": self._alarm}) if self._alarm else None
        elif key in BACKSPACE:
            form.typed = form.typed[:-1]
        elif key in ENTER:
            return self._answer(form)
        elif key.isprintable() and len(form.typed) < TEXT_MAX_N:
            form.typed += key
        return None

    def _answer(self, form: Form) -> Request | None:
        name = form.questions[0][0]
        value = self._value(name, form.typed.strip())
        form.typed, form.again = "", value is None
        if value is None:
            return None
        form.fields[name] = value
        form.questions.pop(0)
        if form.questions:
            return None
        self.form = None
        form.fields.pop("sure", None)
        try:
            return parse_fields(form.do, form.fields)
        except ValidationError:
            self._tell(self._say.say(NOT_UNDERSTOOD))
            return None

    def _value(self, name: str, typed: str) -> Any:
        if name == "by":
            return typed if len(typed) >= INITIALS_MIN_N and typed[0].isalpha() else None
        if name == "what":
            starts = [code for code, what in words.EVENTS.items() if self._say.say(what).startswith(typed.lower())]
            return starts[0] if typed and len(starts) == 1 else None  # "s" may be a seizure or a syncope
        if name == "severity":
            return dict(zip("123", words.SEVERITIES, strict=True)).get(typed)
        if name == "mso_pct":
            try:
                return float(typed.replace(",", "."))
            except ValueError:
                return None
        if name == "sure":
            return True if typed.lower() in ("y", "j") else None
        return typed if typed or name == "text" else None

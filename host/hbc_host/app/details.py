"""Sentences with measured numbers that the session says in English, said in the language of the page.

Each stands here once as a template; a sentence is recognised by it, its values are taken out, and the template is said
again in the other language. One that is not known stays as it came: better in English than not at all.
"""

from __future__ import annotations

import functools
import re

from hbc_host.app import words
from hbc_host.app.words import Words
from hbc_host.i18n import mark

VALUE = re.compile(r"\{(\w+)\}")
NUMBER = re.compile(r"-?\d+\.\d+")

OVER = mark("The session is over: nothing is noted here any more.")
TEMPLATES = (
    # what is wrong, with its numbers (hbc_host/live)
    mark("{n} trains at {site}, planned {planned}"),
    mark("train {k}: pulses {n}, planned {planned}"),
    mark("train {k} lasted {n} s, planned {planned} s"),
    mark("the first train came {n} s before the rest was over"),
    mark("train {k} came {n} s after the one before, planned {planned} s: was one given that the box did not see?"),
    mark("more than {n} pulses in this session, which the clinic allows"),
    mark("more than {n} pulses today, which the clinic allows"),
    mark("a train longer than {n} s, which the clinic allows"),
    mark("stimulator above {n} %MSO, which the clinic allows"),
    mark("electrode off: {electrode}"),
    mark("trigger edges did not arrive; the box is asked for them"),
    mark("{site} begins, planned next is {planned}"),
    mark("no pulses {n} s after a train was due: stimulator, cable"),
    mark("train {k} stands at {n} %MSO, planned {planned}"),
    mark("room for less than {n} min on the disk"),
    # answers to what was asked
    mark("{what} seen"),
    mark("rest begins at {site}"),
    mark("{site} is left"),
    mark("noted: {what}; the observation timer runs"),
    mark("observed for {n} min"),
    mark("noted"),
    mark("train {k}: {n} %MSO, planned {planned}"),
    mark("the session ends"),
    mark("no alarm or problem {name} stands"),
    mark("{site} was begun already"),
    mark("{site} is not over; skip_site leaves it"),
    mark("no site is left"),
    mark("the box is not heard: check cable and power"),
    mark("more pulses than the clinic allows: no further site, end the session"),
    mark("a cap of the clinic was passed: compare stimulator and protocol, then acknowledge (A)"),
    mark("no site has begun"),
    mark("The session is over: write adverse events with: {command}"),
    mark("The session is over, and the store does not know it: write adverse events down on paper."),
    OVER,
    mark("that failed: write it down on paper"),
    mark("no site is under way"),
    mark("all trains of this site were given"),
    mark("nobody is under observation"),
    mark("{site} is no site of this session"),
)


@functools.lru_cache(maxsize=4)
def _patterns(templates: tuple[str, ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = []
    # Those that say most by themselves come first.
    for template in sorted(templates, key=lambda text: -len(VALUE.sub("", text))):
        parts = VALUE.split(template)
        pattern = "".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
        found.append((template, re.compile(pattern, re.DOTALL)))
    return tuple(found)


def said(text: str, say: Words, templates: tuple[str, ...] = TEMPLATES) -> str:
    """A sentence of the session in the language of the page; ``templates`` are those that it may be."""
    if say.language == "en":
        return text
    patterns = _patterns(templates)
    if "; " in text and not any(pattern.fullmatch(text) for _, pattern in patterns):
        return "; ".join(said(part, say, templates) for part in text.split("; "))
    for template, pattern in patterns:
        match = pattern.fullmatch(text)
        if match is not None:
            values = {name: _value(value) for name, value in match.groupdict().items()}
            if values.get("what") in words.EVENTS:
                values["what"] = say.of(words.EVENTS, values["what"])
            return say.say(template, **values)
    return text


def _value(text: str) -> str:
    return text.replace(".", ",") if NUMBER.fullmatch(text) else text

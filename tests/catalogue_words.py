"""All texts that a catalogue must have: what the sources of a package hand to the translator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from babel.messages.extract import extract_from_file

#: Functions whose first argument is a text to be said; ``mark`` stands in tables that are said later.
SAYING = {"say": None, "fill": None, "mark": None, "_": None, "plural": (1, 2), "mark_plural": (1, 2), "_n": (1, 2)}

#: A text, or English for one and for several.
Key = str | tuple[str, ...]


def texts_of(sources: Iterable[Path]) -> dict[Key, str]:
    """Each text to be translated, and where it was found first; with a number before a noun it is both its forms."""
    found: dict[Key, str] = {}
    for path in sources:
        for line, text, _, _ in extract_from_file("python", str(path), keywords=SAYING):
            if text:
                found.setdefault(text, f"{path.name}:{line}")
    return found


def forms(text: Key) -> tuple[str, ...]:
    """A text, or both forms of one with a number before a noun."""
    return (text,) if isinstance(text, str) else tuple(text)


#: English words that no Dutch sentence has. Dutch has "of", "in", "was", "is", "over" and "rest", too.
ENGLISH = frozenset(
    """a about above across after all allowing and another any are at bands beat beats before below between both but by
    cannot changes clean count coupled coupling course day days delivered depression did difference does down each
    early earlier edge edges electrode electrodes enough every faster fell found for forward from given had has
    have heart heartbeat how if improvement into it its known largest limit lost made mean measured minutes more no
    noisy none not nobody number numbers once one only other others pause people planned pulse pulses rate rather
    recorded recording recordings remark research response right run runs seconds session sessions she shown side
    sites size skull slow slowed slowing slows some speeding step steps stimulated sum than that the their them then
    there these they this threshold time times to together too total train trains treatment under unusable used usual
    value verdict visit were what when where whether which while who why with without word words yes yet
    """.split()  # noqa: SIM905 - a page of words is read more easily than a list of strings
)


def english_words(text: str, names: Iterable[str] = ()) -> list[str]:
    """English words in a Dutch text; ``names`` are words that may be in it, such as what an operator typed."""
    found = re.findall(r"(?<!\w)[a-zA-Zëéïöü'-]+(?!\w)", text)
    return sorted({word for word in found if word.lower() in ENGLISH} - set(names))

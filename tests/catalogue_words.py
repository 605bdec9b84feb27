"""All texts that a catalogue must have: what the sources of a package hand to the translator."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from babel.messages.extract import extract_from_file

#: Functions whose first argument is a text to be said; ``mark`` stands in tables that are said later.
SAYING = {"say": None, "fill": None, "mark": None, "_": None}


def texts_of(sources: Iterable[Path]) -> dict[str, str]:
    """Each text to be translated, and where it was found first."""
    found: dict[str, str] = {}
    for path in sources:
        for line, text, _, _ in extract_from_file("python", str(path), keywords=SAYING):
            for one in [text] if isinstance(text, str) else text:
                if one:
                    found.setdefault(one, f"{path.name}:{line}")
    return found

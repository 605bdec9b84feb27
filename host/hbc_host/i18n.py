"""Languages of what clinicians see: English in the code, others as gettext catalogues in ``locale/``.

A catalogue is edited as ``locale/nl/LC_MESSAGES/DOMAIN.po``; ``make docs`` compiles it to the ``.mo`` beside it, and a
test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from gettext import NullTranslations, translation
from pathlib import Path

from hbc_host.errors import InputError

LOCALE = Path(__file__).parent / "locale"
LANGUAGES = {"en": "English", "nl": "Nederlands"}

Translate = Callable[[str], str]
TranslateCount = Callable[[str, str, int], str]


def mark(text: str) -> str:
    """A text of a table that is said later: the catalogue must have it, the table keeps its English."""
    return text


def mark_plural(one: str, many: str) -> tuple[str, str]:
    """The same for a text with a number ``{n}`` before a noun: English for one and for several."""
    return one, many


def translator(domain: str, language: str) -> Translate:
    """The function that turns English text into the chosen language.

    Parameters
    ----------
    domain : str
        Catalogue, such as ``"live"`` or ``"report"``.
    language : str
        One of :data:`LANGUAGES`. A sentence that the catalogue lacks stays English.

    Raises
    ------
    InputError
        The language is not one of them.
    """
    return _catalogue(domain, language).gettext


def counter(domain: str, language: str) -> TranslateCount:
    """The same for texts with a number before a noun: it takes English for one, English for several, and the number.

    Parameters and errors as :func:`translator`.
    """
    return _catalogue(domain, language).ngettext


def _catalogue(domain: str, language: str) -> NullTranslations:
    if language not in LANGUAGES:
        raise InputError(f"language {language} is not there; choose one of {', '.join(LANGUAGES)}")
    return NullTranslations() if language == "en" else translation(domain, LOCALE, [language])

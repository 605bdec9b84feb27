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
    if language not in LANGUAGES:
        raise InputError(f"language {language} is not there; choose one of {', '.join(LANGUAGES)}")
    if language == "en":
        return NullTranslations().gettext
    return translation(domain, LOCALE, [language]).gettext

"""Sentences that the analysis, the recording and the alarms make, in the language of the report.

Those are English wherever they arise, for logs, JSON and the terminal must read the same everywhere. Here each stands
once as a template; a sentence is recognised by it, its values are taken out, and the template is said in the language
of the report. Where a number ``{n}`` stands before a noun, the template has a form for one and a form for several. A
sentence that is not known stays English. A test holds the list complete.
"""

from __future__ import annotations

import functools
import re

from hbc_host.report.language import ENGLISH, Language
from hbc_host.report.phrase_list import PHRASES

VALUE = re.compile(r"\{(\w+)\}")
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
#: Each form of a template with a number before a noun, and both its forms.
FORMS = {form: forms for forms in PHRASES if not isinstance(forms, str) for form in forms}
TEMPLATES = (*(text for text in PHRASES if isinstance(text, str)), *FORMS)


@functools.lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each template with what recognises it; those that say most by themselves come first."""
    found = []
    for template in sorted(TEMPLATES, key=lambda text: -len(VALUE.sub("", text))):
        parts = VALUE.split(template)
        names = parts[1::2]
        pattern = "".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))
        assert len(names) == len(set(names)), template
        found.append((template, re.compile(pattern, re.DOTALL)))
    return tuple(found)


def recognise(text: str) -> tuple[str, dict[str, str]] | None:
    """Template of a sentence and its values; None when it is not known."""
    for template, pattern in _patterns():
        match = pattern.fullmatch(text)
        if match is not None:
            return template, match.groupdict()
    return None


def said(text: str, lang: Language) -> str:
    """A sentence of the program in the language of the report."""
    if lang.code == ENGLISH.code:
        return text
    known = recognise(text)
    if known is None:
        return text
    template, values = known
    found = {name: _value(value, lang) for name, value in values.items()}
    counted = values.get("n", "")
    if template in FORMS and counted.isdecimal():
        return lang.plural(*FORMS[template], int(counted), **{name: found[name] for name in found if name != "n"})
    return lang.fill(template, **found)


def _value(text: str, lang: Language) -> str:
    """A number gets its decimal mark; a sentence within a sentence is said, too."""
    if NUMBER.fullmatch(text):
        return lang.marked(text)
    return said(text, lang) if " " in text else text

"""The language of a report: its sentences, and how it writes a number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from hbc_host.evidence import ALPHA
from hbc_host.i18n import Translate, TranslateCount, counter, translator

DOMAIN = "report"
NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
THIN_SPACE = "\N{NARROW NO-BREAK SPACE}"
NO_BREAK = "\N{NO-BREAK SPACE}"
DECIMAL_MARK = {"en": ".", "nl": ","}


@dataclass(frozen=True)
class Language:
    """Says the sentences of the report.

    Attributes
    ----------
    code : str
        One of :data:`hbc_host.i18n.LANGUAGES`.
    say : callable
        English text to text of this language.
    say_n : callable
        English for one, English for several, and the number, to text of this language.
    """

    code: str
    say: Translate = field(repr=False, compare=False)
    say_n: TranslateCount = field(repr=False, compare=False)

    def number(self, value: float | None, digits: int = 1, *, signed: bool = False) -> str:
        """A number with a true minus sign; a dash when there is none (NaN, infinite, absent).

        >>> ENGLISH.number(2.04), ENGLISH.number(0.3, signed=True), ENGLISH.number(-2.04) == MINUS + "2.0"
        ('2.0', '+0.3', True)
        """
        if value is None or not math.isfinite(value):
            return NONE
        rounded = round(value, digits)
        if rounded == 0:
            return self.marked(f"{0:.{digits}f}")  # neither "-0.0" nor "+0.0": the sign would claim a direction
        return self.marked(f"{rounded:{'+' if signed else ''}.{digits}f}")

    def short(self, value: float | None) -> str:
        """A number with as many digits as it needs: ``50``, ``2.5``."""
        return NONE if value is None or not math.isfinite(value) else self.marked(f"{value:g}")

    def count(self, value: int) -> str:
        """A whole number, its thousands apart."""
        return f"{value:,}".replace(",", THIN_SPACE).replace("-", MINUS)

    def duration(self, seconds: float | None) -> str:
        """How long something lasted, with units that both languages share: ``2.5 s``, ``23 min 4 s``.

        >>> ENGLISH.duration(2.04), ENGLISH.duration(59.97), ENGLISH.duration(1384.0)
        ('2 s', '1 min', '23 min 4 s')
        """
        if seconds is None or not math.isfinite(seconds):
            return NONE
        tenths = round(seconds, 1)
        if tenths < 60.0:
            return f"{self.short(tenths)} s"
        minutes, rest_s = divmod(round(seconds), 60)
        return f"{self.count(minutes)} min" + (f" {rest_s} s" if rest_s else "")

    def marked(self, digits: str) -> str:
        """Digits of the program with the decimal mark and the minus sign of the report."""
        return digits.replace(".", DECIMAL_MARK[self.code]).replace("-", MINUS)

    def interval(self, low: float, high: float, digits: int = 1) -> str:
        """``low to high``; a word, because a dash between two negative numbers cannot be read."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return NONE
        return self.say("{low} to {high}").format(low=self.number(low, digits), high=self.number(high, digits))

    def p_value(self, value: float) -> str:
        """A p-value with three decimals, as in the notes, never ``0``; just below the cut-off it is not rounded up.

        >>> ENGLISH.p_value(0.0004), ENGLISH.p_value(0.0312), ENGLISH.p_value(0.0496), ENGLISH.p_value(0.4)
        ('< 0.001', '0.031', '0.0496', '0.400')
        """
        if not math.isfinite(value):
            return NONE
        if value < 0.001:
            return self.marked("< 0.001")
        digits = 3
        if (float(f"{value:.{digits}f}") < ALPHA) != (value < ALPHA):
            digits += 1
        return self.marked(f"{value:.{digits}f}")

    def p_sign(self, value: float) -> str:
        """A p-value as it stands behind a ``p``, never torn from it: `` = 0.031``, `` < 0.001``."""
        text = self.p_value(value)
        return f"{NO_BREAK}{text if text.startswith('<') else f'= {text}'}".replace(" ", NO_BREAK)

    def percent(self, share: float, digits: int = 1) -> str:
        """A share of one as percent."""
        return f"{self.number(100 * share, digits)} %" if math.isfinite(share) else NONE

    def listing(self, names: Iterable[str]) -> str:
        """``a``, ``a and b``, ``a, b and c``."""
        items = list(names)
        if len(items) < 2:
            return "".join(items)
        return self.say("{items} and {last}").format(items=", ".join(items[:-1]), last=items[-1])

    def yes_no(self, value: bool | None) -> str:
        """``yes``, ``no``, or ``not known yet``."""
        return self.say("not known yet") if value is None else self.say("yes") if value else self.say("no")

    def day(self, on: date | datetime) -> str:
        """A day, and the minute when there is one; the same in every language, for it cannot be misread."""
        if not isinstance(on, datetime):
            return on.isoformat()
        return on.strftime("%Y-%m-%d %H:%M %Z").strip()

    def fill(self, text: str, **values: Any) -> str:
        """Say a text with values in it."""
        return self.say(text).format(**values)

    def plural(self, one: str, many: str, n: int, **values: Any) -> str:
        """Say a text with a number ``{n}`` before a noun, in the form that this language has for that number."""
        return self.say_n(one, many, n).format(n=self.count(n), **values)


def language(code: str) -> Language:
    """The language of a code; raises InputError for one that is not there."""
    return Language(code, translator(DOMAIN, code), counter(DOMAIN, code))


ENGLISH = language("en")

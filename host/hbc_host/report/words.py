"""The words and number formats that the report and the terminal share, so that both say the same thing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, cast

from hbc_host.evidence import ALPHA
from hbc_host.sites import after_holm

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis, SiteResult

Verdict = Literal["coupled", "not_shown", "cannot_tell", "unusable"]

# A 90 % interval lies above zero exactly when the one-sided p is below .05: number and verdict say the same.
SITE_INTERVAL = STEP_INTERVAL = "90\N{NO-BREAK SPACE}% interval"
NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

VERDICT_WORD: dict[Verdict, str] = {
    "coupled": "coupled",
    "not_shown": "not shown",
    "cannot_tell": "cannot tell",
    "unusable": "unusable",
}
# A shape beside the colour: readable in grey print and by colour-blind readers.
VERDICT_SHAPE: dict[Verdict, str] = {"coupled": "●", "not_shown": "○", "cannot_tell": "◐", "unusable": "✕"}

RESEARCH_USE = "Research use; not a medical device."
UNPROVEN = (
    "Choosing a site or an intensity by this result is unproven: nobody knows yet whether patients do better for it."
)
EVIDENCE = "Observational evidence; that choosing site or intensity by HBC improves treatment is unproven."


def number(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """A number with a true minus sign; a dash when there is none (NaN, infinite, absent).

    >>> number(2.04), number(0.3, signed=True), number(-2.04) == MINUS + "2.0"
    ('2.0', '+0.3', True)
    """
    if value is None or not math.isfinite(value):
        return NONE
    rounded = round(value, digits)
    if rounded == 0:
        return f"{0:.{digits}f}"  # neither "-0.0" nor "+0.0": the sign would claim a direction
    return f"{rounded:{'+' if signed else ''}.{digits}f}".replace("-", MINUS)


def interval(low: float, high: float, digits: int = 1) -> str:
    """``low to high``; "to", because a dash between two negative numbers cannot be read."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NONE
    return f"{number(low, digits)} to {number(high, digits)}"


def p_value(value: float) -> str:
    """A p-value with three decimals, as in the notes, never ``0``; one just below the cut-off is not rounded up to it.

    >>> p_value(0.0004), p_value(0.0312), p_value(0.0496), p_value(0.4)
    ('< 0.001', '0.031', '0.0496', '0.400')
    """
    if not math.isfinite(value):
        return NONE
    if value < 0.001:
        return "< 0.001"
    digits = 3
    if (float(f"{value:.{digits}f}") < ALPHA) != (value < ALPHA):
        digits += 1
    return f"{value:.{digits}f}"


def percent(share: float, digits: int = 1) -> str:
    """A share of one as percent."""
    return f"{number(100 * share, digits)} %" if math.isfinite(share) else NONE


def listing(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    items = list(names)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def decided(site: SiteResult) -> Verdict:
    """Verdict that page 1 gives: the site's own, taken back when it does not survive Holm's adjustment."""
    return cast(Verdict, after_holm(site.coupling.verdict, site.p_holm))


def site_sentence(site: SiteResult) -> str:
    """What was found at one site, for a reader without a statistics course."""
    result, verdict = site.coupling, decided(site)
    if verdict == "unusable":
        return "no answer: " + ("; ".join(result.reasons) or "the recording is not usable") + "."
    measured = f"{number(result.effect_bpm)} bpm ({SITE_INTERVAL} {interval(*result.ci90_bpm)})"
    if verdict == "coupled":
        return f"the heart slowed by {measured} after each train."
    if verdict == "cannot_tell":
        return f"the heart slowed by {measured} with the trains, but this may be breathing or another rhythm."
    if result.verdict == "coupled":
        return (
            f"a slowing of {measured} stands out at this site alone (p = {p_value(result.p_value)}), "
            f"but not after allowing for all sites tested (p = {p_value(site.p_holm)})."
        )
    if result.ci90_bpm[1] < 0:
        low, high = result.ci90_bpm
        return (
            f"no slowing: the heart sped up by {number(-result.effect_bpm)} bpm "
            f"({SITE_INTERVAL} {interval(-high, -low)}) after each train."
        )
    if result.effect_bpm < 0:
        return f"no slowing seen: {measured}."
    return f"a slowing of {measured} cannot be told from the heart's own ups and downs."


def overall_sentence(analysis: Analysis) -> str:
    """One line for all sites: ``Coupled at BF3-L; not shown at 5CM-L; nothing usable at 5CM-R.``"""
    groups: dict[Verdict, list[str]] = {"coupled": [], "not_shown": [], "cannot_tell": [], "unusable": []}
    for site in analysis.sites:
        groups[decided(site)].append(site.site)
    if not analysis.sites:
        return "No site was analysed."
    opening: dict[Verdict, str] = {
        "coupled": "coupled at",
        "not_shown": "not shown at",
        "cannot_tell": "cannot be told from other rhythms at",
        "unusable": "nothing usable at",
    }
    parts = [f"{opening[verdict]} {listing(names)}" for verdict, names in groups.items() if names]
    if not groups["coupled"] and (groups["not_shown"] or groups["cannot_tell"]):
        parts[0] = "coupling " + parts[0]
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."

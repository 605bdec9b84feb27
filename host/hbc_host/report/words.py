"""The words that the report and the terminal share, so that both say the same thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from hbc_host.i18n import mark
from hbc_host.report.language import ENGLISH, MINUS, NONE, Language
from hbc_host.report.phrases import said
from hbc_host.sites import after_holm

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis, SiteResult

Verdict = Literal["coupled", "not_shown", "cannot_tell", "unusable"]

# A 90 % interval lies above zero exactly when the one-sided p is below .05: number and verdict say the same.
SITE_INTERVAL = STEP_INTERVAL = mark("90\N{NO-BREAK SPACE}% interval")

VERDICT_WORD: dict[Verdict, str] = {
    "coupled": mark("coupled"),
    "not_shown": mark("not shown"),
    "cannot_tell": mark("cannot tell"),
    "unusable": mark("unusable"),
}
# A shape beside the colour: readable in grey print and by colour-blind readers.
VERDICT_SHAPE: dict[Verdict, str] = {"coupled": "●", "not_shown": "○", "cannot_tell": "◐", "unusable": "✕"}

RESEARCH_USE = mark("Research use; not a medical device.")
UNPROVEN = mark(
    "Choosing a site or an intensity by this result is unproven: nobody knows yet whether patients do better for it."
)
EVIDENCE = mark("Observational evidence; that choosing site or intensity by HBC improves treatment is unproven.")

# The formats of the terminal, which is English.
number = ENGLISH.number
interval = ENGLISH.interval
p_value = ENGLISH.p_value
percent = ENGLISH.percent
listing = ENGLISH.listing

__all__ = ["MINUS", "NONE", "Verdict", "decided", "overall_sentence", "site_sentence"]


def decided(site: SiteResult) -> Verdict:
    """Verdict that page 1 gives: the site's own, taken back when it does not survive Holm's adjustment."""
    return cast(Verdict, after_holm(site.coupling.verdict, site.p_holm))


def site_sentence(site: SiteResult, lang: Language = ENGLISH) -> str:
    """What was found at one site, for a reader without a statistics course."""
    result, verdict, fill = site.coupling, decided(site), lang.fill
    if verdict == "unusable":
        why = "; ".join(said(reason, lang) for reason in result.reasons) or lang.say("the recording is not usable")
        return fill("no answer: {why}.", why=why)
    measured = _measured(result.effect_bpm, result.ci90_bpm, lang)
    if verdict == "coupled":
        return fill("the heart slowed by {measured} after each train.", measured=measured)
    if verdict == "cannot_tell":
        return fill(
            "the heart slowed by {measured} with the trains, but this may be breathing or another rhythm.",
            measured=measured,
        )
    if result.verdict == "coupled":
        return fill(
            "a slowing of {measured} stands out at this site alone (p{p}), but not after allowing for all sites "
            "tested (p{p_holm}).",
            measured=measured,
            p=lang.p_sign(result.p_value),
            p_holm=lang.p_sign(site.p_holm),
        )
    if result.ci90_bpm[1] < 0:
        low, high = result.ci90_bpm
        faster = _measured(-result.effect_bpm, (-high, -low), lang)
        return fill("no slowing: the heart sped up by {measured} after each train.", measured=faster)
    if result.effect_bpm < 0:
        return fill("no slowing seen: {measured}.", measured=measured)
    return fill("a slowing of {measured} cannot be told from the heart's own ups and downs.", measured=measured)


def _measured(effect_bpm: float, ci90_bpm: tuple[float, float], lang: Language) -> str:
    return lang.fill(
        "{effect} bpm ({interval_name} {span})",
        effect=lang.number(effect_bpm),
        interval_name=lang.say(SITE_INTERVAL),
        span=lang.interval(*ci90_bpm),
    )


OPENINGS: dict[Verdict, str] = {
    "coupled": mark("coupled at {sites}"),
    "not_shown": mark("not shown at {sites}"),
    "cannot_tell": mark("cannot be told from other rhythms at {sites}"),
    "unusable": mark("nothing usable at {sites}"),
}
#: The same where nothing before it says what is not shown.
FIRST_OPENINGS: dict[Verdict, str] = {
    "not_shown": mark("coupling not shown at {sites}"),
    "cannot_tell": mark("coupling cannot be told from other rhythms at {sites}"),
}


def overall_sentence(analysis: Analysis, lang: Language = ENGLISH) -> str:
    """One line for all sites: ``Coupled at BF3-L; not shown at 5CM-L; nothing usable at 5CM-R.``"""
    groups: dict[Verdict, list[str]] = {verdict: [] for verdict in OPENINGS}
    for site in analysis.sites:
        groups[decided(site)].append(site.site)
    if not analysis.sites:
        return lang.say("No site was analysed.")
    parts: list[str] = []
    for verdict, names in groups.items():
        if names:
            opening = OPENINGS[verdict] if parts else FIRST_OPENINGS.get(verdict, OPENINGS[verdict])
            parts.append(lang.fill(opening, sites=lang.listing(names)))
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."

"""Words for what stands below the main result: sites against each other, thresholds, and other published numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hbc_host.i18n import mark
from hbc_host.published import THRESHOLD as PUBLISHED_THRESHOLD
from hbc_host.report.language import ENGLISH, NO_BREAK, NONE, Language
from hbc_host.report.words import decided

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis, SiteResult
    from hbc_host.sites import SiteEffect

#: From here on page 1 names the site that slows the heart most.
SURE = 0.95
LIKELY_MIN = 0.1
THRESHOLD_INTERVAL = mark("95\N{NO-BREAK SPACE}% interval")
#: That of hbc_host.published, which knows no languages.
PUBLISHED_LABEL = mark("published score (130 Hz)")
COMPARISON_ONLY = mark("For comparison only: none of these numbers enters the verdict.")

__all__ = ["COMPARISON_ONLY", "PUBLISHED_LABEL", "PUBLISHED_THRESHOLD"]


def compared(analysis: Analysis) -> list[tuple[SiteResult, SiteEffect]]:
    """Sites with an effect that can be compared, when there are at least two."""
    if analysis.comparison is None:
        return []
    pairs = zip(analysis.sites, analysis.comparison.sites, strict=True)
    found = [(site, effect) for site, effect in pairs if math.isfinite(effect.probability_best)]
    return found if len(found) > 1 else []


def difference_sentence(analysis: Analysis, lang: Language = ENGLISH) -> str:
    """Is one site better than the others? Empty when there are no two to compare."""
    comparison, pairs = analysis.comparison, compared(analysis)
    if comparison is None or comparison.best_idx is None or not pairs:
        return ""
    if not any(effect.is_coupled for _, effect in pairs):
        return lang.say("No site is best where none is shown to couple.")
    if not comparison.difference_shown:
        return lang.say("No difference between the sites is shown: which one has the largest number may be chance.")
    best = comparison.sites[comparison.best_idx]
    if best.probability_best >= SURE and best.is_coupled:
        return lang.fill(
            "The sites differ. The heart slowed most at {site} (probability {probability}): by about {fall} bpm, "
            "which allows for the largest of several numbers being usually too large.",
            site=best.name,
            probability=probability(best.probability_best, lang),
            fall=lang.number(best.shrunken_bpm),
        )
    likely = sorted((e for _, e in pairs if e.probability_best >= LIKELY_MIN), key=lambda e: -e.probability_best)
    names = lang.listing(f"{effect.name} ({probability(effect.probability_best, lang)})" for effect in likely)
    if len(likely) == 1:
        return lang.fill("The sites differ. Where the heart slows most is not certain; likely is {site}.", site=names)
    return lang.fill("The sites differ. Where the heart slows most is not certain; likely are {sites}.", sites=names)


def probability(value: float, lang: Language = ENGLISH) -> str:
    """A probability in whole percent; never 0 % or 100 %.

    >>> probability(0.004), probability(0.253), probability(0.999)
    ('< 1\xa0%', '25\xa0%', '> 99\xa0%')
    """
    if not math.isfinite(value):
        return NONE
    if value < 0.01:
        return f"< 1{NO_BREAK}%"
    return f"> 99{NO_BREAK}%" if value > 0.99 else lang.percent(value, 0).replace(" ", NO_BREAK)


def threshold_sentence(site: SiteResult, lang: Language = ENGLISH, *, mt_mso_pct: float | None = None) -> str:
    """Threshold of one site; empty when there is none to tell: no rising intensities, or no response to them.

    With a motor threshold, percent of stimulator output, it stands in percent of that, too.
    """
    found = site.threshold
    if found is None or found.found == "none_found" or decided(site) in {"unusable", "not_shown"}:
        return ""
    pct = f"{lang.number(found.threshold_pct, 0)}{NO_BREAK}%"
    span = f"{lang.say(THRESHOLD_INTERVAL)} {lang.interval(*found.ci95_pct, digits=0)}{NO_BREAK}%"
    if found.found == "found" and decided(site) == "coupled":
        said = lang.fill("Threshold: {pct} of stimulator output ({span}).", pct=pct, span=span)
        if mt_mso_pct is None:
            return said
        low, high = found.ci95_pct
        of_mt = lang.fill(
            "That is {pct} of the motor threshold ({span}).",
            pct=f"{lang.number(100 * found.threshold_pct / mt_mso_pct, 0)}{NO_BREAK}%",
            span=lang.interval(100 * low / mt_mso_pct, 100 * high / mt_mso_pct, 0) + f"{NO_BREAK}%",
        )
        return f"{said} {of_mt}"
    if math.isfinite(found.threshold_pct):
        return lang.fill("Threshold: not determined (perhaps {pct}, {span}).", pct=pct, span=span)
    return lang.say("Threshold: not determined.")


def threshold_notes(site: SiteResult) -> tuple[str, ...]:
    """What stands against a threshold, and what to mind when reading it."""
    return site.threshold.reasons if site.threshold is not None and threshold_sentence(site) else ()


def site_cells(effect: SiteEffect, lang: Language = ENGLISH) -> list[str]:
    """Measured effect, shrunken effect, its 95 % interval and probability of being best."""
    return [
        lang.number(effect.effect_bpm),
        lang.number(effect.shrunken_bpm),
        lang.interval(*effect.shrunken_ci95_bpm),
        probability(effect.probability_best, lang),
    ]


SITE_HEADINGS = ("measured bpm", "allowing for chance bpm", "95\N{NO-BREAK SPACE}% interval", "slows most")


def published_cells(site: SiteResult, lang: Language = ENGLISH) -> list[str]:
    """Published score, trains above its threshold, T2circ p and amplitude, harmonic F p, RR slope."""
    score, other = site.published, site.secondary
    if score is None or not score.usable:
        cells = [NONE, NONE]
    else:
        above = lang.say("n/a")
        if score.above_n is not None:
            above = lang.fill("{n} of {all}", n=score.above_n, all=score.log_power.size)
        cells = [lang.number(score.mean_log_power, 2), above]
    if other is None:
        return [*cells, NONE, NONE, NONE, NONE]
    return [
        *cells,
        lang.p_value(other.t2circ_p),
        lang.number(other.t2circ_ms, 0),
        lang.p_value(other.harmonic_p),
        lang.number(other.rr_slope_ms_per_s, 1, signed=True),
    ]


PUBLISHED_HEADINGS = (
    f"{PUBLISHED_LABEL}, mean",
    f"trains above {PUBLISHED_THRESHOLD:g}",
    "T2circ p",
    "T2circ ms",
    "harmonic F p",
    "RR slope 45 s, ms/s",
)

"""Page 1 decides: who, when, with what; the verdict in a sentence; a row per site; the map of sites and steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hbc_host.report import comparing, words
from hbc_host.report.effect_map import effect_map
from hbc_host.report.language import Language
from hbc_host.report.page import Bar, Block, Cell, Column, Heading, Row, Section, Table, Text, Verdict, stack

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis, SiteResult


def first_section(analysis: Analysis, lang: Language) -> Section:
    """What stands below the verdict on page 1."""
    return Section("decides", "", stack(*_numbers(analysis, lang), *_map(analysis, lang), always(lang)))


def always(lang: Language) -> Text:
    """The two sentences of caution that stand on every page that could be read alone."""
    return Text(f"{lang.say(words.RESEARCH_USE)} {lang.say(words.EVIDENCE)}", "always")


def verdict_of(analysis: Analysis, lang: Language, mt_mso_pct: float | None) -> Verdict:
    """The answer in words."""
    lines = []
    for site in analysis.sites:
        verdict = words.decided(site)
        threshold = comparing.threshold_sentence(site, lang, mt_mso_pct=mt_mso_pct)
        sentence = f"{words.site_sentence(site, lang)} {threshold}".rstrip()
        lines.append((verdict, words.VERDICT_SHAPE[verdict], site.site, sentence))
    return Verdict(
        lang.say("Result"),
        words.overall_sentence(analysis, lang),
        tuple(lines),
        comparing.difference_sentence(analysis, lang),
        lang.say(words.UNPROVEN),
    )


def _numbers(analysis: Analysis, lang: Language) -> list[Block]:
    if not analysis.sites:
        return []
    say, interval_name = lang.say, lang.say(words.SITE_INTERVAL)
    columns = (
        Column(say("Site"), align="left"),
        Column(say("Verdict"), align="left"),
        Column(say("Slowing"), say("bpm")),
        Column(interval_name, say("bpm")),
        Column("", align="bar"),
        Column(say("Slowing"), say("ms")),
        Column(interval_name, say("ms")),
        Column("p", say("this site")),
        Column("p", say("all sites (Holm)")),
    )
    rows = tuple(_number_row(analysis.sites, site, lang) for site in analysis.sites)
    note = say(
        "Coupled: the heart slows after the trains by more than its own ups and downs explain. “Not shown” means that "
        "this recording does not show it, not that the site has none. The interval holds the slowings that fit this "
        "recording; the thin line in the graph is zero, no slowing; below zero the heart sped up. p is how often a "
        "heart without any response would look like this; below 0.05, all sites allowed for, counts as coupled. The "
        "largest of several sites tends to look larger than it is."
    )
    if any(site.threshold is not None for site in analysis.sites):
        note += " " + say("Threshold: the intensity that gives half of the full slowing.")
    return [Table(columns, rows, look="numbers"), Text(note, "small")]


def _number_row(sites: Sequence[SiteResult], site: SiteResult, lang: Language) -> Row:
    verdict, result = words.decided(site), site.coupling
    shape = words.VERDICT_SHAPE[verdict]
    return Row(
        (
            Cell(site.site),
            Cell(f"{shape} {lang.say(words.VERDICT_WORD[verdict])}"),
            Cell(lang.number(result.effect_bpm), strong=True),
            Cell(lang.interval(*result.ci90_bpm)),
            Cell("", bar=interval_bar(sites, site)),
            Cell(lang.number(result.effect_ms, 0)),
            Cell(lang.interval(*result.ci90_ms, digits=0)),
            Cell(lang.p_value(result.p_value)),
            Cell(lang.p_value(site.p_holm)),
        ),
        verdict,
    )


def interval_bar(sites: Sequence[SiteResult], site: SiteResult) -> Bar | None:
    """Where the interval of `site` lies on a scale that holds the intervals of all `sites` and zero."""
    ends = [end for each in sites for end in each.coupling.ci90_bpm if abs(end) != float("inf") and end == end]
    low, high = site.coupling.ci90_bpm
    if words.interval(low, high) == words.NONE:
        return None
    left, right = min([*ends, -1.0]), max([*ends, 1.0])

    def place(value: float) -> float:
        return round(100 * (value - left) / (right - left), 2)

    return Bar(place(low), place(high), place(site.coupling.effect_bpm), place(0.0))


def _map(analysis: Analysis, lang: Language) -> list[Block]:
    found = effect_map(analysis.sites, lang)
    if found is None:
        return []
    note = lang.say(
        "A single step is a single look and varies widely: read the row, not the cell. Rising intensities also mean "
        "later in time, so a trend along a row can be either."
    )
    return [Heading(lang.say("Slowing at each site and step"), lang.say("bpm"), 2), found, Text(note, "small")]

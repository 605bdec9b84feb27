"""How good the recording is: per site, as a whole, and what a reader should know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hbc_host.report import comparing
from hbc_host.report.language import Language
from hbc_host.report.page import Block, Bullets, Column, Heading, Row, Section, Side, Table, Text, cells, stack
from hbc_host.report.phrases import said
from hbc_host.report.quality_words import quality_label, quality_text

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis


def quality_section(analysis: Analysis, lang: Language, *more: Block) -> Section:
    """The section; ``more`` stands at its end."""
    left = stack(_sites(analysis, lang), *_notes(analysis, lang))
    right = _recording(analysis, lang)
    blocks: tuple[Block, ...] = left if right is None else (Side(left, (right,)),)
    return Section("quality", lang.say("Quality"), (*blocks, _counts(analysis, lang), *more))


def _counts(analysis: Analysis, lang: Language) -> Text:
    """What each number of beats counts: none of them is a part of another that is shown elsewhere."""
    texts = [
        lang.say(
            "Beats used: from just before the first train of a site to the end of its last pause, excluded ones not."
        )
    ]
    if "beats_n" in analysis.quality:
        texts.append(
            lang.say(
                "Beats in rests and runs: those of all sites from the beginning of their rest on, excluded ones too."
            )
        )
    if "beats_recorded_n" in analysis.quality:
        texts.append(_recorded(analysis, lang))
    return Text(" ".join(texts), "small")


def _recorded(analysis: Analysis, lang: Language) -> str:
    """What the number of beats recorded counts: of several starts of the box, one is analysed."""
    boots_n = analysis.quality.get("boots_n", 1)
    if isinstance(boots_n, int) and boots_n > 1:
        return lang.say("Beats recorded: of the part that is analysed, also while nobody rested or was stimulated.")
    return lang.say("Beats recorded: from the first to the last instant, also while nobody rested or was stimulated.")


def _sites(analysis: Analysis, lang: Language) -> Table:
    say = lang.say
    columns = (
        Column(say("Site"), align="left"),
        Column(say("Mean rate"), say("bpm")),
        Column(say("Beats used")),
        Column(say("Excluded")),
        Column(say("Steps used")),
        Column(say("Latency"), say("s")),
    )
    rows = tuple(
        Row(
            cells(
                site.site,
                lang.number(site.mean_hr_bpm),
                lang.count(site.beats_n),
                lang.percent(site.coupling.excluded_share),
                lang.fill("{n} of {all}", n=sum(step.usable for step in site.steps), all=len(site.steps)),
                lang.number(site.coupling.latency_s),
            )
        )
        for site in analysis.sites
    )
    return Table(columns, rows)


def _notes(analysis: Analysis, lang: Language) -> list[Block]:
    items = [("", said(note, lang)) for note in analysis.notes]
    for site in analysis.sites:
        items += [(site.site, said(reason, lang)) for reason in site.coupling.reasons]
        about = lang.fill("{site}, threshold", site=site.site)
        items += [
            (about, said(reason, lang))
            for reason in comparing.threshold_notes(site)
            if reason not in site.coupling.reasons
        ]
    return [Heading(lang.say("Notes")), Bullets(tuple(items))] if items else []


def _recording(analysis: Analysis, lang: Language) -> Table | None:
    if not analysis.quality:
        return None
    rows = tuple(
        Row(cells(quality_label(key, lang), quality_text(key, value, lang))) for key, value in analysis.quality.items()
    )
    return Table((Column(lang.say("Recording"), align="left"), Column(lang.say("Value"))), rows)

"""The whole report in words: what :mod:`hbc_host.report.html` and :mod:`hbc_host.report.pdf` lay out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from hbc_host import __version__
from hbc_host.i18n import mark
from hbc_host.report import words
from hbc_host.report.language import ENGLISH, Language
from hbc_host.report.page import Page, Section
from hbc_host.report.page_course import course_sections
from hbc_host.report.page_delivered import delivered_facts, delivery_section
from hbc_host.report.page_early import early_words
from hbc_host.report.page_evidence import (
    comparison_section,
    evidence_section,
    provenance_section,
    published_section,
)
from hbc_host.report.page_one import first_section, verdict_of
from hbc_host.report.page_quality import quality_section
from hbc_host.report.page_session import event_facts, events_section, preparation_section, rhythm_blocks
from hbc_host.report.session_parts import SessionParts
from hbc_host.report.session_words import signature, visit_facts

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis
    from hbc_host.clinic.visit import Visit

KIND = mark("Heart\N{EN DASH}brain coupling during TMS")
#: Labels of facts that callers give.
FACT_LABELS = (mark("Recorded"), mark("Box"), mark("Firmware"))


def report_page(
    analysis: Analysis,
    *,
    command: str,
    session_info: Mapping[str, str],
    made: datetime,
    drawn_from: str = "",
    lang: Language = ENGLISH,
    parts: SessionParts | None = None,
) -> Page:
    """The report of an analysis; arguments as of :func:`hbc_host.report.html.write_report`."""
    when, known = lang.day(made), parts or SessionParts()
    visit = known.visit
    recorded = {} if known.beats_n is None else {"beats_recorded_n": known.beats_n}
    shown = replace(analysis, quality={**recorded, **analysis.quality, **known.signal})
    sections: list[Section | None] = [
        first_section(analysis, lang),
        evidence_section(analysis, lang),
        comparison_section(analysis, lang),
        quality_section(shown, lang, *rhythm_blocks(known, lang)),
        delivery_section(known.deliveries, known.strays_n, lang),
        events_section(known, lang),
        preparation_section(known, lang),
        *(course_sections(known.course, lang) if known.course is not None else ()),
        published_section(analysis, lang),
        provenance_section(
            lang, source=analysis.source, command=command, made=when, version=__version__, drawn_from=drawn_from
        ),
    ]
    title = analysis.title if visit is None else visit.pseudonym
    practice = practice_of(analysis, visit, lang)
    marks = [lang.say(words.RESEARCH_USE)] if practice is None else [practice[0], lang.say(words.RESEARCH_USE)]
    return Page(
        lang.code,
        title,
        lang.say(KIND),
        lang.say(words.RESEARCH_USE),
        _facts(analysis, session_info, when, lang, known),
        verdict_of(analysis, lang, None if visit is None else visit.mt_mso_pct),
        tuple(section for section in sections if section is not None),
        " · ".join([title, *marks]),
        when,
        practice,
        early_words(known.early, lang),
    )


def practice_of(analysis: Analysis, visit: Visit | None, lang: Language) -> tuple[str, str] | None:
    """Badge and sentence of a report that is nobody's result; None for a session with a box and a patient."""
    if analysis.is_simulated:
        return lang.say("PRACTICE"), lang.say("Simulated box: nothing here was measured on a person.")
    if visit is not None and visit.practice:
        return lang.say("PRACTICE"), lang.say("Nobody was stimulated: this is no result of a patient.")
    return None


def _facts(
    analysis: Analysis, session_info: Mapping[str, str], made: str, lang: Language, parts: SessionParts
) -> tuple[tuple[str, str], ...]:
    protocol, visit = analysis.protocol, parts.visit
    timing = lang.fill(
        "{name}: {train} s train, {pause} s pause",
        name=protocol.name,
        train=lang.short(protocol.train_s),
        pause=lang.short(protocol.pause_s),
    )
    source = re.sub(r"[^\s,]*[/\\](?=[^\s,/\\])", "", analysis.source)  # page 1 names files, provenance their paths
    return (
        *((lang.say(label), value) for label, value in session_info.items()),
        *(() if visit is None else visit_facts(visit, lang)),
        (lang.say("Protocol"), timing),
        *(() if visit is None else ((lang.say("Protocol signed by"), signature(visit, lang)),)),
        *delivered_facts(parts.deliveries, lang),
        *event_facts(parts.events, lang),
        (lang.say("Source"), source),
        (lang.say("Report made"), f"{made}, hbc {__version__}"),
    )

"""What was prepared and what happened: from the visit and the notes of the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hbc_host.report.language import NONE, Language
from hbc_host.report.page import (
    Block,
    Bullets,
    Column,
    Figure,
    Heading,
    Row,
    Section,
    Table,
    Text,
    cells,
    stack,
)
from hbc_host.report.phrases import said
from hbc_host.report.rhythm_figure import rhythm_figure
from hbc_host.report.session_words import (
    ALARM_WORD,
    EVENT_WORD,
    PROBLEM_WORD,
    SEVERITY_WORD,
    clock,
    preparation_rows,
    word,
)

if TYPE_CHECKING:
    from hbc_host.report.session_parts import Raised, SessionParts, Told


def rhythm_blocks(parts: SessionParts, lang: Language) -> tuple[Block, ...]:
    """Heart rate over the whole session; nothing without a recording."""
    drawing = rhythm_figure(parts.rhythms, lang)
    if drawing is None:
        return ()
    caption = lang.say(
        "Heart rate from beat to beat. Yellow is a train, grey is rest, orange a gap in the recording; a cross below "
        "is a beat that is not used. A minute is as long in every row."
    )
    return (Figure(lang.say("Heart rate during the session"), drawing, caption, lang.say("Zoom")),)


def events_section(parts: SessionParts, lang: Language) -> Section | None:
    """Alarms, adverse events, discomfort, remarks; None for a recording that nobody watched."""
    if not (parts.watched or parts.alarms or parts.events or parts.ratings or parts.remarks or parts.problems):
        return None
    timed = parts.alarms or parts.events or parts.remarks
    blocks = stack(
        *_alarms(parts.alarms, lang),
        *_adverse(parts.events, lang),
        *_ratings(parts.ratings, lang),
        *_problems(parts.problems, lang),
        *_remarks(parts.remarks, lang),
        Text(lang.say("Times are minutes and seconds since the recording began."), "small") if timed else None,
    )
    return Section("events", lang.say("Safety and events"), blocks)


def _alarms(alarms: Sequence[Raised], lang: Language) -> list[Block]:
    say = lang.say
    if not alarms:
        return [Text(say("No alarm of the heart rate was raised."))]
    columns = (
        Column(say("Alarm"), align="left"),
        Column(say("At"), say("min:s")),
        Column(say("Lasted")),
        Column(say("What it said"), align="left", wide=True),
        Column(say("Acknowledged by"), align="left"),
    )
    rows = tuple(
        Row(
            cells(
                word(ALARM_WORD, one.name, lang),
                clock(one.at_s),
                say("to the end") if one.lasted_s is None else lang.duration(one.lasted_s),
                said(one.text, lang),
                one.acknowledged_by or say("nobody"),
            )
        )
        for one in alarms
    )
    return [Heading(say("Alarms")), Table(columns, rows)]


def _adverse(events: Sequence[Told], lang: Language) -> list[Block]:
    say = lang.say
    if not events:
        return [Text(say("No adverse event was recorded."))]
    columns = (
        Column(say("Adverse event"), align="left"),
        Column(say("At"), say("min:s")),
        Column(say("Severity"), align="left"),
        Column(say("In words"), align="left", wide=True),
        Column(say("Recorded by"), align="left"),
        Column(say("Observation"), align="left", wide=True),
    )
    rows = tuple(
        Row(
            cells(
                word(EVENT_WORD, one.what, lang),
                clock(one.at_s),
                word(SEVERITY_WORD, one.about, lang),
                one.text or NONE,
                one.by or NONE,
                _observation(one, lang),
            )
        )
        for one in events
    )
    return [Heading(say("Adverse events")), Table(columns, rows)]


def event_facts(events: Sequence[Told], lang: Language) -> list[tuple[str, str]]:
    """Adverse events for the head of page 1, where whoever decides looks; nothing without any."""
    if not events:
        return []
    said_n = lang.count(len(events))
    if not all(one.over_by for one in events):
        said_n += "; " + lang.say("observation not ended")
    return [(lang.say("Adverse events"), said_n)]


def _observation(one: Told, lang: Language) -> str:
    """Until when the patient was observed after an event, and who ended it."""
    if not one.over_by:
        return lang.say("not ended in the recording")
    lasted = NONE if one.at_s is None or one.over_s is None else lang.duration(one.over_s - one.at_s)
    at = clock(one.over_s)
    return lang.fill("ended {clock} by {name}, after {lasted}", clock=at, name=one.over_by, lasted=lasted)


def _ratings(ratings: Sequence[Told], lang: Language) -> list[Block]:
    if not ratings:
        return []
    given = "; ".join(f"{one.about or NONE} {lang.marked(one.what)}" for one in ratings)
    return [Text(lang.fill("Discomfort, 0 to 10: {given}.", given=given))]


def _problems(problems: Sequence[Raised], lang: Language) -> list[Block]:
    """A line for each kind: how often, and for how long in all."""
    items = []
    for name in dict.fromkeys(one.name for one in problems):
        these = [one for one in problems if one.name == name]
        known_s = [one.lasted_s for one in these if one.lasted_s is not None]
        lasted = lang.duration(sum(known_s)) if known_s else lang.say("to the end")
        more = "> " if 0 < len(known_s) < len(these) else ""  # the last one was not over
        text = lang.plural("once, {lasted}", "{n} times, {lasted} in all", len(these), lasted=more + lasted)
        items.append((word(PROBLEM_WORD, name, lang), text))
    return [Heading(lang.say("What stood in the way")), Bullets(tuple(items))] if items else []


def _remarks(remarks: Sequence[Told], lang: Language) -> list[Block]:
    items = tuple((clock(one.at_s), f"{one.what} ({one.by})" if one.by else one.what) for one in remarks)
    return [Heading(lang.say("Remarks"), lang.say("min:s")), Bullets(items)] if items else []


def preparation_section(parts: SessionParts, lang: Language) -> Section | None:
    """Screening, the patient's state, how the sites were found; None without a visit."""
    if parts.visit is None:
        return None
    rows = tuple(Row(cells(label, text)) for label, text in preparation_rows(parts.visit, lang))
    columns = (Column(lang.say("Before the session"), align="left"), Column(lang.say("Noted"), align="left", wide=True))
    return Section("preparation", lang.say("Preparation"), (Table(columns, rows),))

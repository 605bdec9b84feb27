"""What was prepared, delivered, and what happened: from the visit, the triggers and the notes of the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hbc_host.report.language import NONE, Language
from hbc_host.report.page import (
    Block,
    Bullets,
    Cell,
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
    from hbc_host.report.session_parts import Delivery, Raised, SessionParts, Told


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


def delivery_section(parts: SessionParts, lang: Language) -> Section | None:
    """Pulses that arrived against those that were planned; None without a run."""
    if not parts.deliveries:
        return None
    say = lang.say
    planned = any(one.planned_pulses_n is not None for one in parts.deliveries)
    columns = [Column(say("Site"), align="left"), Column(say("Trains delivered"))]
    columns += [Column(say("Trains planned"))] if planned else []
    columns += [Column(say("Pulses delivered"))]
    columns += [Column(say("Pulses planned"))] if planned else []
    columns += [Column(say("Trains of another length"))]
    rows = [_delivery_row(one, planned, lang) for one in parts.deliveries]
    if len(rows) > 1:
        rows.append(_sum_row(parts.deliveries, planned, lang))
    notes = [say("Counted from the trigger edges that the box recorded.")]
    if parts.strays_n > 0:
        notes.append(lang.fill("Edges outside of every run: {n}.", n=lang.count(parts.strays_n)))
    if not planned:
        notes.append(say("No plan was laid down before this recording, so there is none to compare with."))
    return Section(
        "delivered",
        say("Stimulation delivered"),
        (Table(tuple(columns), tuple(rows)), Text(" ".join(notes), "small")),
    )


def _delivery_row(one: Delivery, planned: bool, lang: Language) -> Row:
    def count(value: int | None) -> str:
        return NONE if value is None else lang.count(value)

    wrong = one.planned_pulses_n is not None and one.planned_pulses_n != one.pulses_n
    found = [Cell(one.site), Cell(lang.count(one.trains_n))]
    found += [Cell(count(one.planned_trains_n))] if planned else []
    found += [Cell(f"{'≠ ' if wrong else ''}{lang.count(one.pulses_n)}", strong=wrong)]
    found += [Cell(count(one.planned_pulses_n))] if planned else []
    return Row((*found, Cell(lang.count(one.odd_trains_n), strong=one.odd_trains_n > 0)))


def _sum_row(deliveries: Sequence[Delivery], planned: bool, lang: Language) -> Row:
    def total(values: list[int | None]) -> str:
        return lang.count(sum(value or 0 for value in values))

    found = [lang.say("together"), total([one.trains_n for one in deliveries])]
    found += [total([one.planned_trains_n for one in deliveries])] if planned else []
    found += [total([one.pulses_n for one in deliveries])]
    found += [total([one.planned_pulses_n for one in deliveries])] if planned else []
    return Row(tuple(Cell(text, strong=True) for text in (*found, total([one.odd_trains_n for one in deliveries]))))


def events_section(parts: SessionParts, lang: Language) -> Section | None:
    """Alarms, adverse events, discomfort, remarks; None for a recording that nobody watched."""
    if not (parts.watched or parts.alarms or parts.events or parts.ratings or parts.remarks or parts.problems):
        return None
    blocks = stack(
        *_alarms(parts.alarms, lang),
        *_adverse(parts.events, lang),
        *_ratings(parts.ratings, lang),
        *_problems(parts.problems, lang),
        *_remarks(parts.remarks, lang),
    )
    return Section("events", lang.say("Safety and events"), blocks)


def _alarms(alarms: Sequence[Raised], lang: Language) -> list[Block]:
    say = lang.say
    if not alarms:
        return [Text(say("No alarm of the heart rate was raised."))]
    columns = (
        Column(say("Alarm"), align="left"),
        Column(say("At"), say("min:s")),
        Column(say("Lasted"), say("min:s")),
        Column(say("What it said"), align="left", wide=True),
        Column(say("Acknowledged by"), align="left"),
    )
    rows = tuple(
        Row(
            cells(
                word(ALARM_WORD, one.name, lang),
                clock(one.at_s),
                say("to the end") if one.lasted_s is None else clock(one.lasted_s),
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
    )
    rows = tuple(
        Row(
            cells(
                word(EVENT_WORD, one.what, lang),
                clock(one.at_s),
                word(SEVERITY_WORD, one.about, lang),
                one.text or NONE,
                one.by or NONE,
            )
        )
        for one in events
    )
    return [Heading(say("Adverse events")), Table(columns, rows)]


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
        lasted_s = sum(one.lasted_s or 0.0 for one in these)
        text = lang.fill("times: {n}, in all {lasted} min:s", n=len(these), lasted=clock(lasted_s))
        items.append((word(PROBLEM_WORD, name, lang), text))
    return [Heading(lang.say("What stood in the way")), Bullets(tuple(items))] if items else []


def _remarks(remarks: Sequence[Told], lang: Language) -> list[Block]:
    items = tuple((clock(one.at_s), f"{one.what} ({one.by})" if one.by else one.what) for one in remarks)
    return [Heading(lang.say("Remarks")), Bullets(items)] if items else []


def preparation_section(parts: SessionParts, lang: Language) -> Section | None:
    """Screening, the patient's state, how the sites were found; None without a visit."""
    if parts.visit is None:
        return None
    rows = tuple(Row(cells(label, text)) for label, text in preparation_rows(parts.visit, lang))
    columns = (Column(lang.say("Before the session"), align="left"), Column(lang.say("Noted"), align="left", wide=True))
    return Section("preparation", lang.say("Preparation"), (Table(columns, rows),))

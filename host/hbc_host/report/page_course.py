"""The course of treatment: what each session showed, how the scores went, and by which definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from hbc_host.i18n import mark
from hbc_host.report import words
from hbc_host.report.course_figures import effects_figure, scores_figure
from hbc_host.report.language import NONE, Language
from hbc_host.report.page import (
    Block,
    Bullets,
    Cell,
    Column,
    Figure,
    Row,
    Section,
    Table,
    Text,
    cells,
    stack,
)
from hbc_host.report.session_words import EVENT_WORD, SEVERITY_WORD, word

if TYPE_CHECKING:
    from hbc_host.report.course import CourseOfPatient, ScaleThen, SessionThen, SiteThen


def course_sections(course: CourseOfPatient, lang: Language) -> list[Section]:
    """Sessions, scores and definitions; nothing of what the store does not have."""
    found = []
    if course.sessions:
        found.append(Section("sessions", lang.say("Coupling over the sessions"), _sessions(course, lang)))
    if course.scales:
        found.append(Section("scores", lang.say("Outcome scores"), _scores(course, lang)))
    return found


def _sessions(course: CourseOfPatient, lang: Language) -> tuple[Block, ...]:
    say, sessions = lang.say, course.sessions
    names = tuple(dict.fromkeys(site.site for one in sessions for site in one.sites))
    columns = (
        Column(say("Session"), align="left"),
        Column(say("Treatment")),
        Column(say("Motor threshold"), say("%MSO")),
        *(Column(name, say("bpm")) for name in names),
    )
    rows = tuple(_session_row(one, names, lang) for one in sessions)
    note = lang.fill(
        "Slowing with its {interval_name} and verdict: {key}. Sessions differ in intensity, coil place and the state "
        "of the patient; a change from one to the next is a change only when the intervals say so.",
        interval_name=say(words.SITE_INTERVAL),
        key=", ".join(f"{words.VERDICT_SHAPE[name]} {say(text)}" for name, text in words.VERDICT_WORD.items()),
    )
    if course.practice_n:
        note += " " + lang.plural(
            "{n} practice session is left out.", "{n} practice sessions are left out.", course.practice_n
        )
    drawing = effects_figure(sessions, lang)
    figure = None
    if drawing is not None:
        caption = lang.say("One dot per session with its interval; above zero is slowing; all panels share one scale.")
        figure = Figure(say("Slowing in each session"), drawing, caption)
    return stack(Table(columns, rows), Text(note, "small"), figure)


def _session_row(one: SessionThen, names: Sequence[str], lang: Language) -> Row:
    by_name = {site.site: site for site in one.sites}
    treatment = NONE if one.treatment_n is None else str(one.treatment_n)
    threshold = lang.short(one.mt_mso_pct)
    found = cells(one.at.date().isoformat(), treatment, threshold)
    return Row((*found, *(_site_cell(by_name.get(name), lang) for name in names)))


def _site_cell(site: SiteThen | None, lang: Language) -> Cell:
    if site is None:
        return Cell(NONE)
    shape = words.VERDICT_SHAPE.get(cast(words.Verdict, site.verdict), "")
    if not math.isfinite(site.effect_bpm):
        return Cell(shape)
    span = lang.interval(*site.ci90_bpm)
    text = f"{shape} {lang.number(site.effect_bpm)}" + ("" if span == NONE else f"\n({span})")
    return Cell(text, strong=site.verdict == "coupled")


def _scores(course: CourseOfPatient, lang: Language) -> tuple[Block, ...]:
    say = lang.say
    several = len({one.series_n for one in course.scales}) > 1
    columns = (
        Column(say("Scale"), align="left"),
        Column(say("First")),
        Column(say("Last")),
        Column(say("Change")),
        Column(say("Response"), align="left"),
        Column(say("Remission"), align="left"),
        Column(say("Early improvement"), align="left"),
    )
    rows = tuple(_scale_row(one, lang, several=several) for one in course.scales)
    drawing = scores_figure(course.scales, lang)
    figure = None
    if drawing is not None:
        caption = say("Totals by date; the dashed line is the limit of remission, the dotted one that of response.")
        figure = Figure(say("Totals over time"), drawing, caption)
    return stack(Table(columns, rows), figure, *_definitions(course, lang))


def _scale_row(one: ScaleThen, lang: Language, *, several: bool) -> Row:
    went, name = one.went, one.went.scale.name
    if several:
        name = lang.fill("{scale}, series {n}", scale=name, n=one.series_n)
    followed = len(one.totals) > 1
    change = NONE if went.change_pct is None else f"{lang.number(went.change_pct, 0, signed=True)} %"
    return Row(
        cells(
            name,
            f"{lang.short(went.first.total)} ({went.first.on.isoformat()})",
            f"{lang.short(went.last.total)} ({went.last.on.isoformat()})" if followed else NONE,
            change,
            lang.yes_no(went.response),
            lang.yes_no(went.remission),
            lang.yes_no(went.early),
        )
    )


def _definitions(course: CourseOfPatient, lang: Language) -> list[Block]:
    """What the words of the table mean: a reader must not have to guess, for clinics differ."""
    items = []
    for scale in {one.went.scale.name: one.went.scale for one in course.scales}.values():
        text = lang.fill(
            "response: a fall of at least {fall} % from the first total; remission: a total of {limit} or less "
            "({source})",
            fall=lang.short(scale.response_pct),
            limit=lang.short(scale.remission_max),
            source=scale.source,
        )
        items.append((scale.name, text))
    early = lang.fill(
        "a fall of at least {fall} % from the first total, judged by the last total up to treatment {n}",
        fall=lang.short(course.early_pct),
        n=course.early_treatment_n,
    )
    return [Bullets((*items, (lang.say("Early improvement"), early)))]


def events_table(course: CourseOfPatient, lang: Language) -> Section:
    """Adverse events of all sessions."""
    title = lang.say("Adverse events")
    if not course.events:
        return Section("events", title, (Text(lang.say("No adverse event was recorded.")),))
    heads = (mark("Date"), mark("Adverse event"), mark("Severity"), mark("In words"), mark("Recorded by"))
    columns = tuple(Column(lang.say(text), align="left", wide=text == "In words") for text in heads)
    rows = tuple(
        Row(
            cells(
                one.at.date().isoformat(),
                word(EVENT_WORD, one.kind, lang),
                word(SEVERITY_WORD, one.severity, lang),
                one.text or NONE,
                one.by,
            )
        )
        for one in course.events
    )
    return Section("events", title, (Table(columns, rows),))

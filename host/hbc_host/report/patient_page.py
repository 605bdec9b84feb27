"""The report of a patient's course: sessions, scores and adverse events over the treatment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from hbc_host import __version__
from hbc_host.i18n import mark
from hbc_host.report import words
from hbc_host.report.language import ENGLISH, Language
from hbc_host.report.page import Code, Page, Section, Text, Verdict
from hbc_host.report.page_course import course_sections, events_table
from hbc_host.report.page_one import always

if TYPE_CHECKING:
    from hbc_host.report.course import CourseOfPatient, ScaleThen

FACT_WORD = {
    "diagnosis": mark("Diagnosis"),
    "medication": mark("Medication"),
    "therapy": mark("Therapy"),
    "approval": mark("Approval"),
}
DIAGNOSIS_WORD = {
    "depression": mark("depression"),
    "ocd": mark("obsessive-compulsive disorder"),
    "ptsd": mark("post-traumatic stress disorder"),
    "other": mark("other"),
}


def patient_page(course: CourseOfPatient, *, command: str, made: datetime, lang: Language = ENGLISH) -> Page:
    """The course in words.

    Parameters
    ----------
    course : CourseOfPatient
    command : str
        The command line that makes the report again.
    made : datetime
        Aware.
    lang : Language
    """
    say, when = lang.say, lang.day(made)
    sections = course_sections(course, lang)
    if not sections:
        sections = [Section("sessions", "", (Text(say("Neither a session nor a score is in the store yet.")),))]
    told = lang.fill("Made by hbc {version} on {made} from the store, by this command:", version=__version__, made=when)
    last = Section("provenance", say("Provenance"), (Text(told), Code(command), always(lang)))
    return Page(
        lang.code,
        course.pseudonym,
        say("Course of treatment with heart\N{EN DASH}brain coupling"),
        say(words.RESEARCH_USE),
        _facts(course, when, lang),
        _answer(course, lang),
        (*sections, events_table(course, lang), last),
        f"{course.pseudonym} · {say(words.RESEARCH_USE)}",
        when,
    )


def _facts(course: CourseOfPatient, made: str, lang: Language) -> tuple[tuple[str, str], ...]:
    say = lang.say
    facts = [
        (say(FACT_WORD[name]), say(DIAGNOSIS_WORD.get(text, text)) if name == "diagnosis" else text)
        for name, text in course.facts
    ]
    if course.sessions:
        first, last = course.sessions[0].at.date(), course.sessions[-1].at.date()
        days = first.isoformat() if first == last else lang.fill("{low} to {high}", low=first, high=last)
        facts.append((say("Sessions"), f"{len(course.sessions)} ({days})"))
    if course.practice_n:
        facts.append((say("Practice sessions, left out"), lang.count(course.practice_n)))
    treatments = [one.treatment_n for one in course.sessions if one.treatment_n is not None]
    if treatments:
        facts.append((say("Treatments"), str(max(treatments))))
    return (*facts, (say("Report made"), f"{made}, hbc {__version__}"))


def _answer(course: CourseOfPatient, lang: Language) -> Verdict:
    """How the scores went, in one line each; the same words as the table's."""
    lines = tuple(("", "", one.went.scale.name, _line(one, lang)) for one in course.scales)
    counts = _coupled_counts(course)
    sites = [lang.fill("{site} ({n} of {all})", site=site, n=n, all=all_n) for site, n, all_n in counts]
    if not course.sessions:
        overall = lang.say("No session yet.")
    elif any(n for _, n, _ in counts):
        overall = lang.fill("Sessions in which the heart coupled: {sites}.", sites=lang.listing(sites))
    else:
        overall = lang.plural(
            "Coupling was not shown in the only session so far.",
            "Coupling was shown in none of the {n} sessions.",
            len(course.sessions),
        )
    return Verdict(lang.say("Result"), overall, lines, "", lang.say(words.UNPROVEN))


def _coupled_counts(course: CourseOfPatient) -> list[tuple[str, int, int]]:
    """Site, sessions in which it coupled, sessions in which it was stimulated."""
    found: dict[str, list[bool]] = {}
    for one in course.sessions:
        for site in one.sites:
            found.setdefault(site.site, []).append(site.verdict == "coupled")
    return [(site, sum(verdicts), len(verdicts)) for site, verdicts in found.items()]


def _line(one: ScaleThen, lang: Language) -> str:
    went = one.went
    first, last = lang.short(went.first.total), lang.short(went.last.total)
    if len(one.totals) < 2:
        return lang.fill("{total}; no later total yet.", total=first)
    change = "" if went.change_pct is None else f" ({lang.number(went.change_pct, 0, signed=True)} %)"
    how = lang.fill("from {first} to {last}{change}", first=first, last=last, change=change)
    if went.first.total == went.last.total:
        how = lang.fill("unchanged at {total}", total=last)
    return lang.fill(
        "{how}; response: {response}; remission: {remission}; early improvement: {early}.",
        how=how,
        response=lang.yes_no(went.response),
        remission=lang.yes_no(went.remission),
        early=lang.yes_no(went.early),
    )

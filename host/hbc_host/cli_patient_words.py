"""How ``hbc patient show`` puts a patient into words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hbc_host.counting import counted

if TYPE_CHECKING:
    from hbc_host.cli_common import Output
    from hbc_host.report.words import Verdict
    from hbc_host.store.followup import Course
    from hbc_host.store.models import Patient
    from hbc_host.store.session_models import Visit


def courses_of(patient: Patient, early_pct: float, early_at: int) -> list[tuple[int, Course]]:
    """Each course of treatment (from 1) with how each scale went in it."""
    from hbc_host.store.followup import SCALES, course
    from hbc_host.store.records import totals

    return [
        (series_n, course(scale, given, early_pct=early_pct, early_treatment_n=early_at))
        for series_n in sorted({score.series_n for score in patient.scores})
        for scale in SCALES.values()
        if (given := totals(patient, scale.name, series_n))
    ]


def print_patient(
    out: Output, patient: Patient, courses: list[tuple[int, Course]], early_pct: float, early_at: int
) -> None:
    """Facts, visits, courses, adverse events: a line each."""
    facts = [patient.diagnosis, patient.sex, patient.medication, patient.therapy, patient.approval]
    out.say(
        f"{patient.pseudonym}, number {patient.number}: {', '.join(fact for fact in facts if fact) or 'no details'}"
    )
    for visit in patient.visits:
        out.say(visit_line(visit))
    several = len({series_n for series_n, _ in courses}) > 1
    for series_n, one in courses:
        series = f", course {series_n}" if several else ""
        first = f"{one.scale.name}{series}: {one.first.total:g} on {one.first.on}"
        if one.first == one.last:
            out.say(f"{first}, no later total yet")
            continue
        change = "" if one.change_pct is None else f", {one.change_pct:+.0f} %"
        out.say(f"{first}, {one.last.total:g} on {one.last.on}{change}")
        out.say(
            f"  response {_word(one.response)}, remission {_word(one.remission)}, "
            f"improved by {early_pct:g} % at treatment {early_at}: {_word(one.early)}"
        )
    for event in patient.events:
        out.say(f"adverse event {event.at:%Y-%m-%d}: {event.kind}, {event.severity} {event.text}".rstrip())
    if patient.retain_until is not None:
        out.say(f"to be kept until {patient.retain_until}")


def visit_line(visit: Visit) -> str:
    """One visit in a line."""
    treatment = "" if visit.treatment_n is None else f", treatment {visit.treatment_n}"
    threshold = "" if visit.mt_mso_pct is None else f", motor threshold {visit.mt_mso_pct:g} %MSO"
    pulses = "" if visit.pulses_delivered_n is None else f", {counted(visit.pulses_delivered_n, 'pulse')}"
    ended = visit.status == "finished"
    what = sites_line(visit.result) if ended else status_words(visit)
    practice = " (practice)" if visit.practice else ""
    return f"visit {visit.visit_n} on {visit.at.astimezone():%Y-%m-%d}{practice}{treatment}{threshold}{pulses}: {what}"


def status_words(visit: Visit) -> str:
    """Status of a visit; one that was running and has no program any more was cut off."""
    from hbc_host.lock import writer_of
    from hbc_host.store.session_models import RUNNING

    if visit.status == RUNNING and visit.folder and not writer_of(Path(visit.folder)):
        return "cut off; take it up again: hbc session resume"
    return visit.status


def sites_line(result: dict[str, Any]) -> str:
    """Verdict and effect of each site of a result."""
    from hbc_host.report.words import SITE_INTERVAL, VERDICT_WORD, interval, number
    from hbc_host.sites import after_holm

    parts = []
    for site in result.get("sites", []):
        p_holm = math.inf if site["p_holm"] is None else site["p_holm"]
        verdict = VERDICT_WORD[cast("Verdict", after_holm(site["verdict"], p_holm))]
        if site["effect_bpm"] is None or None in site["ci90_bpm"]:
            parts.append(f"{site['site']} {verdict}")
        else:
            measured = f"{number(site['effect_bpm'])} bpm, {SITE_INTERVAL} {interval(*site['ci90_bpm'])}"
            parts.append(f"{site['site']} {verdict} ({measured})")
    return "; ".join(parts) or "no site with a result"


def _word(value: bool | None) -> str:
    return "not known yet" if value is None else "yes" if value else "no"


def course_document(series_n: int, one: Course) -> dict[str, Any]:
    """A course as plain values."""
    return {
        "series": series_n,
        "scale": one.scale.name,
        "first": one.first.total,
        "last": one.last.total,
        "change_pct": one.change_pct,
        "response": one.response,
        "remission": one.remission,
        "early": one.early,
    }

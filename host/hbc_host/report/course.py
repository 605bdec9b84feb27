"""The course of one patient: what each session showed and how the scores went, as plain values from the store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from hbc_host.sites import after_holm
from hbc_host.store.followup import EARLY_PCT, EARLY_TREATMENT_N, SCALES, Course, Total, course

if TYPE_CHECKING:
    from hbc_host.store.models import AdverseEvent, Patient


@dataclass(frozen=True)
class SiteThen:
    """What one session showed at one site; numbers are nan where there was no answer."""

    site: str
    verdict: str
    effect_bpm: float
    ci90_bpm: tuple[float, float]
    threshold_pct: float = math.nan


@dataclass(frozen=True)
class SessionThen:
    """One session."""

    at: datetime
    treatment_n: int | None
    mt_mso_pct: float | None
    sites: tuple[SiteThen, ...]


@dataclass(frozen=True)
class ScaleThen:
    """Totals of one scale in one series of treatments, and how they went."""

    series_n: int
    totals: tuple[Total, ...]
    went: Course


@dataclass(frozen=True)
class EventThen:
    """An adverse event."""

    at: datetime
    kind: str
    severity: str
    text: str
    by: str


@dataclass(frozen=True)
class CourseOfPatient:
    """The whole course; ``early_pct`` and ``early_treatment_n`` define early improvement.

    ``practice_n`` sessions were practice; they are counted here and stand nowhere else.
    """

    pseudonym: str
    number: int
    facts: tuple[tuple[str, str], ...]
    sessions: tuple[SessionThen, ...]
    scales: tuple[ScaleThen, ...]
    events: tuple[EventThen, ...]
    practice_n: int = 0
    early_pct: float = EARLY_PCT
    early_treatment_n: int = EARLY_TREATMENT_N


def course_of(
    patient: Patient, *, early_pct: float = EARLY_PCT, early_treatment_n: int = EARLY_TREATMENT_N
) -> CourseOfPatient:
    """The course of a patient of the store."""
    facts = {
        "diagnosis": patient.diagnosis,
        "medication": patient.medication,
        "therapy": patient.therapy,
        "approval": patient.approval,
    }
    sessions = tuple(
        SessionThen(visit.at, visit.treatment_n, visit.mt_mso_pct, sites_then(visit.result or {}))
        for visit in sorted(patient.visits, key=lambda one: one.at)
        if not visit.practice
    )
    return CourseOfPatient(
        patient.pseudonym,
        patient.number,
        tuple((name, text) for name, text in facts.items() if text),
        sessions,
        _scales(patient, early_pct, early_treatment_n),
        tuple(EventThen(one.at, one.kind, one.severity, one.text, one.by) for one in _of_treatment(patient)),
        sum(visit.practice for visit in patient.visits),
        early_pct,
        early_treatment_n,
    )


def _of_treatment(patient: Patient) -> list[AdverseEvent]:
    """Adverse events but for those that somebody wrote down in a practice session."""
    practised = {visit.id for visit in patient.visits if visit.practice}
    return [one for one in patient.events if one.visit_id not in practised]


def _scales(patient: Patient, early_pct: float, early_treatment_n: int) -> tuple[ScaleThen, ...]:
    found = []
    for series_n, scale in sorted({(score.series_n, score.scale) for score in patient.scores}):
        totals = sorted(
            (
                Total(score.on, score.total, score.treatment_n)
                for score in patient.scores
                if (score.series_n, score.scale) == (series_n, scale)
            ),
            key=_day,
        )
        went = course(SCALES[scale], totals, early_pct=early_pct, early_treatment_n=early_treatment_n)
        found.append(ScaleThen(series_n, tuple(totals), went))
    return tuple(found)


def _day(total: Total) -> date:
    return total.on


def sites_then(result: Mapping[str, Any]) -> tuple[SiteThen, ...]:
    """Sites of a result as ``hbc analyze --json`` writes it; what cannot be read is left out."""
    sites = result.get("sites")
    found = []
    for site in sites if isinstance(sites, list) else ():
        try:
            p_holm = math.inf if site["p_holm"] is None else float(site["p_holm"])
            found.append(
                SiteThen(
                    str(site["site"]),
                    after_holm(str(site["verdict"]), p_holm),
                    _number(site["effect_bpm"]),
                    _pair(site["ci90_bpm"]),
                    _threshold(site.get("threshold")),
                )
            )
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(found)


def _threshold(found: Any) -> float:
    return _number(found["threshold_pct"]) if isinstance(found, dict) and found.get("found") == "found" else math.nan


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _pair(values: Sequence[Any]) -> tuple[float, float]:
    low, high = values
    return _number(low), _number(high)

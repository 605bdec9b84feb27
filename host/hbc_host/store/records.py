"""Patients, scores and adverse events; every change is entered in the audit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hbc_host.errors import InputError
from hbc_host.store.audit import note_change
from hbc_host.store.followup import Total, scale_of
from hbc_host.store.models import HAND, AdverseEvent, Audit, Base, Patient, Score

PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
DIAGNOSES = ("depression", "ocd", "ptsd", "other", "")
SEXES = ("f", "m", "x", "")
EVENT_KINDS = (
    "headache", "scalp pain", "nausea", "dizziness", "tingling", "twitching", "hearing change", "psychotic symptoms",
    "seizure", "syncope", "other",
)  # fmt: skip
RowT = TypeVar("RowT", bound=Base)
SEVERITIES = ("mild", "moderate", "severe")


@dataclass(frozen=True)
class PatientFacts:
    """What is known of a patient beside the pseudonym; all of it may be left out."""

    diagnosis: str = ""
    sex: str = ""
    birth_year: int | None = None
    medication: str = ""
    therapy: str = ""
    approval: str = ""


def add_patient(session: Session, pseudonym: str, facts: PatientFacts, *, who: str) -> Patient:
    """Add a patient; the running number is the next free one. Raises InputError."""
    if not PSEUDONYM.fullmatch(pseudonym):
        raise InputError(f"{pseudonym!r} is no pseudonym: 1 to 32 letters, digits, . _ -, such as P-014; never a name")
    if session.scalar(select(Patient).where(Patient.pseudonym == pseudonym)) is not None:
        raise InputError(f"{pseudonym} is in the store already; see hbc patient show {pseudonym}")
    one_of("diagnosis", facts.diagnosis, DIAGNOSES)
    one_of("sex", facts.sex, SEXES)
    this_year = datetime.now(UTC).year
    if facts.birth_year is not None and not this_year - 120 <= facts.birth_year <= this_year:
        raise InputError(f"birth year {facts.birth_year} is outside {this_year - 120} to {this_year}")
    number = _next_number(session)
    patient = Patient(pseudonym=pseudonym, number=number, added=datetime.now(UTC), **vars(facts))
    return keep(session, patient, who, f"patient {number} added")


def _next_number(session: Session) -> int:
    """Never one that a deleted patient had: the audit still names it."""
    highest = session.scalar(select(func.max(Patient.number))) or 0
    added_n = session.scalar(select(func.count()).where(Audit.what.like("patient % added"))) or 0
    return max(highest, added_n) + 1


def find_patient(session: Session, pseudonym: str) -> Patient:
    """One patient; raises InputError when there is none of this pseudonym."""
    patient = session.scalar(select(Patient).where(Patient.pseudonym == pseudonym))
    if patient is None:
        raise InputError(f"no patient {pseudonym} in the store; see hbc patient list, or: hbc patient add {pseudonym}")
    return patient


def all_patients(session: Session) -> Sequence[Patient]:
    """Everybody, in the order of adding."""
    return session.scalars(select(Patient).order_by(Patient.number)).all()


def add_score(
    session: Session,
    patient: Patient,
    scale: str,
    on: date,
    total: float,
    treatment_n: int | None,
    *,
    who: str,
    replace: bool = False,
    baseline: bool = False,
    series_n: int = 1,
) -> Score:
    """Add a total of one scale.

    Parameters
    ----------
    session : Session
    patient : Patient
    scale : str
    on : date
    total : float
    treatment_n : int or None
        Treatments so far.
    who : str
    replace : bool
        Correct the total of that day.
    baseline : bool
        It may become the baseline of its series although later totals are there.
    series_n : int
        Which course of treatment, from 1.

    Raises
    ------
    InputError
        The total is impossible, that day has one already, or it would become the baseline and nobody said so.
    """
    known = scale_of(scale)
    if not 0.0 <= total <= known.highest:
        raise InputError(f"{known.name} total {total:g} is outside 0 to {known.highest:g}")
    not_negative("treatments", treatment_n)
    there = next((score for score in patient.scores if (score.on, score.scale) == (on, known.name)), None)
    if there is not None and not replace:
        raise InputError(
            f"{patient.pseudonym} has a {known.name} total on {on} already, {there.total:g}; to correct it: --replace"
        )
    if there is not None:
        there.total, there.treatment_n = total, treatment_n
        return keep(session, there, who, f"score of patient {patient.number} replaced")
    before = totals(patient, known.name, series_n)
    if before and on < before[0].on and not baseline:
        raise InputError(
            f"{on} is before the {known.name} baseline of {before[0].on} ({before[0].total:g}) and would replace it: "
            "is the date right? If so: --baseline"
        )
    score = Score(on=on, scale=known.name, total=total, treatment_n=treatment_n, series_n=series_n)
    patient.scores.append(score)
    return keep(session, score, who, f"score added to patient {patient.number}")


def totals(patient: Patient, scale: str, series_n: int = 1) -> list[Total]:
    """All totals of one scale in one course of treatment, earliest first."""
    return sorted(
        (
            Total(score.on, score.total, score.treatment_n)
            for score in patient.scores
            if (score.scale, score.series_n) == (scale, series_n)
        ),
        key=lambda one: one.on,
    )


def add_event(
    session: Session,
    patient: Patient,
    kind: str,
    severity: str,
    text: str,
    at: datetime,
    *,
    who: str,
    visit_n: int | None = None,
) -> AdverseEvent:
    """Add an adverse event, of a visit if it has one; raises InputError for an unknown kind, severity or visit."""
    one_of("kind", kind, EVENT_KINDS)
    one_of("severity", severity, SEVERITIES)
    visit = next((visit for visit in patient.visits if visit.visit_n == visit_n), None)
    if visit_n is not None and visit is None:
        raise InputError(f"{patient.pseudonym} has no visit {visit_n}; it has {len(patient.visits)}")
    visit_id = None if visit is None else visit.id
    event = AdverseEvent(at=at, kind=kind, severity=severity, text=text, by=who, visit_id=visit_id, origin=HAND)
    patient.events.append(event)
    return keep(session, event, who, f"adverse event added to patient {patient.number}")


def delete_patient(session: Session, patient: Patient, *, who: str) -> None:
    """Delete all that the store has of a patient. Recordings are files of their own and stay."""
    number = patient.number
    session.delete(patient)
    session.flush()
    note_change(session, who, f"patient {number} deleted")


def set_retention(session: Session, patient: Patient, until: date | None, *, who: str) -> None:
    """Say until when a patient's data are kept; None takes it back."""
    patient.retain_until = until
    keep(session, patient, who, f"retention of patient {patient.number} set")


def past_retention(session: Session, today: date) -> Sequence[Patient]:
    """Patients whose data were to be kept until a day that is over."""
    late = select(Patient).where(Patient.retain_until < today)
    return session.scalars(late.order_by(Patient.retain_until, Patient.number)).all()


def keep(session: Session, row: RowT, who: str, what: str) -> RowT:
    """Add a row and say so in the audit."""
    session.add(row)
    session.flush()
    note_change(session, who, what)
    return row


def one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    """Raise InputError for a value that is not among the known ones."""
    if value not in known:
        raise InputError(f"{what} {value!r} is unknown; use one of {', '.join(name for name in known if name)}")


def not_negative(what: str, number: int | None) -> None:
    """Raise InputError for a count below 0."""
    if number is not None and number < 0:
        raise InputError(f"{number} {what}: a number cannot be below 0")

"""Adding, finding and deleting what the store keeps; every change is entered in the audit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hbc_host.errors import InputError
from hbc_host.store.audit import note_change
from hbc_host.store.followup import Total, scale_of
from hbc_host.store.models import AdverseEvent, Audit, Base, Patient, Score, Visit

PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
DIAGNOSES = ("depression", "ocd", "ptsd", "other", "")
SEXES = ("f", "m", "x", "")
EVENT_KINDS = (
    "headache", "dizziness", "tingling", "twitching", "hearing change", "psychotic symptoms", "seizure", "syncope",
    "other",
)  # fmt: skip
RowT = TypeVar("RowT", bound=Base)
SEVERITIES = ("mild", "moderate", "serious")


@dataclass(frozen=True)
class PatientFacts:
    """What is known of a patient beside the pseudonym; all of it may be left out."""

    diagnosis: str = ""
    sex: str = ""
    birth_year: int | None = None
    medication: str = ""
    therapy: str = ""
    approval: str = ""


@dataclass(frozen=True)
class VisitFacts:
    """What is known of a session beside its recording."""

    at: datetime
    folder: str = ""
    treatment_n: int | None = None
    operator: str = ""
    supervisor: str = ""
    second_person: str = ""
    mt_mso_pct: float | None = None
    mt_method: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)


def add_patient(session: Session, pseudonym: str, facts: PatientFacts, *, who: str) -> Patient:
    """Add a patient; the running number is the next free one. Raises InputError."""
    if not PSEUDONYM.fullmatch(pseudonym):
        raise InputError(f"{pseudonym!r} is no pseudonym: 1 to 32 letters, digits, . _ -, such as P-014; never a name")
    if session.scalar(select(Patient).where(Patient.pseudonym == pseudonym)) is not None:
        raise InputError(f"{pseudonym} is in the store already; see hbc patient show {pseudonym}")
    _one_of("diagnosis", facts.diagnosis, DIAGNOSES)
    _one_of("sex", facts.sex, SEXES)
    this_year = datetime.now(UTC).year
    if facts.birth_year is not None and not this_year - 120 <= facts.birth_year <= this_year:
        raise InputError(f"birth year {facts.birth_year} is outside {this_year - 120} to {this_year}")
    number = _next_number(session)
    patient = Patient(pseudonym=pseudonym, number=number, added=datetime.now(UTC), **vars(facts))
    return _keep(session, patient, who, f"patient {number} added")


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
) -> Score:
    """Add a total; raises InputError when it is impossible, or that day has one already and ``replace`` is not set."""
    known = scale_of(scale)
    if not 0.0 <= total <= known.highest:
        raise InputError(f"{known.name} total {total:g} is outside 0 to {known.highest:g}")
    _not_negative("treatments", treatment_n)
    there = next((score for score in patient.scores if (score.on, score.scale) == (on, known.name)), None)
    if there is not None and not replace:
        raise InputError(
            f"{patient.pseudonym} has a {known.name} total on {on} already, {there.total:g}; to correct it: --replace"
        )
    if there is not None:
        there.total, there.treatment_n = total, treatment_n
        return _keep(session, there, who, f"score of patient {patient.number} replaced")
    score = Score(on=on, scale=known.name, total=total, treatment_n=treatment_n)
    patient.scores.append(score)
    return _keep(session, score, who, f"score added to patient {patient.number}")


def totals(patient: Patient, scale: str) -> list[Total]:
    """All totals of one scale, earliest first."""
    return sorted(
        (Total(score.on, score.total, score.treatment_n) for score in patient.scores if score.scale == scale),
        key=lambda one: one.on,
    )


def add_event(
    session: Session, patient: Patient, kind: str, severity: str, text: str, at: datetime, *, who: str
) -> AdverseEvent:
    """Add an adverse event; raises InputError for an unknown kind or severity."""
    _one_of("kind", kind, EVENT_KINDS)
    _one_of("severity", severity, SEVERITIES)
    event = AdverseEvent(at=at, kind=kind, severity=severity, text=text, by=who)
    patient.events.append(event)
    return _keep(session, event, who, f"adverse event added to patient {patient.number}")


def add_visit(session: Session, patient: Patient, facts: VisitFacts, *, who: str) -> Visit:
    """Add a session; raises InputError for a recording that is there already or an impossible motor threshold."""
    _not_negative("treatments", facts.treatment_n)
    if facts.mt_mso_pct is not None and not 0.0 < facts.mt_mso_pct <= 100.0:
        raise InputError(f"a motor threshold of {facts.mt_mso_pct:g} %MSO is not above 0 and up to 100")
    known = session.scalar(select(Visit).where(Visit.folder == facts.folder)) if facts.folder else None
    if known is not None:
        owner = session.get(Patient, known.patient_id)
        raise InputError(f"{facts.folder} is a visit of {owner.pseudonym if owner else 'somebody'} already")
    visit = Visit(**vars(facts))
    patient.visits.append(visit)
    return _keep(session, visit, who, f"visit added to patient {patient.number}")


def delete_patient(session: Session, patient: Patient, *, who: str) -> None:
    """Delete all that the store has of a patient. Recordings are files of their own and stay."""
    number = patient.number
    session.delete(patient)
    session.flush()
    note_change(session, who, f"patient {number} deleted")


def export_patient(patient: Patient) -> dict[str, Any]:
    """All that the store has of a patient, as plain values."""
    return {
        **_columns(patient),
        "visits": [_columns(visit) for visit in patient.visits],
        "scores": [_columns(score) for score in patient.scores],
        "events": [_columns(event) for event in patient.events],
    }


def _columns(row: Base) -> dict[str, Any]:
    values = {column.key: getattr(row, column.key) for column in row.__table__.columns}
    shown = {key: value for key, value in values.items() if key not in {"id", "patient_id"}}
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in shown.items()}


def _keep(session: Session, row: RowT, who: str, what: str) -> RowT:
    session.add(row)
    session.flush()
    note_change(session, who, what)
    return row


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{what} {value!r} is unknown; use one of {', '.join(name for name in known if name)}")


def _not_negative(what: str, number: int | None) -> None:
    if number is not None and number < 0:
        raise InputError(f"{number} {what}: a number cannot be below 0")

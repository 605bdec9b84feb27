"""Visits in the store: planned, run, finished; pulses of a day; motor thresholds and screenings over time.

``hbc session new`` keeps a visit, ``hbc session run`` begins it; hbc_host.store.endings finishes it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hbc_host.clinic import visit as laid_down
from hbc_host.clinic.plan import PlannedRun
from hbc_host.clinic.screening import Screening
from hbc_host.errors import InputError
from hbc_host.store import session_models as rows
from hbc_host.store.audit import note_change
from hbc_host.store.models import Patient
from hbc_host.store.records import not_negative
from hbc_host.store.session_models import FINISHED, PLANNED, RUNNING, STOPPED, MotorThreshold, Run, Step, Visit


@dataclass(frozen=True)
class VisitFacts:
    """What is known of a session that was recorded without a plan."""

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
    series_n: int | None = None
    practice: bool = False


def keep_visit(
    session: Session, patient: Patient, visit: laid_down.Visit, folder: Path, *, who: str, pulses_elsewhere_n: int = 0
) -> Visit:
    """Enter a visit that is laid down and not run yet; raises InputError when its folder or number is taken."""
    refuse_taken(session, str(folder))
    if visit.visit_n != next_visit_n(session, patient):
        raise InputError(f"visit {visit.visit_n} of {patient.pseudonym} is there already; make the visit again")
    signature = visit.protocol.signature
    row = Visit(
        uid=visit.uid, visit_n=visit.visit_n, at=visit.created, status=PLANNED, practice=visit.practice,
        series_n=visit.series_n, treatment_n=visit.treatment_n, folder=str(folder), operator=visit.operator,
        supervisor=visit.supervisor, second_person=visit.second_person, approval=visit.approval,
        language=visit.language, protocol=visit.protocol.name, protocol_sha256=visit.protocol.content_sha256(),
        protocol_signed_by="" if signature is None else signature.by, pulses_planned_n=visit.plan.pulses_n,
        pulses_elsewhere_n=pulses_elsewhere_n,
        state=visit.state.model_dump(exclude_none=True), notes=[],
    )  # fmt: skip
    row.runs = [_planned_run(n, run, visit.sites[n]) for n, run in enumerate(visit.plan.runs)]
    patient.visits.append(row)
    if visit.motor_threshold is not None:
        row.threshold = _threshold(patient, visit.motor_threshold)
    if visit.screening is not None:
        row.screening = _screening(patient, visit.screening)
    session.flush()
    overridden = ", stops of screening overridden" if visit.screening is not None and visit.screening.stops else ""
    note_change(session, who, f"visit {visit.visit_n} of patient {patient.number} planned{overridden}")
    return row


def _planned_run(n: int, run: PlannedRun, site: laid_down.VisitSite) -> Run:
    row = Run(
        run_n=n + 1, site=site.name, rule=site.rule, side=site.side, control=site.control, measures=site.measures,
        space=site.space, source=site.source,
    )  # fmt: skip
    by_intensity: dict[float, list[int]] = {}
    for train in run.trains:
        by_intensity.setdefault(train.intensity_mso_pct, []).append(train.pulses_n)
    row.steps = [
        Step(
            step_n=k + 1,
            intensity_mso_pct=intensity_pct,
            trains_planned_n=sum(n > 0 for n in pulses),
            pulses_planned_n=sum(pulses),
        )
        for k, (intensity_pct, pulses) in enumerate(by_intensity.items())
    ]
    return row


def _threshold(patient: Patient, given: laid_down.MotorThreshold) -> MotorThreshold:
    """The same measurement used at several visits stays one row."""
    facts = {"on": given.on, "mso_pct": given.mso_pct, "method": given.method, "by": given.by}
    for row in patient.thresholds:
        if all(getattr(row, name) == value for name, value in facts.items()):
            return row
    patient.thresholds.append(made := MotorThreshold(**facts))
    return made


def _screening(patient: Patient, given: Screening) -> rows.ScreeningRow:
    facts: dict[str, Any] = given.model_dump()
    facts |= {"flags": list(given.flags), "stops": list(given.stops)}
    for row in patient.screenings:
        if all(getattr(row, name) == value for name, value in facts.items()):
            return row
    patient.screenings.append(made := rows.ScreeningRow(**facts))
    return made


def begin_visit(session: Session, uid: str, *, who: str, now: datetime | None = None) -> Visit:
    """Note that a session begins: from now on its planned pulses count, for the day of ``now`` and not of its planning.

    Harmless when it has begun already.

    Raises
    ------
    InputError
        There is no such visit, or it has ended.
    """
    row = find_visit(session, uid)
    if row.status in (FINISHED, STOPPED):
        raise InputError(f"visit {row.visit_n} has ended ({row.status}); make another: hbc session new")
    if row.status != RUNNING:
        row.status, row.at = RUNNING, now or datetime.now(UTC)
        session.flush()
        note_change(session, who, f"visit {row.visit_n} of patient {number_of(session, row)} begun")
    return row


def add_visit(session: Session, patient: Patient, facts: VisitFacts, *, who: str) -> Visit:
    """Add a session that was recorded without a plan; raises InputError for what is there already or cannot be."""
    refuse_visit(session, facts)
    known = {name: value for name, value in vars(facts).items() if name not in ("mt_mso_pct", "mt_method", "series_n")}
    series_n = facts.series_n or latest_series_n(patient)
    row = Visit(uid=uuid.uuid4().hex, visit_n=next_visit_n(session, patient), series_n=series_n, notes=[], **known)
    patient.visits.append(row)
    if facts.mt_mso_pct is not None:
        threshold = MotorThreshold(on=facts.at.date(), mso_pct=facts.mt_mso_pct, method=facts.mt_method)
        patient.thresholds.append(threshold)
        row.threshold = threshold
    session.flush()
    note_change(session, who, f"visit added to patient {patient.number}")
    return row


def refuse_visit(session: Session, facts: VisitFacts) -> None:
    """Raise InputError for a visit that :func:`add_visit` would not take, whatever its result is."""
    not_negative("treatments", facts.treatment_n)
    if facts.mt_mso_pct is not None and not 0.0 < facts.mt_mso_pct <= 100.0:
        raise InputError(f"a motor threshold of {facts.mt_mso_pct:g} %MSO is not above 0 and up to 100")
    if facts.folder:
        refuse_taken(session, facts.folder)


def refuse_taken(session: Session, folder: str) -> None:
    """Raise InputError when a folder is that of a visit already."""
    known = session.scalar(select(Visit).where(Visit.folder == folder))
    if known is not None:
        owner = session.get(Patient, known.patient_id)
        raise InputError(f"{folder} is a visit of {owner.pseudonym if owner else 'somebody'} already")


def find_visit(session: Session, words: str) -> Visit:
    """One visit, by its uid, as ``P-014/3``, or as ``P-014`` for the patient's latest; raises InputError."""
    row = session.scalar(select(Visit).where(Visit.uid == words))
    if row is not None:
        return row
    pseudonym, slash, number = words.partition("/")
    found = select(Visit).join(Patient).where(Patient.pseudonym == pseudonym).order_by(Visit.visit_n.desc()).limit(1)
    if slash:
        found = found.where(Visit.visit_n == (int(number) if number.isdecimal() else -1))
    row = session.scalar(found)
    if row is None:
        raise InputError(f"the store has no visit {words}; see hbc session list, or is it in another store?")
    return row


def next_visit_n(session: Session, patient: Patient) -> int:
    """Number of the next visit of a patient."""
    return (session.scalar(select(func.max(Visit.visit_n)).where(Visit.patient_id == patient.id)) or 0) + 1


def latest_series_n(patient: Patient) -> int:
    """Course of treatment that the patient is in, from 1."""
    return max([1, *(visit.series_n for visit in patient.visits), *(score.series_n for score in patient.scores)])


def pulses_today(
    patient: Patient, now: datetime, *, without_uid: str = "", elsewhere_n: int = 0, zone: tzinfo | None = None
) -> int:
    """Pulses that a patient has had on the day of ``now``, as far as anybody told this store.

    Parameters
    ----------
    patient : Patient
    now : datetime
        Aware; the day is that of the clock on the wall, in ``zone``.
    without_uid : str
        Leave this visit out: the one that is about to run.
    elsewhere_n : int
        All pulses of this day that are no visit of this store, such as a treatment, as far as is known now.
    zone : tzinfo, optional
        Else that of this computer.

    Returns
    -------
    int
        Delivered pulses of visits that ended, planned ones of those that are running or were cut off, and those given
        elsewhere. A visit that never began does not count, practice neither.
    """
    today = now.astimezone(zone).date()
    total = 0
    for visit in patient.visits:
        if visit.at.astimezone(zone).date() != today:
            continue
        elsewhere_n = max(elsewhere_n, visit.pulses_elsewhere_n)  # told of this day, be the visit itself practice
        if visit.practice or visit.uid == without_uid:
            continue
        if visit.status == RUNNING:
            total += visit.pulses_planned_n or 0
        elif visit.status in (FINISHED, STOPPED):
            total += visit.pulses_delivered_n or 0
    return total + elsewhere_n


def number_of(session: Session, visit: Visit) -> int:
    """Running number of a visit's patient."""
    patient = session.get(Patient, visit.patient_id)
    assert patient is not None
    return patient.number


def screening_of(patient: Patient) -> Screening | None:
    """The patient's latest screening; None when there is none."""
    if not patient.screenings:
        return None
    row = patient.screenings[-1]
    names = ("on", "answers", "flags", "stops", "override_by", "override_reason")
    return Screening.model_validate({name: getattr(row, name) for name in names})

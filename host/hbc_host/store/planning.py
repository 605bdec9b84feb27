"""From answers to a visit: folder, ``visit.json``, the row of the store and its audit entry, all of it or nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from sqlalchemy.orm import Session

from hbc_host.clinic.answers import Answers, sites_of
from hbc_host.clinic.protocol_file import ProtocolFile
from hbc_host.clinic.screening import Screening, screen
from hbc_host.clinic.signing import signature_state
from hbc_host.clinic.sites import SKULL_MEASURES
from hbc_host.clinic.visit import VISIT_NAME, MotorThreshold, Visit, visit_for, write_visit
from hbc_host.errors import InputError
from hbc_host.folder import refuse_used
from hbc_host.store.models import Patient
from hbc_host.store.sessions import keep_visit, latest_series_n, next_visit_n, pulses_today, screening_of

#: Environment variable with the folder below which sessions are made.
SESSIONS_VARIABLE = "HBC_SESSIONS"


@dataclass(frozen=True)
class Known:
    """What the store knows of a patient before the questions begin."""

    pseudonym: str
    visit_n: int
    series_n: int
    approval: str
    screening: Screening | None
    threshold: tuple[float, str, date] | None  # the latest: %MSO, method, day
    skull: dict[str, float]
    pulses_today_n: int


def known_of(session: Session, patient: Patient, now: datetime) -> Known:
    """Look up what need not be asked again."""
    latest = patient.thresholds[-1] if patient.thresholds else None
    return Known(
        patient.pseudonym,
        next_visit_n(session, patient),
        latest_series_n(patient),
        patient.approval,
        screening_of(patient),
        None if latest is None else (latest.mso_pct, latest.method, latest.on),
        _skull_of(patient),
        pulses_today(patient, now),
    )


def _skull_of(patient: Patient) -> dict[str, float]:
    """Skull measures of the latest visit that has them: a head does not change."""
    for visit in reversed(patient.visits):
        for run in visit.runs:
            if set(SKULL_MEASURES) <= set(run.measures):
                return {name: float(run.measures[name]) for name in SKULL_MEASURES}
    return {}


def sessions_folder() -> Path:
    """Where sessions are kept unless somebody says otherwise."""
    return Path(os.environ.get(SESSIONS_VARIABLE) or user_data_path("hbc") / "sessions").expanduser().resolve()


def screening_for(answers: Answers, known: Known, today: date) -> Screening:
    """The screening that this visit goes by: given now, or the patient's latest if nothing changed since.

    Raises
    ------
    InputError
        It is not complete, or there is a stop that nobody overrides.
    """
    given = answers.screening
    if given.answers or known.screening is None:
        override = {"override_by": given.override_by, "override_reason": given.override_reason}
        return screen(given.answers, given.on or today, **override)
    if answers.state.new_since_screening is not False:
        raise InputError(
            f"an answer to the screening of {known.screening.on} is another one now, or nobody asked: screen again"
        )
    return known.screening


def laid_down(
    protocol: ProtocolFile, patient: Patient, known: Known, answers: Answers, now: datetime, *, practice: bool
) -> Visit:
    """The visit that follows from all answers; nothing is written. Raises InputError.

    A protocol for practice makes practice of it, whatever ``practice`` says.
    """
    practice = practice or protocol.practice
    state = signature_state(protocol)
    if state != "signed" and not practice:
        raise InputError(f"the protocol is {state}; have it signed: hbc protocol sign FILE --by NAME, or --practice")
    told = answers.motor_threshold
    threshold = None
    if told.mso_pct is not None:
        on, by = told.on or now.date(), told.by or answers.operator
        threshold = MotorThreshold(mso_pct=told.mso_pct, method=told.method, on=on, by=by)
    facts: dict[str, Any] = answers.model_dump(include={"operator", "supervisor", "second_person", "language"})
    return visit_for(
        protocol,
        pseudonym=patient.pseudonym,
        created=now,
        number=patient.number,
        visit_n=known.visit_n,
        site_names=answers.sites,
        sites=sites_of(answers, protocol),
        motor_threshold=threshold,
        pulses_before_n=pulses_today(patient, now, elsewhere_n=answers.pulses_elsewhere_n or 0),
        approval=answers.approval or patient.approval,
        treatment_n=answers.treatment_n,
        series_n=answers.series_n or known.series_n,
        screening=None if practice else screening_for(answers, known, now.date()),
        state=answers.state,
        practice=practice,
        **facts,
    )


def make_visit(
    session: Session, patient: Patient, visit: Visit, folder: Path | None, *, who: str, pulses_elsewhere_n: int = 0
) -> Path:
    """Write the folder and the row of the store; call it last before the commit.

    Returns
    -------
    Path
        The folder, with ``visit.json`` in it.

    Raises
    ------
    InputError, SessionError
        The folder or the number of the visit is taken, or it cannot be written.
    """
    day = visit.created.astimezone().date().isoformat()
    place = folder or sessions_folder() / visit.pseudonym / f"{visit.visit_n}-{day}"
    place = place.expanduser().resolve()
    refuse_used(place)  # a recording may be there that no visit made
    keep_visit(session, patient, visit, place, who=who, pulses_elsewhere_n=pulses_elsewhere_n)
    _make_private(place.parent)
    write_visit(place, visit)
    try:
        session.commit()
    except BaseException:
        (place / VISIT_NAME).unlink()
        place.rmdir()
        raise
    return place


def _make_private(folder: Path) -> None:
    """Make a folder and those above it for the user alone; what is there stays as it is."""
    for one in (*reversed(folder.parents), folder):
        if one.is_dir():
            continue
        try:
            one.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make {one} ({error.strerror}); choose a folder that is yours") from error

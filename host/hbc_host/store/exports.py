"""What leaves the store: all of one patient, or a version for analysts that names and dates nobody."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from hbc_host.clinic.screening import STATE_QUESTIONS
from hbc_host.store.models import Base, Patient, Setting
from hbc_host.store.session_models import Run, Visit

#: What an analyst gets. Everything else is left out: names, free text, folders, dates.
PATIENT_KEPT = ("diagnosis", "sex")
VISIT_KEPT = (
    "visit_n", "status", "practice", "series_n", "treatment_n", "protocol_sha256", "pulses_elsewhere_n",
    "pulses_planned_n", "pulses_delivered_n", "mt_mso_pct",
)  # fmt: skip
RUN_KEPT = ("run_n", "site", "rule", "side", "control", "measures", "space", "steps")
SITE_RESULT_KEPT = (
    "site", "effect_bpm", "effect_ms", "ci90_bpm", "ci95_bpm", "p_value", "p_holm", "verdict", "latency_s", "trains_n",
    "beats_n",
)  # fmt: skip
_INNER = {"id", "patient_id", "visit_id", "run_id", "box_id", "threshold_id", "screening_id"}


def export_patient(patient: Patient) -> dict[str, Any]:
    """All that the store has of a patient, as plain values."""
    return {
        **_columns(patient),
        "thresholds": [_columns(row) for row in patient.thresholds],
        "screenings": [_columns(row) for row in patient.screenings],
        "visits": [_visit(visit) for visit in patient.visits],
        "scores": [_columns(score) for score in patient.scores],
        "events": [_columns(event) for event in patient.events],
    }


def _visit(visit: Visit) -> dict[str, Any]:
    return {
        **_columns(visit),
        "mt_mso_pct": visit.mt_mso_pct,
        "mt_method": visit.mt_method,
        "box": None if visit.box is None else visit.box.unique_id,
        "runs": [_run(run) for run in visit.runs],
        "ratings": [_columns(rating) for rating in visit.ratings],
    }


def _run(run: Run) -> dict[str, Any]:
    return {**_columns(run), "steps": [_columns(step) for step in run.steps]}


def _columns(row: Base) -> dict[str, Any]:
    values = {column.key: getattr(row, column.key) for column in row.__table__.columns}
    shown = {key: value for key, value in values.items() if key not in _INNER}
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in shown.items()}


def export_pseudonymised(session: Session, patients: Sequence[Patient]) -> dict[str, Any]:
    """Patients under a code, without names and free text, with days since their first entry in place of dates.

    The code is an HMAC of the pseudonym under a secret that never leaves the store: the same at every export, and of no
    use without the store. What remains (diagnosis, sex, decade of birth, totals, results) is still about people: rare
    combinations can give somebody away.
    """
    secret = _secret(session)
    return {"format": 1, "patients": [_pseudonymised(patient, secret) for patient in patients]}


def _pseudonymised(patient: Patient, secret: bytes) -> dict[str, Any]:
    whole = export_patient(patient)
    names = ("visits", "scores", "events", "thresholds", "screenings")
    first = min((_day(row) for name in names for row in whole[name]), default=patient.added.date())
    return {
        "code": hmac.new(secret, patient.pseudonym.encode(), sha256).hexdigest()[:12],
        "birth_decade": None if patient.birth_year is None else patient.birth_year // 10 * 10,
        **_kept(whole, PATIENT_KEPT),
        "visits": [_visit_kept(row, first) for row in whole["visits"]],
        **{
            name: [{"day": (_day(row) - first).days, **_kept(row, keys)} for row in whole[name]]
            for name, keys in (
                ("scores", ("scale", "total", "treatment_n", "series_n")),
                ("events", ("kind", "severity")),
                ("thresholds", ("mso_pct",)),
                ("screenings", ("answers", "flags", "stops")),
            )
        },
    }


def _visit_kept(row: dict[str, Any], first: date) -> dict[str, Any]:
    known = {name: row["state"].get(name) for name in STATE_QUESTIONS}
    return {
        "day": (_day(row) - first).days,
        **_kept(row, VISIT_KEPT),
        "state": {name: value for name, value in known.items() if isinstance(value, bool | int | float)},
        "runs": [_kept(run, RUN_KEPT) for run in row["runs"]],
        "ratings": [_kept(rating, ("site", "value")) for rating in row["ratings"]],
        "sites": [_kept(site, SITE_RESULT_KEPT) for site in row["result"].get("sites", [])],
    }


def _kept(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


def _day(row: dict[str, Any]) -> date:
    return datetime.fromisoformat(row.get("at") or row["on"]).date()


def _secret(session: Session) -> bytes:
    row = session.get(Setting, "export_secret")
    if row is None:
        row = Setting(name="export_secret", value=secrets.token_hex(32))
        session.add(row)
        session.flush()
    return bytes.fromhex(row.value)

"""The visit: all that is laid down before a session, as ``visit.json`` in its folder.

The recording beside it says what happened; this file says what was to happen, to whom, and who answered for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from hbc_host.clinic.plan import SessionPlan, breaches, plan_session
from hbc_host.clinic.protocol_file import ProtocolFile, Table, listed_faults
from hbc_host.clinic.screening import Screening, State
from hbc_host.clinic.signing import signature_state
from hbc_host.clinic.sites import VisitSite, site_from_name
from hbc_host.errors import InputError, SessionError
from hbc_host.folder import write_synced

__all__ = ["MotorThreshold", "Screening", "State", "Visit", "VisitSite", "has_visit", "load_visit", "visit_for",
           "write_visit"]  # fmt: skip
FORMAT = 1
VISIT_NAME = "visit.json"
FILE_MAX_N = 1 << 22  # bytes; a visit has some ten thousand
PSEUDONYM = "[A-Za-z0-9][A-Za-z0-9._-]{0,31}"

Name = Annotated[str, Field(max_length=80)]


class MotorThreshold(Table):
    """Percent of stimulator output, how and when it was found, and by whom."""

    mso_pct: Annotated[float, Field(gt=0.0, le=100.0)]
    method: Name
    on: date
    by: Name


class Visit(Table):
    """One visit of one patient.

    Attributes
    ----------
    uid : str
        Names the visit in the store wherever its folder goes.
    pseudonym : str
    number : int
        Running number of the patient.
    visit_n : int
        Which visit of this patient, from 1.
    treatment_n : int or None
        Treatments up to and with this one.
    series_n : int
        Which course of treatment of this patient, from 1.
    created : datetime
        Aware.
    operator, supervisor, second_person, approval : str
    language : str
        ``"en"`` or ``"nl"``.
    practice : bool
        Nobody is stimulated: an unsigned protocol will do.
    pulses_before_n : int
        Pulses that the patient has had on this day before this visit.
    screening : Screening or None
        None for practice only.
    state : State
    motor_threshold : MotorThreshold or None
    sites : tuple of VisitSite
        In the order of the plan.
    protocol : ProtocolFile
        Whole, with its signature.
    plan : SessionPlan
    """

    format: Literal[1] = 1
    uid: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    pseudonym: Annotated[str, Field(pattern=f"^{PSEUDONYM}$")]
    number: Annotated[int, Field(ge=1)]
    visit_n: Annotated[int, Field(ge=1)]
    treatment_n: Annotated[int, Field(ge=0)] | None = None
    series_n: Annotated[int, Field(ge=1)] = 1
    created: AwareDatetime
    operator: Name
    supervisor: Name
    second_person: Name
    approval: Annotated[str, Field(max_length=200)] = ""
    language: Literal["en", "nl"] = "en"
    practice: bool = False
    pulses_before_n: Annotated[int, Field(ge=0)] = 0
    screening: Screening | None = None
    state: State = State()
    motor_threshold: MotorThreshold | None = None
    sites: Annotated[tuple[VisitSite, ...], Field(min_length=1)]
    protocol: ProtocolFile
    plan: SessionPlan

    @model_validator(mode="after")
    def _fits(self) -> Self:
        planned = [(run.site, run.is_control) for run in self.plan.runs]
        if planned != [(site.name, site.control) for site in self.sites]:
            raise ValueError(f"the sites are not those of the plan: {', '.join(name for name, _ in planned)}")
        if self.protocol.practice and not self.practice:
            raise ValueError(f"the protocol {self.protocol.name} is for practice; have a protocol of the clinic signed")
        if not self.practice:
            missing = [name for name in ("operator", "supervisor", "second_person") if not getattr(self, name).strip()]
            missing += ["screening"] if self.screening is None else []
            if missing:
                raise ValueError(f"{', '.join(missing)} must be given: nobody is stimulated without")
            if signature_state(self.protocol) != "signed":
                raise ValueError(f"the protocol is {signature_state(self.protocol)}; have it signed, or practice")
        return self

    @property
    def mt_mso_pct(self) -> float | None:
        """Motor threshold, percent of stimulator output."""
        return None if self.motor_threshold is None else self.motor_threshold.mso_pct

    @property
    def signature_state(self) -> str:
        """``signed``, ``unsigned``, or ``changed`` since it was signed."""
        return signature_state(self.protocol)

    @property
    def breaches(self) -> tuple[str, ...]:
        """Each cap of the clinic that the plan would pass, pulses of earlier today included; empty when within all."""
        before_n = self.pulses_before_n
        return breaches(self.protocol, self.plan, mt_mso_pct=self.mt_mso_pct, pulses_today_n=before_n)


def visit_for(
    protocol: ProtocolFile,
    *,
    pseudonym: str,
    created: datetime,
    number: int = 1,
    visit_n: int = 1,
    site_names: Sequence[str] | None = None,
    sites: Sequence[VisitSite] = (),
    motor_threshold: MotorThreshold | None = None,
    pulses_before_n: int = 0,
    **known: Any,
) -> Visit:
    """Plan a visit and put it together; nothing is written.

    Parameters
    ----------
    protocol : ProtocolFile
    pseudonym : str
    created : datetime
        Aware; now, for a new visit.
    number, visit_n : int
        Running number of the patient, and which visit of this patient; order and chance go by them.
    site_names : sequence of str, optional
        Those of the protocol's sites that are wanted today; else all.
    sites : sequence of VisitSite
        How they are found, in any order. A site that is not among them gets what its name says
        (:func:`hbc_host.clinic.sites.site_from_name`).
    motor_threshold : MotorThreshold, optional
        Needed for intensities in %MT.
    pulses_before_n : int
        Pulses of earlier today.
    **known
        Further fields of :class:`Visit`: operator, supervisor, second_person, screening, state, practice ...

    Raises
    ------
    InputError
        Something is missing or impossible, or the plan would pass one of the clinic's caps.
    """
    mt_mso_pct = None if motor_threshold is None else motor_threshold.mso_pct
    plan = plan_session(
        protocol, patient=pseudonym, visit_n=visit_n, number=number, mt_mso_pct=mt_mso_pct, site_names=site_names
    )
    given = {site.name: site for site in sites}
    unknown = sorted(set(given) - {run.site for run in plan.runs})
    if unknown:
        raise InputError(f"{', '.join(unknown)} is no site of this session; it has {', '.join(_names(plan))}")
    placed = [
        (given.get(run.site) or site_from_name(run.site)).model_copy(update={"control": run.is_control})
        for run in plan.runs
    ]
    facts = known | {
        "uid": known.get("uid", uuid.uuid4().hex), "pseudonym": pseudonym, "created": created, "number": number,
        "visit_n": visit_n, "sites": placed, "motor_threshold": motor_threshold, "protocol": protocol, "plan": plan,
        "pulses_before_n": pulses_before_n,
    }  # fmt: skip
    try:
        visit = Visit.model_validate(facts)
    except ValidationError as error:
        raise InputError(f"this visit cannot be made: {listed_faults(error)}") from error
    if visit.breaches:
        raise InputError(f"{pseudonym}: over the clinic's caps: {'; '.join(visit.breaches)}")
    return visit


def write_visit(folder: Path, visit: Visit) -> Path:
    """Write ``visit.json`` into the folder of a session, readable by the user alone; the folder is made if need be.

    Raises
    ------
    SessionError
        There is one already, or it cannot be written.
    """
    path = folder / VISIT_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_synced(path, visit.model_dump_json(indent=2) + "\n")
    except FileExistsError:
        raise SessionError(f"{path} exists already; choose another folder, nothing is ever overwritten") from None
    except OSError as error:
        raise SessionError(f"cannot write {path} ({error.strerror}); choose a folder that is yours") from error
    return path


def load_visit(folder: Path | str) -> Visit:
    """Read the visit of a session folder.

    Raises
    ------
    SessionError
        It is absent, too large, or says something that cannot be; every fault is listed by its place.
    """
    path = Path(folder) / VISIT_NAME
    try:
        if path.stat().st_size > FILE_MAX_N:
            raise SessionError(f"{path} has more than {FILE_MAX_N} bytes; is it another file?")
        data = path.read_bytes()
    except OSError as error:
        raise SessionError(
            f"cannot read {path} ({error.strerror}); make a visit with: hbc session new P-001"
        ) from error
    try:
        return Visit.model_validate_json(data)
    except ValidationError as error:
        raise SessionError(f"{path}: {listed_faults(error)}; make a new one with: hbc session new") from error


def has_visit(folder: Path | str) -> bool:
    """True when a folder was made by ``hbc session new``."""
    return (Path(folder) / VISIT_NAME).is_file()


def _names(plan: SessionPlan) -> list[str]:
    return [run.site for run in plan.runs]

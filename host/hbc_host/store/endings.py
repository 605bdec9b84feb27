"""How sessions went: pulses that were delivered, result, box, ratings, adverse events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from hbc_host.errors import InputError
from hbc_host.names import is_simulated
from hbc_host.store.audit import note_change
from hbc_host.store.models import SESSION, AdverseEvent
from hbc_host.store.records import EVENT_KINDS, SEVERITIES, not_negative, one_of
from hbc_host.store.session_models import FINISHED, STOPPED, Box, Rating, Run, Step, Visit
from hbc_host.store.sessions import find_visit, number_of

DISCOMFORT_MAX = 10.0


@dataclass(frozen=True)
class BoxFacts:
    """The box that measured."""

    unique_id: str
    board: str = ""
    firmware: str = ""


@dataclass(frozen=True)
class RunDelivered:
    """What a site got: intensity (%MSO) and pulses of each train, pulses as counted from the triggers."""

    site: str
    trains: tuple[tuple[float, int], ...]

    @property
    def pulses_n(self) -> int:
        """Pulses at this site."""
        return sum(pulses_n for _, pulses_n in self.trains)


@dataclass(frozen=True)
class EventFacts:
    """An adverse event during a visit."""

    at: datetime
    kind: str
    severity: str
    text: str = ""
    by: str = ""


@dataclass(frozen=True)
class VisitEnd:
    """How a session went.

    Attributes
    ----------
    at : datetime
        Aware.
    stopped : bool
        It ended before its plan did.
    delivered : sequence of RunDelivered
    pulses_n : int
        All pulses of the recording, those outside every site and train included: the day's cap counts them, too.
    result : mapping
        As ``hbc analyze --json`` writes it.
    box : BoxFacts or None
    ratings : sequence of (site, value 0 to 10, at or None)
    events : sequence of EventFacts
    notes : sequence of str
        Remarks, why it was stopped, problems: plain words.
    """

    at: datetime
    stopped: bool
    delivered: Sequence[RunDelivered]
    pulses_n: int = 0
    result: Mapping[str, Any] = field(default_factory=dict)
    box: BoxFacts | None = None
    ratings: Sequence[tuple[str, float, datetime | None]] = ()
    events: Sequence[EventFacts] = ()
    notes: Sequence[str] = ()


def finish_visit(session: Session, uid: str, end: VisitEnd, *, who: str) -> Visit:
    """Keep how a session went. Called again for the same visit it replaces what it kept, so that a resume can.

    Parameters
    ----------
    session : Session
    uid : str
        Of ``visit.json``.
    end : VisitEnd
    who : str

    Raises
    ------
    InputError
        There is no such visit or site, or a value cannot be.
    """
    row = find_visit(session, uid)
    row.status = STOPPED if end.stopped else FINISHED
    row.ended_at, row.result, row.notes = end.at, dict(end.result), list(end.notes)
    runs = {run.site: run for run in row.runs}
    for run in row.runs:
        for step in run.steps:
            step.trains_n = step.pulses_n = 0
    for given in end.delivered:
        if given.site not in runs:
            raise InputError(f"{given.site} is no site of visit {row.visit_n}; it has {', '.join(runs)}")
        _deliver(runs[given.site], given)
    not_negative("pulses", end.pulses_n)
    row.pulses_delivered_n = max(end.pulses_n, sum(given.pulses_n for given in end.delivered))
    row.box = None if end.box is None else _box(session, end.box, end.at)
    if end.box is not None and is_simulated(end.box.unique_id):
        row.practice = True  # whoever it was laid down for: nobody was measured, and no pulse was given
    row.ratings = [_rating(site, value, at) for site, value, at in end.ratings]
    kept = (AdverseEvent.visit_id == row.id) & (AdverseEvent.origin == SESSION)  # others were written by hand
    for old in session.scalars(select(AdverseEvent).where(kept)):
        session.delete(old)
    for event in end.events:
        one_of("kind", event.kind, EVENT_KINDS)
        one_of("severity", event.severity, SEVERITIES)
        session.add(AdverseEvent(patient_id=row.patient_id, visit_id=row.id, origin=SESSION, **vars(event)))
    session.flush()
    session.refresh(row, ["events"])
    note_change(session, who, f"visit {row.visit_n} of patient {number_of(session, row)} {row.status}")
    return row


def _deliver(run: Run, given: RunDelivered) -> None:
    steps = {step.intensity_mso_pct: step for step in run.steps}
    for intensity_pct, pulses_n in given.trains:
        not_negative("pulses", pulses_n)
        step = steps.get(intensity_pct)
        if step is None:  # an intensity that nobody planned
            step = Step(step_n=len(run.steps) + 1, intensity_mso_pct=intensity_pct, trains_n=0, pulses_n=0)
            step.trains_planned_n = step.pulses_planned_n = 0
            run.steps.append(step)
            steps[intensity_pct] = step
        step.trains_n = (step.trains_n or 0) + 1
        step.pulses_n = (step.pulses_n or 0) + pulses_n


def _box(session: Session, facts: BoxFacts, at: datetime) -> Box:
    row = session.scalar(select(Box).where(Box.unique_id == facts.unique_id))
    if row is None:
        row = Box(unique_id=facts.unique_id, first_seen=at)
        session.add(row)
    row.board, row.firmware, row.last_seen = facts.board, facts.firmware, at
    return row


def _rating(site: str, value: float, at: datetime | None) -> Rating:
    if not 0.0 <= value <= DISCOMFORT_MAX:
        raise InputError(f"a rating of {value:g} is outside 0 to {DISCOMFORT_MAX:g}")
    return Rating(site=site, value=value, at=at)

"""What a session that is over leaves in the store: delivered pulses, ratings, events and result, from its recording."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hbc_host.analysis import Analysis
from hbc_host.clinic.visit import Visit
from hbc_host.guided import counted_trains, guided_sites
from hbc_host.report.results_json import to_document
from hbc_host.session_model import HostNote, Session
from hbc_host.store.endings import BoxFacts, EventFacts, RunDelivered, VisitEnd
from hbc_host.store.records import EVENT_KINDS, SEVERITIES


def visit_end(
    session: Session, visit: Visit, analysis: Analysis | None, *, command: str, ended: str, pulses_n: int = 0
) -> VisitEnd:
    """How a session went.

    Parameters
    ----------
    session : Session
        The whole recording.
    visit : Visit
    analysis : Analysis or None
        None when nothing could be analysed.
    command : str
        That computes the analysis again.
    ended : str
        As in :class:`hbc_host.record.RecordSummary`; all but ``stopped`` is an early end.
    pulses_n : int
        Trigger edges of the whole recording; ``session`` holds those of one boot of the box.
    """
    delivered = tuple(_delivered(session))
    notes_of = _by_event(session)
    stopped = ended != "stopped" or len(delivered) < len(visit.plan.runs)
    stopped = stopped or any(not note.fields.get("finished", True) for note in notes_of("stopped"))
    return VisitEnd(
        at=_wall(session, session.end_s),
        stopped=stopped,
        delivered=delivered,
        pulses_n=max(pulses_n, len(session.edges_s)),
        result={} if analysis is None else to_document(analysis, command=command),
        box=BoxFacts(session.hello.unique_id, session.hello.board, session.hello.firmware),
        ratings=tuple(
            (str(note.fields.get("site", "")), float(note.fields["value"]), _wall(session, note.device_s))
            for note in notes_of("rating")
            if isinstance(note.fields.get("value"), int | float)
        ),
        events=tuple(_event(session, note) for note in notes_of("adverse_event")),
        notes=tuple(_words(session)),
    )


def _by_event(session: Session) -> Any:
    def of(event: str) -> list[HostNote]:
        return [note for note in session.host_notes if note.event == event]

    return of


def _delivered(session: Session) -> Iterator[RunDelivered]:
    """Trains and their pulses at each site, as the triggers counted them; extra trains included."""
    for site in guided_sites(session.host_notes):
        inside = session.edges_s[(session.edges_s >= site.begins_s) & (session.edges_s < site.ends_s)]
        trains, _ = counted_trains(inside, max(site.pulses_n))
        if trains:
            last_pct = site.intensity_pct(len(site.given) - 1)
            pct = [site.intensity_pct(k) for k in range(len(trains))]
            rows = [(last_pct if math.isnan(p) else p, t.pulses_n) for p, t in zip(pct, trains, strict=True)]
            yield RunDelivered(site.site, tuple(rows))


def _event(session: Session, note: HostNote) -> EventFacts:
    what, text = str(note.fields.get("what", "")), str(note.fields.get("text", ""))
    severity = str(note.fields.get("severity", ""))
    if what.replace("_", " ") in EVENT_KINDS:  # pages say codes
        what = what.replace("_", " ")
    else:
        what, text = "other", f"{what}: {text}".strip(": ")
    severity = severity if severity in SEVERITIES else SEVERITIES[-1]
    return EventFacts(_wall(session, note.device_s), what, severity, text, str(note.fields.get("by", "")))


def _words(session: Session) -> Iterator[str]:
    """Remarks, stops, alarms and problems in the order in which they came."""
    for note in session.host_notes:
        fields = note.fields
        if note.event == "remark":
            yield f"remark: {fields.get('text', '')}"
        elif note.event == "stopped" and fields.get("why"):
            yield f"ended by {fields.get('by', '')}: {fields['why']}"
        elif note.event == "alarm" and fields.get("began"):
            yield f"alarm: {fields.get('text', '')}"
        elif note.event == "problem" and fields.get("began"):
            yield f"problem: {fields.get('text', '')}"


def _wall(session: Session, device_s: float | None) -> datetime:
    """Wall time of a device time: counted from when the recording began; good enough for a record."""
    since_s = 0.0 if device_s is None else max(0.0, device_s - session.start_s)
    return session.meta.created.astimezone(UTC) + timedelta(seconds=since_s)

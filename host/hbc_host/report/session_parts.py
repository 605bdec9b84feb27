"""What the report of a recorded session says beside its analysis: who was there, what was delivered, what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hbc_host.alarms import NOT_VISIBLE
from hbc_host.beats import classify_beats
from hbc_host.detection import Signal, find_beats, state_durations
from hbc_host.report.delivered import Delivery, deliveries
from hbc_host.runs import RunInput
from hbc_host.trains import Protocol

if TYPE_CHECKING:
    from hbc_host.clinic.visit import Visit
    from hbc_host.report.course import CourseOfPatient
    from hbc_host.report.early_end import EarlyEnd
    from hbc_host.session_model import HostNote, Session

FloatArray = npt.NDArray[np.float64]
TEXT_MAX_N = 500  # of a note: somebody may have pasted a letter


@dataclass(frozen=True)
class Raised:
    """An alarm or a problem: seconds since the recording began, None where the log cannot tell."""

    name: str
    text: str
    at_s: float | None
    lasted_s: float | None
    acknowledged_by: str


@dataclass(frozen=True)
class Told:
    """What a person said: ``about`` is a site, a severity or empty; seconds since the recording began.

    After an adverse event the patient is observed, ``over_by`` somebody until ``over_s``; both empty: nobody ended it.
    """

    what: str
    text: str
    about: str
    by: str
    at_s: float | None
    over_s: float | None = None
    over_by: str = ""


@dataclass(frozen=True)
class Rhythm:
    """Heart rate of each heart cycle of one run and the rest before it, seconds since the recording began.

    ``middle_s``, ``rate_bpm``, ``used`` (n,); ``trains_s`` as (start, end); ``rest_s`` where rest began.
    """

    site: str
    middle_s: FloatArray
    rate_bpm: FloatArray
    used: npt.NDArray[np.bool_]
    trains_s: tuple[tuple[float, float], ...]
    gaps_s: tuple[tuple[float, float], ...]
    rest_s: float
    end_s: float


@dataclass(frozen=True)
class SessionParts:
    """All of it; what is not known is empty."""

    visit: Visit | None = None
    deliveries: tuple[Delivery, ...] = ()
    strays_n: int = 0
    signal: Mapping[str, str | float] = field(default_factory=dict)
    rhythms: tuple[Rhythm, ...] = ()
    alarms: tuple[Raised, ...] = ()
    problems: tuple[Raised, ...] = ()
    events: tuple[Told, ...] = ()
    ratings: tuple[Told, ...] = ()
    remarks: tuple[Told, ...] = ()
    watched: bool = False
    course: CourseOfPatient | None = None
    early: EarlyEnd | None = None
    beats_n: int | None = None


def session_parts(
    session: Session,
    runs: Sequence[RunInput],
    protocol: Protocol,
    *,
    signal: Signal | None,
    visit: Visit | None = None,
    course: CourseOfPatient | None = None,
) -> SessionParts:
    """Gather it.

    Parameters
    ----------
    session, runs, protocol
        As the analysis had them; runs in order of time.
    signal : Signal or None
        Its ECG; None when no sample was recorded.
    visit : Visit or None
        What was laid down before; None for a recording without.
    course : CourseOfPatient or None
        Earlier sessions and scores.
    """
    notes, start_s = session.host_notes, session.start_s
    raised = _raised(notes, "alarm", start_s)
    problems = _raised(notes, "problem", start_s)
    # A heart that is not visible is no alarm of the heart. Guided sessions note it as a problem, too.
    if not any(one.name == "heart_not_visible" for one in problems):
        problems += tuple(replace(one, name="heart_not_visible") for one in raised if one.name == NOT_VISIBLE)
    delivered = deliveries(session, runs, visit)
    return SessionParts(
        visit,
        delivered,
        int(session.edges_s.size) - sum(one.pulses_n for one in delivered),
        {} if signal is None else signal_quality(signal),
        tuple(_rhythm(session, run, protocol) for run in runs),
        tuple(one for one in raised if one.name != NOT_VISIBLE),
        problems,
        _observed(notes, start_s),
        _told(notes, "rating", "value", "site", start_s),
        _told(notes, "remark", "text", "site", start_s) + _told(notes, "stopped", "why", "site", start_s),
        visit is not None or any(note.event == "alarm" for note in notes),
        course,
        beats_n=int(session.beats_us.size),
    )


def signal_quality(signal: Signal) -> dict[str, str | float]:
    """Blanked share, seconds in each state of the signal, and where the R wave points."""
    beats = find_beats(signal)
    up = float(np.mean(beats.polarity > 0)) if beats.polarity.size else np.nan
    polarity = "up" if up > 0.9 else "down" if up < 0.1 else "both"
    states = {f"{state}_s": round(lasted_s, 1) for state, lasted_s in state_durations(beats).items()}
    lead_off: dict[str, str | float] = {"lead_off_s": 0.0}  # said even when it never was: a reader looks for it
    known = {} if np.isnan(up) else {"polarity": polarity}
    return {"blanked_share": round(float(signal.blanked.mean()), 4), **lead_off, **states, **known}


def _rhythm(session: Session, run: RunInput, protocol: Protocol) -> Rhythm:
    start_s = session.start_s
    rest_s = run.rest_s[0] if run.rest_s else run.start_s
    inside = session.beats_s[(session.beats_s >= rest_s) & (session.beats_s <= run.end_s)]
    beats = classify_beats(inside, session.gaps_s)
    gaps = tuple((max(a, rest_s) - start_s, min(b, run.end_s) - start_s) for a, b in session.gaps_s)
    return Rhythm(
        run.site,
        (beats.starts_s + beats.ends_s) / 2.0 - start_s,
        beats.rate_bpm,
        beats.weights > 0.0,
        tuple((float(onset) - start_s, float(onset) - start_s + protocol.train_s) for onset in run.onsets_s),
        tuple(gap for gap in gaps if gap[1] > gap[0]),
        rest_s - start_s,
        run.end_s - start_s,
    )


def _raised(notes: Sequence[HostNote], event: str, start_s: float) -> tuple[Raised, ...]:
    """Each state that began, with its end and who acknowledged it; notes are from a file and may say anything."""
    found = []
    key = "kind" if event == "alarm" else "code"
    for place, note in enumerate(notes):
        name = _text(note.fields, key)
        if note.event != event or not name or note.fields.get("began") is not True:
            continue
        later = notes[place + 1 :]
        same = (one for one in later if one.event == event and _text(one.fields, key) == name)
        if event == "alarm":  # raised again before it is over, as by a second limit: both end then
            same = (one for one in same if one.fields.get("began") is not True)
        end = next(same, None)
        over = end is not None and end.fields.get("began") is not True
        at_s, end_s = _at_s(note), None if end is None or not over else _at_s(end)
        # Pages acknowledge an alarm by kind and instant, a problem by its code.
        known = {name, f"{name}-{note.fields.get('met_us')}"}
        seen = [one for one in later if one.event == "acknowledged" and _text(one.fields, "alarm") in known]
        found.append(
            Raised(
                name,
                _text(note.fields, "text"),
                None if at_s is None else at_s - start_s,
                None if at_s is None or end_s is None else max(0.0, end_s - at_s),
                _text(seen[0].fields, "by") if seen else "",
            )
        )
    return tuple(found)


def _told(notes: Sequence[HostNote], event: str, what: str, about: str, start_s: float) -> tuple[Told, ...]:
    found = []
    for note in notes:
        if note.event == event and _text(note.fields, what):
            at_s = _at_s(note)
            text = _text(note.fields, "text") if what != "text" else ""
            since_s = None if at_s is None else at_s - start_s
            found.append(
                Told(_text(note.fields, what), text, _text(note.fields, about), _text(note.fields, "by"), since_s)
            )
    return tuple(found)


def _observed(notes: Sequence[HostNote], start_s: float) -> tuple[Told, ...]:
    """Adverse events, each with the end of the observation after it: a later event goes on with the same."""
    found = []
    for place, note in enumerate(notes):
        for one in _told([note], "adverse_event", "what", "severity", start_s):
            end = next((later for later in notes[place + 1 :] if later.event == "observation_over"), None)
            over_by = "" if end is None else _text(end.fields, "by") or "operator"
            found.append(replace(one, over_s=None if end is None else _over_s(end, one.at_s, start_s), over_by=over_by))
    return tuple(found)


def _over_s(end: HostNote, event_s: float | None, start_s: float) -> float | None:
    """When an observation ended; by the time it lasted where the box restarted between, and its clock began anew."""
    over_s, lasted_s = _at_s(end), end.fields.get("lasted_s")
    since_s = None if over_s is None else over_s - start_s
    is_of_one_clock = since_s is not None and event_s is not None and since_s >= event_s
    if is_of_one_clock or event_s is None or not isinstance(lasted_s, int | float):
        return since_s
    return event_s + lasted_s


def _at_s(note: HostNote) -> float | None:
    """Device time of a note, seconds: what it says itself, else where it stands in the log."""
    for name in ("met_us", "at_us"):
        at_us: Any = note.fields.get(name)
        if isinstance(at_us, int) and not isinstance(at_us, bool) and at_us > 0:
            return at_us * 1e-6
    return note.device_s


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None or isinstance(value, dict | list | bool):
        return ""
    return f"{value:g}"[:TEXT_MAX_N] if isinstance(value, float) else str(value)[:TEXT_MAX_N]

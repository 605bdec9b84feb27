"""The report of a session folder: recording, visit and the patient's course, found from the folder alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hbc_host.errors import HbcError, InputError
from hbc_host.names import is_simulated, report_name
from hbc_host.report.language import ENGLISH, Language, language
from hbc_host.report.session_parts import SessionParts, session_parts

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis
    from hbc_host.clinic.visit import Visit
    from hbc_host.report.course import CourseOfPatient
    from hbc_host.session_model import Session
    from hbc_host.trains import Protocol


@dataclass(frozen=True)
class FolderResult:
    """What a session folder has to say: analysis, recording, and what stands beside it."""

    analysis: Analysis
    session: Session
    parts: SessionParts

    @property
    def language(self) -> str:
        """Of the visit; English without one."""
        return "en" if self.parts.visit is None else self.parts.visit.language


def read_folder(folder: Path, *, protocol: str | None = None, store: str | None = None) -> FolderResult:
    """Analyse a session and gather what belongs to it; reads the recording once.

    Parameters
    ----------
    folder : Path
    protocol : str, optional
        Name of the protocol, when the recording does not say its own.
    store : str, optional
        Where earlier sessions and scores are; as :func:`hbc_host.store.database.store_url`.

    Raises
    ------
    InputError, SessionError
        The recording, the visit, or the protocol cannot be used.
    """
    from hbc_host.clinic.visit import has_visit, load_visit
    from hbc_host.folder import running_note
    from hbc_host.io.ecg_signal import session_signal
    from hbc_host.report.early_end import early_end
    from hbc_host.runs import session_runs

    visit = load_visit(folder) if has_visit(folder) else None
    session, chosen, analysis = analyze_recording(folder, protocol)
    notes = list(analysis.notes)
    course = None
    if visit is not None:
        try:
            course = course_in_store(visit, store)
        except HbcError as fault:  # a locked store must not cost the report of today
            notes.append(f"the course of treatment is not shown: {fault}")
    signal = session_signal(session) if session.ecg_idx.size else None
    runs, _ = session_runs(session, chosen)
    parts = session_parts(session, runs, chosen, signal=signal, visit=visit, course=course)
    if not running_note(folder):  # one under way has not ended at all
        parts = replace(parts, early=early_end(session, visit, parts.deliveries))
    return FolderResult(replace(analysis, notes=tuple(notes)), session, parts)


def analyze_recording(folder: Path, protocol: str | None) -> tuple[Session, Protocol, Analysis]:
    """Read a session and analyse it by the protocol that is given, else by its own; errors as :func:`read_folder`."""
    from hbc_host.analysis import analyze_session
    from hbc_host.folder import running_note
    from hbc_host.runs import label_notes
    from hbc_host.session import load_session
    from hbc_host.trains import parse_protocol

    session = load_session(folder)
    name = protocol or session.meta.protocol
    if not name:
        raise InputError(f"{folder} does not say its protocol; add --protocol, for example --protocol dash")
    chosen = parse_protocol(name)
    analysis = analyze_session(session, protocol=chosen)
    notes = (*running_note(folder), *label_notes(session.meta.protocol, chosen), *analysis.notes)
    return session, chosen, replace(analysis, notes=notes)


def report_of_folder(
    folder: Path,
    target: Path | None = None,
    *,
    command: str,
    protocol: str | None = None,
    lang: str | None = None,
    store: str | None = None,
) -> Path:
    """Write the report of a session folder, :func:`default_target` unless told otherwise; what ``hbc report`` does.

    ``target`` may end in ``.pdf``. ``lang`` is that of the visit unless told otherwise. Errors as :func:`read_folder`.
    """
    from hbc_host.report.writing import write_report

    found = read_folder(folder, protocol=protocol, store=store)
    code = lang or found.language
    return write_report(
        found.analysis,
        target or folder / report_name(code, found.language),
        command=command,
        session_info=session_facts(found.session, language(code)),
        lang=code,
        parts=found.parts,
    )


def default_target(folder: Path, lang: str | None, ending: str) -> Path:
    """Where the report of a session folder goes: ``report`` in its own language, else with the language in its name.

    ``ending`` is ``.html`` or ``.pdf``; ``lang`` None is the session's own. Raises SessionError for a visit that cannot
    be read.
    """
    from hbc_host.clinic.visit import has_visit, load_visit

    own = load_visit(folder).language if lang is not None and has_visit(folder) else "en"
    return folder / (report_name(lang, own, ending=ending) if lang is not None else f"report{ending}")


def session_facts(session: Session, lang: Language = ENGLISH) -> dict[str, str]:
    """What the head of the report says about a recording and its box: label, which is said later, and value."""
    hello = session.hello
    start = lang.fill("start {n}", n=hello.boot_n)
    box = lang.fill("simulated box ({board})", board=hello.board) if is_simulated(hello.unique_id) else ""
    return {
        "Recorded": lang.day(session.meta.created.astimezone()),  # the clock on the wall of the clinic
        "Box": f"{box or f'{hello.board} {hello.unique_id}'}, {start}",
        "Firmware": lang.fill("{firmware}, wire {version}", firmware=hello.firmware, version=hello.wire_version),
    }


def course_in_store(visit: Visit, store: str | None) -> CourseOfPatient | None:
    """The course of the patient of a visit; None when there is no store, or nobody of that pseudonym in it.

    Raises
    ------
    HbcError
        There is a store, and it cannot be opened, or this login may not see patients.
    """
    from sqlalchemy import select

    from hbc_host.report.course import course_of
    from hbc_host.store.database import open_store, sqlite_file, store_url
    from hbc_host.store.models import Patient
    from hbc_host.store.roles import require

    file = sqlite_file(store_url(store))
    if file is not None and not file.is_file():
        return None
    with open_store(store) as session:
        require(session, "read")
        patient = session.scalar(select(Patient).where(Patient.pseudonym == visit.pseudonym))
        return None if patient is None else course_of(patient)

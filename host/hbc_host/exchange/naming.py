"""The name that a session goes by when it leaves: a pseudonym, or one made from the data. Never its title."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hbc_host.clinic.visit import PSEUDONYM, has_visit, load_visit
from hbc_host.errors import InputError, SessionError
from hbc_host.names import is_simulated
from hbc_host.session import load_session
from hbc_host.session_model import Session, session_hash

SIMULATED = "PRACTICE: simulated box, nothing here was measured on a person"
NOBODY = "PRACTICE: nobody was stimulated, this is no result of a patient"


@dataclass(frozen=True)
class Named:
    """A session and the name that it goes by.

    ``practice`` says why it is nobody's measurement, ``doubt`` why nobody can tell; else they are empty.
    """

    session: Session
    subject: str
    visit_n: int | None
    practice: str = ""
    doubt: str = ""

    @property
    def name(self) -> str:
        """For files; one that left its neighbours and its card behind still says that it is practice."""
        visit = "" if self.visit_n is None else f"-v{self.visit_n:02d}"
        return self.subject.replace(".", "_") + visit + ("-practice" if self.practice else "")


def named_sessions(folders: Sequence[Path], subject: str | None) -> list[Named]:
    """Load sessions and give each its pseudonym: ``subject``, else that of its visit, else one made from its result.

    Raises
    ------
    InputError
        ``subject`` is no pseudonym, or two sessions would have one name.
    SessionError
        A folder holds no recording, or ``subject`` is not given and its ``visit.json`` is damaged.
    """
    if subject is not None and not re.fullmatch(PSEUDONYM, subject):
        raise InputError(f"--subject {subject!r} is no pseudonym: 1 to 32 letters, digits, . _ -; never a name")
    sessions = [load_session(folder) for folder in folders]
    if subject is None:
        named = [_by_visit(session) for session in sessions]
    elif len(sessions) == 1:
        named = [Named(sessions[0], subject, None, *_practice(sessions[0]))]
    else:
        in_time = sorted(sessions, key=lambda session: (session.meta.created, session_hash(session)))
        named = [Named(session, subject, number, *_practice(session)) for number, session in enumerate(in_time, 1)]
    names: dict[str, Path] = {}
    for one in named:
        first = names.setdefault(one.name.lower(), one.session.path)
        if first is not one.session.path:
            raise InputError(f"{first} and {one.session.path} are both {one.name}; export one of them, or --subject")
    return named


def _by_visit(session: Session) -> Named:
    if has_visit(session.path):
        visit = load_visit(session.path)
        return Named(session, visit.pseudonym, visit.visit_n, *_practice(session))
    return Named(session, f"rec-{session_hash(session)[:8]}", None, *_practice(session))


def _practice(session: Session) -> tuple[str, str]:
    """Why it is nobody's measurement, and why that cannot be told: a given name needs no whole visit."""
    if is_simulated(session.hello.unique_id):
        return SIMULATED, ""
    if not has_visit(session.path):
        return "", ""
    try:
        return NOBODY if load_visit(session.path).practice else "", ""
    except SessionError as error:
        return "", f"whether it was practice cannot be told, and no file says so: {error}"

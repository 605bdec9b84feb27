"""The record of who changed what: each entry carries the hash of the one before it, so that a gap or an edit shows.

Entries cut off at the end cannot show by themselves: whoever wants to know keeps the last hash elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from hbc_host.store.models import Audit

START = "0" * 64


def note_change(session: Session, who: str, what: str) -> None:
    """Append an entry. It says what was done, never a value: entries stay when a patient is deleted."""
    if session.get_bind().dialect.name == "postgresql":
        # Two who write at once would both chain to the same entry; SQLite has one writer by itself.
        session.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))
    row = Audit(at=datetime.now(UTC), who=who, what=what, sha256="")
    row.sha256 = _chained(last_sha256(session), row)
    session.add(row)
    session.flush()


def first_broken_idx(session: Session) -> int | None:
    """Number of the first entry that does not follow from the one before it; None when all do."""
    before = START
    for row in session.scalars(select(Audit).order_by(Audit.id)):
        if row.sha256 != _chained(before, row):
            return row.id
        before = row.sha256
    return None


def last_sha256(session: Session) -> str:
    """Hash of the newest entry, which stands for the whole list."""
    return session.scalar(select(Audit.sha256).order_by(Audit.id.desc()).limit(1)) or START


def _chained(before: str, row: Audit) -> str:
    at = row.at.astimezone(UTC).isoformat()
    return sha256("\n".join([before, at, row.who, row.what]).encode()).hexdigest()

"""One row of a check: what is required, what was measured, and what to do when it is not so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PASS, FAIL, NOTE, SKIP = "PASS", "FAIL", "note", "skipped"


@dataclass(frozen=True)
class Row:
    """One requirement.

    Attributes
    ----------
    name, limit, measured : str
        With units; ``limit`` is empty where nothing can fail.
    status : str
        ``PASS``, ``FAIL``, ``NOTE`` (told, not judged) or ``SKIP`` (not tried).
    what_to_do : str
        Empty for a pass.
    """

    name: str
    limit: str
    measured: str
    status: str
    what_to_do: str = ""


def judged(name: str, limit: str, measured: str, good: bool, what_to_do: str) -> Row:
    """A row that passes or fails."""
    return Row(name, limit, measured, PASS if good else FAIL, "" if good else what_to_do)


def passed(rows: Iterable[Row]) -> bool:
    """True when nothing failed."""
    return all(row.status != FAIL for row in rows)

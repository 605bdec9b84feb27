"""Whether a guided session ended before all that was planned had been given, and where: from its notes and its plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hbc_host.guided import SITE_BEGINS, SITE_ENDS

if TYPE_CHECKING:
    from hbc_host.clinic.visit import Visit
    from hbc_host.report.delivered import Delivery
    from hbc_host.session_model import HostNote, Session


TEXT_MAX_N = 200  # of a reason on page 1; the remarks have all of it


@dataclass(frozen=True)
class ShortSite:
    """A site with fewer trains than planned; ``left_s``: when somebody left it, seconds since the recording began."""

    site: str
    trains_n: int
    planned_n: int
    is_left: bool
    left_s: float | None = None


@dataclass(frozen=True)
class EarlyEnd:
    """A session that did not go through its plan.

    Attributes
    ----------
    short : tuple of ShortSite
        In the order of the plan; empty when it was stopped in the pause after the very last train.
    trains_n, planned_n : int
        Of all sites; of trains beyond the plan none counts.
    is_stopped : bool
        The session itself ended early; false when only sites were left, and the others given to their end.
    is_noted : bool
        Somebody ended it and the log says so; else the recording breaks off.
    by, why : str
        Who ended it, and the reason given; empty when not said.
    at_s : float or None
        When, seconds since the recording began; None where the log cannot tell.
    site : str
        Site under way or just over then; empty before the first.
    """

    short: tuple[ShortSite, ...]
    trains_n: int
    planned_n: int
    is_stopped: bool
    is_noted: bool = False
    by: str = ""
    why: str = ""
    at_s: float | None = None
    site: str = ""


def early_end(session: Session, visit: Visit | None, delivered: Sequence[Delivery]) -> EarlyEnd | None:
    """What of a visit's plan was not given; None when all was, or nothing was planned.

    Parameters
    ----------
    session : Session
        A recording that nobody writes any more: one under way is not early but unfinished.
    visit : Visit or None
    delivered : sequence of Delivery
        As :func:`hbc_host.report.delivered.deliveries` counts them.

    Notes
    -----
    The log says which sites were over with all their trains; the triggers count the trains of the others. Both, because
    a recording with lost triggers is not one that was stopped.
    """
    if visit is None:
        return None
    notes, planned = session.host_notes, [one for one in delivered if one.planned_trains_n]
    short = _short(session, visit, planned)
    stop = _stop(notes)
    was_stopped = stop is not None and stop.fields.get("finished") is False
    is_stopped = was_stopped or any(not one.is_left for one in short)
    if not short and not is_stopped:
        return None
    trains_n, planned_n = _given_n(session, planned), sum(one.planned_trains_n or 0 for one in planned)
    if not is_stopped:
        return EarlyEnd(short, trains_n, planned_n, is_stopped=False)
    begun = [str(one.fields.get("site", "")) for one in notes if one.event == SITE_BEGINS]
    begun = begun or [one.site for one in planned if one.trains_n]  # recorded without a guide
    site = begun[-1] if begun else ""
    if stop is None:
        return EarlyEnd(short, trains_n, planned_n, True, at_s=session.end_s - session.start_s, site=site)
    by, why = (str(stop.fields.get(name) or "")[:TEXT_MAX_N] for name in ("by", "why"))
    return EarlyEnd(short, trains_n, planned_n, True, True, by, why, _since_start_s(session, stop), site)


def _short(session: Session, visit: Visit, planned: Sequence[Delivery]) -> tuple[ShortSite, ...]:
    ends = _ends(session)
    found = {}
    for one in planned:
        end, wanted_n = ends.get(one.site), one.planned_trains_n or 0
        if max(one.trains_n, _trains_of(end)) < wanted_n:
            left_s = _since_start_s(session, end)
            found[one.site] = ShortSite(one.site, one.trains_n, wanted_n, end is not None, left_s)
    return tuple(found[run.site] for run in visit.plan.runs if run.site in found)


def _given_n(session: Session, planned: Sequence[Delivery]) -> int:
    """Planned trains that were given: too many at one site make up for none at another."""
    ends = _ends(session)
    return sum(min(max(one.trains_n, _trains_of(ends.get(one.site))), one.planned_trains_n or 0) for one in planned)


def _ends(session: Session) -> dict[str, HostNote]:
    return {str(one.fields.get("site")): one for one in session.host_notes if one.event == SITE_ENDS}


def _stop(notes: Sequence[HostNote]) -> HostNote | None:
    """The note of whoever ended the session; None when it was taken up again after that, or nobody did."""
    last = next((one for one in reversed(notes) if one.event in ("stopped", SITE_BEGINS)), None)
    return last if last is not None and last.event == "stopped" else None


def _since_start_s(session: Session, note: HostNote | None) -> float | None:
    return None if note is None or note.device_s is None else note.device_s - session.start_s


def _trains_of(end: HostNote | None) -> int:
    """Trains that the session counted at a site that was over; notes are from a file and may say anything."""
    counted = -1 if end is None else end.fields.get("trains_n")
    return counted if isinstance(counted, int) else -1

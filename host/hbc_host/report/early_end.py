"""Whether a guided session ended before all that was planned had been given, and where: from its notes and its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hbc_host.guided import SITE_BEGINS, SITE_ENDS
from hbc_host.report.recording_times import recording_times

if TYPE_CHECKING:
    from hbc_host.clinic.visit import Visit
    from hbc_host.report.delivered import Delivery
    from hbc_host.session_model import HostNote, Session


TEXT_MAX_N = 200  # of a reason on page 1; the remarks have all of it


@dataclass(frozen=True)
class ShortSite:
    """A site with fewer trains than planned; ``trains_n`` by triggers or log, whichever has more of them.

    ``left_s``: when somebody left it, seconds since the recording began; None where the log cannot tell.
    """

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
    The log says which sites were over, and with how many trains; the triggers count the trains, too. The larger number
    counts, because a recording with lost triggers is not one that was stopped.
    """
    if visit is None:
        return None
    notes, planned = session.host_notes, [one for one in delivered if one.planned_trains_n]
    ends = {_text(one, "site"): one for one in notes if one.event == SITE_ENDS}
    given = {one.site: max(one.trains_n, _trains_of(ends.get(one.site))) for one in planned}
    times = recording_times(session)
    short = _short(visit, planned, given, {site: times.since_start_s(end) for site, end in ends.items()})
    stop = _stop(notes)
    was_stopped = stop is not None and stop.fields.get("finished") is False
    is_stopped = was_stopped or any(not one.is_left for one in short)
    if not short and not is_stopped:
        return None
    # Trains too many at one site make up for none at another.
    trains_n = sum(min(given[one.site], one.planned_trains_n or 0) for one in planned)
    planned_n = sum(one.planned_trains_n or 0 for one in planned)
    if not is_stopped:
        return EarlyEnd(short, trains_n, planned_n, is_stopped=False)
    begun = [site for one in notes if one.event == SITE_BEGINS and (site := _text(one, "site"))]
    begun = begun or [site for site, site_trains_n in given.items() if site_trains_n]  # recorded without a guide
    site = begun[-1] if begun else ""
    if stop is None:
        return EarlyEnd(short, trains_n, planned_n, True, at_s=times.length_s, site=site)
    by, why = _text(stop, "by"), _text(stop, "why")
    return EarlyEnd(short, trains_n, planned_n, True, True, by, why, times.since_start_s(stop), site)


def _short(
    visit: Visit, planned: Sequence[Delivery], given: Mapping[str, int], left_s: Mapping[str, float | None]
) -> tuple[ShortSite, ...]:
    """Sites with fewer trains than planned; ``left_s`` has those that were over."""
    found = {
        one.site: ShortSite(one.site, given[one.site], wanted_n, one.site in left_s, left_s.get(one.site))
        for one in planned
        if given[one.site] < (wanted_n := one.planned_trains_n or 0)
    }
    return tuple(found[run.site] for run in visit.plan.runs if run.site in found)


def _stop(notes: Sequence[HostNote]) -> HostNote | None:
    """The note of whoever ended the session; None when it was taken up again after that, or nobody did."""
    last = next((one for one in reversed(notes) if one.event in ("stopped", SITE_BEGINS)), None)
    return last if last is not None and last.event == "stopped" else None


def _trains_of(end: HostNote | None) -> int:
    """Trains that the session counted at a site that was over; notes are from a file and may say anything."""
    counted = 0 if end is None else end.fields.get("trains_n")
    return counted if isinstance(counted, int) and not isinstance(counted, bool) else 0


def _text(note: HostNote, name: str) -> str:
    """Words of a field; empty when something else stands there."""
    value = note.fields.get(name)
    return value.strip()[:TEXT_MAX_N] if isinstance(value, str) else ""

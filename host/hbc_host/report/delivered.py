"""What was delivered at each site, counted from the triggers, beside what was planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hbc_host.guided import counted_trains, delivered_edges, guided_sites
from hbc_host.trains import find_trains

if TYPE_CHECKING:
    from hbc_host.clinic.plan import PlannedRun
    from hbc_host.clinic.visit import Visit
    from hbc_host.runs import FloatArray, RunInput
    from hbc_host.session_model import Session


@dataclass(frozen=True)
class Delivery:
    """Trains and pulses at one site, counted from the triggers; planned ones are None where nothing was planned.

    ``odd_trains_n`` trains had another number of pulses than planned; without a plan, than most had.
    """

    site: str
    trains_n: int
    pulses_n: int
    odd_trains_n: int
    planned_trains_n: int | None = None
    planned_pulses_n: int | None = None

    @property
    def other_trains(self) -> bool:
        """True when more or fewer trains came than were planned."""
        return self.planned_trains_n is not None and self.planned_trains_n != self.trains_n

    @property
    def other_pulses(self) -> bool:
        """True when more or fewer pulses came than were planned."""
        return self.planned_pulses_n is not None and self.planned_pulses_n != self.pulses_n


def deliveries(session: Session, runs: Sequence[RunInput], visit: Visit | None) -> tuple[Delivery, ...]:
    """A delivery for each run, in order of time, and for each planned site that was left out.

    Parameters
    ----------
    session : Session
    runs : sequence of RunInput
        As the analysis had them. Trains beyond the plan are not among theirs; here they count.
    visit : Visit or None
        None for a recording that was not planned.
    """
    planned = [] if visit is None else list(visit.plan.runs)
    found = []
    for run in runs:
        plan = next((one for one in planned if one.site == run.site), None)
        edges_s = _edges_of(session, run)
        if plan is None:
            found.append(_unplanned(run.site, edges_s))
        else:
            planned.remove(plan)
            found.append(_planned(plan, edges_s))
    return (*found, *(_planned(plan, session.edges_s[:0]) for plan in planned))


def _edges_of(session: Session, run: RunInput) -> FloatArray:
    for site in guided_sites(session.host_notes):
        if site.site == run.site and site.begins_s <= run.onsets_s[0] < site.ends_s:
            return delivered_edges(site, session.edges_s)
    return session.edges_s[(session.edges_s >= run.start_s) & (session.edges_s <= run.end_s)]


def _unplanned(site: str, edges_s: FloatArray) -> Delivery:
    counts = [train.pulses_n for train in find_trains(edges_s)]
    usual = Counter(counts).most_common(1)[0][0] if counts else 0
    return Delivery(site, len(counts), sum(counts), sum(n != usual for n in counts))


def _planned(plan: PlannedRun, edges_s: FloatArray) -> Delivery:
    wanted = [train.pulses_n for train in plan.trains if train.pulses_n]
    counts = [train.pulses_n for train in counted_trains(edges_s, max(wanted, default=1))[0]]
    odd_n = sum(n not in wanted for n in counts)
    return Delivery(plan.site, len(counts), int(edges_s.size), odd_n, len(wanted), plan.pulses_n)

"""The steps of a session: sites begin and end, trains count. Pure; what the box says comes in as times of its clock.

Steps advance by the triggers that arrive, never by a stopwatch: a train counts when its pulses were seen, and time only
says when rest or a pause should be over.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hbc_host.clinic.visit import Visit
from hbc_host.guided import SITE_BEGINS, SITE_ENDS
from hbc_host.live import problems
from hbc_host.live.caps_now import over_caps, over_pulse_caps
from hbc_host.live.problems import Problems
from hbc_host.live.site_now import SiteNow
from hbc_host.trains import TRAIN_GAP_S

LATE_S = 3.0  # a train may come this much later than planned, by hand, before it is missed
FIRST_LATE_S = 30.0  # after the rest: the stimulator has to be started


class Noted(NamedTuple):
    """Something for the log of the recording."""

    event: str
    fields: dict[str, Any]


class TrainDone(NamedTuple):
    """The response to a train is over: ``trains_n`` trains can be looked at."""

    site_idx: int
    trains_n: int


class SiteDone(NamedTuple):
    """A site is over; ``is_last`` when no site follows."""

    site_idx: int
    is_last: bool


class Steps:
    """Where a session stands in its plan.

    Parameters
    ----------
    visit : Visit
        What was laid down for it.

    Attributes
    ----------
    noted : list of Noted
        Notes for the log since somebody took them.
    done : list of TrainDone or SiteDone
        What can be analysed, since then.
    now_us : int
        Newest device time, microseconds.
    pulses_n : int
        Pulses that the trigger has counted.
    """

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.runs = visit.plan.runs
        self.noted: list[Noted] = []
        self.done: list[TrainDone | SiteDone] = []
        self.problems = Problems()
        self.sites: dict[int, SiteNow] = {}  # begun ones, by their place in the plan
        self.site_idx: int | None = None  # the one begun last
        self.over: set[int] = set()
        self.ended = False
        self.now_us = 0
        self.pulses_n = 0
        self._caps_over: list[str] = []
        self._loose_us: list[int] = []  # edges of the group that grows while no site is under way
        self._looked_n: dict[int, int] = {}

    def problem(self, code: str, text: str) -> None:
        """A problem stands (``text`` says what) or is over (no text); a change goes into the log."""
        for change in self.problems.set(code, text, self.now_us * 1e-6):
            self.noted.append(Noted("problem", vars(change).copy()))

    # -- edges -----------------------------------------------------------------------------------------------------

    def pulse(self, edge_us: int) -> None:
        """A trigger edge, in any order, each once."""
        self.pulses_n += 1
        site = self._site_of(edge_us)
        if site is not None:
            site.add_edge(edge_us)
        else:
            self._loose_edge(edge_us)

    def restart_clock(self) -> None:
        """Device time begins anew; what is known keeps its distance from now."""
        delta_us, self.now_us = -self.now_us, 0
        for site in self.sites.values():
            site.shift(delta_us)
        self._loose_us.clear()

    def _site_of(self, edge_us: int) -> SiteNow | None:
        """The site that an edge belongs to; None for one while the coil is moved, unless a train goes on too long."""
        begun = [site for site in self.sites.values() if site.begins_us <= edge_us]
        if not begun:
            return None
        site = max(begun, key=lambda one: one.begins_us)
        if not site.is_over or not site.trains:
            return site if not site.is_over else None
        cycle_s = self.visit.protocol.trains.timing.cycle_s + self.visit.protocol.trains.pause_jitter_s
        return site if edge_us * 1e-6 - site.trains[-1].onset_s < 1.5 * cycle_s else None

    def _loose_edge(self, edge_us: int) -> None:
        """Half a train while nobody said that the coil is in place: the next site has begun."""
        if self._loose_us and edge_us - self._loose_us[-1] >= TRAIN_GAP_S * 1e6:
            self._loose_us.clear()
        following = self.next_site
        if following is None:
            return
        self._loose_us.append(edge_us)
        if 2 * len(self._loose_us) < max(train.pulses_n for train in self.runs[following].trains):
            return
        edges_us, self._loose_us = self._loose_us, []
        self.begin_site(following, min(edges_us))
        for one_us in edges_us:
            self.sites[following].add_edge(one_us)

    # -- sites and steps -------------------------------------------------------------------------------------------

    @property
    def site(self) -> SiteNow | None:
        """The site under way, or the one just over."""
        return None if self.site_idx is None else self.sites[self.site_idx]

    @property
    def next_site(self) -> int | None:
        """Place in the plan of the next site to begin; None when all were begun or left out, or the session ended."""
        if self.ended:
            return None
        return next((idx for idx in range(len(self.runs)) if idx not in self.sites and idx not in self.over), None)

    @property
    def is_finished(self) -> bool:
        return self.ended or (self.next_site is None and (self.site is None or self.site.is_over))

    @property
    def pulses_over_cap(self) -> bool:
        """More pulses were given than the clinic allows in a session or a day."""
        return bool(over_pulse_caps(self.visit, self.pulses_n))

    def begin_site(self, idx: int, begins_us: int) -> None:
        """Rest begins at a site of the plan; nothing when it had begun before."""
        if idx in self.sites:
            return
        if self.site_idx is not None and not self.sites[self.site_idx].is_over:
            self.end_site(self.site_idx)
        if idx != self.next_site:
            wanted = self.runs[self.next_site].site if self.next_site is not None else "none"
            self.problem(problems.WRONG_ORDER, f"{self.runs[idx].site} begins, planned next is {wanted}")
        else:
            self.problem(problems.WRONG_ORDER, "")
        self.problem(problems.EXTRA_TRAINS, "")
        run = self.runs[idx]
        self.sites[idx] = SiteNow(run, self.visit.protocol.trains.timing.train_s, begins_us)
        self.site_idx = idx
        self.over.discard(idx)
        trains = [[train.intensity_mso_pct, train.pulses_n] for train in run.trains]
        fields = {"site": run.site, "site_idx": idx, "begins_us": begins_us, "trains": trains}
        self.noted.append(Noted(SITE_BEGINS, fields))

    def end_site(self, idx: int) -> None:
        """A site is over, by its last cycle or because it is left; one not begun is left out."""
        if idx in self.over:
            return
        self.over.add(idx)
        site = self.sites.get(idx)
        if site is not None:
            site.is_over = True
            end_s = site.last_cycle_end_s()
            ends_us = self.now_us if end_s is None else min(self.now_us, round(end_s * 1e6))
            fields = {"site": self.runs[idx].site, "site_idx": idx, "ends_us": ends_us, "trains_n": len(site.trains)}
            self.noted.append(Noted(SITE_ENDS, fields))
            for code in (*problems.OF_A_TRAIN, problems.NO_TRIGGERS, problems.WRONG_INTENSITY):
                self.problem(code, "")
        else:
            self.noted.append(Noted(SITE_ENDS, {"site": self.runs[idx].site, "site_idx": idx, "trains_n": 0}))
        self.done.append(SiteDone(idx, self.next_site is None))

    def advance(self) -> None:
        """Time went on by a block: trains that ended, a site that is over, what is overdue."""
        for idx, begun in self.sites.items():
            for train in begun.advance(self.now_us):
                self._judge(begun, train)
            self._look(idx, begun)
        site = self.site
        self._caps(site)
        if site is None or self.ended:
            return
        end_s = site.last_cycle_end_s()
        if not site.is_over and end_s is not None and self.now_us * 1e-6 >= end_s and not site.under_way:
            self.end_site(self.site_idx or 0)
        self._overdue(site)

    def _look(self, idx: int, site: SiteNow) -> None:
        """Say so when the response to one more train is over."""
        n = self._looked_n.get(idx, 0)
        if n < min(site.closed_n, len(site.given)) and self.now_us * 1e-6 >= site.cycle_end_s(n):
            self._looked_n[idx] = n + 1
            self.done.append(TrainDone(idx, n + 1))

    def _judge(self, site: SiteNow, train: int) -> None:
        found = site.judge(train)
        for code in problems.OF_A_TRAIN:
            self.problem(code, found.get(code, ""))
        if problems.EXTRA_TRAINS in found:
            self.problem(problems.EXTRA_TRAINS, found[problems.EXTRA_TRAINS])
        if train not in site.noted_pct:
            self.problem(problems.WRONG_INTENSITY, "")

    def _overdue(self, site: SiteNow) -> None:
        due_s, now_s = site.next_onset_s(), self.now_us * 1e-6
        pulses_come = now_s - site.last_end_s < TRAIN_GAP_S
        late_s = 0.0 if site.is_over or due_s is None or pulses_come else now_s - due_s
        if late_s <= (LATE_S if site.trains else FIRST_LATE_S):
            self.problem(problems.NO_TRIGGERS, "")
        elif problems.NO_TRIGGERS not in self.problems.standing:
            self.problem(problems.NO_TRIGGERS, f"no pulses {late_s:.0f} s after a train was due: stimulator, cable")

    def _caps(self, site: SiteNow | None) -> None:
        over = over_caps(self.visit, self.pulses_n, site)
        self._caps_over.extend(text for text in over if text not in self._caps_over)  # what was passed stays passed
        if self._caps_over:
            self.problem(problems.OVER_CAP, "; ".join(self._caps_over))

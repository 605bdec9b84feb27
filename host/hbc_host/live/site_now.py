"""The trains of one site as they come, against the plan. No clock but the box's, no I/O."""

from __future__ import annotations

from bisect import insort

import numpy as np

from hbc_host.clinic.plan import PlannedRun
from hbc_host.guided import counted_trains
from hbc_host.live import problems
from hbc_host.runs import TIMING_TOLERANCE
from hbc_host.trains import TRAIN_GAP_S, Train, median_train_s

EDGES_MAX_N = 20_000  # of one site; what comes on top is an open input, not a stimulator
MISSED_SHARE = 0.5  # a pause longer by this share of a cycle may hide a train


class SiteNow:
    """One site under way.

    Parameters
    ----------
    run : PlannedRun
        Of the plan.
    train_s : float
        Planned length of a train, first pulse to one interval after its last, seconds.
    begins_us : int
        Device time at which its rest began.
    """

    def __init__(self, run: PlannedRun, train_s: float, begins_us: int) -> None:
        self.run, self.train_s, self.begins_us = run, train_s, begins_us
        self.given = [k for k, train in enumerate(run.trains) if train.pulses_n > 0]
        self.pulses_n = max(train.pulses_n for train in run.trains)
        self.trains: list[Train] = []  # counted ones, the last perhaps still under way
        self.strays: list[Train] = []
        self.closed_n = 0
        self.noted_pct: dict[int, float] = {}
        self.is_over = False
        self._edges_us: list[int] = []
        self._dirty = False

    @property
    def rest_s(self) -> float:
        """Planned rest before the first train."""
        return self.run.trains[0].onset_s - self.run.rest_s

    @property
    def edges_n(self) -> int:
        return len(self._edges_us)

    def add_edge(self, edge_us: int) -> None:
        """One trigger edge, whenever it came."""
        if len(self._edges_us) < EDGES_MAX_N:
            insort(self._edges_us, edge_us)
            self._dirty = True

    def shift(self, delta_us: int) -> None:
        """The box counts its time anew: everything known is moved to where it would be on the new clock."""
        self.begins_us += delta_us
        self._edges_us = [edge_us + delta_us for edge_us in self._edges_us]
        self._dirty = bool(self._edges_us)

    def advance(self, now_us: int) -> list[int]:
        """Recognise trains up to now; the numbers, from 0, of those that have ended by now and had not before."""
        if self._dirty:
            self.trains, self.strays = counted_trains(np.array(self._edges_us) * 1e-6, self.pulses_n)
            self._dirty = False
        closed_n = len(self.trains)
        if self.trains and now_us * 1e-6 - self.trains[-1].end_s < TRAIN_GAP_S:
            closed_n -= 1
        new = list(range(self.closed_n, closed_n))
        self.closed_n = max(self.closed_n, closed_n)
        return new

    @property
    def under_way(self) -> bool:
        """True while a train is being given."""
        return len(self.trains) > self.closed_n

    @property
    def open_pulses(self) -> int:
        """Pulses of the group that is growing now, counted as a train or not yet."""
        groups = sorted([*self.trains, *self.strays], key=lambda train: train.onset_s)
        return groups[-1].pulses_n if groups else 0

    @property
    def last_end_s(self) -> float:
        """Last edge of any kind; minus infinity without one."""
        return self._edges_us[-1] * 1e-6 if self._edges_us else float("-inf")

    @property
    def next_idx(self) -> int | None:
        """Planned index of the train under way or, between trains, of the next one; None when all were given."""
        n = len(self.trains) - 1 if self.under_way else len(self.trains)
        return self.given[n] if 0 <= n < len(self.given) else None

    def next_onset_s(self) -> float | None:
        """When the next train is expected, device seconds: end of rest, or as planned after the last one."""
        n = len(self.trains)
        if n >= len(self.given):
            return None
        if n == 0:
            return self.begins_us * 1e-6 + self.rest_s
        planned = self.run.trains
        return self.trains[-1].onset_s + planned[self.given[n]].onset_s - planned[self.given[n - 1]].onset_s

    def last_cycle_end_s(self) -> float | None:
        """End of the cycle of the last train of the plan, once that train came; catch trains behind it included."""
        if len(self.trains) < len(self.given):
            return None
        last = self.given[len(self.given) - 1]
        return self.trains[len(self.given) - 1].onset_s + self.run.end_s - self.run.trains[last].onset_s

    def cycle_end_s(self, train: int) -> float:
        """Until when the response to this train (number from 0) is looked at."""
        planned = self.run.trains
        at = self.given[min(train, len(self.given) - 1)]
        after_s = planned[at + 1].onset_s if at + 1 < len(planned) else self.run.end_s
        return self.trains[train].onset_s + after_s - planned[at].onset_s

    def planned_pct(self, train: int) -> float | None:
        """Planned stimulator output of the counted train of this number; None beyond the plan."""
        return self.run.trains[self.given[train]].intensity_mso_pct if train < len(self.given) else None

    def judge(self, train: int) -> dict[str, str]:
        """What is wrong with a train that has ended: code -> text."""
        found: dict[str, str] = {}
        planned = self.run.trains
        one, number = self.trains[train], train + 1
        if train >= len(self.given):
            return {problems.EXTRA_TRAINS: f"{number} trains at {self.run.site}, planned {len(self.given)}"}
        wanted_n = planned[self.given[train]].pulses_n
        if one.pulses_n != wanted_n:
            code = problems.MISSING_PULSES if one.pulses_n < wanted_n else problems.EXTRA_PULSES
            found[code] = f"train {number}: pulses {one.pulses_n}, planned {wanted_n}"
        length_s = median_train_s([one])
        if abs(length_s - self.train_s) > TIMING_TOLERANCE * self.train_s:  # nan, of a single pulse, compares false
            found[problems.WRONG_TRAIN_LENGTH] = f"train {number} lasted {length_s:.1f} s, planned {self.train_s:g} s"
        if train == 0:
            missing_s = self.begins_us * 1e-6 + self.rest_s - one.onset_s
            if missing_s > 1.0:
                found[problems.EARLY_TRAIN] = f"the first train came {missing_s:.0f} s before the rest was over"
        else:
            pause_s = one.onset_s - self.trains[train - 1].onset_s
            wanted_s = planned[self.given[train]].onset_s - planned[self.given[train - 1]].onset_s
            if pause_s > wanted_s * (1.0 + MISSED_SHARE):
                found[problems.MISSED_TRAIN] = (
                    f"train {number} came {pause_s:.0f} s after the one before, planned {wanted_s:.0f} s: was one "
                    f"given that the box did not see?"
                )
        return found

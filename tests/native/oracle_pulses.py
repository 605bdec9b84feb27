"""What TMS pulses do to the oracle's decisions: steps that are no time, and what a candidate near one must exceed."""

from bisect import bisect_left
from functools import reduce

import numpy as np
from oracle_artefact import Cleaned, Flags, Spans
from oracle_signal import IntArray, Plan, share_q10

NEVER = 1 << 60
FAR, PLACES = -1, 12


class ClearTime:
    """Time in steps of which no sample was held or followed, and of which half of the 160 ms before was seen."""

    def __init__(self, cleaned: Cleaned, plan: Plan) -> None:
        steps_n = len(cleaned.held) // plan.decim

        def any_of(flags: Flags) -> Flags:
            return np.asarray(flags[: steps_n * plan.decim].reshape(steps_n, plan.decim).any(axis=1))

        held, spoilt = any_of(cleaned.held), any_of(cleaned.held | cleaned.follows)
        self.window = plan.ms(160)
        self.hidden = np.convolve(held, np.ones(self.window, np.int64))[:steps_n]
        self.steps = np.flatnonzero(~spoilt & (2 * self.hidden <= self.window)).tolist()

    def hidden_part(self, step: int, whole: int) -> int:
        """How much of ``whole`` the held steps are of those that a candidate of this step rests on."""
        return int(self.hidden[step]) * whole // self.window

    def seen_q5(self, step: int) -> int:
        """What of a candidate's energy counts: all when half of it was seen."""
        return min(32, (self.window - int(self.hidden[step])) * 64 // self.window)

    def before(self, step: int) -> int:
        return bisect_left(self.steps, step)

    def step(self, nth: int) -> int:
        return self.steps[nth] if nth < len(self.steps) else NEVER

    def after(self, start: int, length: int) -> int:
        """The clear step that is the last of so many from ``start`` on."""
        return self.step(self.before(start) + length - 1)


class Nearby:
    """Usual energy by time since the first pulse of a burst."""

    def __init__(self, cleaned: Cleaned, plan: Plan) -> None:
        window = Spans(plan.rate_hz).window
        lag = cleaned.lag[plan.decim - 1 :: plan.decim] + 1
        self.place = np.where(lag < window, lag * (65536 * PLACES // window) >> 16, FAR)
        self.usual, self.floor, self.seen_n = [0] * PLACES, plan.floor, 0

    def at(self, step: int) -> bool:
        return bool(self.place[step] != FAR)

    def look(self, energy: IntArray, now: int, beat: int) -> None:
        """Take in all steps up to ``now``; a place starts at a quarter of a beat, whose energy was ``beat`` so far."""
        new = slice(self.seen_n, now + 1)
        for place in set(self.place[new].tolist()) - {FAR}:
            here = energy[new][(self.place[new] == place) & (energy[new] >= self.floor)]
            if self.usual[place] == 0 and len(here):
                self.usual[place], here = max(int(here[0]), beat >> 2), here[1:]
            self.usual[place] = reduce(self._nearer, here.tolist(), self.usual[place])
        self.seen_n = now + 1

    @staticmethod
    def _nearer(usual: int, energy: int) -> int:
        """Towards the lower third."""
        return usual + (usual >> 5) + 1 if energy > usual else usual - (usual >> 4)

    def usual_at(self, step: int) -> int:
        """What is usual at the place of a step near a pulse, or beside it."""
        place = int(self.place[step])
        return max(self.usual[max(0, place - 1) : place + 2])

    def enough(self, step: int, beat: int, shape_known: bool) -> int:
        """Energy that is enough whatever the shape, ``beat`` being that of a beat."""
        usual = self.usual_at(step)
        most = beat if shape_known else 16 * (beat >> 6) + min(usual, 26 * (beat >> 6))
        return min(7 * (usual >> 1), most)

    def part_q10(self, step: int, beat: int) -> int:
        """Part of a beat that a candidate must hold: a third, and a sixth of what is usual."""
        return 340 + (11 * share_q10(self.usual_at(step), beat + 1) >> 6)

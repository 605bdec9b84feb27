"""The oracle's shape rule: a candidate's bend beside that of the beats before it."""

from dataclasses import dataclass

import numpy as np
from oracle_signal import IntArray, Plan, Tune

KEPT_STEPS = 64  # of the bend, back from the step that decides; what is older counts as the oldest of them
BEATS, LEARN_BELOW_Q10, NEAR_WEIGHT = 8, 400, 256


@dataclass(frozen=True)
class View:
    """Bend of a candidate 60 ms to either side of its extremum, 12 bits of it; whether a pulse is near."""

    bend: IntArray
    near: bool


class Shapes:
    """What the beats so far look like."""

    def __init__(self, bend: IntArray, plan: Plan) -> None:
        self.bend, self.half, self.seek, self.energy = bend, plan.ms(60), plan.ms(24), plan.energy
        self.lessons: list[IntArray] = []
        self.usual = np.zeros(2 * self.half + 1, np.int64)

    def view(self, extremum: int, now: int, near: bool) -> View:
        return View(self._twelve_bits(extremum, self.half, now)[0], near)

    def _twelve_bits(self, middle: int, reach: int, now: int) -> tuple[IntArray, int]:
        """Bends to either side of a step, shifted to 12 bits of the largest, and how far to the left."""
        steps = np.arange(middle - reach, middle + reach + 1).clip(now + 1 - KEPT_STEPS)
        values = np.where(steps < 0, 0, self.bend[steps])
        shift = 12 - max(1, int(np.abs(values).max())).bit_length()
        return (values << shift if shift > 0 else values >> -shift), shift

    def fitted(self, top: int, now: int) -> int | None:
        """Coarse energy of a beat in a candidate: the usual shape where it fits best; None while it is not known."""
        if len(self.lessons) < BEATS:
            return None
        values, shift = self._twelve_bits(top - (self.energy - 1) // 2, self.half + 2 * self.seek, now)
        best = max(0, int(np.correlate(values, self.usual, "valid").max()))
        first = self.half - self.energy // 2
        whole = int(np.abs(self.usual)[first : first + self.energy].sum())
        part_q10 = min(4095, (best >> 10) * 1024 // ((int(self.usual @ self.usual) >> 10) + 1))
        fit = whole * part_q10 >> 10
        return fit >> shift if shift > 0 else fit << -shift

    def likeness_q10(self, bend: IntArray) -> int:
        """Squared correlation without taking off means; opposite shapes are as unlike as can be."""
        (own, both), (_, usual) = (np.stack([bend, self.usual]) @ np.stack([bend, self.usual]).T >> 14).tolist()
        return min(1024, max(0, both) ** 2 // ((own * usual >> 10) + 1))

    def part_q10(self, view: View, noise_share: int) -> int:
        """Part of the span that the candidate's shape adds to what it must exceed, or takes off."""
        weight = min(1024, max(0, 4 * (noise_share - Tune.SHAPE_FROM_Q10), NEAR_WEIGHT if view.near else 0))
        if weight == 0 or len(self.lessons) < BEATS:
            return 0
        return weight * (Tune.SHAPE_LIKE_Q10 - self.likeness_q10(view.bend)) * Tune.SHAPE_GAIN >> 12

    def learn(self, view: View, noise_share: int) -> None:
        """The first eight whatever the noise, then those of quiet ECG; an eighth of the way from the fourth on."""
        if len(self.lessons) >= BEATS and noise_share > LEARN_BELOW_Q10:
            return
        self.usual = self.usual + ((view.bend - self.usual) >> min(3, len(self.lessons)))
        self.lessons.append(view.bend)

"""A slow R-peak detector with the same answers as the C, written another way on purpose.

The C runs sample by sample with rings, running sums and counters.  This one sees the whole recording at once:
convolutions, argmax on slices, ``statistics.median``, and a list of dated events (a candidate is ripe, a search-back is
due, the patience ends) of which the earliest is always next.  A shared mistake would have to be made twice.
Specification: docs/detector.md.  Filters and positions are in oracle_signal.py, the first seconds in
oracle_learning.py, shapes in oracle_shape.py, the states in oracle_state.py, TMS artefacts in oracle_artefact.py, what
pulses do to decisions in oracle_pulses.py.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oracle_artefact import cleaned
from oracle_learning import Candidate, learning, lone_giant
from oracle_pulses import NEVER, ClearTime, Nearby
from oracle_shape import Shapes, View
from oracle_signal import Bands, Locator, Plan, Size, Tune, middle, next_top, ratio_q4, share_q10
from oracle_state import GOOD, LEAD_OFF, State, Watched, states_of

Beat = tuple[int, int, int, int]  # sample index, fraction in 1/256, quality, polarity

RIPE, SEARCH_BACK, GIVE_WAY = range(3)  # in this order within a step


class Judge:
    """Decides over candidates; all times are absolute steps, ``now`` is the step at which it decides."""

    def __init__(self, plan: Plan, bands: Bands, clear: ClearTime) -> None:
        self.plan, self.usual, self.clear = plan, bands.usual, clear
        self.shapes = Shapes(bands.bend, plan)
        self.signal: list[Size] = [(0, 0)] * 8
        self.noise: list[Size] = [(0, 0)] * 8
        self.balance_q4, self.weights = 0, (16, 0)
        self.rr: list[int] = []
        self.rr_since = 0  # from this step on spoilt ones prolong the wait for the next beat
        self.beats: list[Beat] = []
        self.heights: list[tuple[int, int]] = []  # (step, usual coarse energy of a beat after that step)
        self.last = Candidate(-3 * plan.step_hz - 1, (0, 0), (0, 0, 1, 0))
        self.waiting: Candidate | None = None
        self.threshold, self.span_q10, self.early_q10 = 0, 0, 0
        self.patience_ends, self.watch_from = NEVER, 0

    def weigh(self, size: tuple[Any, Any]) -> Any:
        """Both bands on the scale of the coarse one; of one instant or of many."""
        coarse, fine = size
        return (coarse >> 4) * self.weights[0] + (fine >> 4) * self.weights[1]

    @staticmethod
    def typical(sizes: list[Size]) -> Size:
        coarse, fine = zip(*sizes, strict=True)
        return middle(coarse), middle(fine)

    @property
    def beat_energy(self) -> int:
        return int(self.weigh(self.typical(self.signal)))

    def noise_share(self, now: int) -> int:
        """How much of a beat's energy is usual between beats too."""
        return share_q10(self.weigh(self.usual[now + 1]), self.beat_energy + 1)

    def settle(self, now: int) -> None:
        """Threshold and doubt from the last eight beats, the last eight rejected and what is usual."""
        noise, signal, share = self.weigh(self.typical(self.noise)), self.beat_energy, self.noise_share(now)
        rise = max(0, share - Tune.NOISE_FROM_Q10) * Tune.NOISE_GAIN
        part = min(Tune.THRESHOLD_Q10 + rise, Tune.THRESHOLD_MAX_Q10)
        self.early_q10 = min(max(0, share - Tune.EARLY_FROM_Q10) * Tune.EARLY_GAIN, Tune.EARLY_MAX_Q10)
        self.span_q10 = max(0, signal - noise) >> 10
        self.threshold = max(noise + self.span_q10 * part, self.plan.floor)
        self.heights.append((now, self.typical(self.signal)[0]))

    def limit(self, interval: int, shape_q10: int, hidden_q10: int) -> int:
        """What a candidate must exceed: more the odder it is, and the earlier it comes once the rhythm is known."""
        doubt_q10 = max(self.early_q10, min(2 * (hidden_q10 - 256), Tune.EARLY_MAX_Q10))
        early_end = (middle(self.rr) * Tune.EARLY_RR_Q5) >> 5 if len(self.rr) == 8 else 0
        early = doubt_q10 * (early_end - interval) // early_end if interval < early_end else 0
        return self.threshold + self.span_q10 * (shape_q10 + early)

    def quality(self, energy: int, now: int) -> int:
        usual = max(self.weigh(self.usual[now + 1]), self.weigh(self.typical(self.noise)))
        drop = 7 if energy >= 1 << 22 else 0
        return (energy - usual >> drop) * 255 // (energy >> drop) if energy > usual else 0

    def weigh_bands(self, now: int) -> None:
        """Fisher's rule with the usual energies as noise; a quarter of the way at each beat."""
        (coarse, fine), (usual_coarse, usual_fine) = self.typical(self.signal), self.usual[now + 1]
        coarse_snr, fine_snr = ratio_q4(coarse, usual_coarse) + 1, ratio_q4(fine, usual_fine) + 1
        wanted = 0
        if fine_snr > coarse_snr:
            wanted = fine_snr * ratio_q4(usual_coarse, usual_fine) // coarse_snr * Tune.FINE_GAIN
            noisiness = share_q10(usual_coarse, coarse + 1)
            wanted = min(1024, wanted if noisiness >= 256 else (wanted >> 4) * noisiness >> 4)
        self.balance_q4 += (wanted - self.balance_q4) >> 2
        self.weights = (16, self.balance_q4) if self.balance_q4 <= 256 else (4096 // self.balance_q4, 256)

    def accept(self, beat: Candidate, quality: int, now: int) -> None:
        interval = beat.step - self.last.step
        if interval < 3 * self.plan.step_hz:
            self.rr = [*self.rr, interval][-8:]
        self.rr_since = now
        self.signal = [*self.signal[1:], beat.size]
        self.last, self.waiting = beat, None
        self.patience_ends = self.clear.after(now, 5 * self.plan.step_hz >> 1)
        self.weigh_bands(now)
        self.settle(now)
        self.beats.append((*beat.peak[:2], quality, beat.peak[2]))

    def judge(self, candidate: Candidate, now: int, view: View | None = None) -> None:
        """Beat, T wave or noise; without a view, as in the learning time, shapes say nothing."""
        interval, energy = candidate.step - self.last.step, self.weigh(candidate.size)
        self.watch_from = now
        t_wave = interval < self.plan.ms(360) and energy < (self.weigh(self.last.size) >> 4) * Tune.T_WAVE_Q4
        if interval < self.plan.ms(200) or t_wave:
            return
        share = self.noise_share(now)
        shape_q10 = 0 if view is None else self.shapes.part_q10(view, share)
        if energy > self.limit(interval, shape_q10, self.clear.hidden_part(candidate.step, 1024)):
            if view is not None:
                self.shapes.learn(view, share)
            self.accept(candidate, self.quality(energy, now), now)
            return
        self.noise = [*self.noise[1:], candidate.size]
        self.settle(now)
        if self.waiting is None or energy > self.weigh(self.waiting.size):
            self.waiting = candidate

    def shows_enough(self, candidate: Candidate, now: int, view: View, nearby: Nearby) -> bool:
        """Is enough of it seen, and near a pulse, does it stand out?"""
        top, seen_q5, energy = candidate.step, self.clear.seen_q5(candidate.step), self.weigh(candidate.size)
        if seen_q5 < 32:
            energy = (energy >> 5) * seen_q5
            shape_q10 = self.shapes.part_q10(view, self.noise_share(now))
            if energy <= self.limit(top - self.last.step, shape_q10, self.clear.hidden_part(top, 1024)):
                return False
        if not nearby.at(top):
            return True
        fit = self.shapes.fitted(top, now)
        if energy > nearby.enough(top, self.beat_energy, fit is not None):
            return True
        needed = (self.typical(self.signal)[0] >> 10) * nearby.part_q10(top, self.beat_energy)
        return fit is not None and (fit >> 5) * seen_q5 > needed

    def learn(self, seen: list[Candidate], now: int) -> None:
        """Start from the largest, unless it is a lone giant; then judge all that was seen."""
        _, start = lone_giant(seen)
        self.signal = [(start[0] - (start[0] >> 2), start[1] - (start[1] >> 2))] * 8
        self.noise = [(start[0] >> 4, start[1] >> 4)] * 8
        self.settle(now)
        for candidate in seen:
            self.judge(candidate, now)
        self.patience_ends = self.clear.after(now + 1, 5 * self.plan.step_hz >> 1)
        self.rr_since = self.watch_from = now + 1

    def search_back_at(self) -> int:
        """Step at which the largest rejected candidate will be taken, if nothing happens before."""
        if self.waiting is None or self.weigh(self.waiting.size) <= (self.threshold >> 4) * Tune.BACK_Q4:
            return NEVER
        mean = sum(self.rr) // len(self.rr) if self.rr else self.plan.step_hz
        limit = mean + (mean * Tune.BACK_RR_Q4 >> 4) + self.plan.hold
        # Until now the time since the last beat counts whole, from rr_since on in clear steps.
        counted = self.rr_since - self.last.step - self.clear.before(self.rr_since)
        return self.clear.step(max(self.clear.before(self.watch_from), limit + 1 - counted))

    def search_back(self, now: int) -> None:
        assert self.waiting is not None
        quality = self.quality(self.weigh(self.waiting.size), now) >> 1
        coarse, fine = self.waiting.size
        self.noise = [(min(c, coarse >> 1), min(f, fine >> 1)) for c, f in self.noise]
        self.signal = [(min(c, coarse * 2), min(f, fine * 2)) for c, f in self.signal]
        self.accept(self.waiting, quality, now)

    def give_way(self, now: int) -> None:
        self.signal = [(c >> 1, f >> 1) for c, f in self.signal]
        self.noise = [(c >> 1, f >> 1) for c, f in self.noise]
        self.settle(now)
        self.patience_ends, self.watch_from = self.clear.after(now + 1, self.plan.step_hz), now + 1


def decide(bands: Bands, locate: Locator, clear: ClearTime, nearby: Nearby, plan: Plan) -> Judge:
    """Go from event to event; a beat may change the weights, and with them the energies still to come."""
    judge, steps_n = Judge(plan, bands, clear), len(bands.coarse)
    energy = judge.weigh((bands.coarse, bands.fine))
    seen, start, now = learning(energy, bands, locate, plan)
    nearby.look(energy, now, judge.beat_energy)
    if now < steps_n:
        judge.learn(seen, now)
    while True:
        energy[now + 1 :] = judge.weigh((bands.coarse[now + 1 :], bands.fine[now + 1 :]))
        top = next_top(energy, start, plan.hold)
        ripe_at = NEVER if top is None else top + plan.hold
        now, event = min((ripe_at, RIPE), (judge.search_back_at(), SEARCH_BACK), (judge.patience_ends, GIVE_WAY))
        if now >= steps_n:
            return judge
        nearby.look(energy, now, judge.beat_energy)
        if event == SEARCH_BACK:
            judge.search_back(now)
        elif event == GIVE_WAY:
            judge.give_way(now)
        elif top is not None:
            start = now + 1
            if bands.coarse[top] >= plan.floor:
                candidate = Candidate(top, bands.size(top), locate(top))
                view = judge.shapes.view(candidate.peak[3], now, nearby.at(top))
                if judge.shows_enough(candidate, now, view, nearby):
                    judge.judge(candidate, now, view)


@dataclass(frozen=True)
class Answer:
    """What the C must say: beats in the order of its reports; states as (samples pushed, state)."""

    beats: list[Beat]
    states: list[State]


def listen(
    samples_lsb: NDArray[np.int16],
    rate_hz: int,
    mask: NDArray[np.uint8] | None = None,
    rails_lsb: tuple[int, int] = (-32768, 32767),
) -> Answer:
    """R-peaks and signal states of a recording.

    Parameters
    ----------
    samples_lsb : array of int16, shape (n,)
        ECG.
    rate_hz : int
        100..1000 Hz.
    mask : array of uint8, shape (n,), optional
        0 ECG, 1 blanked, 2 electrode off.
    rails_lsb : (int, int)
        Values at or beyond these are saturated.

    Returns
    -------
    Answer
    """
    kinds = np.zeros(len(samples_lsb), np.uint8) if mask is None else mask
    plan, good = Plan(rate_hz), kinds == 0
    first = int(np.argmax(good)) if good.any() else len(good)
    opening = [(first, LEAD_OFF if kinds[first - 1] == 2 else GOOD)] if first else []
    if first == len(good):
        return Answer([], opening)
    good, kinds, raw = good[first:], kinds[first:], samples_lsb[first:].astype(np.int64)
    heart = cleaned(raw, kinds, rate_hz)
    bands = Bands(heart.lsb, plan)
    locate = Locator(heart.lsb, bands.bend, plan)
    judge = decide(bands, locate, ClearTime(heart, plan), Nearby(heart, plan), plan)
    railed = good & ((raw <= rails_lsb[0]) | (raw >= rails_lsb[1]))
    states = states_of(Watched(bands, kinds == 2, railed, judge.heights), plan)
    beats = [(index + first, q8, quality, polarity) for index, q8, quality, polarity in judge.beats]
    return Answer(beats, opening + [(first + pushed_n, state) for pushed_n, state in states])

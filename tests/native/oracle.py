"""A slow R-peak detector with the same answers as the C, written another way on purpose.

The C runs sample by sample with rings, running sums and counters.  This one sees the whole recording at once:
convolutions, argmax on slices, absolute times in a list of events, ``statistics.median``.  A shared mistake would have
to be made twice.  Specification: docs/detector.md.
"""

import statistics
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Peak = tuple[int, int]  # sample index, fraction in 1/256


@dataclass(frozen=True)
class Plan:
    """Lengths at one rate, in steps unless the name says raw."""

    rate_hz: int
    decim: int = field(init=False)
    hold: int = field(init=False)
    delay_raw: int = field(init=False)

    def __post_init__(self) -> None:
        decim = max(1, self.rate_hz // 120)
        object.__setattr__(self, "decim", decim)
        # Twice the group delay of four symmetric filters, in raw samples: length - 1 of each.
        taps_raw = (decim - 1) + decim * ((self.ms(24) - 1) + (2 - 1) + 2 * self.ms(24))
        object.__setattr__(self, "delay_raw", taps_raw // 2)
        latest_raw = self.delay_raw + self.ms_raw(16) + 1 + decim * ((self.ms(80) - 1) // 2 + self.ms(24) + 1)
        object.__setattr__(self, "hold", min(self.ms(180), (self.rate_hz * 300 // 1000 - latest_raw) // decim))

    @property
    def step_hz(self) -> int:
        return self.rate_hz // self.decim

    def ms(self, duration_ms: int) -> int:
        return max(1, (duration_ms * self.step_hz + 500) // 1000)

    def ms_raw(self, duration_ms: int) -> int:
        return max(1, (duration_ms * self.rate_hz + 500) // 1000)


def bend_and_energy(samples: IntArray, plan: Plan) -> tuple[IntArray, IntArray]:
    """Filter the whole recording; index = step."""
    steps_n = len(samples) // plan.decim
    sums = samples[: steps_n * plan.decim].reshape(steps_n, plan.decim).sum(axis=1)
    mean = (sums * (4096 // plan.decim)) >> 10
    first = (int(samples[0]) * plan.decim * (4096 // plan.decim)) >> 10
    low_pass = np.convolve(np.ones(plan.ms(24), np.int64), [1, 1])
    second_difference = np.zeros(2 * plan.ms(24) + 1, np.int64)
    second_difference[[0, plan.ms(24), -1]] = -1, 2, -1
    kernel = np.convolve(low_pass, second_difference)
    padded = np.concatenate([np.full(len(kernel) - 1, first), mean])
    bend = np.convolve(padded, kernel, mode="valid")
    energy = np.convolve(np.abs(bend), np.ones(plan.ms(80), np.int64))[:steps_n]
    return bend, energy


def candidates(energy: IntArray, plan: Plan) -> list[int]:
    """Steps whose energy is not exceeded in the following hold."""
    found: list[int] = []
    at = 0
    previous = np.concatenate([[0], energy[:-1]])
    while True:
        rising = np.flatnonzero(energy[at:] > previous[at:])
        if len(rising) == 0:
            return found
        top = at + int(rising[0])
        while True:
            larger = np.flatnonzero(energy[top + 1 : top + plan.hold + 1] > energy[top])
            if len(larger) == 0:
                break
            top += 1 + int(larger[0])
        if top + plan.hold >= len(energy):
            return found
        found.append(top)
        at = top + plan.hold + 1


class Locator:
    """Turns the step of an energy peak into a position on the raw samples; remembers the polarity."""

    def __init__(self, samples: IntArray, bend: IntArray, plan: Plan) -> None:
        self.plan, self.bend, self.votes, self.up = plan, bend, 0, True
        self.pad = 2000
        padded = np.concatenate([np.full(self.pad, samples[0]), samples, np.zeros(1, np.int64)])
        half = plan.rate_hz * 4 // 1000
        self.smooth = np.convolve(padded, np.ones(2 * half + 1, np.int64), mode="same")

    def __call__(self, top: int) -> Peak:
        plan = self.plan
        centre = top - (plan.ms(80) - 1) // 2
        # The search prefers the later of equals in the C's order of ages, which is the later step.
        steps = np.arange(centre + plan.ms(24), centre - plan.ms(24) - 1, -1)
        values = np.where(steps >= 0, self.bend[np.maximum(steps, 0)], 0)
        highest, lowest = max(int(values.max()), 0), max(int(-values.min()), 0)
        self.votes = max(-4, min(4, self.votes + (1 if highest >= lowest else -1)))
        if abs(self.votes) == 4:
            self.up = self.votes > 0
        upward = 3 * highest >= 2 * lowest if self.up else 2 * highest > 3 * lowest
        target = highest if upward else lowest
        hit = int(steps[np.argmax(values if upward else -values)]) if target else centre
        return self.on_raw((hit + 1) * plan.decim - 1 - plan.delay_raw, 1 if upward else -1)

    def on_raw(self, centre: int, sign: int) -> Peak:
        seek, arm = self.plan.ms_raw(16), self.plan.ms_raw(4)
        window = range(max(centre - seek, 0), centre + seek + 1)
        best = max(window, key=lambda i: (sign * self.smooth[i + self.pad], -i))
        before, here, after = (sign * int(self.smooth[best + self.pad + d]) for d in (-arm, 0, arm))
        curve = 2 * here - before - after
        offset = 0
        if curve > 0:
            size = min(abs(after - before) * 128 * arm // curve, 128 * arm)
            offset = size if after >= before else -size
        if best * 256 + offset < 0:
            offset = 0
        return divmod(best * 256 + offset, 256)


class Judge:
    """Decides over candidates in time; all times are absolute steps."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.floor = 48 * plan.ms(24) * plan.ms(80)
        self.signal: list[int] = [0] * 8
        self.noise: list[int] = [0] * 8
        self.rr: list[int] = []
        self.beats: list[Peak] = []
        self.last_step, self.last_energy = -3 * plan.step_hz - 1, 0
        self.patience = (5 * plan.step_hz) >> 1
        self.waiting: tuple[int, int, Peak] | None = None

    def threshold(self) -> int:
        noise = (sum(sorted(self.noise)[3:5])) >> 1
        assert noise == int(statistics.median(self.noise))
        above = max(0, int(statistics.median(self.signal)) - noise)
        return max(noise + (above >> 5) * 11, self.floor)

    def accept(self, step: int, energy: int, peak: Peak) -> None:
        interval = step - self.last_step
        if interval < 3 * self.plan.step_hz:
            self.rr = [*self.rr, interval][-8:]
        self.signal = [*self.signal[1:], energy]
        self.last_step, self.last_energy, self.waiting = step, energy, None
        self.patience = (5 * self.plan.step_hz) >> 1
        self.beats.append(peak)

    def judge(self, step: int, energy: int, peak: Peak) -> None:
        interval = step - self.last_step
        t_wave = interval < self.plan.ms(360) and energy < (self.last_energy >> 4) * 9
        if interval < self.plan.ms(200) or t_wave:
            return
        if energy > self.threshold():
            self.accept(step, energy, peak)
            return
        self.noise = [*self.noise[1:], energy]
        if self.waiting is None or energy > self.waiting[1]:
            self.waiting = (step, energy, peak)

    def learn(self, seen: list[tuple[int, int, Peak]]) -> None:
        sizes = sorted((energy for _, energy, _ in seen), reverse=True) or [0]
        start = sizes[1] if len(sizes) > 1 and sizes[1] < sizes[0] >> 3 else sizes[0]
        self.signal, self.noise = [start - (start >> 2)] * 8, [start >> 4] * 8
        for step, energy, peak in seen:
            self.judge(step, energy, peak)

    def tick(self, step: int) -> None:
        mean = sum(self.rr) // len(self.rr) if self.rr else self.plan.step_hz
        limit = mean + ((mean * 5) >> 3) + self.plan.hold
        if self.waiting and step - self.last_step > limit and self.waiting[1] > self.threshold() >> 1:
            energy = self.waiting[1]
            self.noise = [min(value, energy >> 1) for value in self.noise]
            self.signal = [min(value, energy * 2) for value in self.signal]
            self.accept(*self.waiting)
        self.patience -= 1
        if self.patience == 0:
            self.signal = [value >> 1 for value in self.signal]
            self.noise = [value >> 1 for value in self.noise]
            self.patience = self.plan.step_hz


def find_peaks(samples_lsb: NDArray[np.int16], rate_hz: int) -> list[Peak]:
    """R-peaks of a recording, in the order in which the C reports them.

    Parameters
    ----------
    samples_lsb : array of int16, shape (n,)
        ECG; apply sample-and-hold for blanked samples first.
    rate_hz : int
        100..1000 Hz.
    """
    plan, samples = Plan(rate_hz), samples_lsb.astype(np.int64)
    bend, energy = bend_and_energy(samples, plan)
    locate, judge = Locator(samples, bend, plan), Judge(plan)
    due = {top + plan.hold: top for top in candidates(energy, plan)}
    learning: list[tuple[int, int, Peak]] = []
    learn_end = 2 * plan.step_hz - 1
    for step in range(len(energy)):
        top = due.get(step)
        if top is not None and energy[top] >= judge.floor:
            event = (top, int(energy[top]), locate(top))
            if step <= learn_end:
                learning.append(event)
            else:
                judge.judge(*event)
        if step == learn_end:
            judge.learn(learning)
        elif step > learn_end:
            judge.tick(step)
    return judge.beats

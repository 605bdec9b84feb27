"""What the oracle sees of a recording: lengths at a rate, both bands as whole arrays, candidates, positions."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Size = tuple[int, int]  # energies of the coarse and of the fine band
Peak = tuple[int, int, int, int]  # sample index, fraction in 1/256, polarity, step of the largest bend


class Tune:
    """The values chosen on records; the test compares them with the HBC_TUNE_* of the C."""

    ENERGY_MS = 80
    HOLD_MS = 180
    THRESHOLD_Q10 = 336
    THRESHOLD_MAX_Q10 = 640
    NOISE_FROM_Q10 = 256
    NOISE_GAIN = 2
    EARLY_FROM_Q10 = 150
    EARLY_GAIN = 2
    EARLY_MAX_Q10 = 640
    EARLY_RR_Q5 = 28
    FINE_GAIN = 4
    T_WAVE_Q4 = 9
    BACK_Q4 = 10
    BACK_RR_Q4 = 9
    SHAPE_FROM_Q10 = 280
    SHAPE_LIKE_Q10 = 700
    SHAPE_GAIN = 3


@dataclass(frozen=True)
class Plan:
    """Lengths at one rate, in steps unless the name says raw."""

    rate_hz: int
    decim: int = field(init=False)
    delay_raw: int = field(init=False)
    hold: int = field(init=False)

    def __post_init__(self) -> None:
        decim = max(1, self.rate_hz // 120)
        object.__setattr__(self, "decim", decim)
        # Twice the group delay of four symmetric filters, in raw samples: length - 1 of each.
        taps_raw = (decim - 1) + decim * ((self.ms(24) - 1) + (2 - 1) + 2 * self.ms(24))
        object.__setattr__(self, "delay_raw", taps_raw // 2)
        latest_raw = self.delay_raw + self.ms_raw(16) + 1 + decim * ((self.energy - 1) // 2 + self.ms(24) + 1)
        object.__setattr__(self, "hold", min(self.ms(Tune.HOLD_MS), (self.latency_raw - latest_raw) // decim))

    @property
    def step_hz(self) -> int:
        return self.rate_hz // self.decim

    @property
    def energy(self) -> int:
        return self.ms(Tune.ENERGY_MS)

    @property
    def latency_raw(self) -> int:
        return self.rate_hz * 300 // 1000

    @property
    def floor(self) -> int:
        return 48 * self.ms(24) * self.energy

    def ms(self, duration_ms: int) -> int:
        return max(1, (duration_ms * self.step_hz + 500) // 1000)

    def ms_raw(self, duration_ms: int) -> int:
        return max(1, (duration_ms * self.rate_hz + 500) // 1000)


def decimate(samples: IntArray, plan: Plan) -> IntArray:
    """Box means in quarters of an LSB; index = step."""
    steps_n = len(samples) // plan.decim
    sums = samples[: steps_n * plan.decim].reshape(steps_n, plan.decim).sum(axis=1)
    return np.asarray((sums * (4096 // plan.decim)) >> 10)


def filtered(mean: IntArray, before: int, kernel: IntArray) -> IntArray:
    """Convolve as if the value ``before`` had always been there."""
    return np.convolve(np.concatenate([np.full(len(kernel) - 1, before), mean]), kernel, mode="valid")


class Bands:
    """Both bands of a whole recording; index = step.  ``usual[n]`` is what was usual after n steps."""

    def __init__(self, samples: IntArray, plan: Plan) -> None:
        mean = decimate(samples, plan)
        before = int(decimate(np.full(plan.decim, samples[0]), plan)[0])
        pair = np.ones(2, np.int64)
        low_pass = np.convolve(pair, np.ones(plan.ms(24), np.int64))
        spread = np.zeros(2 * plan.ms(24) + 1, np.int64)
        spread[[0, plan.ms(24), -1]] = -1, 2, -1
        coarse = np.convolve(low_pass, spread)
        fine = np.convolve(pair, np.array([-1, 2, -1]))
        window = np.ones(plan.energy, np.int64)
        # Symmetric kernels are late by half their length; the short one waits for the long one.
        wait = np.zeros((len(coarse) - len(fine)) // 2, np.int64)
        self.mean, self.before = mean, before
        self.bend = filtered(mean, before, coarse)
        self.coarse = np.convolve(np.abs(self.bend), window)[: len(mean)]
        late = np.concatenate([wait, np.abs(filtered(mean, before, fine))])
        self.fine = np.convolve(late, window)[: len(mean)]
        self.usual = list(zip(usual_of(self.coarse), usual_of(self.fine), strict=True))

    def size(self, step: int) -> Size:
        return int(self.coarse[step]), int(self.fine[step])


def usual_of(energy: IntArray) -> list[int]:
    """Follow the 75th percentile; one value more than steps, as it starts from nothing."""
    return list(
        accumulate(energy.tolist(), lambda u, e: u + 1 + 6 * (u >> 8) if e > u else u - 2 * (u >> 8), initial=0)
    )


def next_top(energy: IntArray, start: int, hold: int) -> int | None:
    """First step from ``start`` on whose energy is not exceeded in the following hold; it begins with a rise."""
    rising = np.diff(energy, prepend=0)[start:] > 0
    if not rising.any():
        return None
    top = start + int(np.argmax(rising))
    while further := int(np.argmax(energy[top : top + hold + 1])):
        top += further
    return top if top + hold < len(energy) else None


class Locator:
    """Turns the step of an energy peak into a position on the raw samples; remembers the polarity."""

    PAD = 2000

    def __init__(self, samples: IntArray, bend: IntArray, plan: Plan) -> None:
        self.plan, self.bend, self.votes, self.up = plan, bend, 0, True
        padded = np.concatenate([np.full(self.PAD, samples[0]), samples, np.zeros(1, np.int64)])
        half = plan.rate_hz * 4 // 1000
        self.smooth = np.convolve(padded, np.ones(2 * half + 1, np.int64), mode="same")

    def __call__(self, top: int) -> Peak:
        plan = self.plan
        centre, reach = top - (plan.energy - 1) // 2, plan.ms(24)
        # Of equals the later step wins, so look at it first.
        steps = np.arange(centre + reach, centre - reach - 1, -1)
        values = np.where(steps >= 0, self.bend[np.maximum(steps, 0)], 0)
        highest, lowest = max(int(values.max()), 0), max(int(-values.min()), 0)
        self.votes = max(-4, min(4, self.votes + (1 if highest >= lowest else -1)))
        if abs(self.votes) == 4:
            self.up = self.votes > 0
        upward = 3 * highest >= 2 * lowest if self.up else 2 * highest > 3 * lowest
        target = highest if upward else lowest
        hit = int(steps[np.argmax(values if upward else -values)]) if target else centre
        newest = (top + plan.hold + 1) * plan.decim - 1
        sign = 1 if upward else -1
        return (*self.on_raw((hit + 1) * plan.decim - 1 - plan.delay_raw, newest, sign), sign, hit)

    def on_raw(self, centre: int, newest: int, sign: int) -> tuple[int, int]:
        """Highest of the window, then a parabola; the window may not begin before the promised latency."""
        plan, arm = self.plan, self.plan.ms_raw(4)
        in_time = newest - (plan.latency_raw - 1 - arm)  # the parabola may move the peak back by half an arm
        first = max(0, min(centre, max(centre - plan.ms_raw(48), in_time)))
        last = max(first, centre + plan.ms_raw(16))
        view = sign * self.smooth[first + self.PAD - arm : last + self.PAD + arm + 1]
        best = int(np.argmax(view[arm : len(view) - arm]))
        before, here, after = (int(view[best + i]) for i in (0, arm, 2 * arm))
        curve = 2 * here - before - after
        offset = 0
        if curve > 0:
            size = min(abs(after - before) * 128 * arm // curve, 128 * arm)
            offset = size if after >= before else -size
        position_q8 = (first + best) * 256
        return divmod(position_q8 + offset if position_q8 + offset >= 0 else position_q8, 256)


def middle(values: Sequence[int]) -> int:
    return int(statistics.median(values))


def share_q10(part: int, whole: int) -> int:
    """Part of a whole in 1/1024, all of it at most; of a large whole only the leading 20 bits count."""
    drop = max(0, whole.bit_length() - 20)
    return 1024 if part >= whole else (part >> drop) * 1024 // (whole >> drop)


def ratio_q4(a: int, b: int) -> int:
    return min(1023, a // ((b >> 4) + 1))

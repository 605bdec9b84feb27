"""The oracle's side of hbc_artefact.h: TMS artefacts out of a whole recording at once.

The C keeps counters and goes sample by sample.  Here the instants come first (who is awake, how long after which
pulse), then the slopes of the artefact burst by burst, then where the output is held, and last the output hold by hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from oracle_signal import IntArray

Flags = NDArray[np.bool_]
ECG, PULSE = 0, 1
ALWAYS_KNOWN = 15  # visits of a lag outside the 200 ms: there is no artefact there
KNOWN_VISITS = 5
OFFSET_MAX_Q4 = 1 << 24


@dataclass(frozen=True)
class Spans:
    """Lengths at one rate, in samples."""

    rate_hz: int

    def ms(self, duration_ms: int) -> int:
        return max(1, (duration_ms * self.rate_hz + 500) // 1000)

    @property
    def window(self) -> int:
        return self.ms(200)

    @property
    def awake(self) -> int:
        return 3 * self.rate_hz

    @property
    def leak_shift(self) -> int:
        """Smallest power of two, 64 at least, above a third of a second."""
        return max(6, (self.rate_hz // 3).bit_length())


@dataclass(frozen=True)
class Cleaned:
    """Of each sample: the output in LSB, whether it is held or follows, time since the first pulse of the burst."""

    lsb: IntArray
    held: Flags
    follows: Flags
    lag: IntArray


def since(marks: Flags, most: int) -> IntArray:
    """Samples since the last mark, ``most`` when there was none for so long."""
    at = np.arange(len(marks))
    return np.asarray(np.minimum(at - np.maximum.accumulate(np.where(marks, at, -most)), most))


def spells(values: Flags, start: int = 0) -> Iterator[tuple[bool, slice]]:
    """Stretches of equal value; their places begin at ``start``."""
    for value, group in groupby(values.tolist()):
        end = start + len(list(group))
        yield value, slice(start, end)
        start = end


def toward_zero(value: int, shift: int) -> int:
    size = abs(value) - (abs(value) >> shift) - 1
    return 0 if value == 0 else size if value > 0 else -size


class Pulses:
    """Everything that follows from the instants of the pulses alone."""

    def __init__(self, kinds: NDArray[np.uint8], spans: Spans) -> None:
        pulse = kinds == PULSE
        onsets = np.flatnonzero(pulse & ~np.concatenate([[False], pulse[:-1]]))
        apart = np.diff(onsets, prepend=-spans.awake - 1)
        self.bursts = onsets[apart > spans.ms(30)]
        marks = np.zeros((2, len(kinds)), np.bool_)
        marks[0, onsets], marks[1, self.bursts] = True, True
        self.since, self.lag = since(marks[0], spans.awake), since(marks[1], spans.window)
        wakes = onsets[apart >= spans.awake]
        lasts = onsets[np.append(apart[1:] >= spans.awake, True)] if len(onsets) else onsets
        ends = np.minimum(lasts + spans.awake, len(kinds))
        self.periods = [slice(int(wake), int(end)) for wake, end in zip(wakes, ends, strict=True)]


class Input:
    """The samples, and which of them are no ECG; ``before`` is the sample that a slope starts from."""

    def __init__(self, raw: IntArray, kinds: NDArray[np.uint8], awake: Flags) -> None:
        self.raw, self.awake, self.off = raw, awake, (kinds != ECG) & (kinds != PULSE)
        seen = (kinds == ECG) | ((kinds == PULSE) & awake)
        high = np.maximum.accumulate(np.where(seen, raw, -32768))
        low = np.minimum.accumulate(np.where(seen, raw, 32767))
        edge = ((high - low) >> 7) + 1
        self.lost = np.where(awake, self.off | (raw >= high - edge) | (raw <= low + edge), kinds != ECG)
        self.resting = ~awake & (kinds == ECG)
        self.lost_before = np.concatenate([[True], self.lost[:-1]])
        at = np.arange(len(raw))
        last = np.maximum.accumulate(np.where(awake | self.resting, at, 0))
        self.last_before = np.append(0, last[:-1])
        self.before = raw[self.last_before]

    def usual_slope(self, second: int) -> IntArray:
        """Steepest slope of a second at rest, forgotten over 16 s; of each sample."""
        slopes = 32 * np.where(self.lost_before, 0, np.abs((self.raw >> 1) - (self.before >> 1)))
        rested = np.flatnonzero(self.resting)
        whole = len(rested) // second * second
        steepest = slopes[rested[:whole]].reshape(-1, second).max(axis=1)
        usual = list(accumulate(steepest.tolist(), lambda kept, now: max(kept - (kept >> 4), now), initial=0))
        return np.array(usual)[np.searchsorted(rested[second - 1 :: second], np.arange(len(self.raw)), side="right")]


class Artefact:
    """Slope of the artefact as known at each sample, in 1/16 LSB, and how often its lag had been visited."""

    def __init__(self, data: Input, pulses: Pulses, window: int) -> None:
        self.slope, self.visits = np.zeros(len(data.raw), np.int64), np.full(len(data.raw), ALWAYS_KNOWN)
        mean, visits = np.zeros(window, np.int64), np.zeros(window, np.int64)
        taught = ~data.lost & ~data.lost_before
        for start, following in pairwise([*pulses.bursts.tolist(), len(data.raw)]):
            span = slice(start, min(start + window, following))
            lags = slice(0, span.stop - start)
            lesson = 16 * (data.raw[span] - data.before[span])
            self.slope[span] = np.where(visits[lags] == 1, agreed(mean[lags], lesson), mean[lags])
            self.visits[span] = visits[lags]
            mean[lags] = np.where(taught[span], averaged(mean[lags], visits[lags], lesson), mean[lags])
            visits[lags] = np.minimum(visits[lags] + taught[span], ALWAYS_KNOWN)


def agreed(one: IntArray, other: IntArray) -> IntArray:
    """The smaller of two slopes, 0 when they differ in sign."""
    return np.asarray(np.where((one < 0) == (other < 0), np.where(np.abs(other) < np.abs(one), other, one), 0))


def averaged(mean: IntArray, visits: IntArray, lesson: IntArray) -> IntArray:
    """The first two visits keep what both agree on; then a mean, of 32 bursts in the end."""
    later = mean + ((lesson - mean) >> np.minimum(visits, 5))
    return np.asarray(np.select([visits == 0, visits == 1], [lesson, agreed(mean, lesson)], later))


def drift_of(remains: IntArray, run: IntArray, steady: Flags, learned: Flags, spans: Spans) -> IntArray:
    """Slope of the recovery from a long rail while awake: where none is learned, from each long rail to the next."""
    drift, shift = np.zeros(len(remains), np.int64), spans.leak_shift - 4
    on_long_rail = run >= spans.ms(50)
    for inside, span in spells(learned):
        rails = [] if inside else [at for at in range(max(span.start - 1, 0), span.stop) if on_long_rail[at]]
        for start, stop in pairwise([*rails, span.stop]):
            own = [at for at in range(max(start, span.start), stop) if steady[at]]
            followed = own[: spans.ms(200)]
            slopes = list(accumulate(remains[followed].tolist(), lambda kept, now: kept + ((now - kept) >> shift)))
            for _ in own[len(followed) :]:
                slopes.append(toward_zero(slopes[-1], shift))
            for at, slope in zip(own, slopes, strict=True):
                drift[at:stop] = slope
    return drift


@dataclass(frozen=True)
class Awake:
    """One period awake: of each sample input, artefact's slope and drift (all q4), held, doubtful, and as learned."""

    in_q4: list[int]
    slope: list[int]
    drift: list[int]
    held: Flags
    doubtful: list[bool]
    fits: list[bool]

    def follows(self) -> Flags:
        """In a hold, what is as learned is followed until the first doubt."""
        flags = np.zeros(len(self.held), np.bool_)
        for held, span in spells(self.held):
            if held:
                sure = np.cumsum(self.doubtful[span]) == 0
                flags[span] = sure & self.fits[span]
        return flags

    def output_q4(self, out: int, leak_shift: int) -> Iterator[int]:
        """Hold by hold; ``out`` is the output before."""
        follows = self.follows().tolist()
        offset, known, released = 0, False, False
        for held, span in spells(self.held):
            for i in range(span.start, span.stop):
                offset = max(-OFFSET_MAX_Q4, min(OFFSET_MAX_Q4, offset + self.slope[i]))
                if not held and released and i == span.start:
                    out += (self.in_q4[i] - offset - out) >> 1 if known else 0
                    offset = self.in_q4[i] - out
                elif not held:
                    offset += self.drift[i]
                    out = self.in_q4[i] - offset
                    offset = toward_zero(offset, leak_shift)
                elif follows[i]:
                    out += (self.in_q4[i] - offset - out) >> (leak_shift - 5)
                yield out
            released, known = held, not any(self.doubtful[span.start : span.stop + 1])


def cleaned(raw: IntArray, kinds: NDArray[np.uint8], rate_hz: int) -> Cleaned:
    """Filter a recording that begins with ECG."""
    spans = Spans(rate_hz)
    pulses = Pulses(kinds, spans)
    data = Input(raw, kinds, pulses.since < spans.awake)
    artefact = Artefact(data, pulses, spans.window)
    usual = data.usual_slope(rate_hz)
    remains = 16 * (raw - data.before) - artefact.slope
    fits = np.abs(remains) <= usual + (usual >> 1)
    steep = (usual > 0) & (~fits | (np.abs(artefact.slope) > 4 * usual))
    unsure = artefact.visits < KNOWN_VISITS
    blind = data.off | ((artefact.visits == 0) & (pulses.since < spans.ms(40)))
    blind |= (kinds == PULSE) & (unsure | (np.abs(artefact.slope) > usual >> 1))
    out_q4, all_held = np.where(data.resting, 16 * raw, 0), np.zeros(len(raw), np.bool_)
    all_follow = np.zeros_like(all_held)
    for span in pulses.periods:
        lost = data.lost[span]
        run = since(~np.concatenate([[False], lost]), len(raw))[1:]
        held = blind[span] | (run >= spans.ms(8)) | (since(steep[span], spans.ms(4) + 1) <= spans.ms(4))
        steady = ~data.lost_before[span] & (run < spans.ms(8))
        learned = (pulses.lag[span] < spans.window) & (artefact.visits[span] > 0)
        drift = drift_of(remains[span], run, steady, learned, spans)
        lists = ((16 * raw)[span].tolist(), artefact.slope[span].tolist(), drift.tolist())
        after_edge = since(lost, spans.ms(8) + 1) <= spans.ms(8)
        awake = Awake(*lists, held, (after_edge | unsure[span]).tolist(), fits[span].tolist())
        out_q4[span] = list(awake.output_q4(int(out_q4[data.last_before[span.start]]), spans.leak_shift))
        all_follow[span] = awake.follows()
        all_held[span] = held & ~all_follow[span]
    last = np.append(data.last_before[1:], np.flatnonzero(data.awake | data.resting)[-1])
    return Cleaned(np.clip(out_q4[last] >> 4, -32768, 32767), all_held, all_follow, pulses.lag)

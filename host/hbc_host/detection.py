"""Beats of one ECG with all that the detector says about them, and how they agree with a person's marks.

Values and functions of arrays; reading is in :mod:`hbc_host.io.ecg_signal`, writing in :mod:`hbc_host.io.beats_out`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import hbc_native
import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Spans = tuple[tuple[float, float], ...]

LOW_QUALITY = 128  # of 255: clean beats have 200 and more, what white noise pretends to be beats about 100
MATCH_S = 0.150  # the window of ANSI/AAMI EC57


@dataclass(frozen=True)
class Signal:
    """One ECG lead on its sampling grid.

    Attributes
    ----------
    name : str
    ecg_mv : (n,) float64
        At the electrodes, millivolts; NaN where no sample exists.
    rate_hz : float
    sample_s : (n,) float64
        Instant of each sample, seconds; of a session seconds of device time, else from the start of the file.
    blanked : (n,) bool
        Kept from the detector because of a TMS pulse.
    runs : tuple of (start_idx, end_idx)
        Stretches of samples; the detector begins anew at each.
    detector_scale : float
        What the detector is given is ``ecg_mv * detector_scale``. It takes 1 uV for one count; for a session the
        scale turns the millivolts back into the counts of the box, so that both detect the same numbers.
    triggers_s, box_beats_s : (k,) float64
        Trigger edges, and the beats that the box itself reported; seconds as ``sample_s``.
    notes : tuple of str
        What a reader should know about the recording.
    """

    name: str
    ecg_mv: FloatArray
    rate_hz: float
    sample_s: FloatArray
    blanked: BoolArray
    runs: tuple[tuple[int, int], ...]
    detector_scale: float = 1.0
    triggers_s: FloatArray = field(default_factory=lambda: np.empty(0))
    box_beats_s: FloatArray | None = None
    notes: tuple[str, ...] = ()

    @property
    def start_s(self) -> float:
        """Instant of the first sample."""
        return float(self.sample_s[0])

    @property
    def duration_s(self) -> float:
        """Length of the recording, seconds, gaps included."""
        return self.ecg_mv.size / self.rate_hz


@dataclass(frozen=True)
class StateSpan:
    """A stretch of one signal state, an entry of ``hbc_native.SIGNAL_STATES``; seconds as ``Signal.sample_s``."""

    state: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Beats:
    """What was found; all arrays have shape (n,) and are in order of time.

    Attributes
    ----------
    position_idx : float64, samples from the first of the signal, sub-sample
    time_s : float64, seconds as ``Signal.sample_s``
    rr_ms : float64
        Interval to the beat before; NaN for the first, and where samples are missing in between.
    quality : uint8
        0..255; below :data:`LOW_QUALITY` a beat is doubtful.
    polarity : int8
        +1 or -1, the direction of the R wave.
    states : tuple of StateSpan
        Without overlap, in order; nothing where no sample exists.
    """

    position_idx: FloatArray
    time_s: FloatArray
    rr_ms: FloatArray
    quality: npt.NDArray[np.uint8]
    polarity: npt.NDArray[np.int8]
    states: tuple[StateSpan, ...]

    @property
    def low(self) -> BoolArray:
        """Which beats are of low quality, shape (n,)."""
        return self.quality < LOW_QUALITY

    @property
    def mean_hr_bpm(self) -> float:
        """Heart rate over the measured intervals; NaN when there is none."""
        measured_ms = self.rr_ms[np.isfinite(self.rr_ms)]
        return 60_000.0 / float(measured_ms.mean()) if measured_ms.size else math.nan


@dataclass(frozen=True)
class Marks:
    """Beats that a person marked, seconds from the start of the file, and spans in which nobody can be judged."""

    beats_s: FloatArray
    unjudged_s: Spans = ()


@dataclass(frozen=True)
class Agreement:
    """Found beats against marks: matched one to one within 150 ms; ``offset_ms`` is the median of found minus mark."""

    marked_n: int
    matched_n: int
    extra_n: int
    offset_ms: float


def find_beats(signal: Signal) -> Beats:
    """Find the beats of a signal.

    Raises
    ------
    InputError
        If the detector does not work at the signal's sampling rate.
    """
    parts = []
    states: list[StateSpan] = []
    for start_idx, end_idx in signal.runs:
        ecg_mv = signal.ecg_mv[start_idx:end_idx] * signal.detector_scale
        try:
            found = hbc_native.detect_beats(ecg_mv, signal.rate_hz, signal.blanked[start_idx:end_idx])
        except ValueError as fault:
            raise InputError(f"{signal.name}: the detector cannot use it: {fault}; resample the recording") from fault
        parts.append((start_idx + found.peaks_idx, found.quality, found.polarity))
        states += _state_spans(found.states, signal, start_idx, end_idx)
    position_idx, quality, polarity = (np.concatenate(column) for column in zip(*parts, strict=True))
    time_s = _instants(signal, position_idx)
    return Beats(position_idx, time_s, _intervals_ms(signal, position_idx, time_s), quality, polarity, tuple(states))


def state_durations(beats: Beats) -> dict[str, float]:
    """Seconds in each signal state that occurs, in the order of ``hbc_native.SIGNAL_STATES``."""
    total_s = {
        state: sum(span.end_s - span.start_s for span in beats.states if span.state == state)
        for state in hbc_native.SIGNAL_STATES
    }
    return {state: duration_s for state, duration_s in total_s.items() if duration_s > 0.0}


def compare(beats_s: FloatArray, marks: Marks) -> Agreement:
    """Hold found beats against marks.

    Parameters
    ----------
    beats_s : (n,) float64, seconds, increasing
    marks : Marks
        Beats inside ``unjudged_s`` count neither as found nor as missed nor as extra.
    """
    found_i, mark_i = matched(beats_s, marks.beats_s, MATCH_S)
    is_extra = np.ones(beats_s.size, np.bool_)
    is_extra[found_i] = False
    judged = _outside(marks.beats_s, marks.unjudged_s)
    counted = judged[mark_i]
    offset_ms = 1e3 * (beats_s[found_i[counted]] - marks.beats_s[mark_i[counted]])
    return Agreement(
        marked_n=int(judged.sum()),
        matched_n=int(counted.sum()),
        extra_n=int((is_extra & _outside(beats_s, marks.unjudged_s)).sum()),
        offset_ms=float(np.median(offset_ms)) if offset_ms.size else math.nan,
    )


def matched(first_s: FloatArray, second_s: FloatArray, within_s: float) -> tuple[IntArray, IntArray]:
    """Index pairs of times that are each other's nearest and at most ``within_s`` apart, hence one to one."""
    if first_s.size == 0 or second_s.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    to_second, to_first = _nearest(first_s, second_s), _nearest(second_s, first_s)
    first_i = np.arange(first_s.size)
    keep = (to_first[to_second] == first_i) & (np.abs(second_s[to_second] - first_s) <= within_s)
    return first_i[keep], to_second[keep]


def true_spans(mask: BoolArray) -> Iterator[tuple[int, int]]:
    """Stretches (start, end) of True, end exclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False]))))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _nearest(at_s: FloatArray, sorted_s: FloatArray) -> IntArray:
    """Place in ``sorted_s`` of the value nearest to each of ``at_s``."""
    middles_s = (sorted_s[:-1] + sorted_s[1:]) / 2
    return np.searchsorted(middles_s, at_s).astype(np.int64)


def _outside(times_s: FloatArray, spans: Spans) -> BoolArray:
    inside = np.zeros(times_s.size, np.bool_)
    for start_s, end_s in spans:
        inside |= (times_s >= start_s) & (times_s <= end_s)
    return ~inside


def _instants(signal: Signal, position_idx: FloatArray) -> FloatArray:
    """Time of positions between samples: the instant of the sample before, and the rest at the nominal rate."""
    whole_idx = np.floor(position_idx).astype(np.int64)
    return np.asarray(signal.sample_s[whole_idx] + (position_idx - whole_idx) / signal.rate_hz, np.float64)


def _intervals_ms(signal: Signal, position_idx: FloatArray, time_s: FloatArray) -> FloatArray:
    missing_n = np.cumsum(~np.isfinite(signal.ecg_mv))[position_idx.astype(np.int64)]
    rr_ms = np.full(time_s.size, np.nan)
    rr_ms[1:] = np.where(np.diff(missing_n) == 0, 1e3 * np.diff(time_s), np.nan)
    return rr_ms


def _state_spans(states: npt.NDArray[np.uint8], signal: Signal, start_idx: int, end_idx: int) -> list[StateSpan]:
    """Neighbouring seconds of one state become one span; the last second ends with the samples."""
    bounds_n = np.minimum(np.arange(states.size + 1) * signal.rate_hz, end_idx - start_idx)
    bounds_s = signal.sample_s[start_idx] + bounds_n / signal.rate_hz
    cuts = [0, *(np.flatnonzero(np.diff(states)) + 1).tolist(), states.size] if states.size else []
    return [
        StateSpan(hbc_native.SIGNAL_STATES[states[begin]], float(bounds_s[begin]), float(bounds_s[end]))
        for begin, end in pairwise(cuts)
    ]

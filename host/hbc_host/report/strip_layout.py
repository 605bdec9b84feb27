"""Numbers of a page of ECG strips: its rows, the trace at the resolution of the page, and the scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hbc_host.detection import Beats, BoolArray, FloatArray, IntArray, Signal, StateSpan
from hbc_host.errors import InputError

ROW_CHOICES_S = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
ROW_USUAL_S = 10.0  # as long as a printed ECG; shorter rows only for a part that fits into one
ROWS_N, ROWS_MAX_N = 30, 60  # rows wanted; rows that one picture can hold
COLUMNS_N = 2000  # more points in a row than this are drawn as their lowest and highest
NOISE_MAX = 1.8  # times the usual R wave; what is larger is cut
SPAN_MIN_MV = 0.2  # a flat line stays flat


@dataclass(frozen=True)
class Frame:
    """The part that is drawn, ``from_s`` to ``to_s``, cut into rows of ``row_s``."""

    from_s: float
    to_s: float
    row_s: float

    @property
    def rows_n(self) -> int:
        """Number of rows; the last may be shorter."""
        return max(1, math.ceil((self.to_s - self.from_s) / self.row_s - 1e-9))

    def start_s(self, row: int) -> float:
        """When a row begins."""
        return self.from_s + row * self.row_s

    def place(self, times_s: FloatArray) -> tuple[FloatArray, IntArray]:
        """Seconds within the row, and the row, of times inside the frame."""
        row = np.clip((times_s - self.from_s) // self.row_s, 0, self.rows_n - 1).astype(np.int64)
        return times_s - self.from_s - row * self.row_s, row

    def shows(self, times_s: FloatArray) -> BoolArray:
        """Which times lie inside the frame."""
        return (times_s >= self.from_s) & (times_s < self.to_s)

    def pieces(self, start_s: float, end_s: float) -> list[tuple[int, float, float]]:
        """A span cut at the ends of the rows: (row, its first second within the row, its length)."""
        start_s, end_s = max(start_s, self.from_s), min(end_s, self.to_s)
        if end_s <= start_s:
            return []
        first = int((start_s - self.from_s) / self.row_s)
        last = min(math.ceil((end_s - self.from_s) / self.row_s), self.rows_n) - 1
        pieces = []
        for row in range(first, last + 1):
            begin_s = max(start_s - self.start_s(row), 0.0)
            pieces.append((row, begin_s, min(end_s - self.start_s(row), self.row_s) - begin_s))
        return pieces


def frame_of(signal: Signal, from_s: float | None, to_s: float | None) -> Frame:
    """The part of a signal that a person asked for; None is the start or the end of the recording.

    Raises
    ------
    InputError
        If nothing of the recording lies in that part, or it is more than a picture holds.
    """
    start_s, end_s = signal.start_s, signal.start_s + signal.duration_s
    begin_s = float(math.floor(start_s)) if from_s is None else max(from_s, start_s)  # rows begin at round seconds
    stop_s = end_s if to_s is None else min(to_s, end_s)
    if not stop_s > begin_s:
        raise InputError(
            f"no part of the recording ({start_s:.1f} to {end_s:.1f} s) lies between --from-s {begin_s:g} and "
            f"--to-s {stop_s:g}; choose a part of it"
        )
    length_s, limit_s = stop_s - begin_s, ROWS_MAX_N * ROW_CHOICES_S[-1]
    if length_s > limit_s:
        raise InputError(
            f"a picture of {length_s:.0f} s would be too long to look at, the limit is {limit_s:.0f} s; choose a part "
            f"with --from-s and --to-s"
        )
    rows_n = 1 if length_s <= ROW_USUAL_S else ROWS_N
    wanted_s = max(length_s / rows_n, ROW_USUAL_S if rows_n > 1 else 0.0)
    return Frame(begin_s, stop_s, next((row_s for row_s in ROW_CHOICES_S if row_s >= wanted_s), ROW_CHOICES_S[-1]))


def trace(signal: Signal, frame: Frame, row: int) -> tuple[FloatArray, FloatArray]:
    """Seconds within a row, and the ECG in mV around the row's own median; NaN where no sample exists."""
    start_s = frame.start_s(row)
    first, end = np.searchsorted(signal.sample_s, (start_s, min(start_s + frame.row_s, frame.to_s)))
    x_s, y_mv = signal.sample_s[first:end] - start_s, signal.ecg_mv[first:end]
    finite = np.isfinite(y_mv)
    y_mv = y_mv - (float(np.median(y_mv[finite])) if finite.any() else 0.0)
    group_n = y_mv.size // COLUMNS_N
    if group_n < 3:
        return x_s, y_mv
    whole_n = y_mv.size // group_n
    groups = y_mv[: whole_n * group_n].reshape(whole_n, group_n)
    envelope_mv = np.column_stack((np.fmin.reduce(groups, axis=1), np.fmax.reduce(groups, axis=1))).ravel()
    return np.repeat(x_s[: whole_n * group_n : group_n], 2), envelope_mv


def scale_of(traces: list[tuple[FloatArray, FloatArray]], beats: Beats, frame: Frame) -> tuple[float, float]:
    """Lowest and highest millivolts of all rows: the R waves fit, and noise cannot make them small."""
    values_mv = np.concatenate([y_mv for _, y_mv in traces])
    values_mv = values_mv[np.isfinite(values_mv)]
    low_mv, high_mv = np.percentile(values_mv, (0.5, 99.5)) if values_mv.size else (0.0, 0.0)
    shown = frame.shows(beats.time_s) & ~beats.low
    clean = shown & _during(beats.time_s, beats.states, "good")
    shown = clean if clean.any() else shown
    peaks_mv = _values_at(traces, *frame.place(beats.time_s[shown]))
    peaks_mv = peaks_mv[np.isfinite(peaks_mv)]
    if peaks_mv.size:
        limit_mv = NOISE_MAX * float(np.median(np.abs(peaks_mv)))
        low_mv, high_mv = min(low_mv, np.percentile(peaks_mv, 5)), max(high_mv, np.percentile(peaks_mv, 95))
        low_mv, high_mv = max(low_mv, -limit_mv), min(high_mv, limit_mv)
    margin_mv = max(0.05 * (high_mv - low_mv), (SPAN_MIN_MV - (high_mv - low_mv)) / 2)
    return float(low_mv - margin_mv), float(high_mv + margin_mv)


def _during(times_s: FloatArray, states: tuple[StateSpan, ...], state: str) -> BoolArray:
    """Which times fall into spans of one state."""
    inside = np.zeros(times_s.size, np.bool_)
    for span in states:
        if span.state == state:
            inside |= (times_s >= span.start_s) & (times_s < span.end_s)
    return inside


def _values_at(traces: list[tuple[FloatArray, FloatArray]], x_s: FloatArray, rows: IntArray) -> FloatArray:
    """Of the points at and around each place in a row, the one farthest from the row's median."""
    values_mv = np.full(x_s.size, np.nan)
    for place, (at_s, row) in enumerate(zip(x_s, rows, strict=True)):
        row_s, row_mv = traces[row]
        index = int(np.searchsorted(row_s, at_s))
        near_mv = row_mv[max(index - 2, 0) : index + 2]
        near_mv = near_mv[np.isfinite(near_mv)]
        if near_mv.size:
            values_mv[place] = near_mv[np.argmax(np.abs(near_mv))]
    return values_mv

"""Beats worth using: classify each interval, repair the beat count, and say what was left out.

Method after Lipponen & Tarvainen 2019 (doi 10.1080/03091902.2019.1640306): the change of successive intervals and
the distance of an interval from its running median are each divided by a threshold that follows the recording (5.2
quartile deviations of the 91 surrounding beats). Departures, and why:

* thresholds have a floor of 10 % (change) and 12 % (distance) of the median interval: in a very steady heart the
  published threshold shrinks until an evoked dip is called ectopic;
* a class is applied once, in one pass, and nothing is moved: ectopic intervals are *excluded*, because a made-up
  beat time would be data; missed and extra beats repair the count of beats, so that beat number stays a clock;
* spans that the recorder lost (``gaps_s``) and pauses above 3 s are bridged by the number of beats that fit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.running import quantiles

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
KindArray = npt.NDArray[np.uint8]

NORMAL, ECTOPIC, MISSED, EXTRA, GAP = 0, 1, 2, 3, 4
KIND_NAMES = ("normal", "ectopic", "missed", "extra", "gap")

ALPHA = 5.2
WINDOW_N, MEDIAN_N = 91, 11
CHANGE_FLOOR, DISTANCE_FLOOR = 0.10, 0.12
RR_MIN_S, RR_MAX_S = 0.25, 3.0
#: Limits of an interval relative to the median of the 91 around it: they catch bursts of false beats, which carry the
#: running median of 11 with them. Breathing of 20 bpm at 60 bpm stays within.
WIDE_LOW, WIDE_HIGH = 0.62, 1.7
#: More unseen beats in a row than this are a gap: not bridged, but silenced.
GAP_BEATS_N = 3


@dataclass(frozen=True)
class Beats:
    """Beats of a recording and the intervals between them.

    Attributes
    ----------
    beats_s : array (n,)
        Beat times, increasing, seconds of device time.
    kinds : array (n,) of uint8
        What the interval *ending* at each beat is: index into ``KIND_NAMES`` (the first beat is normal).
    starts_s, ends_s : array (m,)
        Bounds of the repaired intervals: consecutive, one per heart cycle.
    rate_bpm : array (m,)
        60 / interval; only meaningful where ``weights`` is 1.
    weights : array (m,)
        1 = measured, 0 = excluded (ectopic, missed, gap).
    in_gap : array (m,) of bool
        True where the interval bridges a span of more than three unseen beats.
    excluded_share : float
        Share of the time from first to last beat that is excluded.
    """

    beats_s: FloatArray
    kinds: KindArray
    starts_s: FloatArray
    ends_s: FloatArray
    rate_bpm: FloatArray
    weights: FloatArray
    in_gap: BoolArray
    excluded_share: float

    @property
    def rr_s(self) -> FloatArray:
        """Intervals between neighbouring beats as found, shape (n - 1,), seconds."""
        return np.diff(self.beats_s)

    def count(self, kind: int) -> int:
        """How many beats end an interval of this kind."""
        return int(np.count_nonzero(self.kinds == kind))

    def share_excluded(self, start_s: float, end_s: float) -> float:
        """Share of the time from ``start_s`` to ``end_s`` without a measured interval, 0..1."""
        if end_s <= start_s:
            return 1.0
        overlap_s = np.minimum(self.ends_s, end_s) - np.maximum(self.starts_s, start_s)
        used_s = float(np.sum(np.clip(overlap_s, 0.0, None) * self.weights))
        return min(1.0, max(0.0, 1.0 - used_s / (end_s - start_s)))


def _quartile_deviation(values: FloatArray) -> FloatArray:
    """Half the interquartile range of ``abs(values)`` in the surrounding 91, shape (n,)."""
    lower, upper = quantiles(np.abs(values), WINDOW_N, (0.25, 0.75))
    return np.asarray((upper - lower) / 2.0)


def _in_spans(starts_s: FloatArray, ends_s: FloatArray, gaps_s: Sequence[tuple[float, float]]) -> BoolArray:
    inside = np.zeros(starts_s.size, dtype=np.bool_)
    for gap_start_s, gap_end_s in gaps_s:
        inside |= (ends_s > gap_start_s) & (starts_s < gap_end_s)
    return inside


def _after_extra(kinds: KindArray) -> BoolArray:
    """True where an interval is the second half of one that an extra beat has split."""
    return np.concatenate(([False], kinds[:-1] == EXTRA))


def _classify(rr_s: FloatArray, in_gap: BoolArray) -> KindArray:
    """Kind of each interval, shape (n,). Intervals in gaps take no part in the statistics."""
    kinds = np.full(rr_s.size, NORMAL, dtype=np.uint8)
    kinds[in_gap | (rr_s > RR_MAX_S)] = GAP
    keep_idx = np.flatnonzero(kinds == NORMAL)
    if keep_idx.size < 5:
        return kinds
    rr = rr_s[keep_idx]
    (median_s,) = quantiles(rr, MEDIAN_N, (0.5,))
    change_s = np.diff(rr, prepend=rr[0])
    distance_s = rr - median_s
    # A short interval is half as far from the median as the long one that mirrors it.
    distance_s = np.where(distance_s < 0.0, 2.0 * distance_s, distance_s)
    change_limit_s = np.maximum(ALPHA * _quartile_deviation(change_s), CHANGE_FLOOR * median_s)
    distance_limit_s = np.maximum(ALPHA * _quartile_deviation(distance_s), DISTANCE_FLOOR * median_s)
    found = _decide(rr, median_s, change_s / change_limit_s, distance_s / distance_limit_s, distance_limit_s)
    wide = rr / quantiles(rr, WINDOW_N, (0.5,))[0]
    found[(found == NORMAL) & ((wide < WIDE_LOW) | (wide > WIDE_HIGH)) & ~_after_extra(found)] = ECTOPIC
    kinds[keep_idx] = found
    kinds[(kinds == NORMAL) & (rr_s < RR_MIN_S)] = EXTRA
    return kinds


def _decide(
    rr_s: FloatArray, median_s: FloatArray, change: FloatArray, distance: FloatArray, limit_s: FloatArray
) -> KindArray:
    """Walk once through the intervals whose change or distance is out of limits."""
    kinds = np.full(rr_s.size, NORMAL, dtype=np.uint8)
    n = rr_s.size
    told_n = 0  # intervals before this one belong to an event that has its kind already
    for i in np.flatnonzero(~((np.abs(change) <= 1.0) & (np.abs(distance) <= 3.0))).tolist():
        if i < told_n:
            continue
        following = change[i + 1] if i + 1 < n else 0.0
        later = change[i + 2] if i + 2 < n else 0.0
        near_s = min(limit_s[i], 0.25 * median_s[i])
        if i + 1 < n and abs(rr_s[i] + rr_s[i + 1] - median_s[i]) < near_s:
            kinds[i] = EXTRA
            told_n = i + 2
        elif abs(rr_s[i] / max(2.0, np.round(rr_s[i] / median_s[i])) - median_s[i]) < near_s:
            kinds[i] = MISSED
            told_n = i + 2  # the way back to normal is the second half of the same event
        elif (change[i] < -1.0 and following > 1.0) or (change[i] > 1.0 and following < -1.0 and later != 0.0):
            kinds[i : i + 2] = ECTOPIC
            told_n = i + 3
        elif abs(distance[i]) > 1.0:
            kinds[i] = ECTOPIC
            told_n = i + 2 if abs(following) > 1.0 else i + 1
    return kinds


def _repair(beats_s: FloatArray, kinds: KindArray) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Intervals with one heart cycle each: bounds, weights, gap marks; extra beats join, missing ones split."""
    rr_s = np.diff(beats_s)
    normal_s = rr_s[kinds == NORMAL]
    overall_s = float(np.median(normal_s)) if normal_s.size else float(np.median(rr_s))
    found: list[tuple[float, float, float, bool]] = []
    local_s, low_s, high_s = overall_s, 0.5 * overall_s, 2.0 * overall_s
    at_s, is_normal, is_extra = beats_s.tolist(), (kinds == NORMAL).tolist(), (kinds == EXTRA).tolist()
    i, n = 0, kinds.size
    while i < n:
        if is_extra[i] and i + 1 < n and is_normal[i + 1]:
            # The beat between the two intervals is not one: together they are one measured heart cycle.
            found.append((at_s[i], at_s[i + 2], 1.0, False))
            i += 2
            continue
        after = i + 1
        if is_normal[i]:
            found.append((at_s[i], at_s[after], 1.0, False))
            local_s += 0.2 * (min(max(at_s[after] - at_s[i], low_s), high_s) - local_s)
        else:
            while after < n and not is_normal[after]:
                after += 1
            parts_n = max(1, round((at_s[after] - at_s[i]) / local_s))
            bounds = np.linspace(at_s[i], at_s[after], parts_n + 1).tolist()
            found.extend((start, end, 0.0, parts_n > GAP_BEATS_N) for start, end in itertools.pairwise(bounds))
        i = after
    starts, ends, weights, gap_marks = zip(*found, strict=True)
    return np.array(starts), np.array(ends), np.array(weights), np.array(gap_marks, dtype=np.bool_)


def classify_beats(beats_s: npt.ArrayLike, gaps_s: Sequence[tuple[float, float]] = ()) -> Beats:
    """Classify the intervals between beats and repair their count.

    Parameters
    ----------
    beats_s : array (n,), seconds of device time
        Detected beats, increasing.
    gaps_s : sequence of (start_s, end_s)
        Spans in which beats cannot be trusted (lost frames, lead off).

    Returns
    -------
    Beats
        With fewer than two beats the interval arrays are empty and ``excluded_share`` is 1.

    Raises
    ------
    InputError
        If a beat time is not finite or the times do not increase.
    """
    beats = np.asarray(beats_s, dtype=np.float64).ravel()
    if not np.isfinite(beats).all():
        raise InputError("a beat time is not a finite number of seconds; check the beats")
    if beats.size < 2:
        nothing = np.zeros(0)
        kinds = np.zeros(beats.size, dtype=np.uint8)
        return Beats(beats, kinds, nothing, nothing, nothing, nothing, np.zeros(0, dtype=np.bool_), 1.0)
    rr_s = np.diff(beats)
    if rr_s.min() <= 0.0:
        at = int(np.argmin(rr_s))
        raise InputError(
            f"beat times do not increase: beat {at + 2} is {rr_s[at]:.3f} s after beat {at + 1}; sort the beats in time"
        )
    kinds = _classify(rr_s, _in_spans(beats[:-1], beats[1:], gaps_s))
    starts_s, ends_s, weights, in_gap = _repair(beats, kinds)
    lengths_s = ends_s - starts_s
    excluded_share = 1.0 - float(lengths_s @ weights / lengths_s.sum())
    return Beats(
        beats,
        np.concatenate((np.zeros(1, dtype=np.uint8), kinds)),
        starts_s,
        ends_s,
        60.0 / lengths_s,
        weights,
        in_gap,
        max(0.0, excluded_share),
    )

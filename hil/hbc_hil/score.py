"""How well a recording agrees with what was simulated: beats, edges, clocks. Pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Spans = Sequence[tuple[float, float]]

CAPTURE_TICK_NS = 12.5


@dataclass(frozen=True)
class BeatScore:
    """Found against true beats: sensitivity, positive predictive value, rms and median time error of the matched."""

    se: float
    ppv: float
    rms_ms: float
    bias_ms: float
    truth_n: int
    found_n: int


def match_beats(truth_s: FloatArray, found_s: FloatArray, within_s: float) -> tuple[IntArray, IntArray]:
    """Indices of pairs (truth, found) that are each other's nearest and at most ``within_s`` apart, so one to one."""
    if truth_s.size == 0 or found_s.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    to_found = _nearest(found_s, truth_s)
    to_truth = _nearest(truth_s, found_s)
    truth_i = np.arange(truth_s.size)
    mutual = (to_truth[to_found] == truth_i) & (np.abs(found_s[to_found] - truth_s) <= within_s)
    return truth_i[mutual], to_found[mutual]


def _nearest(sorted_s: FloatArray, at_s: FloatArray) -> IntArray:
    right = np.clip(np.searchsorted(sorted_s, at_s), 1, max(sorted_s.size - 1, 1))
    right = np.minimum(right, sorted_s.size - 1)
    left = np.maximum(right - 1, 0)
    nearer_left = at_s - sorted_s[left] <= sorted_s[right] - at_s
    return np.where(nearer_left, left, right).astype(np.int64)


def outside(times_s: FloatArray, spans: Spans) -> npt.NDArray[np.bool_]:
    """True where a time lies in none of the spans."""
    keep = np.ones(times_s.size, dtype=bool)
    for start_s, end_s in spans:
        keep &= (times_s < start_s) | (times_s > end_s)
    return keep


def score_beats(
    truth_s: FloatArray, found_s: FloatArray, *, excluded: Spans, start_s: float, end_s: float, within_s: float
) -> BeatScore:
    """Score beats in [start_s, end_s] outside the excluded spans.

    Matching uses all beats, so that a pair at the rim of a span is not torn apart; a beat counts when it lies outside
    itself, matched or not.
    """
    truth_i, found_i = match_beats(truth_s, found_s, within_s)
    counted_truth = outside(truth_s, excluded) & (truth_s >= start_s) & (truth_s <= end_s)
    counted_found = outside(found_s, excluded) & (found_s >= start_s) & (found_s <= end_s)
    matched_truth = np.zeros(truth_s.size, dtype=bool)
    matched_truth[truth_i] = True
    matched_found = np.zeros(found_s.size, dtype=bool)
    matched_found[found_i] = True
    pairs = counted_truth[truth_i]
    error_ms = 1e3 * (found_s[found_i[pairs]] - truth_s[truth_i[pairs]])
    truth_n, found_n = int(counted_truth.sum()), int(counted_found.sum())
    return BeatScore(
        se=float((counted_truth & matched_truth).sum() / truth_n) if truth_n else float("nan"),
        ppv=float((counted_found & matched_found).sum() / found_n) if found_n else float("nan"),
        rms_ms=float(np.sqrt(np.mean(error_ms**2))) if error_ms.size else float("nan"),
        bias_ms=float(np.median(error_ms)) if error_ms.size else float("nan"),
        truth_n=truth_n,
        found_n=found_n,
    )


def edge_errors(truth_ns: IntArray, edges_tick: IntArray, boot_s: float) -> tuple[float, float]:
    """(largest error of an edge-to-edge interval in ns, largest error of an edge against the sample clock in us).

    Infinite when the numbers of edges differ: an edge was lost or invented, and no pairing is honest then. Without
    edges both are nan.
    """
    if truth_ns.size != edges_tick.size:
        return float("inf"), float("inf")
    if truth_ns.size == 0:
        return float("nan"), float("nan")
    found_ns = edges_tick * CAPTURE_TICK_NS - boot_s * 1e9
    error_ns = found_ns - truth_ns
    interval_ns = np.abs(np.diff(error_ns))
    return float(interval_ns.max()) if interval_ns.size else 0.0, float(np.abs(error_ns).max() * 1e-3)

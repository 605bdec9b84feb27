"""Beats found between TMS artefacts against the truth: what counts, and how recordings are added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from artefact_patients import FloatArray
from artefact_world import RATE_HZ, Recording
from hbc_hil.score import match_beats
from hbc_host.blanking import blanked_samples
from hbc_native import RPeakDetector
from numpy.typing import NDArray
from scipy.stats import binomtest

WITHIN_S = 0.15
LOOKBACK_US = 4000
FROM_S = 3.0
UNTIL_END_S = 1.0
NEAR_S = 0.03  # a beat this close to a pulse is "near": its QRS is under the blank or under the start of a tail


@dataclass(frozen=True)
class Tally:
    """Beats of one cell under one way of detection.

    Attributes
    ----------
    hits_n, missed_n, false_n : int
    unseen_n : int
        Beats on the rail, in none of the others.
    near_ms, far_ms : float (hits,)
        Time errors of the hits within NEAR_S of a pulse, and of the others.
    """

    hits_n: int
    missed_n: int
    false_n: int
    unseen_n: int
    near_ms: FloatArray
    far_ms: FloatArray

    @property
    def se_pct(self) -> float:
        return 100.0 * self.hits_n / (self.hits_n + self.missed_n)

    @property
    def ppv_pct(self) -> float:
        return 100.0 * self.hits_n / max(1, self.hits_n + self.false_n)

    @property
    def worse_pct(self) -> float:
        return min(self.se_pct, self.ppv_pct)


def detect_with_mask(recording: Recording, blank_ms: int) -> FloatArray:
    """R-peaks in seconds as the box finds them, with its pulses."""
    return detect(recording, blanked_samples(recording.sample_us, recording.edges_us, blank_ms, LOOKBACK_US))


def detect(recording: Recording, mask: NDArray[np.bool_] | None = None) -> FloatArray:
    """R-peaks in seconds; without a mask, as if nobody knew of the pulses."""
    peaks = RPeakDetector(RATE_HZ).push(recording.samples_lsb, mask)
    return np.sort((peaks["sample_idx"] + peaks["frac_q8"] / 256) / RATE_HZ)


def tally(recording: Recording, found_s: FloatArray) -> Tally:
    """Score one recording."""
    beats_s = recording.beats_s
    end_s = recording.samples_lsb.size / RATE_HZ - UNTIL_END_S
    true_i, found_i = match_beats(beats_s, found_s, WITHIN_S)
    hit = np.zeros(beats_s.size, bool)
    hit[true_i] = True
    paired = np.zeros(found_s.size, bool)
    paired[found_i] = True
    counted = (beats_s >= FROM_S) & (beats_s <= end_s)
    asked = counted & ~recording.unseen
    pairs = asked[true_i]
    error_ms = 1e3 * (found_s[found_i[pairs]] - beats_s[true_i[pairs]])
    near = _distance_s(beats_s[true_i[pairs]], np.asarray(recording.edges_us * 1e-6, np.float64)) <= NEAR_S
    return Tally(
        hits_n=int((asked & hit).sum()),
        missed_n=int((asked & ~hit).sum()),
        false_n=int((~paired & (found_s >= FROM_S) & (found_s <= end_s)).sum()),
        unseen_n=int((counted & recording.unseen).sum()),
        near_ms=error_ms[near],
        far_ms=error_ms[~near],
    )


def _distance_s(at_s: FloatArray, edges_s: FloatArray) -> FloatArray:
    after = np.clip(np.searchsorted(edges_s, at_s), 1, edges_s.size - 1)
    return np.asarray(np.minimum(np.abs(at_s - edges_s[after - 1]), np.abs(edges_s[after] - at_s)))


def pooled(tallies: Iterable[Tally]) -> Tally:
    """Add up the patients of a cell."""
    parts = list(tallies)
    return Tally(
        hits_n=sum(part.hits_n for part in parts),
        missed_n=sum(part.missed_n for part in parts),
        false_n=sum(part.false_n for part in parts),
        unseen_n=sum(part.unseen_n for part in parts),
        near_ms=np.concatenate([part.near_ms for part in parts]),
        far_ms=np.concatenate([part.far_ms for part in parts]),
    )


def limits_pct(hits_n: int, of_n: int) -> tuple[float, float]:
    """Exact (Clopper-Pearson) 95 % limits of a share."""
    limits = binomtest(hits_n, of_n).proportion_ci(method="exact")
    return 100.0 * float(limits.low), 100.0 * float(limits.high)

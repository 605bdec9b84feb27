"""Which reported edge belongs to which commanded pulse, when the two clocks are not known to each other yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.bench.checks_edges import EdgePairs, pair_edges
from hbc_hil.bench.clockfit import ratio_ppm
from hbc_hil.bench.generator_link import GeneratorLog
from hbc_hil.generator import programme as device

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
NEAR_NS = 50e3  # edges of one list against each other, before the clocks are known to each other
REACH_NS = 4e6  # how far a list may start from where the one before lets expect it


@dataclass(frozen=True)
class Commanded:
    """Every pulse of a generator's log.

    Attributes
    ----------
    list_n : array of int (n,)
        The list that each belongs to.
    start_us, end_us : arrays of float (n,)
        After the list's first edge, generator's microseconds.
    before_us, after_us : arrays of float (lists,)
    """

    list_n: IntArray
    start_us: FloatArray
    end_us: FloatArray
    before_us: FloatArray
    after_us: FloatArray

    def absolute_ns(self) -> IntArray:
        """(n, 2) on the generator's clock, each list at its first read; good to some 0.1 ms."""
        base = self.before_us[self.list_n]
        return np.rint(np.stack((base + self.start_us, base + self.end_us), axis=1) * 1e3).astype(np.int64)


def commanded_of(log: GeneratorLog) -> Commanded:
    """The pulses that a log stands for."""
    rows: list[tuple[int, int, int]] = []
    for k, played in enumerate(log.lists):
        pulses = device.train_pulses(log.programme, played.train_n)
        first = int(np.searchsorted([at for at, _ in pulses], played.start_us))
        for at, width in pulses[first : first + played.pulses_n]:
            rows.append((k, at - played.start_us, at - played.start_us + width))
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Commanded(
        table[:, 0],
        table[:, 1].astype(np.float64),
        table[:, 2].astype(np.float64),
        np.array([played.before_us for played in log.lists], np.float64),
        np.array([played.after_us for played in log.lists], np.float64),
    )


def pair_lists(
    commanded: Commanded, chosen: npt.NDArray[np.bool_], reported_ns: FloatArray, *, near_ns: float = NEAR_NS
) -> EdgePairs:
    """Pair list by list: each is laid where most of its edges meet reported ones, near where it is expected.

    Twice, since two crystals part by more than `near_ns` within a long train: the first time tells how they run.

    Parameters
    ----------
    commanded : Commanded
    chosen : array of bool (n,)
        The pulses that have to be reported.
    reported_ns : array of float (m,)
        The box's edges, sorted.
    near_ns : float
        How far a reported edge may lie from where its list puts it.

    Returns
    -------
    EdgePairs
        `commanded_i` counts among all pulses of `commanded`.
    """
    pairs = _pair_once(commanded, chosen, reported_ns, near_ns, 0.0)
    if np.any(np.diff(commanded.list_n[pairs.commanded_i]) == 0):
        found_i, met_i = pairs.commanded_i, pairs.reported_i
        ppm = ratio_ppm(commanded.list_n[found_i], commanded.start_us[found_i], reported_ns[met_i])
        pairs = _pair_once(commanded, chosen, reported_ns, near_ns, ppm)
    return pairs


def _pair_once(
    commanded: Commanded, chosen: npt.NDArray[np.bool_], reported_ns: FloatArray, near_ns: float, ppm: float
) -> EdgePairs:
    pairs: list[tuple[int, int]] = []
    offset_ns: float | None = None
    scale = 1.0 + ppm * 1e-6
    for k in range(commanded.before_us.size):
        members = np.flatnonzero((commanded.list_n == k) & chosen)
        if not members.size or not reported_ns.size:
            continue
        at_ns = np.asarray((commanded.before_us[k] + commanded.start_us[members]) * 1e3 * scale, np.float64)
        offset = _best_offset(at_ns, reported_ns, offset_ns, near_ns)
        if offset is None:
            continue
        found = pair_edges(at_ns + offset, reported_ns, near_ns)
        pairs += zip(members[found.commanded_i].tolist(), found.reported_i.tolist(), strict=True)
        offset_ns = offset
    table = np.array(sorted(set(pairs)), np.int64).reshape(-1, 2)
    table = table[np.sort(np.unique(table[:, 1], return_index=True)[1])]  # no edge twice
    return EdgePairs(
        table[:, 0],
        table[:, 1],
        np.setdiff1d(np.flatnonzero(chosen), table[:, 0]),
        np.setdiff1d(np.arange(reported_ns.size), table[:, 1]),
    )


def _best_offset(at_ns: FloatArray, reported_ns: FloatArray, expected_ns: float | None, near_ns: float) -> float | None:
    """The shift under which most edges of a list meet reported ones; of equal ones the nearest to the expected."""
    if expected_ns is None:
        candidates = reported_ns[:200] - at_ns[0]
        candidates = np.concatenate((candidates, reported_ns[:50] - at_ns[min(1, at_ns.size - 1)]))
    else:
        near = reported_ns[None, :] - at_ns[:20, None]
        candidates = near[np.abs(near - expected_ns) <= REACH_NS]
    if not candidates.size:
        return None
    met = np.array([_met_n(at_ns + shift, reported_ns, near_ns) for shift in candidates])
    best = candidates[met == met.max()]
    return float(best[0] if expected_ns is None else best[np.argmin(np.abs(best - expected_ns))])


def _met_n(at_ns: FloatArray, reported_ns: FloatArray, near_ns: float) -> int:
    right = np.minimum(np.searchsorted(reported_ns, at_ns), reported_ns.size - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.minimum(np.abs(reported_ns[right] - at_ns), np.abs(reported_ns[left] - at_ns))
    return int(np.count_nonzero(nearest <= near_ns))

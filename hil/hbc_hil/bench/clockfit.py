"""Two clocks without an oracle: the generator's commanded times against the box's edges, related by a robust line.

Edges of one list of pulses come from the generator's crystal, so their distances give the ratio of the two crystals.
When a list began is known to the generator's software between two reads only; so each list has a free start, and the
starts must lie between those two reads once the clocks are related.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.errors import GeneratorError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TwoClocks:
    """How the box's clock runs against the generator's.

    Attributes
    ----------
    ppm : float
        How much faster the box's crystal is.
    origin_us, origin_ns : float
        A moment on the generator's clock, microseconds, and the same on the box's, nanoseconds; good to the
        software's uncertainty of a start (`start_spread_us`), not to that of an edge.
    start_spread_us : float
        From the earliest to the latest start of a list after the generator's first read, less the drift.
    starts_outside_n : int
        Lists that would have begun before their first or after their second read: none when the logs are right.
    """

    ppm: float
    origin_us: float
    origin_ns: float
    start_spread_us: float
    starts_outside_n: int

    def to_box_ns(self, generator_us: FloatArray) -> FloatArray:
        """Device nanoseconds of moments on the generator's clock, to within `start_spread_us`."""
        return np.asarray((generator_us - self.origin_us) * 1e3 * (1.0 + self.ppm * 1e-6) + self.origin_ns)


def ratio_ppm(list_n: IntArray, commanded_us: FloatArray, found_ns: FloatArray) -> float:
    """How much faster the box's clock runs, from edges of the same list; robust against wild single edges.

    Parameters
    ----------
    list_n : array of int (n,)
        List of each edge.
    commanded_us, found_ns : arrays of float (n,)
        Generator's microseconds since the list's first edge; the box's nanoseconds.

    Raises
    ------
    GeneratorError
        No list holds two edges.
    """
    slopes: list[FloatArray] = []
    for k in np.unique(list_n):
        of_list = list_n == k
        gone_us, gone_ns = commanded_us[of_list], found_ns[of_list]
        half = gone_us.size // 2
        if half:  # first half against second half: long distances, each edge once
            distance_us = gone_us[-half:] - gone_us[:half]
            slopes.append((gone_ns[-half:] - gone_ns[:half]) / (distance_us * 1e3))
    if not slopes:
        raise GeneratorError("no list of pulses has two edges in the recording, so the two clocks cannot be related")
    return float((np.median(np.concatenate(slopes)) - 1.0) * 1e6)


def relate(
    list_n: IntArray,
    commanded_us: FloatArray,
    found_ns: FloatArray,
    before_us: FloatArray,
    after_us: FloatArray,
    *,
    slack_us: float,
) -> TwoClocks:
    """Relate the clocks by paired edges.

    Parameters
    ----------
    list_n, commanded_us, found_ns : arrays (n,)
        As in :func:`ratio_ppm`.
    before_us, after_us : arrays of float (lists,)
        The generator's two reads around each list's start.
    slack_us : float
        What a start may lie outside of them, for the pulse unit's own delay and the fit.
    """  # fmt: skip
    ppm = ratio_ppm(list_n, commanded_us, found_ns)
    lists = np.unique(list_n)
    scale = 1.0 + ppm * 1e-6
    starts_ns = np.array(
        [np.median(found_ns[list_n == k] - commanded_us[list_n == k] * 1e3 * scale) for k in lists], np.float64
    )
    before, after = before_us[lists], after_us[lists]
    # Where generator time `before` lies on the box's clock, up to one constant: the start's delay after it.
    after_read_us = (starts_ns - starts_ns[0]) * 1e-3 / scale - (before - before[0])
    # All delays lie between 0 and after - before; the constant is what lets them.
    lowest, highest = float(np.max(-after_read_us)), float(np.min(after - before - after_read_us))
    constant = 0.5 * (lowest + highest)
    delay_us = after_read_us + constant
    outside = (delay_us < -slack_us) | (delay_us > after - before + slack_us)
    return TwoClocks(
        ppm=ppm,
        origin_us=float(before[0]) + float(delay_us[0]),
        origin_ns=float(starts_ns[0]),
        start_spread_us=float(np.ptp(after_read_us)),
        starts_outside_n=int(outside.sum()),
    )


def predicted_ns(list_n: IntArray, commanded_us: FloatArray, found_ns: FloatArray, ppm: float) -> FloatArray:
    """Where the box should have seen each edge: each list's own start (a median), the common ratio."""
    scaled_ns = commanded_us * 1e3 * (1.0 + ppm * 1e-6)
    predicted = np.empty(found_ns.size, np.float64)
    for k in np.unique(list_n):
        of_list = list_n == k
        predicted[of_list] = scaled_ns[of_list] + np.median(found_ns[of_list] - scaled_ns[of_list])
    return predicted

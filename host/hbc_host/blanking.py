"""Which samples a TMS pulse spoils: the host's twin of ``hbc_fw/blanking.py``, whole microseconds throughout.

The box blanks by edge times and sample instants alone, never by arrival, so a recording gives the same mask.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def blanked_samples(
    sample_us: IntArray, edges_us: IntArray, blank_ms: npt.NDArray[np.uint8] | int, lookback_us: int
) -> npt.NDArray[np.bool_]:
    """Mark the samples that lie in ``[-lookback, blank)`` around an edge.

    Parameters
    ----------
    sample_us : (samples,) int64
        True instants of the samples, device microseconds.
    edges_us : (edges,) int64
        Edge times as on the wire, whole device microseconds, in any order.
    blank_ms : int or (samples,) uint8
        Time after an edge that counts as spoiled, in force at each sample; 0 switches blanking off.
    lookback_us : int
        Time before an edge that counts as spoiled: the pulse may precede its trigger.

    Returns
    -------
    (samples,) bool
        True where the detector must not look.

    References
    ----------
    docs/time.md, "Blanking"
    """
    edges_us = np.sort(edges_us)
    blank_us = np.asarray(blank_ms, np.int64) * 1000
    # Edges in (sample - blank, sample + lookback] spoil the sample: any edge between the two places will do.
    after = np.searchsorted(edges_us, sample_us - blank_us, side="right")
    before = np.searchsorted(edges_us, sample_us + lookback_us, side="right")
    return np.asarray((before > after) & (blank_us > 0), np.bool_)

"""Samples that are missing: where they are, and what stands in their place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def held(values: FloatArray, valid: BoolArray) -> FloatArray:
    """Values of shape (n,) where invalid ones repeat the last valid, as the detector does under blanking."""
    if valid.all():
        return values
    # int32: an index of eight bytes would double what a long recording takes.
    last = np.maximum.accumulate(np.where(valid, np.arange(values.size, dtype=np.int32), np.int32(-1)))
    last[last < 0] = int(np.argmax(valid))
    return np.asarray(values[last])


def nan_spans(valid: BoolArray, rate_hz: float) -> tuple[tuple[float, float], ...]:
    """Spans (start_s, end_s) of invalid samples, seconds from the first sample."""
    edges = np.flatnonzero(np.diff(np.concatenate(([1], valid.astype(np.int8), [1]))))
    return tuple(
        (float(start) / rate_hz, float(end) / rate_hz) for start, end in zip(edges[::2], edges[1::2], strict=True)
    )

"""ECG and beats as they come, made ready for a page: millivolts, blanked samples, rate."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from hbc_host.blanking import blanked_samples

EDGES_KEPT_N = 64  # at 1 kHz these still cover the longest blanking of a block
BLANK_MAX_US = 300_000  # a byte of milliseconds, and some
RR_MIN_S, RR_MAX_S = 0.25, 3.0  # what is shown as an interval; analysis has rules of its own


class HeartNow:
    """Follows one box; begin anew with each Hello of another boot."""

    def __init__(self, hello: Any) -> None:
        self._hello = hello
        self._mv_per_lsb = hello.adc_lsb_nv * 1e-6 / hello.gain if hello.gain else 0.0
        self._edges_us: deque[int] = deque(maxlen=EDGES_KEPT_N)
        self._peak_n: int | None = None
        self._peak_us = 0
        self.last_beat_s: float | None = None

    def edge(self, edge: Any) -> None:
        """A trigger edge: it may blank what comes after."""
        self._edges_us.append(edge.edge_us)

    def ecg(self, block: Any) -> dict[str, Any]:
        """The feed's ``ecg`` of a block: device seconds of its first sample, millivolts at the electrodes."""
        n = len(block.ecg_lsb)
        mv = np.round(np.asarray(block.ecg_lsb, np.float64) * self._mv_per_lsb, 4)
        return {
            "kind": "ecg",
            "first_s": block.first_us * 1e-6,
            "rate_hz": self._hello.rate_hz,
            "mv": mv.tolist(),
            "blanked": self._blanked(block, n),
        }

    def _blanked(self, block: Any, n: int) -> list[int]:
        """The box's own rule, for the edges that have arrived."""
        if not self._edges_us or block.first_us - self._edges_us[-1] > BLANK_MAX_US:
            return [0] * n
        grid_us = np.arange(n, dtype=np.int64) * 1_000_000 // self._hello.rate_hz
        sample_us = block.first_us + grid_us + block.residual_us
        edges_us = np.array(self._edges_us, np.int64)
        blanked = blanked_samples(sample_us, edges_us, block.blank_ms, self._hello.lookback_us)
        return [int(one) for one in blanked]

    def beat(self, peak: Any) -> dict[str, Any]:
        """The feed's ``beat``: interval and rate when the beat before it is known; not counted when it came late."""
        before_n, before_us = self._peak_n, self._peak_us
        is_new = before_n is None or peak.peak_n > before_n
        rr_s = (peak.peak_us - before_us) * 1e-6 if before_n is not None and peak.peak_n == before_n + 1 else 0.0
        has_rr = RR_MIN_S <= rr_s <= RR_MAX_S
        if is_new:
            self._peak_n, self._peak_us = peak.peak_n, peak.peak_us
            self.last_beat_s = peak.peak_us * 1e-6
        return {
            "kind": "beat",
            "at_s": peak.peak_us * 1e-6,
            "rr_ms": round(rr_s * 1e3, 1) if has_rr else None,
            "rate_bpm": round(60.0 / rr_s, 1) if has_rr else None,
            "quality": peak.quality,
            "counted": bool(is_new and has_rr),
        }

"""Speed of one estimate; the aim is 50 ms for a run with its calibrated p on a quiet core."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hbc_host.beats import classify_beats
from hbc_host.coupling import estimate_coupling

ONSETS_S = 170.0 + 16.0 * np.arange(15)


@pytest.fixture(scope="module")
def beats_s() -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.cumsum(0.9 + 0.03 * np.sin(np.arange(470) * 1.4) + rng.normal(0.0, 0.02, 470))


def test_bench_one_run_with_calibrated_p(benchmark: Any, beats_s: np.ndarray) -> None:
    result = benchmark(lambda: estimate_coupling(beats_s, ONSETS_S, train_s=5.0))
    assert result.verdict in {"coupled", "not_shown", "cannot_tell"}


def test_bench_one_ramp_with_dose(benchmark: Any, beats_s: np.ndarray) -> None:
    intensities_pct = 20.0 + 5.0 * np.arange(15)
    result = benchmark(lambda: estimate_coupling(beats_s, ONSETS_S, train_s=5.0, intensities_pct=intensities_pct))
    assert result.verdict in {"coupled", "not_shown", "cannot_tell"}


def test_bench_classify_beats(benchmark: Any, beats_s: np.ndarray) -> None:
    beats = benchmark(lambda: classify_beats(beats_s))
    assert beats.rate_bpm.size > 400

"""Speed of one estimate and of a cohort; the aim is 50 ms for a run with its calibrated p on a quiet core.

The published score, restated in hbc_host.published, is timed on the same run; it has no calibrated p.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest
from hbc_host.beats import classify_beats
from hbc_host.coupling import estimate_coupling
from hbc_host.published import published_score
from hbc_host.threshold import estimate_threshold
from threadpoolctl import threadpool_limits

ONSETS_S = 170.0 + 16.0 * np.arange(15)
INTENSITIES_PCT = 20.0 + 5.0 * np.arange(15)
COHORT_RUNS_N = 101 * 4
CORES_N = 2
VERDICTS = {"coupled", "not_shown", "cannot_tell"}


def heart(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(0.9 + 0.03 * np.sin(np.arange(470) * 1.4) + rng.normal(0.0, 0.02, 470))


def verdict_of(seed: int) -> str:
    with threadpool_limits(limits=1):  # as a cohort is: two processes with two threads each are in each other's way
        return estimate_coupling(heart(seed), ONSETS_S, train_s=5.0).verdict


@pytest.fixture(scope="module")
def beats_s() -> np.ndarray:
    return heart(5)


def test_bench_one_run_with_calibrated_p(benchmark: Any, beats_s: np.ndarray) -> None:
    result = benchmark(lambda: estimate_coupling(beats_s, ONSETS_S, train_s=5.0))
    assert result.verdict in VERDICTS


def test_bench_one_run_published_score(benchmark: Any, beats_s: np.ndarray) -> None:
    result = benchmark(lambda: published_score(beats_s, ONSETS_S, train_s=5.0))
    assert result.usable


def test_bench_one_ramp_with_dose(benchmark: Any, beats_s: np.ndarray) -> None:
    result = benchmark(lambda: estimate_coupling(beats_s, ONSETS_S, train_s=5.0, intensities_pct=INTENSITIES_PCT))
    assert result.verdict in VERDICTS


def test_bench_one_threshold(benchmark: Any, beats_s: np.ndarray) -> None:
    result = benchmark(lambda: estimate_threshold(beats_s, ONSETS_S, INTENSITIES_PCT, train_s=5.0))
    assert result.found in {"found", "none_found", "not_determined"}


def test_bench_cohort_of_101_persons_at_four_sites_on_two_cores(benchmark: Any) -> None:
    with ProcessPoolExecutor(CORES_N) as pool:
        list(pool.map(verdict_of, range(2 * CORES_N)))  # both workers have imported everything
        found = benchmark.pedantic(lambda: list(pool.map(verdict_of, range(COHORT_RUNS_N), chunksize=8)), rounds=1)
    assert len(found) == COHORT_RUNS_N
    assert set(found) <= VERDICTS


def test_bench_classify_beats(benchmark: Any, beats_s: np.ndarray) -> None:
    beats = benchmark(lambda: classify_beats(beats_s))
    assert beats.rate_bpm.size > 400

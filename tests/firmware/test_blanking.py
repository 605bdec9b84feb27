"""Box and host blank the very same samples."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_host.blanking import blanked_samples

FW = Path(__file__).resolve().parents[2] / "firmware" / "hbc_fw"


def assert_masks_agree(seen: dict[str, Any]) -> None:
    """The host's mask of the device's random case equals the device's."""
    sample_us = np.array([instants for instants, _, _ in seen["rows"]], np.int64)
    on_box = np.array([blanked for _, blanked, _ in seen["rows"]], bool)
    blank_ms = np.array([[ms] * sample_us.shape[1] for _, _, ms in seen["rows"]], np.uint8)
    edges_us = np.array(seen["edges_us"], np.int64)
    on_host = blanked_samples(sample_us.ravel(), edges_us, blank_ms.ravel(), seen["lookback_us"])
    np.testing.assert_array_equal(on_host.reshape(on_box.shape), on_box)
    assert sample_us.min() < 2**30 < sample_us.max(), "the wrap of ticks_us was not crossed"
    assert 0.1 < on_box.mean() < 0.9
    assert len(set(blank_ms.ravel().tolist())) > 10


def test_host_and_box_blank_the_same_samples(check: Callable[..., dict[str, Any]]) -> None:
    assert_masks_agree(check("check_blanking", 400))


def test_the_mask_is_what_its_rule_says() -> None:
    """Against the rule written out for each pair, on a small case with edges out of order."""
    rng = np.random.default_rng(1)
    sample_us = np.cumsum(rng.integers(1500, 2500, 300))
    edges_us = rng.permutation(rng.choice(sample_us, 20) + rng.choice([-15_000, -4_000, 0, 4_000, 4_001], 20))
    blank_ms = rng.choice(np.array([0, 15, 255], np.uint8), 300)
    after_us = sample_us[:, None] - edges_us[None, :]
    near = (after_us >= -4_000) & (after_us < blank_ms[:, None].astype(int) * 1000)
    by_rule = near.any(axis=1) & (blank_ms > 0)
    by_rule &= blank_ms > 0  # 0 switches blanking off, look-back included
    np.testing.assert_array_equal(blanked_samples(sample_us, edges_us, blank_ms, 4_000), by_rule)


def test_without_edges_nothing_is_blanked() -> None:
    assert not blanked_samples(np.arange(5) * 2000, np.empty(0, np.int64), 15, 4_000).any()


MISTAKES = {
    "an edge forgotten while a longer blanking may come": (" and edge_us + LONGEST_US < -period_us", ""),
    "no look-back": ("(edge_us - LOOKBACK_US) // period_us - 1", "edge_us // period_us + 1"),
    "grid instead of true instants": ("0 if late_us == RESIDUAL_MISSED else late_us", "0"),
    "a look-back that cannot be switched off": ("if not blank_us:", "if False:"),
    "one microsecond too long": ("after_us >= blank_us", "after_us > blank_us"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_broken_blanking_is_caught(mistake: str, check: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    right, wrong = MISTAKES[mistake]
    shutil.copytree(FW, tmp_path / "hbc_fw", ignore=shutil.ignore_patterns("__pycache__"))
    source = (FW / "blanking.py").read_text()
    assert source.count(right) == 1, f"blanking.py has no {right!r} any more: renew this mutation"
    (tmp_path / "hbc_fw" / "blanking.py").write_text(source.replace(right, wrong))
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        assert_masks_agree(check("check_blanking", 400, first=tmp_path))

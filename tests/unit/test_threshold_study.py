"""The threshold study in small: its worlds are what they say, and thresholds are right where there are any."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from backgrounds import FloatArray, real_windows
from hbc_host.threshold import FOUND
from threshold_runs import ThresholdRun, judged
from threshold_study import HEADING, ThresholdCell
from threshold_world import FIRST_PCT, STEP_PCT, STEPS_N, DosedResponse, make_ramp, ramp_s, rise

RUNS_N = 3


def test_the_true_threshold_is_half_the_plateau() -> None:
    for width in (0.5, 2.0):
        assert rise(np.array([7.3]), 7.3, width)[0] == pytest.approx(0.5)
    np.testing.assert_array_equal(rise(np.array([7.0, 8.0]), 7.3, 0.0), [0.0, 1.0])
    ramp = make_ramp("sim", 6.0, 1, 3, [])
    assert 3.0 <= ramp.midpoint_step <= 13.0
    assert ramp.threshold_pct == FIRST_PCT + STEP_PCT * (ramp.midpoint_step - 1.0)
    assert ramp.onsets_s.size == np.unique(ramp.intensities_pct).size == STEPS_N


def test_a_dosed_response_falls_by_dose_and_habituates() -> None:
    onsets_s = np.array([10.0, 110.0, 210.0])
    response = DosedResponse(1.0, 2.0, 3.0, 4.0, 0.5, dose=(0.0, 0.5, 1.0))
    change = response.change_bpm(np.arange(0.0, 300.0, 0.1), onsets_s, 5.0)
    assert [change[1000 * n : 1000 * (n + 1)].min() for n in range(3)] == pytest.approx([0.0, -1.5, -2.0], abs=0.01)


def runs(background: str, plateau_bpm: float, windows: list[tuple[str, FloatArray]]) -> list[ThresholdRun]:
    return [
        judged((background, 1, plateau_bpm, 0, seed), make_ramp(background, plateau_bpm, 1, seed, windows))
        for seed in range(RUNS_N)
    ]


def test_simulated_hearts_get_a_threshold_only_where_there_is_one() -> None:
    silent = runs("sim", 0.0, [])
    assert not any(one.found == FOUND for one in silent)
    assert "| - | - | - |" in ThresholdCell(silent).line()
    check(runs("sim", 6.0, []))


def test_real_hearts_get_a_right_threshold(shared_data: Path) -> None:
    windows = real_windows(shared_data / "mitdb", ramp_s(1))
    if not windows:
        pytest.skip("MIT-BIH records are absent: put them into data/mitdb of HBC_SHARED")
    check(runs("real", 6.0, windows))


def check(rows: list[ThresholdRun]) -> None:
    """All true thresholds but one at most lie in their interval; the line has a cell for each part."""
    cell = ThresholdCell(rows)
    assert len(cell.given) >= 2
    assert cell.cover(cell.given) * len(cell.given) >= len(cell.given) - 1
    assert cell.line().count(" | ") == HEADING.count(" | ")


def test_a_line_says_what_its_ramps_say() -> None:
    nothing = (math.nan,) * 4
    rows = [
        ThresholdRun("sim", 3, 6.0, 1, 0, "found", 40.0, 41.0, 39.0, 43.0, 2.0, 46.0, ""),
        ThresholdRun("sim", 3, 6.0, 1, 1, "not_determined", 40.0, 46.0, 42.0, 52.0, 5.0, math.nan, ""),
        ThresholdRun("sim", 3, 6.0, 1, 2, "none_found", 40.0, *nothing, 34.0, ""),
    ]
    assert ThresholdCell(rows).line() == (
        "simulated, 3 trains a step, 6 bpm | 3 | .333 / .333 / .333 | 1.75 (0.50) | .500 (1.000) | 3.5 (2.0) |"
        " names one in .667, 3.0 steps off"
    )

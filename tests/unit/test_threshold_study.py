"""The threshold study in small: its worlds are what they say, and thresholds are right where there are any."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from backgrounds import real_windows
from hbc_host.threshold import FOUND
from threshold_study import Outcome, responders, run_one, verdict_shares
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


def test_simulated_hearts_get_a_threshold_only_where_there_is_one() -> None:
    silent = [run_one(make_ramp("sim", 0.0, 1, seed, [])) for seed in range(RUNS_N)]
    assert not any(outcome.result.found == FOUND for outcome in silent)
    check([run_one(make_ramp("sim", 6.0, 1, seed, [])) for seed in range(RUNS_N)])


def test_real_hearts_get_a_right_threshold(shared_data: Path) -> None:
    windows = real_windows(shared_data / "mitdb", ramp_s(1))
    if not windows:
        pytest.skip("MIT-BIH records are absent: put them into data/mitdb of HBC_SHARED")
    check([run_one(make_ramp("real", 6.0, 1, seed, windows)) for seed in range(RUNS_N)])


def check(outcomes: list[Outcome]) -> None:
    """All true thresholds but one at most lie in their interval; the table has a line for each part."""
    given = [outcome for outcome in outcomes if math.isfinite(outcome.result.threshold_pct)]
    assert len(given) >= 2
    covered = [
        outcome.result.ci95_pct[0] <= outcome.ramp.threshold_pct <= outcome.result.ci95_pct[1] for outcome in given
    ]
    assert sum(covered) >= len(given) - 1
    assert "found" in verdict_shares(outcomes)
    assert responders(outcomes).count("median error") == 3

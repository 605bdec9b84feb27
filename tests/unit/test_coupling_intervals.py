"""Test and interval are one thing: they agree always, and other explanations are named."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hbc_host import evidence
from hbc_host.coupling import CouplingResult, estimate_coupling
from hbc_host.intervals import SHAPE_WIDENING, Bounds, invert, unwidened
from hbc_host.trains import parse_protocol

STUDY = Path(__file__).resolve().parents[1] / "study"


@pytest.fixture(scope="module", autouse=True)
def study_path() -> None:
    if str(STUDY) not in sys.path:
        sys.path.insert(0, str(STUDY))


def one_result(world: str, protocol_name: str, seed: int) -> CouplingResult:
    """The estimate in one of the worlds of the null campaign."""
    from null_worlds import WORLDS

    one = WORLDS[world](np.random.default_rng((2, seed)), parse_protocol(protocol_name))
    return estimate_coupling(one.beats_s, one.onsets_s, train_s=one.train_s, gaps_s=one.gaps_s)


@pytest.mark.parametrize("world", ["typical", "speeding", "breathing locked", "30 % in gaps"])
def test_the_interval_excludes_zero_exactly_when_the_test_does(world: str) -> None:
    for seed in range(12):
        result = one_result(world, "itbs" if seed % 2 else "dash", seed)
        assert (result.p_value < 0.05) == (result.ci90_bpm[0] > 0.0)
        assert (result.p_value < 0.025) == (result.ci95_bpm[0] > 0.0)
        assert (result.p_value > 0.95) == (result.ci90_bpm[1] < 0.0)
        assert result.ci95_bpm[0] <= result.ci90_bpm[0] <= result.effect_bpm <= result.ci90_bpm[1] <= result.ci95_bpm[1]
        assert np.array_equal(np.sign(result.ci90_ms), np.sign(result.ci90_bpm))


def test_breathing_that_follows_the_trains_is_hardly_ever_called_coupling() -> None:
    results = [one_result("breathing locked", "dash", seed) for seed in range(40)]
    assert sum(result.verdict == "coupled" for result in results) <= 6
    unclear = [result for result in results if result.verdict == "cannot_tell"]
    assert unclear
    assert all("record breathing" in result.reasons[0] for result in unclear)
    assert all(result.p_value < 0.05 for result in unclear)


def test_speeding_up_is_said_and_is_no_coupling() -> None:
    results = [one_result("speeding", "dash", seed) for seed in range(16)]
    assert sum(result.verdict == "coupled" for result in results) <= 2
    assert sum(any("speeds up" in reason for reason in result.reasons) for result in results) >= 8


def test_rest_from_another_state_is_left_out_and_that_is_said() -> None:
    stale = [one_result("stale rest", "dash", seed) for seed in range(8)]
    fresh = [one_result("typical", "dash", seed) for seed in range(8)]
    said = [
        sum("rest has not been used" in text for result in group for text in result.reasons) for group in (stale, fresh)
    ]
    assert said[0] >= 3
    assert said[1] <= 1


def test_what_no_size_takes_out_gives_width_and_does_not_take_it() -> None:
    """A run of two shapes, of which only the mean one is sized: without its share in the limit no size is kept."""
    rng = np.random.default_rng(5)
    at = np.arange(300.0)
    signals = -np.stack((np.cos(2.0 * np.pi * at / 20.0), np.cos(2.0 * np.pi * at / 7.0)))
    run = (6.0 * signals[0] + 0.15 * signals[1] + 0.5 * rng.standard_normal(at.size))[None, :]
    fit = evidence.evidence(run, None, signals, at.size)
    null = evidence.evidence(0.5 * rng.standard_normal((200, at.size)), None, signals, at.size)
    bounds = invert(run, None, signals, at.size, fit, null)
    assert fit.weights[0, 0] > 0.99
    assert bounds.ci90[0] < 6.0 < bounds.ci90[1]
    assert 0.1 < bounds.ci90[1] - bounds.ci90[0] < 3.0
    assert bounds.ci95[0] < bounds.ci90[0] < bounds.estimate < bounds.ci90[1] < bounds.ci95[1]


def test_a_strong_response_in_a_calm_real_heart_has_an_interval_with_width(shared_data: Path) -> None:
    from backgrounds import real_windows
    from recordings import duration_s, make_run

    calm = [item for item in real_windows(shared_data / "mitdb", duration_s("itbs")) if item[0] == "112"]
    if not calm:
        pytest.skip("MIT-BIH records are absent: put them into data/mitdb of HBC_SHARED")
    results = [(run.estimate(), run.truth_bpm) for run in (make_run("real", "itbs", 3.0, n, calm) for n in range(16))]
    assert min(result.ci95_bpm[1] - result.ci95_bpm[0] for result, _ in results) > 0.1
    assert sum(result.ci95_bpm[0] <= truth_bpm <= result.ci95_bpm[1] for result, truth_bpm in results) >= 14


@pytest.mark.parametrize("estimate", [3.0, 0.2, -1.5])
@pytest.mark.parametrize("below", [0.1, 1.0, 2.5, 2.9, 4.0])
def test_how_far_an_end_was_before_it_was_widened_is_known(estimate: float, below: float) -> None:
    bounds = Bounds(estimate, (estimate - below, estimate + below), (estimate - below, estimate + below))
    low, high = bounds.widened(SHAPE_WIDENING).ci95
    assert unwidened(estimate, low) == pytest.approx(below)
    assert unwidened(estimate, high) == pytest.approx(below)
    assert unwidened(estimate, 0.0) == abs(estimate)

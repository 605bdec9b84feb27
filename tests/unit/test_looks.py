"""Looks at a run while it goes on: their limits add up to 5 %, and what they say is what the trains so far show."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from backgrounds import TrueResponse, warp
from hbc_host import looks
from hbc_host.coupling import estimate_coupling
from hbc_host.errors import InputError
from hbc_host.looks import LookPlan, limits, plan_looks, take_look
from scipy.special import ndtri
from scipy.stats import multivariate_normal

ONSETS_S = 170.0 + 16.0 * np.arange(15)


def beats(dip_bpm: float, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    quiet = np.cumsum(0.9 + 0.02 * np.sin(np.arange(480) * 1.6) + rng.normal(0.0, 0.015, 480))
    return warp(quiet, TrueResponse(1.0, 2.0, 3.0, dip_bpm, 0.0), ONSETS_S, 5.0)


def look_after(trains_n: int, plan: LookPlan, dip_bpm: float) -> looks.Look | None:
    all_beats_s = beats(dip_bpm)
    until_s = ONSETS_S[trains_n - 1] + 16.0
    return take_look(all_beats_s[all_beats_s < until_s], ONSETS_S[:trains_n], plan, train_s=5.0)


def test_the_doctest_of_the_limits_holds() -> None:
    assert doctest.testmod(looks).failed == 0


@pytest.mark.parametrize("share", [[0.5, 1.0], [1 / 3, 2 / 3, 1.0], [0.25, 0.5, 0.75, 1.0], [0.4, 0.9, 1.0]])
def test_all_looks_together_err_in_five_percent(share: list[float]) -> None:
    """Checked against scipy's own integral of the multivariate normal distribution."""
    z = -ndtri(np.array(limits(share, 0.05)))
    covariance = np.sqrt(np.minimum.outer(share, share) / np.maximum.outer(share, share))
    never = multivariate_normal(np.zeros(len(share)), covariance).cdf(z)
    assert 1.0 - never == pytest.approx(0.05, abs=3e-4)


def test_early_looks_need_more_and_one_look_is_the_ordinary_test() -> None:
    plan = plan_looks(15, 3)
    assert plan.trains_n == (5, 10, 15)
    assert plan.p_below[0] < plan.p_below[1] < plan.p_below[2] < 0.05
    assert plan_looks(15, 1).p_below == pytest.approx((0.05,))


def test_a_strong_response_is_enough_early_and_is_marked_as_biased() -> None:
    found = look_after(5, plan_looks(15, 3), 8.0)
    assert found is not None
    assert (found.state, found.is_biased, found.result.verdict) == ("enough", True, "coupled")


def test_nothing_seen_is_never_a_reason_to_stop() -> None:
    plan = plan_looks(15, 3)
    early, late = look_after(10, plan, 0.0), look_after(15, plan, 0.0)
    assert early is not None
    assert late is not None
    assert (early.state, late.state) == ("go_on", "finished")
    assert not late.is_biased


def test_a_look_says_what_the_trains_so_far_say() -> None:
    found = look_after(10, plan_looks(15, 3), 3.0)
    all_beats_s = beats(3.0)
    alone = estimate_coupling(all_beats_s[all_beats_s < ONSETS_S[9] + 16.0], ONSETS_S[:10], train_s=5.0)
    assert found is not None
    assert found.result.p_value == alone.p_value


def test_evidence_between_the_two_limits_is_taken_back_and_says_so() -> None:
    result = look_after(15, LookPlan((15,), (0.05,)), 8.0)
    assert result is not None
    strict = look_after(15, LookPlan((15,), (result.result.p_value,)), 8.0)
    assert strict is not None
    assert strict.result.verdict == "not_shown"
    assert "looked at 1 times" in strict.result.reasons[-1]


def test_between_two_looks_there_is_nothing_to_see() -> None:
    assert look_after(7, plan_looks(15, 3), 8.0) is None


@pytest.mark.parametrize(("trains_n", "looks_n"), [(15, 5), (15, 0), (9, 3)])
def test_looks_that_cannot_be_are_refused(trains_n: int, looks_n: int) -> None:
    with pytest.raises(InputError, match="looks"):
        plan_looks(trains_n, looks_n)


def test_more_trains_than_planned_are_refused() -> None:
    with pytest.raises(InputError, match="plan"):
        take_look(beats(0.0), ONSETS_S, plan_looks(10, 2), train_s=5.0)

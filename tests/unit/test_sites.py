"""Sites are compared with what they are worth: none better, one better, one alone, some unusable."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hbc_host.coupling import CouplingResult, estimate_coupling, fit_run
from hbc_host.errors import InputError
from hbc_host.intervals import SHAPE_WIDENING
from hbc_host.pooling import heterogeneity, posterior
from hbc_host.sites import SiteRun, compare_sites, holm
from scipy import stats

NAN = math.nan


def result_of(effect_bpm: float, se_bpm: float, p_value: float | None = None, verdict: str = "") -> CouplingResult:
    p = float(stats.norm.sf(effect_bpm / se_bpm)) if p_value is None else p_value
    bpm = (effect_bpm - 1.96 * se_bpm, effect_bpm + 1.96 * se_bpm)
    ms = (14.0 * bpm[0], 14.0 * bpm[1])
    name = verdict or ("coupled" if p < 0.05 else "not_shown")
    return CouplingResult(14.0 * effect_bpm, effect_bpm, ms, bpm, 1.0, p, name, (), 250, 0.0)


def unusable() -> CouplingResult:
    return CouplingResult(NAN, NAN, (NAN, NAN), (NAN, NAN), NAN, NAN, "unusable", ("no beats",), 3, 0.9)


def test_holm_is_step_down_and_leaves_out_what_is_unusable() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == (1.0, 1.0)
    adjusted = holm([0.02, NAN])
    assert adjusted[0] == 0.02
    assert math.isnan(adjusted[1])
    assert holm([]) == ()


def test_one_clearly_better_site_is_named_and_shown() -> None:
    found = compare_sites([("A", result_of(0.2, 0.5)), ("B", result_of(4.0, 0.5)), ("C", result_of(0.0, 0.5))])
    assert (found.best, found.best_idx) == ("B", 1)
    assert found.difference_shown
    assert found.sites[1].is_coupled
    assert found.sites[1].probability_best > 0.99
    assert not found.sites[0].is_coupled
    assert found.reasons == ()


def test_what_the_unknown_shape_adds_is_in_each_interval_but_not_between_sites() -> None:
    """Of 1.96 standard errors each interval is, a factor for the shape lies on all sites of a person alike."""
    effects, errors = np.array([3.0, 1.0]), np.array([0.8, 0.8])
    found = compare_sites(
        [(name, result_of(*pair)) for name, pair in zip("AB", zip(effects, errors, strict=True), strict=True)]
    )
    within = errors / SHAPE_WIDENING
    assert found.difference_q == pytest.approx(heterogeneity(effects, within)[0], rel=1e-3)
    pooled = posterior(effects, within)
    assert found.sites[0].shrunken_bpm == pytest.approx(pooled.mean_bpm[0], rel=1e-3)
    half_bpm = SHAPE_WIDENING * (pooled.high_bpm - pooled.mean_bpm)
    assert found.sites[0].shrunken_ci95_bpm[1] == pytest.approx(pooled.mean_bpm[0] + half_bpm[0], rel=1e-3)
    alone = compare_sites([("A", result_of(3.0, 0.8))]).sites[0]
    assert alone.shrunken_ci95_bpm == pytest.approx(alone.ci95_bpm)


def test_equal_sites_share_the_probability_and_show_no_difference() -> None:
    found = compare_sites([(name, result_of(2.0, 0.6)) for name in "ABCD"])
    assert [site.probability_best for site in found.sites] == pytest.approx([0.25] * 4)
    assert not found.difference_shown
    assert found.difference_p == pytest.approx(1.0)
    assert all(site.is_coupled for site in found.sites)
    assert all(site.shrunken_bpm == pytest.approx(2.0) for site in found.sites)


def test_the_best_of_several_is_pulled_back_and_more_so_the_less_is_known() -> None:
    effects = (3.0, 1.0, 0.5, 0.5)
    pulled = [
        compare_sites([(str(k), result_of(e, se)) for k, e in enumerate(effects)]).sites[0].shrunken_bpm
        for se in (0.1, 0.5, 1.0, 2.0)
    ]
    assert all(np.diff(pulled) < 0.0)
    assert pulled[0] == pytest.approx(3.0, abs=0.05)
    assert 1.25 < pulled[-1] < 2.2


def test_a_large_effect_that_is_hardly_known_does_not_win() -> None:
    found = compare_sites([("wild", result_of(3.5, 4.0)), ("sure", result_of(3.0, 0.3)), ("none", result_of(0.0, 0.4))])
    assert found.best == "sure"
    assert found.sites[0].shrunken_bpm < 3.0


def test_holm_takes_back_what_one_site_alone_would_show() -> None:
    sites = [("A", result_of(1.0, 0.5, 0.03)), *((name, result_of(0.0, 0.5, 0.5)) for name in "BCD")]
    found = compare_sites(sites)
    assert found.sites[0].verdict == "coupled"
    assert found.sites[0].p_holm == pytest.approx(0.12)
    assert not found.sites[0].is_coupled


def test_the_order_of_the_sites_does_not_matter() -> None:
    sites = [("A", result_of(1.0, 0.5)), ("B", result_of(3.0, 0.9)), ("C", result_of(0.0, 0.4))]
    forth, back = compare_sites(sites), compare_sites(sites[::-1])
    for one, other in zip(forth.sites, back.sites[::-1], strict=True):
        assert one.shrunken_bpm == pytest.approx(other.shrunken_bpm)
        assert one.probability_best == pytest.approx(other.probability_best)
    assert forth.best == back.best
    assert forth.difference_p == pytest.approx(back.difference_p)


def test_unusable_sites_are_carried_through_and_not_counted() -> None:
    found = compare_sites([("A", unusable()), ("B", result_of(3.0, 0.5, 0.01))])
    assert found.sites[1].p_holm == 0.01
    assert found.best == "B"
    assert math.isnan(found.sites[0].shrunken_bpm)
    assert math.isnan(found.sites[0].p_holm)
    assert not found.difference_shown
    assert math.isnan(found.difference_p)
    assert found.reasons == (
        "A: left out of the comparison, its own reasons say why",
        "1 site to compare, 2 are needed",
    )


def test_what_may_be_breathing_counts_for_holm_but_is_not_compared() -> None:
    doubtful = result_of(5.0, 0.5, 0.001, "cannot_tell")
    found = compare_sites([("A", doubtful), ("B", result_of(2.0, 0.5, 0.02)), ("C", result_of(0.0, 0.5, 0.5))])
    assert not found.sites[0].is_coupled
    assert math.isnan(found.sites[0].probability_best)
    assert found.best == "B"
    assert found.sites[1].p_holm == pytest.approx(0.04)


def test_one_site_alone_is_neither_best_nor_shrunken() -> None:
    found = compare_sites([("A", result_of(3.0, 0.5))])
    assert found.best == "A"
    assert found.sites[0].is_coupled
    assert found.sites[0].shrunken_bpm == 3.0
    assert found.sites[0].shrunken_ci95_bpm == pytest.approx(found.sites[0].ci95_bpm)
    assert math.isnan(found.sites[0].probability_best)
    assert not found.difference_shown


def test_nothing_usable_has_no_best() -> None:
    found = compare_sites([("A", unusable()), ("B", unusable())])
    assert (found.best, found.best_idx, found.difference_shown) == (None, None, False)
    assert math.isnan(found.between_sd_bpm)


def test_speeding_and_repeated_names_are_noted() -> None:
    found = compare_sites([("A", result_of(-3.0, 0.5)), ("A", result_of(0.0, 0.5))])
    assert any("sped up" in reason for reason in found.reasons)
    assert any("more than one run of this name" in reason for reason in found.reasons)
    assert found.best_idx == 1


def test_a_run_a_fit_and_a_result_are_the_same_site() -> None:
    rng = np.random.default_rng(2)
    beats_s = np.cumsum(rng.normal(0.9, 0.03, 500))
    onsets_s = 160.0 + 16.0 * np.arange(15)
    run = SiteRun("A", beats_s, onsets_s, 5.0)
    fit = fit_run(beats_s, onsets_s, train_s=5.0)
    found = [compare_sites([site]).sites[0] for site in (run, ("A", fit), ("A", fit.result))]
    # The probability of a site alone is nan, which equals nothing.
    first, second, third = (replace(site, probability_best=0.0) for site in found)
    assert first == second == third
    assert first.p_value == estimate_coupling(beats_s, onsets_s, train_s=5.0).p_value


def test_no_site_is_refused() -> None:
    with pytest.raises(InputError, match="0 sites"):
        compare_sites([])


def test_q_is_that_of_cochran_and_its_p_value_that_of_welch() -> None:
    effects, errors = np.array([1.0, 2.0, 4.0]), np.array([0.5, 1.0, 0.8])
    weights = errors**-2
    centre = np.average(effects, weights=weights)
    q, dof, p = heterogeneity(effects, errors, errors_dof=1e9)
    assert q == pytest.approx(np.sum(weights * (effects - centre) ** 2))
    assert dof == 2
    assert p == pytest.approx(stats.chi2.sf(q, 2), rel=1e-3)
    # Of two effects Welch's test is his t-test.
    two = heterogeneity(effects[:2], errors[:2], errors_dof=14.0)[2]
    t_dof = np.sum(errors[:2] ** 2) ** 2 / np.sum(errors[:2] ** 4 / 14.0)
    assert two == pytest.approx(2.0 * stats.t.sf(1.0 / math.hypot(*errors[:2]), t_dof))


def test_equal_effects_with_estimated_errors_differ_in_five_percent() -> None:
    rng = np.random.default_rng(1)
    errors = np.array([0.5, 1.0, 0.8, 0.8])
    null = []
    for _ in range(4000):
        seen = errors * np.sqrt(rng.chisquare(14, 4) / 14)
        null.append(heterogeneity(rng.normal(2.0, errors), seen)[2])
    assert np.mean(np.array(null) < 0.05) == pytest.approx(0.05, abs=0.011)


@pytest.mark.parametrize(
    ("effects", "errors"),
    [([3, 1, 0, 0], [3, 0.5, 0.5, 0.5]), ([3, 0, 1], [1, 0.1, 0.3]), ([2, 1.5], [0.05, 2]), ([1, 1, 1], [1, 2, 3])],
)
def test_the_integral_agrees_with_random_draws(effects: list[float], errors: list[float]) -> None:
    y, s = np.array(effects, dtype=float), np.array(errors, dtype=float)
    rng = np.random.default_rng(8)
    # Importance sampling from the priors: deviation half-normal(2), mean wide, then the likelihood as weight.
    draws_n = 200_000
    between = np.abs(rng.normal(0.0, 2.0, draws_n))
    centre = rng.uniform(-8.0, 12.0, draws_n)
    total = s**2 + between[:, None] ** 2
    weight = np.exp(-0.5 * np.sum(np.log(total) + (y - centre[:, None]) ** 2 / total, axis=1))
    keep = rng.choice(draws_n, 60_000, p=weight / weight.sum())
    pull = s**2 / total[keep]
    true = (
        y
        + pull * (centre[keep, None] - y)
        + np.sqrt(pull) * between[keep, None] * rng.standard_normal((60_000, y.size))
    )
    found = posterior(y, s)
    best = np.bincount(true.argmax(axis=1), minlength=y.size) / 60_000
    assert found.probability_best == pytest.approx(best, abs=0.02)
    assert found.mean_bpm == pytest.approx(true.mean(axis=0), abs=0.06)
    assert found.low_bpm == pytest.approx(np.quantile(true, 0.025, axis=0), abs=0.2)
    assert found.high_bpm == pytest.approx(np.quantile(true, 0.975, axis=0), abs=0.2)


def test_shrinking_takes_away_the_bias_of_choosing_the_largest() -> None:
    rng = np.random.default_rng(9)
    naive, shrunken = [], []
    for _ in range(100):
        true = rng.normal(1.5, 0.7, 4)
        seen = rng.normal(true, 1.0)
        found = posterior(seen, np.ones(4))
        naive.append(seen.max() - true[seen.argmax()])
        shrunken.append(found.mean_bpm.max() - true[found.mean_bpm.argmax()])
    assert np.mean(naive) > 0.5
    assert abs(np.mean(shrunken)) < 0.25
    assert np.mean(np.square(shrunken)) < 0.8 * np.mean(np.square(naive))

"""The statistics of a cohort, each against a second way to the same number or against truth that was put in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hbc_host.cohort.exposure import SiteEffects, combine_repeats, patient_exposure
from hbc_host.cohort.firth import fit_firth, open_sides, profile_interval, ratio_p
from hbc_host.cohort.mixed import StepRun, fit_mixed
from hbc_host.cohort.power import patients_needed, study_sizes
from hbc_host.cohort.prediction import OddsRatio, permutation_p, predict, scaled
from hbc_host.cohort.validation import auc_influence, stratified_folds, validate, wilson
from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]


def two_by_two(a: int, b: int, c: int, d: int) -> tuple[FloatArray, FloatArray]:
    """Exposed with and without the outcome, then the others."""
    outcome = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])
    exposed = np.repeat([1.0, 0.0], [a + b, c + d])
    return np.stack((np.ones_like(exposed), exposed), axis=1), outcome


@pytest.mark.parametrize("cells", [(10, 3, 4, 7), (10, 3, 0, 7), (8, 0, 0, 9)])
def test_firth_of_a_two_by_two_table_is_half_a_patient_more_in_each_cell(cells: tuple[int, int, int, int]) -> None:
    a, b, c, d = (count + 0.5 for count in cells)
    fit = fit_firth(*two_by_two(*cells))
    assert fit.converged
    assert fit.coefficients[1] == pytest.approx(math.log(a * d / (b * c)), abs=1e-6)


def penalised(design: FloatArray, outcome: FloatArray, beta: FloatArray) -> float:
    """Written another way than in the module: from probabilities, not from log-sums."""
    chance = 1.0 / (1.0 + np.exp(-(design @ beta)))
    information = design.T @ np.diag(chance * (1.0 - chance)) @ design
    likelihood = np.sum(np.log(np.where(outcome == 1.0, chance, 1.0 - chance)))
    return float(likelihood + 0.5 * np.log(np.linalg.det(information)))


def test_the_interval_ends_where_the_profile_has_fallen_by_half_of_chi_squared() -> None:
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    design = np.concatenate((np.ones((40, 1)), rng.normal(size=(40, 2))), axis=1)
    outcome = (rng.random(40) < 1.0 / (1.0 + np.exp(-design[:, 1]))).astype(float)
    fit = fit_firth(design, outcome)

    def profile(value: float) -> float:
        def minus(rest: FloatArray) -> float:
            return -penalised(design, outcome, np.array([rest[0], value, rest[1]]))

        return -float(minimize(minus, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).fun)

    best = penalised(design, outcome, fit.coefficients)
    for end in profile_interval(design, outcome, fit, 1):
        assert 2.0 * (best - profile(end)) == pytest.approx(3.841459, abs=1e-3)
    zero = 2.0 * (best - profile(0.0))
    assert ratio_p(design, outcome, fit, 1) == pytest.approx(math.erfc(math.sqrt(zero / 2.0)), abs=1e-6)


@pytest.mark.parametrize(
    ("cells", "side"),
    [
        ((10, 3, 4, 7), ""),
        ((8, 0, 5, 9), "above"),
        ((0, 6, 9, 8), "below"),
        ((8, 0, 0, 9), "above"),
        ((1, 0, 5, 5), "above"),
    ],
)
def test_an_end_that_the_data_do_not_bound_is_named_and_its_interval_is_finite_all_the_same(
    cells: tuple[int, int, int, int], side: str
) -> None:
    design, outcome = two_by_two(*cells)
    fit = fit_firth(design, outcome)
    assert open_sides(design, outcome, fit, 1) == side
    low, high = profile_interval(design, outcome, fit, 1)
    assert math.isfinite(low)
    assert math.isfinite(high)


def continuous(seed: int, patients_n: int, *, separated: bool) -> tuple[FloatArray, FloatArray]:
    """Constant, exposure and two covariates; the outcome follows the exposure without exception, or by chance."""
    rng = np.random.default_rng(seed)
    design = np.concatenate((np.ones((patients_n, 1)), rng.normal(size=(patients_n, 3))), axis=1)
    exposure = design[:, 1]
    improved = exposure > 0.8 if separated else rng.random(patients_n) < 1.0 / (1.0 + np.exp(0.3 - 0.7 * exposure))
    return design, improved.astype(np.float64)


@pytest.mark.parametrize("patients_n", [20, 25, 30, 40, 60])
def test_an_exposure_that_separates_is_named_however_far_the_maximum_lies_and_an_ordinary_one_is_not(
    patients_n: int,
) -> None:
    # Among them (25, 26), (30, 26), (40, 2) and (60, 4): the profile is rejected near the estimate, yet still rises.
    tried_n = 0
    for seed in (1, 2, 3, 4, 9, 26, 27):
        design, outcome = continuous(seed, patients_n, separated=True)
        if 2 <= outcome.sum() <= patients_n - 2:
            tried_n += 1
            assert open_sides(design, outcome, fit_firth(design, outcome), 1) in ("above", "both")
        design, outcome = continuous(seed, patients_n, separated=False)
        assert 5 <= outcome.sum() <= patients_n - 5
        assert open_sides(design, outcome, fit_firth(design, outcome), 1) == ""
    assert tried_n >= 5


@pytest.mark.parametrize("sd_bpm", [0.1, 0.005])
def test_a_ratio_per_bpm_of_separated_patients_with_little_spread_is_infinite_and_no_error(sd_bpm: float) -> None:
    exposure, strata = np.linspace(-2.0, 2.0, 24) * sd_bpm, np.zeros(24, dtype=np.int64)
    outcome = (exposure > 0.0).astype(float)
    found = predict(exposure, exposure, sd_bpm, outcome, np.zeros((24, 0)), (), strata, seed=1, permutations_n=99)
    assert found.per_bpm.undetermined == "above"
    assert math.log(found.per_bpm.low) == pytest.approx(math.log(found.per_sd.low) / sd_bpm)
    if sd_bpm < 0.01:
        assert found.per_bpm.high == math.inf


def test_a_ratio_for_another_step_keeps_zero_infinity_and_what_is_unknown() -> None:
    end = scaled(OddsRatio(2.0, 0.0, 1e40, 0.01, "above"), 10.0)
    assert (end.low, end.high, end.undetermined) == (0.0, math.inf, "above")
    assert end.ratio == pytest.approx(1024.0)
    assert scaled(OddsRatio(2.0, 0.5, math.inf, 0.01), 0.5).high == math.inf
    unknown = scaled(OddsRatio(2.0, 0.5, 4.0, 0.01), math.nan)
    assert math.isnan(unknown.ratio)
    assert math.isnan(unknown.high)
    assert math.isnan(scaled(OddsRatio(2.0, 0.5, math.nan, 0.01), 2.0).high)


def test_one_patient_of_either_outcome_bounds_both_sides() -> None:
    design, outcome = two_by_two(1, 1, 20, 20)
    assert open_sides(design, outcome, fit_firth(design, outcome), 1) == ""


def test_the_primary_ratio_says_when_coupling_separates_those_who_improve() -> None:
    exposure = np.linspace(-2.0, 2.0, 24)
    strata = np.zeros(24, dtype=np.int64)
    for outcome, side in ((exposure > 0.0, "above"), (exposure < 0.0, "below"), (np.arange(24) % 2 == 0, "")):
        found = predict(
            exposure, exposure, 1.0, outcome.astype(float), np.zeros((24, 0)), (), strata, seed=1, permutations_n=99
        )
        assert found.per_sd.undetermined == side
        assert found.per_bpm.undetermined == side


def test_more_columns_than_patients_and_columns_that_repeat_are_refused_in_words() -> None:
    design, outcome = two_by_two(3, 3, 3, 3)
    with pytest.raises(InputError, match="leave covariates out"):
        fit_firth(np.concatenate((design, design[:, 1:]), axis=1), outcome)


def drawn(
    seed: int, patients_n: int, sites_n: int, error_bpm: float, kept: float = 1.0
) -> tuple[SiteEffects, FloatArray]:
    """Measured effects, and true means over the sites, (patients,)."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0.0, 1.0, (patients_n, 1)) + rng.normal(0.0, 0.7, (patients_n, sites_n))
    true += np.linspace(1.0, 3.0, sites_n)
    errors = error_bpm * rng.uniform(0.5, 1.5, true.shape)
    measured = true + errors * rng.standard_normal(true.shape)
    patient, site = np.nonzero(rng.random(true.shape) < kept)
    return SiteEffects(patient, site, measured[patient, site], errors[patient, site]), true.mean(axis=1)


def test_without_error_and_with_all_sites_the_exposure_is_the_mean_that_was_measured() -> None:
    effects, true = drawn(1, 60, 3, 1e-4)
    found = patient_exposure(effects, 60, 3)
    np.testing.assert_allclose(found.measured_bpm, true, atol=1e-3)
    np.testing.assert_allclose(found.expected_bpm, true, atol=1e-2)
    assert found.reliability == pytest.approx(1.0, abs=0.03)


def test_the_expected_exposure_is_on_the_scale_of_the_truth_and_the_measured_one_is_not() -> None:
    effects, true = drawn(2, 1500, 2, 1.5, kept=0.8)
    found = patient_exposure(effects, 1500, 2)
    known = np.isfinite(found.expected_bpm)
    slope_expected = np.polyfit(found.expected_bpm[known], true[known], 1)[0]
    slope_measured = np.polyfit(found.measured_bpm[known], true[known], 1)[0]
    assert slope_expected == pytest.approx(1.0, abs=0.08)
    assert slope_measured < 0.75
    assert found.true_sd_bpm == pytest.approx(float(true.std()), rel=0.08)
    assert found.patient_sd_bpm == pytest.approx(1.0, abs=0.15)
    assert found.patient_site_sd_bpm == pytest.approx(0.7, abs=0.2)


def test_a_patient_measured_only_at_a_strong_site_does_not_look_strong_for_that() -> None:
    patient = np.repeat(np.arange(20), 2)
    site = np.tile([0, 1], 20)
    effect = np.tile([1.0, 3.0], 20) + np.repeat(np.linspace(-1.0, 1.0, 20), 2)
    one_site_only = SiteEffects(np.append(patient, 20), np.append(site, 1), np.append(effect, 3.0), np.full(41, 0.2))
    found = patient_exposure(one_site_only, 21, 2)
    assert found.measured_bpm[20] == pytest.approx(2.0, abs=0.05)


def test_a_patient_without_a_run_has_no_exposure_and_too_few_patients_are_refused() -> None:
    effects, _ = drawn(4, 12, 2, 0.5)
    assert math.isnan(patient_exposure(effects, 13, 2).expected_bpm[12])
    few, _ = drawn(4, 5, 2, 0.5)
    with pytest.raises(InputError, match="5 patients"):
        patient_exposure(few, 5, 2)


def test_a_covariate_that_is_the_same_for_all_measured_patients_does_no_harm() -> None:
    effects, _ = drawn(5, 30, 2, 0.5)
    plain = patient_exposure(effects, 30, 2)
    same = patient_exposure(effects, 30, 2, np.ones((30, 1)))
    np.testing.assert_allclose(same.expected_bpm, plain.expected_bpm, atol=1e-3)


def test_repeated_runs_at_a_site_count_by_their_precision() -> None:
    twice = SiteEffects(np.zeros(2, int), np.zeros(2, int), np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    one = combine_repeats(twice)
    assert one.effects_bpm.tolist() == pytest.approx([1.6])
    assert one.errors_bpm.tolist() == pytest.approx([math.sqrt(0.8)])


def test_shuffling_gives_one_null_in_twenty_below_five_percent_even_with_a_covariate_in_between() -> None:
    low_n = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        covariate = rng.normal(size=60)
        exposure = 0.8 * covariate + rng.normal(size=60)
        outcome = (rng.random(60) < 1.0 / (1.0 + np.exp(-covariate))).astype(float)
        others = np.stack((np.ones(60), covariate), axis=1)
        low_n += (
            permutation_p(exposure, outcome, others, rng.integers(2, size=60), seed=seed, permutations_n=99) <= 0.05
        )
    assert 2 <= low_n <= 19  # 10 expected; outside in 1 of 300


def test_the_prediction_finds_a_ratio_that_was_put_in_and_both_tests_see_it() -> None:
    rng = np.random.default_rng(7)
    exposure, covariate = rng.normal(2.0, 1.5, 600), rng.normal(size=(600, 1))
    chance = 1.0 / (1.0 + np.exp(-(math.log(2.0) * (exposure - 2.0) / 1.5 + 0.5 * covariate[:, 0])))
    outcome = (rng.random(600) < chance).astype(float)
    strata = np.zeros(600, dtype=np.int64)
    found = predict(exposure, exposure, 1.5, outcome, covariate, ("z",), strata, seed=1, permutations_n=199)
    assert found.per_sd.low < 2.0 < found.per_sd.high
    assert found.per_bpm.ratio == pytest.approx(found.per_sd.ratio ** (1.0 / 1.5))
    assert found.per_sd.p_value < 1e-4
    assert found.permutation_p == pytest.approx(1.0 / 200.0)
    assert found.others[0][1].low < math.exp(0.5) < found.others[0][1].high


def test_the_area_under_the_curve_is_mann_and_whitneys_u_with_ties_counted_half() -> None:
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(8)
    outcome = (rng.random(80) < 0.4).astype(float)
    score = np.round(rng.normal(size=80) + outcome, 1)
    auc, influence = auc_influence(score, outcome)
    u = float(mannwhitneyu(score[outcome == 1.0], score[outcome == 0.0]).statistic)
    assert auc == pytest.approx(u / (outcome.sum() * (80 - outcome.sum())), abs=1e-12)
    assert float(influence.mean()) == pytest.approx(0.0, abs=1e-12)


def test_cross_validation_does_not_praise_noise_and_sees_a_strong_exposure() -> None:
    rng = np.random.default_rng(9)
    exposure, covariates = rng.normal(size=120), rng.normal(size=(120, 4))
    coin = (rng.random(120) < 0.5).astype(float)
    noise = validate(exposure, covariates, coin, seed=1, repeats_n=4)
    assert noise.auc.low < 0.5
    assert noise.gain.low < 0.0
    clear = (rng.random(120) < 1.0 / (1.0 + np.exp(-3.0 * exposure))).astype(float)
    strong = validate(exposure, covariates, clear, seed=1, repeats_n=4)
    assert strong.auc.low > 0.75
    assert strong.gain.low > 0.1
    assert strong.slope[1] < 1.0 < strong.slope[2]
    assert sum(one.patients_n for one in strong.curve) == 120
    assert validate(exposure, covariates, clear, seed=1, repeats_n=4) == strong


def test_every_fold_has_its_share_of_each_outcome() -> None:
    outcome = np.repeat([1.0, 0.0], [13, 37])
    folds = stratified_folds(outcome, 5, np.random.default_rng(1))
    counts = np.bincount(folds[outcome == 1.0], minlength=5)
    assert counts.max() - counts.min() <= 1


def test_wilsons_interval_is_that_of_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    assert wilson(3, 17) == pytest.approx(proportion_confint(3, 17, method="wilson"), abs=1e-9)


def test_the_number_of_patients_gives_the_power_it_promises() -> None:
    needed = patients_needed(1.8, 0.8, improved_share=0.4, reliability=0.7)
    assert needed is not None
    seen_n, studies_n = 0, 300
    rng = np.random.default_rng(10)
    for _ in range(studies_n):
        true = rng.normal(size=needed)
        measured = true + rng.normal(size=needed) * math.sqrt(1.0 / 0.7 - 1.0)
        outcome = rng.random(needed) < 1.0 / (1.0 + np.exp(-(math.log(1.8) * true - 0.43)))
        centred = measured - measured.mean()
        score = centred @ outcome
        chance = outcome.mean()
        seen_n += abs(score) / math.sqrt(chance * (1.0 - chance) * (centred @ centred)) > 1.959964
    assert seen_n / studies_n == pytest.approx(0.8, abs=0.09)


def test_no_number_of_patients_shows_what_is_not_there() -> None:
    assert patients_needed(1.0, 0.8, improved_share=0.5) is None
    crossing = study_sizes(1.4, 0.8, 2.4, improved_share=0.5, reliability=0.9, explained_share=0.1, dropout_share=0.1)
    assert crossing[2].patients_n == (None, None)
    assert crossing[0].patients_n[0] is not None
    assert crossing[1].patients_n[0] is not None
    assert crossing[1].patients_n[0] > 3 * crossing[0].patients_n[0]


def step_world(seed: int, slope: float, patients_n: int = 16, sites_n: int = 2) -> list[StepRun]:
    rng = np.random.default_rng(seed)
    runs = []
    for patient in range(patients_n):
        level, own_slope = rng.normal(0.0, 1.0), rng.normal(slope, 0.2)
        for site in range(sites_n):
            intensity = np.linspace(50.0, 110.0, 7)
            error = rng.uniform(0.8, 1.6, 7)
            here = level + rng.normal(0.0, 0.5) + 0.8 * site
            effect = 2.0 + here + own_slope * (intensity - 80.0) / 10.0 + error * rng.standard_normal(7)
            runs.append(StepRun(patient, site, intensity, effect, error))
    return runs


def test_the_mixed_model_finds_slope_and_sites_and_says_which_form_it_has() -> None:
    found = fit_mixed(step_world(11, 0.6), ("left", "right"))
    assert found is not None
    assert found.converged
    assert found.intensity is not None
    assert found.intensity.low_bpm < 0.6 < found.intensity.high_bpm
    assert found.intensity.p_value < 0.001
    assert found.form == "patient, patient's slope, patient at site"
    difference = found.sites[1].estimate_bpm - found.sites[0].estimate_bpm
    assert difference == pytest.approx(0.8, abs=0.6)


def test_two_rows_per_run_hold_what_all_steps_say() -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    runs = step_world(12, 0.4, sites_n=1)
    found = fit_mixed(runs, ("left",))
    assert found is not None
    assert found.intensity is not None
    weight = np.concatenate([1.0 / run.error_bpm for run in runs])
    dose = np.concatenate([(run.intensity_pct - found.centre_pct) / 10.0 for run in runs])
    columns = np.stack((np.ones_like(dose), dose), axis=1) * weight[:, None]
    groups = np.concatenate([np.full(7, run.patient_idx) for run in runs])
    effect = np.concatenate([run.effect_bpm for run in runs])
    whole = MixedLM(effect * weight, columns, groups=groups, exog_re=columns).fit(reml=True, method=["powell", "lbfgs"])
    assert found.intensity.estimate_bpm == pytest.approx(float(whole.fe_params[1]), abs=0.02)
    assert found.sites[0].estimate_bpm == pytest.approx(float(whole.fe_params[0]), abs=0.05)


@pytest.mark.parametrize(("slope", "sites_n"), [(0.6, 2), (0.6, 1)])
def test_the_search_begins_where_the_likelihood_of_statsmodels_is_as_large_as_its_own_search_finds(
    slope: float, sites_n: int
) -> None:
    from hbc_host.cohort.mixed_start import best_start
    from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMParams, VCSpec

    runs = step_world(14, slope, sites_n=sites_n)
    dose = np.concatenate([(run.intensity_pct - 80.0) / 10.0 for run in runs])
    patient = np.concatenate([np.full(7, run.patient_idx) for run in runs])
    columns = np.stack((np.ones_like(dose), dose), axis=1)
    effect = np.concatenate([run.effect_bpm for run in runs])
    by_site = parts = None
    if sites_n > 1:
        site = np.concatenate([np.full(7, run.site_idx) for run in runs])
        by_site = np.eye(sites_n)[site]
        groups = [by_site[patient == one] for one in np.unique(patient)]
        parts = VCSpec(["site"], [[["0", "1"] for _ in groups]], [groups])
    start = best_start(effect, columns, columns, by_site, patient)
    model = MixedLM(effect, columns, groups=patient, exog_re=columns, exog_vc=parts)
    searched = model.fit(reml=True, method=["powell"])
    site_part = np.array([start.site_variance]) if sites_n > 1 else None
    there = MixedLMParams.from_components(np.zeros(2), cov_re=start.covariance, vcomp=site_part)
    assert model.loglike(there, profile_fe=True) >= searched.llf - 0.01


def test_a_handful_of_runs_is_not_modelled() -> None:
    assert fit_mixed(step_world(13, 0.5, patients_n=3), ("left", "right")) is None

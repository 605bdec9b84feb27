"""Does coupling before treatment go with early improvement? One odds ratio with its interval, and a permutation p.

The exposure is the expectation of a patient's true coupling (:mod:`hbc_host.cohort.exposure`), so that noise of the
measurement does not weaken the ratio; the ratio with the coupling as it was measured stands beside it. Firth's
likelihood gives estimate, interval and p. The permutation test asks the same of the data with as little as possible
assumed: what covariates do not explain of the exposure is shuffled within clinics (Potter 2005, doi 10.1002/sim.1931).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hbc_host.cohort.firth import FirthFit, fit_firth, open_sides, profile_interval, ratio_p

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PERMUTATIONS_N = 1999
#: With fewer patients in either group of outcome nothing is fitted.
GROUP_MIN_N = 5


@dataclass(frozen=True)
class OddsRatio:
    """Odds ratio of early improvement per unit of something, with a 95 % interval and a two-sided p-value.

    ``undetermined`` names the end of the interval ("above", "below" or "both") that only the penalty bounds, as the
    data allow any value on that side (:func:`hbc_host.cohort.firth.open_sides`); "" when the data bound both.
    """

    ratio: float
    low: float
    high: float
    p_value: float
    undetermined: str = ""


@dataclass(frozen=True)
class Prediction:
    """The prediction model.

    ``per_sd`` is per standard deviation of the true coupling, ``per_bpm`` per bpm of it, ``as_measured_per_sd`` per
    standard deviation of the coupling as measured, without a correction. ``others`` are the covariates' ratios by name.
    ``converged`` is False when a search did not end.
    """

    patients_n: int
    improved_n: int
    per_sd: OddsRatio
    per_bpm: OddsRatio
    as_measured_per_sd: OddsRatio
    others: tuple[tuple[str, OddsRatio], ...]
    permutation_p: float
    permutations_n: int
    converged: bool


def predict(
    expected_bpm: FloatArray,
    measured_bpm: FloatArray,
    true_sd_bpm: float,
    outcome: FloatArray,
    covariates: FloatArray,
    names: tuple[str, ...],
    strata: IntArray,
    *,
    seed: int,
    permutations_n: int = PERMUTATIONS_N,
) -> Prediction:
    """Fit the prediction.

    Parameters
    ----------
    expected_bpm, measured_bpm : array (n,), bpm
        Expectation of the true coupling, and coupling as measured.
    true_sd_bpm : float
        Standard deviation of the true coupling.
    outcome : array (n,), 0 or 1
    covariates : array (n, k), names : (k,)
    strata : array (n,) of int
        Patients are shuffled within these groups only.
    seed : int
        Of the permutations.

    Raises
    ------
    InputError
        If there are more columns than patients, or columns that depend on each other.
    """
    unit = true_sd_bpm if true_sd_bpm > 1e-9 else math.nan
    measured_sd = float(np.std(measured_bpm, ddof=1))
    design = _design((expected_bpm - expected_bpm.mean()) / unit, covariates)
    plain = _design((measured_bpm - measured_bpm.mean()) / measured_sd, covariates)
    fit, plain_fit = fit_firth(design, outcome), fit_firth(plain, outcome)
    per_sd = odds_ratio(design, outcome, fit, 1)
    p = permutation_p(
        design[:, 1], outcome, np.delete(design, 1, axis=1), strata, seed=seed, permutations_n=permutations_n
    )
    return Prediction(
        int(outcome.size),
        int(outcome.sum()),
        per_sd,
        scaled(per_sd, 1.0 / unit),
        odds_ratio(plain, outcome, plain_fit, 1),
        tuple((name, odds_ratio(design, outcome, fit, 2 + k)) for k, name in enumerate(names)),
        p,
        permutations_n,
        fit.converged and plain_fit.converged,
    )


def primary_ratio(
    expected_bpm: FloatArray, true_sd_bpm: float, outcome: FloatArray, covariates: FloatArray
) -> OddsRatio:
    """The odds ratio per standard deviation alone; arguments and errors as :func:`predict`."""
    design = _design((expected_bpm - expected_bpm.mean()) / true_sd_bpm, covariates)
    return odds_ratio(design, outcome, fit_firth(design, outcome), 1)


def _design(exposure: FloatArray, covariates: FloatArray) -> FloatArray:
    return np.concatenate((np.ones((exposure.size, 1)), exposure[:, None], covariates), axis=1)


def odds_ratio(design: FloatArray, outcome: FloatArray, fit: FirthFit, column: int) -> OddsRatio:
    """Odds ratio of one column with its profile interval."""
    low, high = profile_interval(design, outcome, fit, column)
    p_value = ratio_p(design, outcome, fit, column)
    open_ends = open_sides(design, outcome, fit, column)
    return OddsRatio(_exp(float(fit.coefficients[column])), _exp(low), _exp(high), p_value, open_ends)


def scaled(ratio: OddsRatio, units: float) -> OddsRatio:
    """The same ratio for another step of the exposure; an end too large for a number is infinite."""
    middle, low, high = (_exp(units * _log(value)) for value in (ratio.ratio, ratio.low, ratio.high))
    return replace(ratio, ratio=middle, low=low, high=high)


def _exp(value: float) -> float:
    if math.isnan(value):
        return math.nan
    return math.exp(value) if value < 700.0 else math.inf


def _log(value: float) -> float:
    return -math.inf if value == 0.0 else math.log(value)


def permutation_p(
    exposure: FloatArray, outcome: FloatArray, others: FloatArray, strata: IntArray, *, seed: int, permutations_n: int
) -> float:
    """Two-sided p-value of no relation, by shuffling what the other columns do not explain of the exposure.

    The statistic is the score of the logistic model without the exposure, divided by its standard error.
    """
    null = fit_firth(others, outcome)
    chance = 1.0 / (1.0 + np.exp(-others @ null.coefficients))
    weight = chance * (1.0 - chance)
    # Projection on the other columns in the metric of the model's weights.
    root = np.sqrt(weight)[:, None]
    basis, _ = np.linalg.qr(others * root)
    left = exposure - others @ np.linalg.lstsq(others * root, exposure * root[:, 0], rcond=None)[0]
    rng = np.random.default_rng(seed)
    rows = np.tile(left, (permutations_n + 1, 1))
    for stratum in np.unique(strata):
        inside = np.flatnonzero(strata == stratum)
        rows[1:, inside] = rng.permuted(np.tile(left[inside], (permutations_n, 1)), axis=1)
    scaled_rows = rows * root[:, 0]
    scaled_rows -= (scaled_rows @ basis) @ basis.T
    residual = (outcome - chance) / root[:, 0]
    score = scaled_rows @ residual
    size = np.abs(score) / np.maximum(np.sqrt((scaled_rows**2).sum(axis=1)), 1e-12)
    # Equal up to rounding counts as at least as large.
    return float(np.mean(size >= size[0] * (1.0 - 1e-12)))

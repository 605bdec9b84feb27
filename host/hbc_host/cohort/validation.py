"""How well would the model predict patients that it has not seen? Cross-validated AUC and calibration.

Everything that looks at outcomes is done again in each fold: how strongly to pull coefficients to zero is chosen by an
inner cross-validation of the training patients alone (nested; Varma & Simon 2006, doi 10.1186/1471-2105-7-91). Repeats
average over how patients fall into folds. The interval of the AUC comes from influence functions of each fold's AUC
(LeDell et al. 2015, doi 10.1214/15-EJS1035). Calibration: van Calster et al. 2016, doi 10.1016/j.jclinepi.2015.12.005.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.pooling import Z975

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FOLDS_N, REPEATS_N, INNER_FOLDS_N = 5, 20, 5
#: Penalties on standardised coefficients that the inner cross-validation chooses from.
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
NEWTON_STEPS_N = 12
CURVE_BINS_N = 5


@dataclass(frozen=True)
class AucEstimate:
    """Area under the ROC curve in unseen patients, with a 95 % interval."""

    auc: float
    low: float
    high: float


@dataclass(frozen=True)
class CalibrationBin:
    """Patients of similar prediction: mean prediction, share that improved with a 95 % interval (Wilson), number."""

    predicted: float
    observed: float
    low: float
    high: float
    patients_n: int


@dataclass(frozen=True)
class Validation:
    """What cross-validation found.

    ``auc`` is of covariates and coupling, ``auc_without`` of covariates alone, ``gain`` their difference with its
    interval. ``intercept`` and ``slope`` of calibration are 0 and 1 for a model that promises neither too much nor too
    little; each has a 95 % interval. ``folds`` and ``repeats`` say how it was done.
    """

    auc: AucEstimate
    auc_without: AucEstimate
    gain: AucEstimate
    intercept: tuple[float, float, float]
    slope: tuple[float, float, float]
    curve: tuple[CalibrationBin, ...]
    folds_n: int
    repeats_n: int


def validate(
    exposure: FloatArray, covariates: FloatArray, outcome: FloatArray, *, seed: int, repeats_n: int = REPEATS_N
) -> Validation:
    """Cross-validate the prediction.

    Parameters
    ----------
    exposure : array (n,)
    covariates : array (n, k)
    outcome : array (n,), 0 or 1
        At least five of each.
    seed : int
    repeats_n : int

    Returns
    -------
    Validation
    """
    rng = np.random.default_rng(seed)
    both = np.concatenate((exposure[:, None], covariates), axis=1)
    found = [_one_repeat(both, covariates, outcome, rng) for _ in range(repeats_n)]
    with_aucs = np.array([one[0] for one in found])
    without_aucs = np.array([one[1] for one in found])
    influence = np.mean([one[2] for one in found], axis=0)
    influence_without = np.mean([one[3] for one in found], axis=0)
    linear = np.mean([one[4] for one in found], axis=0)
    count = outcome.size

    def estimate(auc: float, values: FloatArray, low: float, high: float) -> AucEstimate:
        half = Z975 * float(np.sqrt(np.sum(values**2))) / count
        return AucEstimate(auc, max(auc - half, low), min(auc + half, high))

    auc, without = float(with_aucs.mean()), float(without_aucs.mean())
    intercept, slope = _calibration(linear, outcome)
    return Validation(
        estimate(auc, influence, 0.0, 1.0),
        estimate(without, influence_without, 0.0, 1.0),
        estimate(auc - without, influence - influence_without, -1.0, 1.0),
        intercept,
        slope,
        _curve(linear, outcome),
        FOLDS_N,
        repeats_n,
    )


def _one_repeat(
    both: FloatArray, covariates: FloatArray, outcome: FloatArray, rng: np.random.Generator
) -> tuple[float, float, FloatArray, FloatArray, FloatArray]:
    """AUC with and without the exposure, their influence values (n,), and the linear predictor out of fold (n,)."""
    folds = stratified_folds(outcome, FOLDS_N, rng)
    linear = np.zeros(outcome.size)
    influences = np.zeros((2, outcome.size))
    aucs = np.zeros((2, FOLDS_N))
    for fold in range(FOLDS_N):
        train, test = folds != fold, folds == fold
        for which, columns in enumerate((both, covariates)):
            if columns.shape[1] == 0:
                predicted = np.zeros(int(test.sum()))
            else:
                predicted = _nested_prediction(columns[train], outcome[train], columns[test], rng)
            aucs[which, fold], values = auc_influence(predicted, outcome[test])
            influences[which, test] = values * outcome.size / (FOLDS_N * values.size)
            if which == 0:
                linear[test] = predicted
    return float(aucs[0].mean()), float(aucs[1].mean()), influences[0], influences[1], linear


def stratified_folds(outcome: FloatArray, folds_n: int, rng: np.random.Generator) -> IntArray:
    """Fold of each patient; each fold has as equal a share of improved patients as can be."""
    folds = np.zeros(outcome.size, dtype=np.int64)
    for value in (0.0, 1.0):
        inside = rng.permutation(np.flatnonzero(outcome == value))
        folds[inside] = (np.arange(inside.size) + int(rng.integers(folds_n))) % folds_n
    return folds


def _nested_prediction(
    train: FloatArray, outcome: FloatArray, test: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Linear predictor of unseen patients, with the penalty that predicts best within the training patients."""
    folds = stratified_folds(outcome, INNER_FOLDS_N, rng)
    loss = np.zeros(len(PENALTIES))
    for fold in range(INNER_FOLDS_N):
        inside, outside = folds != fold, folds == fold
        linear = _ridge(train[inside], outcome[inside], train[outside])
        loss += (np.logaddexp(0.0, linear) - outcome[outside] * linear).sum(axis=1)
    chosen = int(np.argmin(loss))
    return np.asarray(_ridge(train, outcome, test, PENALTIES[chosen : chosen + 1])[0])


def _ridge(
    train: FloatArray, outcome: FloatArray, test: FloatArray, penalties: tuple[float, ...] = PENALTIES
) -> FloatArray:
    """Linear predictors (penalties, test patients) of ridge logistic regression on standardised columns."""
    mean, sd = train.mean(axis=0), train.std(axis=0)
    sd = np.where(sd > 1e-12, sd, 1.0)
    design = np.concatenate((np.ones((train.shape[0], 1)), (train - mean) / sd), axis=1)
    other = np.concatenate((np.ones((test.shape[0], 1)), (test - mean) / sd), axis=1)
    penalty = np.array(penalties)[:, None] * np.append(0.0, np.ones(train.shape[1]))
    beta = np.zeros_like(penalty)
    for _ in range(NEWTON_STEPS_N):
        chance = 1.0 / (1.0 + np.exp(-np.clip(beta @ design.T, -30.0, 30.0)))
        weight = np.maximum(chance * (1.0 - chance), 1e-6)
        hessian = np.matmul(design.T[None] * weight[:, None, :], design)
        diagonal = np.arange(penalty.shape[1])
        hessian[:, diagonal, diagonal] += penalty + 1e-9
        gradient = (outcome - chance) @ design - penalty * beta
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        beta += step
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(beta @ other.T)


def auc_influence(score: FloatArray, outcome: FloatArray) -> tuple[float, FloatArray]:
    """Area under the ROC curve, ties counting half, and how much each patient moves it, (n,), mean zero."""
    cases, controls = score[outcome == 1.0], score[outcome == 0.0]
    wins = (cases[:, None] > controls[None, :]) + 0.5 * (cases[:, None] == controls[None, :])
    auc = float(wins.mean())
    values = np.zeros(score.size)
    values[outcome == 1.0] = (wins.mean(axis=1) - auc) * score.size / cases.size
    values[outcome == 0.0] = (wins.mean(axis=0) - auc) * score.size / controls.size
    return auc, values


def _calibration(
    linear: FloatArray, outcome: FloatArray
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Intercept (with the slope held at one) and slope of outcome on the linear predictor, each with its interval."""
    shift = 0.0
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-(linear + shift)))
        step = float((outcome - chance).sum() / (chance * (1.0 - chance)).sum())
        shift += step
        if abs(step) < 1e-9:
            break
    error = float((chance * (1.0 - chance)).sum() ** -0.5)
    intercept = (shift, shift - Z975 * error, shift + Z975 * error)
    if np.ptp(linear) < 1e-9:
        return intercept, (math.nan, math.nan, math.nan)
    from hbc_host.cohort.firth import fit_firth, profile_interval

    design = np.stack((np.ones_like(linear), linear), axis=1)
    fit = fit_firth(design, outcome)
    return intercept, (float(fit.coefficients[1]), *profile_interval(design, outcome, fit, 1))


def _curve(linear: FloatArray, outcome: FloatArray) -> tuple[CalibrationBin, ...]:
    chance = 1.0 / (1.0 + np.exp(-linear))
    order = np.argsort(chance, kind="stable")
    bins = []
    for inside in np.array_split(order, min(CURVE_BINS_N, max(outcome.size // 8, 1))):
        low, high = wilson(float(outcome[inside].sum()), inside.size)
        observed = float(outcome[inside].mean())
        bins.append(CalibrationBin(float(chance[inside].mean()), observed, low, high, int(inside.size)))
    return tuple(bins)


def wilson(hits_n: float, all_n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927, doi 10.1080/01621459.1927.10502953)."""
    share = hits_n / all_n
    centre = (share + Z975**2 / (2 * all_n)) / (1.0 + Z975**2 / all_n)
    half = Z975 / (1.0 + Z975**2 / all_n) * math.sqrt(share * (1.0 - share) / all_n + Z975**2 / (4.0 * all_n**2))
    return centre - half, centre + half

"""Logistic regression that stays finite in small groups: Firth's penalised likelihood with profile intervals.

Ordinary logistic regression exaggerates odds ratios in small groups and gives infinity where an exposure separates the
outcomes. Jeffreys' prior as a penalty removes the leading bias and keeps every estimate finite (Firth 1993, doi
10.1093/biomet/80.1.27; Heinze & Schemper 2002, doi 10.1002/sim.1047). Intervals and p-values come from the penalised
likelihood itself, not from a standard error: the likelihood of a small group is skewed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]

STEPS_MAX_N = 100
STEP_MAX = 5.0
TOLERANCE = 1e-9
#: 95 % point of chi-squared with one degree of freedom.
CHI2_95 = 3.841458820694124
#: An interval is not looked for beyond this many standard errors.
REACH_SE = 40.0
#: Where :func:`open_sides` looks, nearest first: with ordinary data the first or second answers.
OPEN_REACHES_SE = (2.5, 5.0, 10.0, 20.0, REACH_SE)


@dataclass(frozen=True)
class FirthFit:
    """Coefficients (k,), their covariance (k, k), penalised log likelihood, and whether the search ended."""

    coefficients: FloatArray
    covariance: FloatArray
    log_likelihood: float
    converged: bool
    held: Mapping[int, float] = field(default_factory=dict)


def fit_firth(
    design: FloatArray, outcome: FloatArray, *, held: Mapping[int, float] | None = None, start: FloatArray | None = None
) -> FirthFit:
    """Fit a logistic regression by penalised likelihood.

    Parameters
    ----------
    design : array (n, k)
        Columns of the model, the constant among them.
    outcome : array (n,), 0 or 1
    held : mapping of column to value
        Coefficients that are not estimated but held; the penalty stays that of the whole model.
    start : array (k,)
        Where the search begins; zero when not given.

    Returns
    -------
    FirthFit

    Raises
    ------
    InputError
        If columns depend on each other, or there are no more rows than columns.
    """
    rows_n, columns_n = design.shape
    if rows_n <= columns_n or np.linalg.matrix_rank(design) < columns_n:
        raise InputError(
            f"{rows_n} patients and {columns_n} columns that depend on each other or are too many; leave covariates out"
        )
    held = dict(held or {})
    free = np.array([column not in held for column in range(columns_n)])
    beta = np.zeros(columns_n) if start is None else start.astype(np.float64).copy()
    for column, value in held.items():
        beta[column] = value
    state = _state(design, outcome, beta)
    converged = False
    for _ in range(STEPS_MAX_N):
        step = np.zeros(columns_n)
        step[free] = np.linalg.solve(state.information[np.ix_(free, free)], state.score[free])
        step /= max(1.0, float(np.abs(step).max()) / STEP_MAX)
        tried = _state(design, outcome, beta + step)
        while tried.log_likelihood < state.log_likelihood - 1e-12 and np.abs(step).max() > TOLERANCE:
            step /= 2.0
            tried = _state(design, outcome, beta + step)
        beta, state = beta + step, tried
        if np.abs(step).max() < TOLERANCE:
            converged = True
            break
    covariance = np.asarray(np.linalg.inv(state.information), dtype=np.float64)
    return FirthFit(beta, covariance, state.log_likelihood, converged, held)


@dataclass(frozen=True)
class _State:
    log_likelihood: float
    score: FloatArray
    information: FloatArray


def _state(design: FloatArray, outcome: FloatArray, beta: FloatArray) -> _State:
    """Penalised likelihood, modified score and information at one place."""
    linear = design @ beta
    chance = 1.0 / (1.0 + np.exp(-np.clip(linear, -35.0, 35.0)))
    weight = chance * (1.0 - chance)
    information = design.T @ (design * weight[:, None])
    _, log_det = np.linalg.slogdet(information)
    leverage = weight * np.einsum("ij,ji->i", design, np.linalg.solve(information, design.T))
    likelihood = float(outcome @ linear - np.logaddexp(0.0, linear).sum())
    score = design.T @ (outcome - chance + leverage * (0.5 - chance))
    return _State(likelihood + 0.5 * float(log_det), score, information)


def ratio_p(design: FloatArray, outcome: FloatArray, fit: FirthFit, column: int) -> float:
    """p-value (two-sided) of "this coefficient is zero" by the ratio of penalised likelihoods."""
    from scipy.special import chdtrc

    null = fit_firth(design, outcome, held={column: 0.0}, start=fit.coefficients)
    return float(chdtrc(1.0, max(2.0 * (fit.log_likelihood - null.log_likelihood), 0.0)))


def profile_interval(
    design: FloatArray, outcome: FloatArray, fit: FirthFit, column: int, *, limit: float = CHI2_95
) -> tuple[float, float]:
    """Interval of a coefficient: every value that the ratio of penalised likelihoods does not reject.

    Parameters
    ----------
    limit : float
        Point of chi-squared; 95 % unless told otherwise.

    Returns
    -------
    (low, high)
        An end is infinite when nothing within 40 standard errors is rejected.
    """
    centre = float(fit.coefficients[column])
    error = float(np.sqrt(fit.covariance[column, column]))

    def excess(value: float) -> float:
        held = fit_firth(design, outcome, held={column: value}, start=fit.coefficients)
        return 2.0 * (fit.log_likelihood - held.log_likelihood) - limit

    return _crossing(excess, centre, -error), _crossing(excess, centre, error)


def open_sides(design: FloatArray, outcome: FloatArray, fit: FirthFit, column: int, *, limit: float = CHI2_95) -> str:
    """On which sides the data alone put no bound on a coefficient: "", "above", "below" or "both".

    Where an exposure or a covariate separates the outcomes, the ordinary likelihood rises for ever on that side
    (Albert & Anderson 1984, doi 10.1093/biomet/71.1.1) and only the penalty bounds the interval of
    :func:`profile_interval`: such an end says nothing about patients. A side is open when the ratio of ordinary profile
    likelihoods does not reject the value 40 standard errors away. Nearer values may well be rejected: with separated
    outcomes the profile rises from the penalised estimate, which lies too near to zero, to its maximum at infinity.
    """
    centre, error = float(fit.coefficients[column]), float(np.sqrt(fit.covariance[column, column]))
    best, _ = _ordinary(design, outcome, np.zeros(outcome.size), fit.coefficients)
    others = np.delete(design, column, axis=1)
    at_centre, start = _ordinary(others, outcome, centre * design[:, column], np.delete(fit.coefficients, column))

    def is_open(side: float) -> bool:
        held, beta = at_centre, start
        for reach in OPEN_REACHES_SE:
            before = held
            held, beta = _ordinary(others, outcome, (centre + side * reach * error) * design[:, column], beta)
            # The profile is concave: where it falls, what is rejected here is rejected further out.
            if held <= before and 2.0 * (best - held) > limit:
                return False
        return 2.0 * (best - held) <= limit

    below, above = is_open(-1.0), is_open(1.0)
    return "both" if below and above else "above" if above else "below" if below else ""


def _ordinary(
    design: FloatArray, outcome: FloatArray, offset: FloatArray, start: FloatArray
) -> tuple[float, FloatArray]:
    """Largest log likelihood without a penalty, and the coefficients at which the search for it ended.

    Under separation the coefficients grow without end while the likelihood settles: its gain ends the search.
    """

    def likelihood(beta: FloatArray) -> float:
        linear = offset + design @ beta
        return float(outcome @ linear - np.logaddexp(0.0, linear).sum())

    beta = start.astype(np.float64)
    found = likelihood(beta)
    for _ in range(STEPS_MAX_N):
        chance = 1.0 / (1.0 + np.exp(-np.clip(offset + design @ beta, -35.0, 35.0)))
        information = design.T @ (design * (chance * (1.0 - chance))[:, None]) + 1e-8 * np.eye(beta.size)
        step = np.linalg.solve(information, design.T @ (outcome - chance))
        step /= max(1.0, float(np.abs(step).max()) / STEP_MAX)
        while (tried := likelihood(beta + step)) < found and np.abs(step).max() > TOLERANCE:
            step /= 2.0
        gain, beta, found = tried - found, beta + step, max(tried, found)
        if gain < 1e-6:
            break
    return found, np.asarray(beta)


def _crossing(excess: object, centre: float, step: float) -> float:
    """Where the excess turns positive on the side of the step."""
    from scipy.optimize import brentq

    assert callable(excess)
    inner, reach = centre, 1.96 * step
    while abs(reach) <= REACH_SE * abs(step):
        if excess(centre + reach) > 0.0:
            low, high = sorted((inner, centre + reach))
            return float(brentq(excess, low, high, xtol=1e-6))
        inner, reach = centre + reach, 2.0 * reach
    return float(np.copysign(np.inf, step))

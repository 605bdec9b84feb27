"""Looking at a run while it goes on: is it enough already, without more false alarms than one look at its end?

Each look spends a part of the 5 % that the whole run may err (Lan & DeMets 1983, doi 10.1093/biomet/70.3.659), the
square of the share of trains seen so far (power family, Kim & DeMets 1987, doi 10.1093/biomet/74.1.149): early looks
need strong evidence, the last one hardly more than a single look would. Limits follow from the joint normal law of
evidence that accumulates (Armitage, McPherson & Rowe 1969, doi 10.2307/2343787); how well the test of a run keeps to
that law was measured: docs/analysis.md. A run is only ever stopped because it is enough, never because nothing was
seen: a response may need the top intensity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from hbc_host.coupling import CouplingResult, estimate_coupling
from hbc_host.design import TRAINS_MIN_N
from hbc_host.errors import InputError
from hbc_host.evidence import ALPHA

FloatArray = npt.NDArray[np.float64]
State = Literal["enough", "go_on", "finished"]

#: A p-value from some hundred surrogates is too coarse for the limits that more looks would need.
LOOKS_MAX_N = 4
SPENDING_POWER = 2.0
#: Grid of the accumulated evidence, in units of the final look's standard deviation.
GRID_LOW, GRID_N = -8.0, 1001
LIMIT_MAX = 8.0  # of evidence that any look asks for, same units


@dataclass(frozen=True)
class LookPlan:
    """When to look at a run, fixed before it begins.

    Attributes
    ----------
    trains_n : tuple of int
        Trains after which one looks, rising; the last is the whole run.
    p_below : tuple of float
        What the p-value must be below at each look.
    """

    trains_n: tuple[int, ...]
    p_below: tuple[float, ...]


@dataclass(frozen=True)
class Look:
    """What a look found.

    Attributes
    ----------
    state : str
        "enough": coupling is shown, the run may stop. "go_on": not yet. "finished": this was the last look, and
        ``result.verdict`` is the answer.
    result : CouplingResult
        Of the trains so far. Its p-value and intervals are those of a single look; its verdict allows for all looks.
    trains_n : int
    p_below : float
    is_biased : bool
        True for an early "enough": a run that stops because its effect looks large shows too large an effect.
    """

    state: State
    result: CouplingResult
    trains_n: int
    p_below: float
    is_biased: bool


def plan_looks(trains_n: int, looks_n: int = 3, *, alpha: float = ALPHA) -> LookPlan:
    """Equally spaced looks at a run of ``trains_n`` trains.

    Parameters
    ----------
    trains_n : int
        Trains that the whole run will have.
    looks_n : int
        1 to 4, the last at the end.
    alpha : float
        Error of all looks together, one-sided.

    Raises
    ------
    InputError
        If looks are too many, or the first comes before a run can be analysed.
    """
    if not 1 <= looks_n <= LOOKS_MAX_N:
        raise InputError(f"{looks_n} looks at a run; choose 1 to {LOOKS_MAX_N}")
    at = tuple(math.ceil(trains_n * (k + 1) / looks_n) for k in range(looks_n))
    if at[0] < TRAINS_MIN_N:
        raise InputError(
            f"{looks_n} looks at {trains_n} trains: the first has {at[0]} trains, {TRAINS_MIN_N} are needed: look less"
        )
    return LookPlan(at, limits(np.array(at) / trains_n, alpha))


def limits(share: Sequence[float] | FloatArray, alpha: float) -> tuple[float, ...]:
    """One-sided p-value limit of each look, made at rising shares of the whole information (0..1].

    >>> [round(p, 4) for p in limits([0.5, 1.0], 0.05)]
    [0.0125, 0.0446]
    """
    from scipy.special import ndtr, ndtri  # costs 0.3 s and 20 MB to import

    spent = alpha * np.asarray(share, dtype=np.float64) ** SPENDING_POWER
    found: list[float] = []
    below: FloatArray | None = None  # accumulated evidence of the runs that no look has stopped yet, and its density
    density: FloatArray | None = None
    before = 0.0
    for seen, spend in zip(share, np.diff(spent, prepend=0.0), strict=True):
        sd = math.sqrt(seen - before)
        if below is None or density is None:
            limit = math.sqrt(seen) * float(-ndtri(spend))
        else:
            limit = _limit(below, density, sd, float(spend))
        grid = np.linspace(GRID_LOW, limit, GRID_N)
        density = _density(grid, below, density, sd)
        below, before = grid, float(seen)
        found.append(float(ndtr(-limit / math.sqrt(seen))))
    return tuple(found)


def _limit(below: FloatArray, density: FloatArray, sd: float, spend: float) -> float:
    """Evidence that a run crosses at this look, and at none before, with probability ``spend``."""
    from scipy.special import ndtr

    def excess(limit: float) -> float:
        return float(np.trapezoid(density * ndtr((below - limit) / sd), below)) - spend

    # By halves until they meet: scipy.optimize has better ways, and costs 46 MB and a second in a worker of each site.
    low, high = 0.0, LIMIT_MAX
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return middle


def _density(grid: FloatArray, below: FloatArray | None, density: FloatArray | None, sd: float) -> FloatArray:
    """Density of the accumulated evidence at ``grid`` after one more independent normal step."""
    if below is None or density is None:
        return np.asarray(np.exp(-0.5 * (grid / sd) ** 2) / (sd * math.sqrt(2.0 * math.pi)))
    step = np.exp(-0.5 * ((grid[:, None] - below) / sd) ** 2) / (sd * math.sqrt(2.0 * math.pi))
    return np.asarray(np.trapezoid(step * density, below, axis=1))


def take_look(
    beats_s: npt.ArrayLike,
    onsets_s: npt.ArrayLike,
    plan: LookPlan,
    *,
    train_s: float,
    rest_s: float | tuple[float, float] | None = None,
    gaps_s: Sequence[tuple[float, float]] = (),
) -> Look | None:
    """Look at a run that has reached a planned look exactly; None between looks.

    Parameters
    ----------
    beats_s : array (n,), seconds
        Beat times so far; the cycle of the last train should be over.
    onsets_s : array (trains so far,), seconds
    plan : LookPlan
    train_s, rest_s, gaps_s
        As for :func:`hbc_host.coupling.estimate_coupling`.

    Raises
    ------
    InputError
        If times cannot be used, or there are more trains than planned.
    """
    given_n = np.asarray(onsets_s).size
    if given_n > plan.trains_n[-1]:
        raise InputError(f"{given_n} trains, the plan of looks has {plan.trains_n[-1]}; plan the looks before the run")
    if given_n not in plan.trains_n:
        return None
    p_below = plan.p_below[plan.trains_n.index(given_n)]
    result = estimate_coupling(beats_s, onsets_s, train_s=train_s, rest_s=rest_s, gaps_s=gaps_s)
    is_last = given_n == plan.trains_n[-1]
    is_shown = result.verdict == "coupled" and result.p_value < p_below
    if result.verdict == "coupled" and not is_shown:
        result = _taken_back(result, p_below, len(plan.trains_n))
    state: State = "finished" if is_last else "enough" if is_shown else "go_on"
    return Look(state, result, given_n, p_below, is_shown and not is_last)


def _taken_back(result: CouplingResult, p_below: float, looks_n: int) -> CouplingResult:
    reason = f"p = {result.p_value:.4f} is not below {p_below:.4f}, which a run looked at {looks_n} times needs here"
    return replace(result, verdict="not_shown", reasons=(*result.reasons, reason))

"""Who is missing, and whether those who are differ from those who stay."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.cohort.outcomes import PatientFacts

FloatArray = npt.NDArray[np.float64]

RULE = (
    "Analysed are patients with at least one usable run, a known outcome and all covariates; nothing is filled in. "
    "The odds ratio is then right when being left out depends on the covariates or on the coupling, "
    "not when it depends on the outcome as well; the sensitivity table gives those without an outcome either one."
)


@dataclass(frozen=True)
class FlowStep:
    """How many patients were left, and why the others were not."""

    text: str
    patients_n: int


@dataclass(frozen=True)
class Comparison:
    """A fact of those analysed and left out: mean or share, how many know it, difference in standard deviations."""

    name: str
    analysed: float
    left_out: float
    known_n: tuple[int, int]
    difference_sd: float


@dataclass(frozen=True)
class Missingness:
    """Flow of patients, comparison of analysed and left out, and the rule that was followed."""

    flow: tuple[FlowStep, ...]
    comparisons: tuple[Comparison, ...]
    rule: str


def compare(
    patients: Sequence[PatientFacts], measured_bpm: FloatArray, analysed: Sequence[bool]
) -> tuple[Comparison, ...]:
    """Facts of patients analysed and left out; a fact that nobody lacks and a group without anyone are nan."""
    facts: dict[str, Callable[[PatientFacts], float]] = {
        "age, years": lambda one: one.age,
        "female": lambda one: math.nan if not one.sex else float(one.sex == "f"),
        "medication": lambda one: math.nan if one.medication is None else float(one.medication),
        "improved": lambda one: math.nan if one.improved is None else float(one.improved),
    }
    inside = np.array(analysed, dtype=bool)
    columns = {name: np.array([fact(one) for one in patients]) for name, fact in facts.items()}
    columns["coupling as measured, bpm"] = measured_bpm
    return tuple(_compare(name, column, inside) for name, column in columns.items())


def _compare(name: str, column: FloatArray, inside: npt.NDArray[np.bool_]) -> Comparison:
    known = np.isfinite(column)
    groups = column[inside & known], column[~inside & known]
    means = [float(group.mean()) if group.size else math.nan for group in groups]
    sd = float(column[known].std()) if known.sum() > 1 else math.nan
    difference = (means[1] - means[0]) / sd if sd > 0.0 else math.nan
    return Comparison(name, means[0], means[1], (int(groups[0].size), int(groups[1].size)), difference)

"""What the prediction adjusts for, as columns of numbers: age, sex, side, medication and clinic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.cohort.outcomes import PatientFacts

FloatArray = npt.NDArray[np.float64]

#: Adjusted for when nobody says otherwise, in this order.
ADJUST_FOR = ("age", "sex", "side", "medication", "clinic")
#: A level of a category with fewer patients than this is put together with others.
LEVEL_MIN_N = 5
#: A covariate that more patients than this share lack is left out, and that is said.
MISSING_MAX_SHARE = 0.2


@dataclass(frozen=True)
class Covariates:
    """Columns (patients, k) without a constant, their names, who has all of them, and notes on what was left out."""

    columns: FloatArray
    names: tuple[str, ...]
    complete: npt.NDArray[np.bool_]
    used: tuple[str, ...]
    notes: tuple[str, ...]


def build(patients: Sequence[PatientFacts], wanted: Sequence[str] = ADJUST_FOR) -> Covariates:
    """Columns for these patients.

    A covariate that does not vary, or that too many lack, is left out. A missing value is nan in its columns.
    """
    columns: list[FloatArray] = []
    names: list[str] = []
    used: list[str] = []
    notes: list[str] = []
    for name in wanted:
        values = [getattr(one, name) for one in patients]
        known = np.array([not _is_unknown(value) for value in values])
        missing = 1.0 - float(known.mean())
        if missing > MISSING_MAX_SHARE:
            if missing < 1.0 or name != "clinic":
                notes.append(
                    f"not adjusted for {name}: {missing:.0%} of patients lack it (limit {MISSING_MAX_SHARE:.0%})"
                )
            continue
        found = _numbers(values, known) if name == "age" else _levels(name, values, known)
        found = [(label, column) for label, column in found if np.nanstd(column) > 0.0]
        if not found:
            if name != "clinic":
                notes.append(f"not adjusted for {name}: it is the same for all patients")
            continue
        used.append(name)
        names += [label for label, _ in found]
        columns += [column for _, column in found]
    stacked = np.stack(columns, axis=1) if columns else np.zeros((len(patients), 0))
    complete: npt.NDArray[np.bool_] = np.asarray(np.isfinite(stacked).all(axis=1), dtype=np.bool_)
    return Covariates(stacked, tuple(names), complete, tuple(used), tuple(notes))


def _is_unknown(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _numbers(values: Sequence[float], known: npt.NDArray[np.bool_]) -> list[tuple[str, FloatArray]]:
    column = np.array(values, dtype=np.float64)
    # Decades from the mean: a coefficient of the size of the others, which Firth's penalty sees.
    return [("age, per 10 years", (column - column[known].mean()) / 10.0)]


def _levels(name: str, values: Sequence[object], known: npt.NDArray[np.bool_]) -> list[tuple[str, FloatArray]]:
    """A column of 0 and 1 for every level but the most common; rare levels are one."""
    texts = [("yes" if value else "no") if isinstance(value, bool) else str(value) for value in values]
    counts = {text: sum(t == text for t, k in zip(texts, known, strict=True) if k) for text in sorted(set(texts))}
    counts = {text: n for text, n in counts.items() if n}
    rare = [text for text, n in counts.items() if n < LEVEL_MIN_N]
    merged = {text: "other" if text in rare else text for text in counts}
    reference = max(counts, key=lambda text: counts[text]) if counts else ""
    if sum(counts[text] for text in rare) < LEVEL_MIN_N:  # too few even together: they join the most common level
        merged = {text: reference if text in rare else text for text in counts}
    labels = sorted(set(merged.values()) - {merged.get(reference, "")})
    place = np.array([merged.get(text, "") for text in texts])
    return [(f"{name} {label}", np.where(known, (place == label).astype(float), math.nan)) for label in labels]

"""Odds ratios in words: a number where the data give one, and a sentence with the reason where they do not.

Firth's penalty keeps every estimate finite. Where the patients with and without improvement do not overlap, an end of
the interval, or the ratio itself, comes from that penalty alone and says nothing about patients: no number is printed
for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hbc_host.counting import counted

#: Names with their odds ratios, as a document holds them.
Ratios = Sequence[tuple[str, Mapping[str, Any]]]
#: Beyond this an odds ratio of one patient's step in coupling is no finding, but a sign of too few patients.
RATIO_MAX = 1000.0
NOT_DETERMINED = "not determined"
OPEN_ENDS = {"above": "no upper bound", "below": "no lower bound", "both": "no bound on either side"}


def number(value: Any) -> float:
    """A number of a document back as one: null is nan, and infinity is a word there."""
    return math.nan if value is None else float(value)


def num(value: Any, digits: int = 2) -> str:
    """A number for reading; a dash when unknown."""
    known = number(value)
    return "-" if math.isnan(known) else f"{known:.{digits}f}" if math.isfinite(known) else "infinite"


def ratio(value: Mapping[str, Any]) -> str:
    """An odds ratio with its interval, or that it is not determined and on which side.

    >>> ratio({"ratio": 1.5, "low": 0.9, "high": 2.5})
    '1.50 (95 % interval 0.90 to 2.50)'
    >>> ratio({"ratio": 4164.2, "low": 1.32, "high": 38243537.4, "undetermined": "above"})
    'not determined (95 % interval from 1.32, no upper bound)'
    """
    side = is_open(value)
    if side == "both":
        return f"{NOT_DETERMINED}: {OPEN_ENDS[side]}"
    return f"{NOT_DETERMINED if side else bounded(value['ratio'])} (95 % interval {interval(value)})"


def estimate(value: Mapping[str, Any]) -> str:
    """The ratio alone, for a table."""
    return NOT_DETERMINED if is_open(value) else bounded(value["ratio"])


def interval(value: Mapping[str, Any]) -> str:
    """The interval alone, for a table."""
    side = is_open(value)
    if side == "both":
        return OPEN_ENDS[side]
    if side == "above":
        return f"from {bounded(value['low'])}, {OPEN_ENDS[side]}"
    if side == "below":
        return f"up to {bounded(value['high'])}, {OPEN_ENDS[side]}"
    return f"{bounded(value['low'])} to {bounded(value['high'])}"


def is_open(value: Mapping[str, Any]) -> str:
    """Side without a bound: ``""`` where the data bound both. Results of older versions do not say."""
    return str(value.get("undetermined", ""))


def bounded(value: Any) -> str:
    """A ratio for reading, never with more digits than anybody can mean."""
    known = number(value)
    if known >= RATIO_MAX:
        return f"> {RATIO_MAX:g}"
    return f"< {1.0 / RATIO_MAX:g}" if known < 1.0 / RATIO_MAX else num(value)


def reasons(document: Mapping[str, Any]) -> list[str]:
    """Why ratios of a document are not determined; empty when all are.

    A sentence for each side, the primary analysis apart from questions asked of other patients or runs: how many
    improved is known of the primary analysis alone.
    """
    prediction = document["prediction"]
    if not prediction:
        return []
    improved_n, all_n = prediction["improved_n"], prediction["patients_n"]
    fewer_n, which = min((improved_n, "improved"), (all_n - improved_n, "did not improve"))
    few = f"{counted(fewer_n, 'patient')} of {all_n} {which}, and these do not overlap with the others there"
    # Rows of other patients or runs: each with its own number of patients.
    rows = [
        (f"{row['name']} ({counted(row['patients_n'], 'patient')})", row["ratio"])
        for row in (*document["secondary"], *document["sensitivity"])
    ]
    others = "those who improved and those who did not do not overlap there"
    return _by_side(_primary(prediction), few) + _by_side(rows, others)


def _primary(prediction: Mapping[str, Any]) -> Ratios:
    return [
        ("coupling", prediction["per_sd"]),
        ("coupling as measured", prediction["as_measured_per_sd"]),
        *prediction["others"],
    ]


def _by_side(ratios: Ratios, few: str) -> list[str]:
    """A sentence for each side on which some of these ratios have no bound."""
    sides: dict[str, list[str]] = {}
    for name, value in ratios:
        if is_open(value):
            sides.setdefault(is_open(value), []).append(name)
    return [_reason(side, names, few) for side, names in sides.items()]


def _reason(side: str, names: list[str], few: str) -> str:
    larger = {"above": "any larger ratio fits", "below": "any smaller ratio fits", "both": "any ratio fits"}[side]
    return (
        f"not determined, {OPEN_ENDS[side]}: {', '.join(names)}. Too few patients: {few}, so that {larger} as well. "
        f"What the method gives beyond that is its own and no finding; more patients settle it"
    )

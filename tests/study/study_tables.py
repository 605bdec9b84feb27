"""Tables of the study page: from the rows of all runs to Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from hbc_host.evidence import ALPHA
from methods import Compared
from null_campaign import LOW_SHARE, NullCell
from pieces import Cell
from threshold_runs import ThresholdRun
from threshold_study import HEADING, ThresholdCell, share

NAMES = {"dash": "Dash", "itbs": "iTBS", "real": "real RR", "sim": "simulated", "chain": "through the box"}
Runs = dict[Cell, list[Compared]]


class Method(NamedTuple):
    """A method of the table of power: its own rule, and the score of which a matched cut-off is taken."""

    name: str
    rule: Callable[[Compared], bool]
    score: Callable[[Compared], float]


OURS = Method("`estimate_coupling`", lambda one: one.verdict == "coupled", lambda one: one.score)
ORACLE = Method("the same, told the true shape", lambda one: one.oracle_is_coupled, lambda one: one.oracle_score)
METHODS = (
    OURS,
    ORACLE,
    Method("fixed template, AR(24)", lambda one: one.template_is_coupled, lambda one: one.template_score),
    Method("published score > 9.56", lambda one: one.published_is_coupled, lambda one: one.published_score),
    Method("T2circ p < .05", lambda one: one.t2circ_is_coupled, lambda one: one.t2circ_score),
    Method("harmonic F p < .05", lambda one: one.harmonic_is_coupled, lambda one: one.harmonic_score),
)


def table(heading: str, rows: Iterable[str]) -> str:
    """Markdown with a line under the heading."""
    columns_n = heading.count(" | ") + 1
    return "\n".join((f"| {heading} |", "|---" * columns_n + "|", *(f"| {row} |" for row in rows)))


def null_table(cells: dict[Cell, NullCell]) -> str:
    """A line per world, both protocols beside each other."""
    lines = []
    for world in dict.fromkeys(cell[1] for cell in cells):
        both = [cells.get((name, world)) for name in ("dash", "itbs")]
        lines.append(" | ".join((str(world), *("- | - | -" if one is None else _null_shown(one) for one in both))))
    heading = "world | Dash: coupled of runs | share | cannot tell | iTBS: coupled of runs | share | cannot tell"
    return table(heading, lines)


def _null_shown(one: NullCell) -> str:
    low = " (below 3 %)" if one.coupled < LOW_SHARE else ""
    return f"{one.coupled_n} of {one.usable_n} | {share(one.coupled)}{low} | {share(one.open)}"


def cut_off(null: Sequence[Compared], score: Callable[[Compared], float]) -> float:
    """What at most 5 % of runs without response exceed; in a run that a method cannot use it finds nothing."""
    values = [-math.inf if math.isnan(score(one)) else score(one) for one in null]
    # One of the values, not a point between two: where nothing speaks for slowing the score is minus infinity.
    return float(np.quantile(values, 1.0 - ALPHA, method="higher")) if values else math.inf


def own_power(runs: Runs, name: str, background: str, method: Method) -> dict[float, float]:
    """Share that the method calls coupled by its own rule, per dip, 0 without response."""
    return {
        float(cell[2]): float(np.mean([method.rule(one) for one in rows]))
        for cell, rows in runs.items()
        if cell[:2] == (name, background)
    }


def matched_power(runs: Runs, name: str, background: str, method: Method) -> dict[float, float]:
    """Share above the cut-off that 5 % of runs without response exceed, per dip above 0."""
    limit = cut_off(runs[name, background, 0.0], method.score)
    return {
        float(cell[2]): float(np.mean([method.score(one) > limit for one in rows]))
        for cell, rows in runs.items()
        if cell[:2] == (name, background) and cell[2] != 0.0
    }


def power_table(runs: Runs, name: str, background: str, *, is_matched: bool) -> str:
    """A line per method: errors and power by its own rule, and power at a cut-off that errs in 5 %."""
    lines = []
    for method in METHODS:
        own = own_power(runs, name, background, method)
        cells = [share(value) for value in own.values()]
        if is_matched:
            cells += [share(value) for value in matched_power(runs, name, background, method).values()]
        lines.append(" | ".join((method.name, *cells)))
    dips = [float(cell[2]) for cell in runs if cell[:2] == (name, background)]
    shown = [f"{dip_bpm:g} bpm" for dip_bpm in dips if dip_bpm > 0.0]
    numbers = ", ".join(str(len(runs[name, background, dip_bpm])) for dip_bpm in dips)
    unusable_n = sum(one.verdict == "unusable" for dip in dips for one in runs[name, background, dip])
    heading = " | ".join(
        (
            f"{NAMES.get(name, name)}, {NAMES[background]}; {numbers} runs, {unusable_n} unusable",
            "own rule: no response",
            *shown,
            *([f"matched: {shown[0]}", *shown[1:]] if is_matched else []),
        )
    )
    return table(heading, lines)


class Cover(NamedTuple):
    """How the intervals of a cell hold the truth: counts of runs, of 90 % and of 95 % intervals that do."""

    runs_n: int
    ci90_n: int
    ci95_n: int


def usable(rows: Iterable[Compared]) -> list[Compared]:
    """Runs that the estimate could use."""
    return [one for one in rows if one.verdict != "unusable"]


def cover(rows: Sequence[Compared]) -> Cover:
    """Of usable runs."""
    return Cover(
        len(rows),
        sum(one.ci90_low_bpm <= one.truth_bpm <= one.ci90_high_bpm for one in rows),
        sum(one.ci95_low_bpm <= one.truth_bpm <= one.ci95_high_bpm for one in rows),
    )


def interval_table(runs: Runs) -> str:
    """A line per cell: error of the effect, coverage, width."""
    lines = []
    for cell, all_rows in runs.items():
        rows = usable(all_rows)
        if rows:
            error = np.mean([one.effect_bpm - one.truth_bpm for one in rows])
            width = np.mean([one.ci90_high_bpm - one.ci90_low_bpm for one in rows])
            found = cover(rows)
            name, background, dip_bpm = (NAMES.get(str(part), part) for part in cell)
            lines.append(
                f"{name}, {background}, {dip_bpm:g} bpm | {len(rows)} | {error:+.2f} |"
                f" {share(found.ci90_n / len(rows))} | {share(found.ci95_n / len(rows))} | {width:.1f}"
            )
    heading = "protocol, background, dip | runs | mean error, bpm | 90 % covers | 95 % covers | width of 90 %, bpm"
    return table(heading, lines)


def threshold_table(ramps: dict[Cell, list[ThresholdRun]]) -> str:
    """A line per cell of ramps, the published rule beside it."""
    return table(HEADING, [ThresholdCell(rows).line() for rows in ramps.values()])

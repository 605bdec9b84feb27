"""Tables of the study page: from the rows of all runs to Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from hbc_host.evidence import ALPHA
from hbc_host.threshold import FOUND, NONE_FOUND, NOT_DETERMINED
from methods import Compared
from null_campaign import LOW_SHARE, NullRun, excess_p
from pieces import Cell, Pieces
from threshold_study import ThresholdRun

NAMES = {
    "dash": "Dash",
    "itbs": "iTBS",
    "ramp": "ramp",
    "real": "real RR",
    "sim": "simulated",
    "chain": "through the box",
}
#: Methods of a table of power: name, own rule, score for a matched cut-off.
METHODS: tuple[tuple[str, Callable[[Compared], bool], Callable[[Compared], float]], ...] = (
    ("`estimate_coupling`", lambda one: one.verdict == "coupled", lambda one: one.score),
    ("the same, true shape told", lambda one: one.oracle_is_coupled, lambda one: one.oracle_score),
    ("fixed template, AR(24)", lambda one: one.template_is_coupled, lambda one: one.template_score),
    ("published score > 9.56", lambda one: one.published_is_coupled, lambda one: one.published_score),
    ("T2circ p < .05", lambda one: one.t2circ_is_coupled, lambda one: one.t2circ_score),
    ("harmonic F p < .05", lambda one: one.harmonic_is_coupled, lambda one: one.harmonic_score),
)


def share(value: float) -> str:
    """A share as this page writes it: .042."""
    return "-" if not math.isfinite(value) else f"{value:.3f}".removeprefix("0")


def usable(rows: Iterable[Compared]) -> list[Compared]:
    """Runs that the estimate could use."""
    return [one for one in rows if one.verdict != "unusable"]


def cut_off(null: Sequence[Compared], score: Callable[[Compared], float]) -> float:
    """What 5 % of runs without response exceed."""
    values = [score(one) for one in null]
    known = [value for value in values if not math.isnan(value)]
    # One of the values, not a point between two: where nothing speaks for slowing the score is minus infinity.
    return float(np.quantile(known, 1.0 - ALPHA, method="higher")) if known else math.inf


def table(heading: str, rows: Iterable[str]) -> str:
    """Markdown with a line under the heading."""
    columns_n = heading.count(" | ") + 1
    return "\n".join((f"| {heading} |", "|---" * columns_n + "|", *(f"| {row} |" for row in rows)))


class NullCell:
    """Counts of one world without response."""

    def __init__(self, rows: Sequence[NullRun]) -> None:
        found = Counter(one.verdict for one in rows)
        self.usable_n = found.total() - found["unusable"]
        self.coupled_n, self.open_n = found["coupled"], found["cannot_tell"]
        self.coupled = self.coupled_n / max(self.usable_n, 1)
        self.p = excess_p(self.coupled_n, self.usable_n)

    def shown(self) -> str:
        """Three cells of a line."""
        low = " (below 3 %)" if self.coupled < LOW_SHARE else ""
        return (
            f"{self.coupled_n} of {self.usable_n} | {share(self.coupled)}{low} | {share(self.open_n / self.usable_n)}"
        )


def null_cells(nulls: Pieces[NullRun]) -> dict[Cell, NullCell]:
    """Counts of every world that has runs."""
    return {cell: NullCell(nulls.rows(cell)) for cell in nulls.cells()}


def null_table(found: dict[Cell, NullCell]) -> str:
    """A line per world, both protocols beside each other."""
    worlds = list(dict.fromkeys(cell[1] for cell in found))
    lines = []
    for world in worlds:
        cells = [found.get((name, world)) for name in ("dash", "itbs")]
        lines.append(" | ".join((str(world), *("- | - | -" if one is None else one.shown() for one in cells))))
    heading = "world | Dash: coupled of runs | share | cannot tell | iTBS: coupled of runs | share | cannot tell"
    return table(heading, lines)


def power_table(compared: Pieces[Compared], name: str, background: str) -> str:
    """A line per method: errors and power by its own rule, and power at a cut-off that errs in 5 %."""
    dips = sorted({float(cell[2]) for cell in compared.cells() if cell[:2] == (name, background)})
    runs = {dip_bpm: usable(compared.rows((name, background, dip_bpm))) for dip_bpm in dips}
    null, shown = runs.get(0.0, []), [dip_bpm for dip_bpm in dips if dip_bpm > 0.0]
    lines = []
    for method, rule, score in METHODS:
        limit = cut_off(null, score)
        own = [share(float(np.mean([rule(one) for one in runs[dip_bpm]]))) for dip_bpm in (0.0, *shown)]
        matched = [share(float(np.mean([score(one) > limit for one in runs[dip_bpm]]))) for dip_bpm in shown]
        lines.append(" | ".join((method, *own, *matched)))
    names = " | ".join(f"{dip_bpm:g} bpm" for dip_bpm in shown)
    runs_n = ", ".join(str(len(runs[dip_bpm])) for dip_bpm in dips)
    heading = f"{NAMES[name]}, {NAMES[background]} ({runs_n} runs) | own rule: no response | {names} | matched: {names}"
    return table(heading, lines)


def matched_power(compared: Pieces[Compared], name: str, background: str, method: int = 0) -> dict[float, float]:
    """Power of one of :data:`METHODS` at a matched cut-off, per dip."""
    score = METHODS[method][2]
    limit = cut_off(usable(compared.rows((name, background, 0.0))), score)
    return {
        dip_bpm: float(np.mean([score(one) > limit for one in usable(compared.rows((name, background, dip_bpm)))]))
        for dip_bpm in _dips(compared, name, background)
    }


def own_power(compared: Pieces[Compared], name: str, background: str, method: int = 0) -> dict[float, float]:
    """Power of one of :data:`METHODS` by its own rule, per dip."""
    rule = METHODS[method][1]
    return {
        dip_bpm: float(np.mean([rule(one) for one in usable(compared.rows((name, background, dip_bpm)))]))
        for dip_bpm in _dips(compared, name, background)
    }


def _dips(compared: Pieces[Compared], name: str, background: str) -> list[float]:
    return sorted(float(c[2]) for c in compared.cells() if c[:2] == (name, background) and float(c[2]) > 0.0)


def covers(rows: Sequence[Compared]) -> tuple[float, float]:
    """Share of 90 % and of 95 % intervals that hold the truth."""
    values = np.array(
        [
            (
                one.ci90_low_bpm <= one.truth_bpm <= one.ci90_high_bpm,
                one.ci95_low_bpm <= one.truth_bpm <= one.ci95_high_bpm,
            )
            for one in rows
        ]
    )
    return float(values[:, 0].mean()), float(values[:, 1].mean())


def interval_table(compared: Pieces[Compared]) -> str:
    """A line per cell: error of the effect, coverage, width."""
    lines = []
    for cell in compared.cells():
        rows = usable(compared.rows(cell))
        if rows:
            error = np.mean([one.effect_bpm - one.truth_bpm for one in rows])
            width = np.mean([one.ci90_high_bpm - one.ci90_low_bpm for one in rows])
            cover90, cover95 = covers(rows)
            name, background, dip_bpm = (NAMES.get(str(part), part) for part in cell)
            lines.append(
                f"{name}, {background}, {dip_bpm:g} bpm | {len(rows)} | {error:+.2f} | {share(cover90)} |"
                f" {share(cover95)} | {width:.1f}"
            )
    heading = "protocol, background, dip | runs | mean error, bpm | 90 % covers | 95 % covers | width of 90 %, bpm"
    return table(heading, lines)


class ThresholdCell:
    """What a cell of ramps came to; errors in steps, over runs with an estimate."""

    def __init__(self, rows: Sequence[ThresholdRun], step_pct: float) -> None:
        self.rows = rows
        self.given = [one for one in rows if math.isfinite(one.threshold_pct)]
        self.step_pct = step_pct
        self.verdicts = {
            name: _mean([one.found == name for one in rows]) for name in (FOUND, NONE_FOUND, NOT_DETERMINED)
        }
        named = [one for one in rows if math.isfinite(one.published_pct)]
        self.published = len(named) / max(len(rows), 1)
        self.published_errors = [abs(one.published_pct - one.truth_pct) / step_pct for one in named]

    def errors(self, rows: Sequence[ThresholdRun]) -> float:
        """Median error of some rows, steps."""
        return _median([abs(one.threshold_pct - one.truth_pct) / self.step_pct for one in rows])

    @staticmethod
    def cover(rows: Sequence[ThresholdRun]) -> float:
        """Share of 95 % intervals that hold the truth."""
        return _mean([one.low_pct <= one.truth_pct <= one.high_pct for one in rows])

    def shown(self) -> str:
        """Error, coverage and width of all with an estimate, and of those found."""
        both = (self.given, [one for one in self.given if one.found == FOUND])
        parts = (
            [f"{self.errors(rows):.2f}" for rows in both],
            [share(self.cover(rows)) for rows in both],
            [f"{_median([one.width_steps for one in rows]):.1f}" for rows in both],
        )
        return " | ".join(f"{all_of_them} ({found})" for all_of_them, found in parts).replace("nan", "-")


def _mean(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if values else math.nan


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


def threshold_table(thresholds: Pieces[ThresholdRun], step_pct: float) -> str:
    """A line per cell of ramps, the published rule beside it."""
    lines = []
    for cell in thresholds.cells():
        one = ThresholdCell(thresholds.rows(cell), step_pct)
        is_silent = float(cell[2]) == 0.0
        verdicts = " / ".join(share(value) for value in one.verdicts.values())
        found = "- | - | -" if is_silent else one.shown()
        published = "-" if is_silent or not one.published_errors else f"{_median(one.published_errors):.1f} steps"
        lines.append(
            f"{NAMES[str(cell[0])]}, {cell[1]} train{'s' if cell[1] != 1 else ''} a step, {cell[2]:g} bpm |"
            f" {len(one.rows)} | {verdicts} | {found} | names one in {share(one.published)}, {published}"
        )
    heading = (
        "background, plateau | runs | found / none found / not determined | median error, steps | 95 % covers |"
        " median width, steps | published rule"
    )
    return table(heading, lines)

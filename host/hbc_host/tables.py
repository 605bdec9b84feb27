"""Results as terminal tables; the words are those of the report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from hbc_host.report import comparing, words

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis
    from hbc_host.doctor import Check

STYLES: dict[words.Verdict, str] = {
    "coupled": "bold blue",
    "not_shown": "",
    "cannot_tell": "yellow",
    "unusable": "yellow",
}


def site_table(analysis: Analysis, extra: Sequence[tuple[str, Sequence[str]]] = ()) -> Table:
    """One row per site: effect, interval, p, verdict.

    Parameters
    ----------
    analysis : Analysis
    extra : sequence of (heading, cells)
        Further columns, a cell per site, such as what the simulated patient really did.
    """
    table = Table(header_style="bold")
    table.add_column("site")
    headings = ["slowing bpm", words.SITE_INTERVAL, "slowing ms", words.SITE_INTERVAL, "p", "p, all sites"]
    for heading in [*headings, *(heading for heading, _ in extra)]:
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for row, site in enumerate(analysis.sites):
        result, verdict = site.coupling, words.decided(site)
        cells = [
            site.site,
            words.number(result.effect_bpm),
            words.interval(*result.ci90_bpm),
            words.number(result.effect_ms, 0),
            words.interval(*result.ci90_ms, digits=0),
            words.p_value(result.p_value),
            words.p_value(site.p_holm),
            *(cells[row] for _, cells in extra),
            f"{words.VERDICT_SHAPE[verdict]} {words.VERDICT_WORD[verdict]}",
        ]
        # Text, not str: a site named "[red]" must not become a colour.
        table.add_row(*(Text(cell) for cell in cells), style=STYLES[verdict])
    return table


def truth_line(analysis: Analysis, truth_bpm: Sequence[float]) -> str:
    """How many intervals hold what a simulated patient was made to do, and what to make of one that does not.

    ``truth_bpm`` is one a site; nan where nothing is known.
    """
    known = [(site, truth) for site, truth in zip(analysis.sites, truth_bpm, strict=True) if math.isfinite(truth)]
    missed = [site.site for site, truth in known if not site.coupling.ci90_bpm[0] <= truth <= site.coupling.ci90_bpm[1]]
    where = f"; it lies outside at {words.listing(missed)}" if missed else ""
    return (
        f"{len(known) - len(missed)} of {len(known)} intervals hold the truth{where}. A 90 % interval is expected to "
        f"miss it about once in ten times; how often it really does: docs/validation.md, Effect and intervals"
    )


def comparison_table(analysis: Analysis) -> Table | None:
    """The sites against each other; None when there are no two to compare."""
    pairs = comparing.compared(analysis)
    if not pairs:
        return None
    table = _numbers_table("sites compared", comparing.SITE_HEADINGS)
    for site, effect in pairs:
        table.add_row(*(Text(cell) for cell in [site.site, *comparing.site_cells(effect)]))
    return table


def published_table(analysis: Analysis) -> Table:
    """Other published numbers per site, labelled as what they are."""
    table = _numbers_table("for comparison", comparing.PUBLISHED_HEADINGS)
    for site in analysis.sites:
        table.add_row(*(Text(cell) for cell in [site.site, *comparing.published_cells(site)]))
    return table


def _numbers_table(first: str, headings: Sequence[str]) -> Table:
    table = Table(header_style="bold")
    table.add_column(first)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def fact_table(facts: Iterable[tuple[str, str]]) -> Table:
    """Two columns, name and value, without lines."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in facts:
        table.add_row(Text(name), Text(value))
    return table


CHECK_STYLES = {"ok": "green", "note": "blue", "warn": "yellow", "fail": "bold red"}


def check_table(checks: Iterable[Check]) -> Table:
    """One row per check: how it is, what was looked at, what was found, what to do."""
    table = Table(header_style="bold")
    for heading in ("", "checked", "found", "next step"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        status = Text(check.status, style=CHECK_STYLES.get(check.status, ""))
        table.add_row(status, Text(check.name), Text(check.found), Text(check.next_step))
    return table

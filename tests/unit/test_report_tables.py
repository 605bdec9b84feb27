"""Numbers of others, and the terminal beside the report."""

from __future__ import annotations

import io

import pytest
from hbc_host.analysis import Analysis
from hbc_host.report import (
    comparing,
    words,
)
from hbc_host.tables import comparison_table, published_table, truth_line
from rich.console import Console
from rich.table import Table
from support_report import (
    analysis_of,
    beside,
    compared,
    four_sites_of_one_person,
    page_of,
    site_of,
    unusable_site,
)


@pytest.fixture
def four_sites() -> Analysis:
    return four_sites_of_one_person()


def test_numbers_of_others_stand_in_a_block_of_their_own() -> None:
    site = beside(site_of("A", 3.0, 0.5, 0.001, 0.001))
    page = page_of(analysis_of(site, site_of("B", 0.1, 0.5, 0.4, 0.4)))
    assert comparing.COMPARISON_ONLY in page.words()
    rows = [[" ".join(cell.split()) for cell in row] for row in page.cells if len(row) == 7]
    assert ["A", "9.00", "9 of 15", "0.012", "17", "0.043", f"{words.MINUS}1.2"] in rows
    assert ["B", *[words.NONE] * 6] in rows
    assert "published score (130 Hz)" in page.words()
    assert comparing.COMPARISON_ONLY not in page_of(analysis_of(site_of("B", 0.1, 0.5, 0.4, 0.4))).words()


def printed(table: Table) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]


def test_the_terminal_shows_the_same_comparison_as_the_report() -> None:
    sites = (beside(site_of("A", 3.0, 0.5, 0.001, 0.001)), site_of("B", 0.1, 0.5, 0.4, 0.4), unusable_site("C", "flat"))
    analysis = compared(*sites)
    table = comparison_table(analysis)
    assert table is not None
    pairs = comparing.compared(analysis)
    assert printed(table) == [[site.site, *comparing.site_cells(effect)] for site, effect in pairs]
    assert [row[0] for row in printed(table)] == ["A", "B"]
    others = printed(published_table(analysis))
    assert others == [[site.site, *comparing.published_cells(site)] for site in analysis.sites]
    assert comparison_table(compared(sites[0], sites[2])) is None


def test_an_interval_that_misses_the_truth_of_the_demo_is_named_and_put_in_its_place(four_sites: Analysis) -> None:
    held = truth_line(four_sites, [0.4, 3.0, float("nan"), 1.2])
    assert held.startswith("3 of 3 intervals hold the truth. A 90 % interval is expected to miss it about once in ten")
    missed = truth_line(four_sites, [0.4, 4.5, float("nan"), 1.2])
    assert missed.startswith("2 of 3 intervals hold the truth; it lies outside at BF3-L.")
    assert "docs/validation.md" in missed

"""Figures and the map of the report."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pytest
from hbc_host.analysis import Analysis, StepEffect
from hbc_host.report import (
    drawing,
    effect_map,
    figures,
    html,
    words,
)
from hbc_host.report.language import language
from matplotlib.figure import Figure
from support_report import (
    analysis_of,
    beside,
    four_sites_of_one_person,
    page_of,
    site_of,
)


@pytest.fixture
def four_sites() -> Analysis:
    return four_sites_of_one_person()


def test_references_inside_the_figures_resolve_and_ids_are_unique(four_sites: Analysis) -> None:
    page = page_of(four_sites)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {str(attributes["href"])[1:] for _, attributes in page.tags if "href" in attributes}
    clips = {m for _, a in page.tags for m in re.findall(r"url\(#([^)]+)\)", str(a.get("clip-path", "")))}
    assert used | clips <= set(ids)
    assert used


def test_figures_take_every_colour_from_the_page_so_that_they_read_in_the_dark(four_sites: Analysis) -> None:
    for found in (figures.response_figure(four_sites), figures.dose_figure(four_sites)):
        assert found is not None
        figure = drawing.themed(found)
        assert "var(--series)" in figure
        assert re.findall(r"#[0-9a-f]{6}\b", figure) == []
    css = (Path(html.__file__).parent / "report.css").read_text(encoding="utf-8")
    light, dark = css.split("prefers-color-scheme: dark", 1)
    for role in drawing.ROLES:
        assert f"--{role}: #" in light
        assert f"--{role}: #" in dark


def test_the_map_shows_number_and_shade_and_hatches_what_is_missing(four_sites: Analysis) -> None:
    block = effect_map.map_blocks(four_sites.sites)[0]
    assert [cell.shade for cell in block.rows[2].cells[1:]] == ["none"] * 15
    strong = block.rows[1].cells[-1]
    assert strong.shade == "slow3"
    assert words.number(four_sites.sites[1].steps[-1].effect_bpm) == strong.text
    assert words.STEP_INTERVAL in strong.hint


def test_the_map_heads_columns_with_intensities_only_where_all_sites_agree(four_sites: Analysis) -> None:
    known = [four_sites.sites[0], four_sites.sites[1]]
    assert effect_map.map_blocks(known)[0].steps[:2] == ("22", "24")
    assert effect_map.map_blocks(four_sites.sites)[0].head == "Step"


def test_a_step_known_to_no_better_than_five_bpm_gets_no_colour() -> None:
    site = site_of("A", 3.0, 1.0, 0.01, 0.01)
    step = StepEffect(1, 16.0, None, 9.0, -3.0, 21.0, True)
    assert effect_map.map_cell(site, step, 1).shade == "wide"


def test_long_runs_continue_the_map_on_a_further_block() -> None:
    blocks = effect_map.map_blocks([site_of("A", 2.0, 1.0, 0.01, 0.01, steps_n=47)])
    assert [len(block.steps) for block in blocks] == [20, 20, 7]
    assert page_of(analysis_of(site_of("A", 2.0, 1.0, 0.01, 0.01, steps_n=47))).words()


def test_two_sites_of_one_name_keep_their_own_numbers() -> None:
    first, second = site_of("A", 0.0, 1.0, 0.5, 0.5), site_of("A", 6.0, 1.0, 0.001, 0.002)
    rows = effect_map.map_blocks([first, second])[0].rows
    assert rows[0].cells[-1].text != rows[1].cells[-1].text


def test_rest_stands_behind_the_response_and_the_page_says_so() -> None:
    site = beside(site_of("A", 3.0, 0.5, 0.001, 0.001))
    without = replace(site, rest_null=None)
    drawn = [figures.response_figure(analysis_of(one)) for one in (site, without)]
    assert drawn[0] is not None
    assert drawn[1] is not None
    assert drawn[0].svg.count("<path") == drawn[1].svg.count("<path") + 1
    assert "The grey band is rest" in page_of(analysis_of(site)).words()
    assert "The grey band is rest" not in page_of(analysis_of(without)).words()


def test_the_threshold_stands_in_the_figure_only_where_it_was_found() -> None:
    found, unclear = (beside(site_of("A", 3.0, 0.5, 0.001, 0.001), found=one) for one in ("found", "not_determined"))
    silent = beside(site_of("A", 0.1, 0.5, 0.4, 0.4))
    lines = []
    for site in (found, unclear, silent):
        drawn = figures.dose_figure(analysis_of(site))
        assert drawn is not None
        lines.append(drawn.svg.count(drawing.ROLES["warn"]))
    assert lines[0] > lines[1] > lines[2] == 0


def test_axes_have_a_decimal_comma_in_dutch() -> None:
    figure = Figure()
    figure.subplots().set_yticks([-0.5, 0.5])
    with mpl.rc_context(drawing.STYLE):
        svg = drawing.draw(figure, "x", "y", language("nl")).svg
    assert f">{words.MINUS}0,5</text>" in svg
    assert "0.5</text>" not in svg

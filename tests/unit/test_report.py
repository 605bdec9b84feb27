"""The report says what the analysis found, to people, in one file."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hbc_host.analysis import Analysis, SiteResult, StepEffect, TrainResponse
from hbc_host.coupling import CouplingResult
from hbc_host.errors import InputError
from hbc_host.published import PublishedScore
from hbc_host.report import comparing, figures, html, results_json, words, write_report
from hbc_host.secondary import SecondaryMetrics
from hbc_host.sites import compare_sites
from hbc_host.tables import comparison_table, published_table
from hbc_host.threshold import DoseCurve, ThresholdResult
from hbc_host.trains import PROTOCOLS
from rich.console import Console
from rich.table import Table

NAN = float("nan")
MADE = datetime(2026, 5, 4, 10, 31, tzinfo=UTC)
VOID = {"meta", "br", "link", "img", "input", "hr"}


def response_of(fall_bpm: float, trains_n: int = 15) -> TrainResponse:
    time_s = np.arange(-3.0, 11.25, 0.25)
    rise = 1 - np.exp(-np.clip(time_s - 1, 0, 5) / 2)
    change = -fall_bpm * rise * np.exp(-np.clip(time_s - 6, 0, None) / 3)
    return TrainResponse(time_s, change, change - 0.8, change + 0.8, trains_n)


def steps_of(
    plateau_bpm: float, steps_n: int, *, intensities: bool = True, half_bpm: float = 2.5
) -> tuple[StepEffect, ...]:
    wobble = np.random.default_rng(steps_n).normal(0, 0.7, steps_n)
    effects = plateau_bpm / (1 + np.exp(-(np.arange(steps_n) - 6.0) / 1.2)) + wobble
    return tuple(
        StepEffect(n, 196.0 + 16 * n, 20.0 + 2 * n if intensities else None, e, e - half_bpm, e + half_bpm, True)
        for n, e in enumerate(effects.tolist(), 1)
    )


def site_of(
    name: str, effect_bpm: float, half_bpm: float, p_value: float, p_holm: float, steps_n: int = 15
) -> SiteResult:
    verdict = "coupled" if p_value < 0.05 else "not_shown"
    bpm = (effect_bpm - half_bpm, effect_bpm + half_bpm)
    ms = (bpm[0] * 14.0, bpm[1] * 14.0)
    # The 95 % interval is wider and shown nowhere.
    wide_bpm, wide_ms = ((low - 0.1 * (high - low), high + 0.1 * (high - low)) for low, high in (bpm, ms))
    coupling = CouplingResult(
        effect_bpm * 14.0, effect_bpm, wide_ms, wide_bpm, 1.0, p_value, verdict, (), 301, 0.012, ms, bpm
    )
    steps = steps_of(effect_bpm, steps_n)
    return SiteResult(name, coupling, p_holm, response_of(effect_bpm), steps, 64.3, 301)


def unusable_site(name: str, reason: str) -> SiteResult:
    coupling = CouplingResult(NAN, NAN, (NAN, NAN), (NAN, NAN), NAN, NAN, "unusable", (reason,), 38, 0.41)
    steps = tuple(StepEffect(n, 16.0 * n, None, NAN, NAN, NAN, False) for n in range(1, 16))
    return SiteResult(name, coupling, NAN, None, steps, 61.0, 38)


def analysis_of(*sites: SiteResult, title: str = "P-014", notes: tuple[str, ...] = ()) -> Analysis:
    quality: dict[str, str | int | float] = {"beats_n": 1492, "frames_lost_n": 0, "excluded_share": 0.0123, "gaps_n": 2}
    return Analysis(title, "sessions/P-014", PROTOCOLS["dash"], sites, quality, notes)


def beside(site: SiteResult, *, found: str = "found", cycle_s: float = 16.0) -> SiteResult:
    """The site with a threshold and the numbers of others."""
    levels = np.linspace(22.0, 50.0, 15)
    curve = DoseCurve(levels, levels / 20.0, levels / 30.0, levels / 10.0)
    threshold = ThresholdResult(found, 34.0, (31.0, 38.0), 3.5, curve, ("a reason",), 0.01, ("a_flag",))
    above_n = 9 if cycle_s == 16.0 else None
    score = PublishedScore(8.1, np.linspace(8.0, 10.0, 15), 9.0, above_n, cycle_s, 3.2, 1, True, ())
    other = SecondaryMetrics(0.012, 17.3, 0.043, -1.25, 15, ())
    return replace(site, threshold=threshold, published=score, secondary=other)


def compared(*sites: SiteResult) -> Analysis:
    found = compare_sites([(site.site, site.coupling) for site in sites])
    sites = tuple(replace(site, p_holm=one.p_holm) for site, one in zip(sites, found.sites, strict=True))
    return replace(analysis_of(*sites), comparison=found)


@pytest.fixture
def four_sites() -> Analysis:
    return analysis_of(
        site_of("5CM-L", 0.4, 0.9, 0.31, 0.62),
        site_of("BF3-L", 3.1, 0.9, 0.0004, 0.0016),
        unusable_site("5CM-R", "38 beats, at least 60 are needed: check the electrodes"),
        site_of("BF3-R", 1.2, 1.0, 0.031, 0.093),
        notes=("trains were found from the trigger edges",),
    )


class Page(HTMLParser):
    """Tags, attributes and visible text of a page; complains about tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.cells: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in {"td", "th"}:
            self.cells[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if "td" in self._open or "th" in self._open:
            self.cells[-1][-1] += data

    def words(self) -> str:
        return " ".join(self.text.split())


def page_of(analysis: Analysis, **more: object) -> Page:
    return Page(html.render(analysis, command="hbc report x", session_info={}, made=MADE, **more))  # type: ignore[arg-type]


def test_page_one_gives_the_verdict_for_all_sites_in_one_sentence(four_sites: Analysis) -> None:
    text = page_of(four_sites).words()
    assert "Coupled at BF3-L; not shown at 5CM-L and BF3-R; nothing usable at 5CM-R." in text


def test_every_site_has_a_row_with_effect_interval_p_and_verdict(four_sites: Analysis) -> None:
    cells = [[" ".join(cell.split()) for cell in row] for row in page_of(four_sites).cells]
    rows = {row[0]: row for row in cells if len(row) == 9}
    minus = words.MINUS
    assert rows["BF3-L"][1:4] == ["● coupled", "3.1", "2.2 to 4.0"]
    assert rows["BF3-L"][5:] == ["43", "31 to 56", "< 0.001", "0.002"]
    assert rows["5CM-L"][1:4] == ["○ not shown", "0.4", f"{minus}0.5 to 1.3"]
    assert rows["5CM-R"][1:4] == ["✕ unusable", words.NONE, words.NONE]


def test_a_site_that_fails_holm_is_not_called_coupled(four_sites: Analysis) -> None:
    assert four_sites.sites[3].coupling.verdict == "coupled"
    assert words.decided(four_sites.sites[3]) == "not_shown"
    assert "but not after allowing for all sites tested (p = 0.093)" in page_of(four_sites).words()


def test_the_two_sentences_of_caution_are_always_there(four_sites: Analysis) -> None:
    for analysis in (four_sites, analysis_of(), analysis_of(unusable_site("A", "nothing there"))):
        text = page_of(analysis).words()
        assert "Research use; not a medical device." in text
        assert "that choosing site or intensity by HBC improves treatment is unproven" in text


def test_the_page_needs_nothing_from_outside(four_sites: Analysis) -> None:
    text = html.render(four_sites, command="hbc report x", session_info={}, made=MADE)
    assert not re.search(r"https?:|//[a-z]|url\((?!#)|@import", text)
    for tag, attributes in Page(text).tags:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        for name in ("src", "href"):
            target = attributes.get(name)
            assert target is None or target.startswith("#")


def test_references_inside_the_figures_resolve_and_ids_are_unique(four_sites: Analysis) -> None:
    page = page_of(four_sites)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = {str(attributes["href"])[1:] for _, attributes in page.tags if "href" in attributes}
    clips = {m for _, a in page.tags for m in re.findall(r"url\(#([^)]+)\)", str(a.get("clip-path", "")))}
    assert used | clips <= set(ids)
    assert used


def test_figures_take_every_colour_from_the_page_so_that_they_read_in_the_dark(four_sites: Analysis) -> None:
    for figure in (figures.response_figure(four_sites), figures.dose_figure(four_sites)):
        assert figure is not None
        assert "var(--series)" in figure
        assert re.findall(r"#[0-9a-f]{6}\b", figure) == []
    css = (Path(html.__file__).parent / "report.css").read_text(encoding="utf-8")
    light, dark = css.split("prefers-color-scheme: dark", 1)
    for role in figures.ROLES:
        assert f"--{role}: #" in light
        assert f"--{role}: #" in dark


def test_names_are_text_and_never_markup() -> None:
    wild = "<b>&\"'$x_1$ [red]"
    analysis = analysis_of(
        site_of(wild, 3.1, 0.9, 0.001, 0.002),
        unusable_site("B", "<script>alert(1)</script>"),
        title=wild,
        notes=(wild,),
    )
    text = html.render(analysis, command="hbc report '<i>'", session_info={"<u>": "<s>"}, made=MADE)
    page = Page(text)
    assert not {"b", "i", "u", "s", "script"} & {tag for tag, _ in page.tags}
    assert page.text.count(wild) >= 5
    assert "<script>alert(1)</script>" in page.text


def test_the_map_shows_number_and_shade_and_hatches_what_is_missing(four_sites: Analysis) -> None:
    block = html.map_blocks(four_sites.sites)[0]
    assert [cell.shade for cell in block.rows[2][1]] == ["none"] * 15
    strong = block.rows[1][1][-1]
    assert strong.shade == "slow3"
    assert words.number(four_sites.sites[1].steps[-1].effect_bpm) == strong.text
    assert words.STEP_INTERVAL in strong.hint


def test_the_map_heads_columns_with_intensities_only_where_all_sites_agree(four_sites: Analysis) -> None:
    known = [four_sites.sites[0], four_sites.sites[1]]
    assert html.map_blocks(known)[0].intensities[:2] == ("22", "24")
    assert html.map_blocks(four_sites.sites)[0].intensities == ()


def test_a_step_known_to_no_better_than_five_bpm_gets_no_colour() -> None:
    site = site_of("A", 3.0, 1.0, 0.01, 0.01)
    step = StepEffect(1, 16.0, None, 9.0, -3.0, 21.0, True)
    assert html.map_cell(site, step, 1).shade == "wide"


def test_long_runs_continue_the_map_on_a_further_block() -> None:
    blocks = html.map_blocks([site_of("A", 2.0, 1.0, 0.01, 0.01, steps_n=47)])
    assert [len(block.steps) for block in blocks] == [20, 20, 7]
    assert page_of(analysis_of(site_of("A", 2.0, 1.0, 0.01, 0.01, steps_n=47))).words()


def test_two_sites_of_one_name_keep_their_own_numbers() -> None:
    first, second = site_of("A", 0.0, 1.0, 0.5, 0.5), site_of("A", 6.0, 1.0, 0.001, 0.002)
    rows = html.map_blocks([first, second])[0].rows
    assert rows[0][1][-1].text != rows[1][1][-1].text


@pytest.mark.parametrize("sites_n", [0, 1, 2, 6])
def test_any_number_of_sites_makes_a_page(sites_n: int) -> None:
    sites = [site_of(f"S{n}", n - 1.0, 1.0, 0.2, 0.4) for n in range(sites_n)]
    text = page_of(analysis_of(*sites)).words()
    assert all(f"S{n}" in text for n in range(sites_n))


def test_unusable_sites_alone_are_a_normal_outcome() -> None:
    text = page_of(analysis_of(unusable_site("A", "too short"), unusable_site("B", "flat"))).words()
    assert "Nothing usable at A and B." in text
    assert "No site gave enough clean beats" in text


def test_a_speeding_heart_is_called_speeding() -> None:
    sentence = words.site_sentence(site_of("A", -2.0, 0.5, 0.999, 1.0))
    assert (
        " ".join(sentence.split())
        == "no slowing: the heart sped up by 2.0 bpm (90 % interval 1.5 to 2.5) after each train."
    )


def test_quality_figures_carry_words_and_units() -> None:
    assert html.quality_label("excluded_share") == "beats excluded or corrected"
    assert html.quality_label("rr_median_ms") == "rr median (ms)"
    assert html.quality_label("odd_things_n") == "odd things"
    assert html.quality_text("excluded_share", 0.0123) == "1.2 %"
    assert html.quality_text("bytes_n", 1234567) == "1\u202f234\u202f567"
    assert html.quality_text("x_s", NAN) == words.NONE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0001, "< 0.001"),
        (0.0123, "0.012"),
        (0.0496, "0.0496"),
        (0.05, "0.050"),
        (0.42, "0.420"),
        (1.0, "1.000"),
        (NAN, words.NONE),
    ],
)
def test_p_values_are_neither_zero_nor_rounded_across_the_limit(value: float, text: str) -> None:
    assert words.p_value(value) == text


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert words.number(-1.25, 2) == f"{words.MINUS}1.25"
    assert words.number(-0.01) == "0.0"
    assert words.number(math.inf) == words.NONE


def test_the_same_analysis_gives_the_same_bytes(four_sites: Analysis, tmp_path: Path) -> None:
    paths = [
        write_report(four_sites, tmp_path / name, command="hbc report x", made=MADE) for name in ("a.html", "b.html")
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_report_names_the_command_and_the_box(four_sites: Analysis, tmp_path: Path) -> None:
    info = {"Box": "24dcc3a1b2c4, esp32", "Recorded": "2026-05-04 10:31"}
    path = write_report(four_sites, tmp_path / "new" / "r.html", command="hbc report 'a b'", session_info=info)
    text = Page(path.read_text(encoding="utf-8")).words()
    assert "hbc report 'a b'" in text
    assert "24dcc3a1b2c4, esp32" in text


def test_a_place_that_cannot_be_written_is_one_line(four_sites: Analysis, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"cannot write the report .*; choose another place"):
        write_report(four_sites, tmp_path / "file" / "r.html", command="x")


def test_an_analysis_survives_json(four_sites: Analysis, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    document = results_json.to_document(four_sites, command="hbc analyze x")
    path.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
    again = results_json.read_document(path)
    assert results_json.to_document(again, command="hbc analyze x") == document
    first = html.render(four_sites, command="c", session_info={}, made=MADE)
    assert html.render(again, command="c", session_info={}, made=MADE) == first


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "neither session folder nor JSON"),
        ("[]", "format is 'list'"),
        ('{"sites": []}', "format is None"),
        ('{"format": "hbc-analysis-1", "title": "x"}', "incomplete"),
    ],
)
def test_json_that_is_no_analysis_is_refused_in_one_line(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=complaint):
        results_json.read_document(tmp_path / "x.json")


def test_one_site_that_stands_out_is_named_with_its_shrunken_effect() -> None:
    analysis = compared(site_of("A", 0.1, 0.8, 0.4, NAN), site_of("B", 4.0, 0.8, 0.0005, NAN))
    text = page_of(analysis).words()
    assert analysis.comparison is not None
    shrunken = analysis.comparison.sites[1].shrunken_bpm
    assert shrunken < 4.0
    assert f"The heart slowed most at B: by about {words.number(shrunken)} bpm" in text
    assert "The sites against each other" in text


def test_sites_that_may_be_equal_are_said_to_show_no_difference() -> None:
    analysis = compared(site_of("A", 2.5, 1.5, 0.002, NAN), site_of("B", 3.0, 1.5, 0.001, NAN))
    sentence = comparing.difference_sentence(analysis)
    assert sentence.startswith("No difference between the sites is shown")
    assert all(site.is_coupled for site in analysis.comparison.sites) if analysis.comparison else False


def test_sites_that_differ_without_a_sure_best_name_the_likely_ones() -> None:
    sites = [site_of(n, e, 0.7, 0.001, NAN) for n, e in (("A", 3.6), ("B", 3.3), ("C", -1.0))]
    sentence = comparing.difference_sentence(compared(*sites))
    assert re.search(r"not certain; likely are A \(\d\d\xa0%\) and B \(\d\d\xa0%\)\.", sentence)


def test_where_nothing_couples_no_site_is_best() -> None:
    analysis = compared(site_of("A", 0.2, 1.0, 0.3, NAN), site_of("B", 0.9, 1.0, 0.09, NAN))
    assert comparing.difference_sentence(analysis) == "No site is best where none is shown to couple."


def test_a_site_alone_is_compared_with_nothing() -> None:
    for analysis in (compared(site_of("A", 3.0, 1.0, 0.001, NAN)), analysis_of(), four_unusable()):
        assert comparing.difference_sentence(analysis) == ""
        assert comparing.compared(analysis) == []
    assert "against each other" not in page_of(four_unusable()).words()


def four_unusable() -> Analysis:
    return compared(*(unusable_site(name, "flat") for name in "ABCD"))


def test_what_may_be_breathing_is_neither_coupled_nor_not_shown() -> None:
    site = site_of("A", 3.0, 0.5, 0.001, 0.001)
    doubtful = replace(site, coupling=replace(site.coupling, verdict="cannot_tell", reasons=("breathing is gone",)))
    assert words.decided(doubtful) == "cannot_tell"
    text = page_of(analysis_of(doubtful)).words()
    assert "Coupling cannot be told from other rhythms at A." in text
    assert "this may be breathing or another rhythm" in text
    assert "◐ cannot tell" in text
    assert "breathing is gone" in text


def test_page_one_says_that_choosing_by_it_is_unproven_inside_the_verdict(four_sites: Analysis) -> None:
    page = html.render(four_sites, command="c", session_info={}, made=MADE)
    verdict = page.split('<div class="verdict">')[1].split("</div>")[0]
    assert words.UNPROVEN in verdict


def test_a_threshold_is_given_only_where_it_was_found_and_the_site_couples() -> None:
    coupled, silent = site_of("A", 3.0, 0.5, 0.001, 0.001), site_of("B", 0.1, 0.5, 0.4, 0.4)
    said = " ".join(comparing.threshold_sentence(beside(coupled)).split())
    assert said == "Threshold: 34 % of stimulator output (95 % interval 31 to 38 %)."
    unclear = " ".join(comparing.threshold_sentence(beside(coupled, found="not_determined")).split())
    assert unclear == "Threshold: not determined (perhaps 34 %, 95 % interval 31 to 38 %)."
    for site in (coupled, beside(silent), beside(coupled, found="none_found"), beside(unusable_site("C", "flat"))):
        assert comparing.threshold_sentence(site) == ""
        assert comparing.threshold_notes(site) == ()
    text = page_of(analysis_of(beside(coupled), beside(silent))).words()
    assert said in text
    assert text.count("Threshold:") == 2  # the sentence and what the word means
    assert "A, threshold: a reason" in text
    assert "B, threshold" not in text


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


def test_the_published_threshold_is_not_used_where_it_means_nothing() -> None:
    assert comparing.published_cells(beside(site_of("A", 3.0, 0.5, 0.1, 0.1), cycle_s=10.0))[1] == "n/a"


def test_everything_beside_the_main_result_survives_json(tmp_path: Path) -> None:
    whole = compared(
        beside(site_of("A", 3.0, 0.5, 0.001, 0.002)), site_of("B", 0.1, 0.5, 0.4, 0.4), unusable_site("C", "flat")
    )
    path = tmp_path / "a.json"
    document = results_json.to_document(whole, command="c")
    path.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
    again = results_json.read_document(path)
    assert results_json.to_document(again, command="c") == document
    assert again.sites[0].published is not None
    assert again.sites[0].published.log_power.shape == (15,)
    assert again.sites[1].threshold is None
    first = html.render(whole, command="c", session_info={}, made=MADE)
    assert html.render(again, command="c", session_info={}, made=MADE) == first


def test_a_result_saved_before_sites_were_compared_can_still_be_drawn(four_sites: Analysis, tmp_path: Path) -> None:
    document = results_json.to_document(four_sites, command="c")
    for site in document["sites"]:
        for name in ("ci90_bpm", "ci90_ms", "threshold", "published", "secondary"):
            del site[name]
    del document["comparison"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    again = results_json.read_document(path)
    assert math.isnan(again.sites[0].coupling.ci90_bpm[0])
    assert "Coupled at BF3-L" in page_of(again).words()

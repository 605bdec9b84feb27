"""Page 1 decides: the verdict in words, a row per site, which site is best."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hbc_host.analysis import Analysis
from hbc_host.report import (
    comparing,
    words,
)
from support_report import (
    NAN,
    analysis_of,
    beside,
    compared,
    four_sites_of_one_person,
    four_unusable,
    page_of,
    rendered,
    site_of,
    unusable_site,
)


@pytest.fixture
def four_sites() -> Analysis:
    return four_sites_of_one_person()


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


def test_page_one_says_that_choosing_by_it_is_unproven_inside_the_verdict(four_sites: Analysis) -> None:
    page = rendered(four_sites, command="c")
    verdict = page.split('<div class="verdict">')[1].split("</div>")[0]
    assert words.UNPROVEN in verdict


@pytest.mark.parametrize("sites_n", [0, 1, 6])
def test_any_number_of_sites_makes_a_page(sites_n: int) -> None:
    sites = [site_of(f"S{n}", n - 1.0, 1.0, 0.2, 0.4) for n in range(sites_n)]
    text = page_of(analysis_of(*sites)).words()
    assert all(f"S{n}" in text for n in range(sites_n))


def test_unusable_sites_alone_are_a_normal_outcome() -> None:
    text = page_of(analysis_of(unusable_site("A", "too short"), unusable_site("B", "flat"))).words()
    assert "Nothing usable at A and B." in text
    assert "No site gave enough clean beats" in text


def test_what_may_be_breathing_is_neither_coupled_nor_not_shown() -> None:
    site = site_of("A", 3.0, 0.5, 0.001, 0.001)
    doubtful = replace(site, coupling=replace(site.coupling, verdict="cannot_tell", reasons=("breathing is gone",)))
    assert words.decided(doubtful) == "cannot_tell"
    text = page_of(analysis_of(doubtful)).words()
    assert "Coupling cannot be told from other rhythms at A." in text
    assert "this may be breathing or another rhythm" in text
    assert "◐ cannot tell" in text
    assert "breathing is gone" in text


def test_one_site_that_stands_out_is_named_with_its_shrunken_effect() -> None:
    analysis = compared(site_of("A", 0.1, 0.8, 0.4, NAN), site_of("B", 4.0, 0.8, 0.0005, NAN))
    text = page_of(analysis).words()
    assert analysis.comparison is not None
    shrunken = analysis.comparison.sites[1].shrunken_bpm
    assert shrunken < 4.0
    assert re.search(rf"slowed most at B \(probability >? ?\d\d %\): by about {words.number(shrunken)} bpm", text)
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

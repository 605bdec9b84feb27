"""Words and numbers of the report."""

from __future__ import annotations

import math

import pytest
from hbc_host.analysis import Analysis
from hbc_host.report import (
    comparing,
    quality_words,
    words,
)
from support_report import (
    NAN,
    beside,
    four_sites_of_one_person,
    site_of,
)


@pytest.fixture
def four_sites() -> Analysis:
    return four_sites_of_one_person()


def test_a_speeding_heart_is_called_speeding() -> None:
    sentence = words.site_sentence(site_of("A", -2.0, 0.5, 0.999, 1.0))
    assert (
        " ".join(sentence.split())
        == "no slowing: the heart sped up by 2.0 bpm (90 % interval 1.5 to 2.5) after each train."
    )


def test_quality_figures_carry_words_and_units() -> None:
    assert quality_words.quality_label("excluded_share") == "beats excluded or corrected"
    assert quality_words.quality_label("rr_median_ms") == "rr median (ms)"
    assert quality_words.quality_label("odd_things_n") == "odd things"
    assert quality_words.quality_text("excluded_share", 0.0123) == "1.2 %"
    assert quality_words.quality_text("bytes_n", 1234567) == "1\u202f234\u202f567"
    assert quality_words.quality_text("x_s", NAN) == words.NONE


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


def test_the_published_threshold_is_not_used_where_it_means_nothing() -> None:
    assert comparing.published_cells(beside(site_of("A", 3.0, 0.5, 0.1, 0.1), cycle_s=10.0))[1] == "n/a"

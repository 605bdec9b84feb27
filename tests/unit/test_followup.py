"""Response, remission and early improvement: judged from totals, and "not known yet" where they cannot tell."""

from __future__ import annotations

from datetime import date

import pytest
from hbc_host.errors import InputError
from hbc_host.store.followup import SCALES, Total, course, scale_of

PHQ = SCALES["PHQ-9"]


def totals(*rows: tuple[int, float, int | None]) -> list[Total]:
    return [Total(date(2026, 1, day), total, treatment_n) for day, total, treatment_n in rows]


@pytest.mark.parametrize(
    ("last", "response", "remission"), [(20, False, False), (11, False, False), (10, True, False), (4, True, True)]
)
def test_response_is_half_and_remission_a_low_total(last: float, response: bool, remission: bool) -> None:
    found = course(PHQ, totals((1, 20, 0), (20, last, 20)))
    assert (found.response, found.remission) == (response, remission)


def test_one_total_tells_nothing_yet() -> None:
    found = course(PHQ, totals((1, 3, 0)))
    assert (found.change_pct, found.response, found.remission, found.early) == (None, None, None, None)


def test_the_order_of_entry_does_not_matter() -> None:
    rows = totals((1, 20, 0), (10, 15, 10), (20, 8, 20))
    assert course(PHQ, rows) == course(PHQ, rows[::-1])


def test_early_improvement_is_judged_by_the_last_total_up_to_that_treatment() -> None:
    assert course(PHQ, totals((1, 20, 0), (8, 16, 8), (12, 20, 12))).early is True
    assert course(PHQ, totals((1, 20, 0), (8, 17, 8), (12, 10, 12))).early is False


def test_early_improvement_is_not_known_before_that_treatment_nor_without_counts() -> None:
    assert course(PHQ, totals((1, 20, 0), (8, 10, 8))).early is None
    assert course(PHQ, totals((1, 20, None), (20, 10, None))).early is None
    assert course(PHQ, totals((1, 20, 0), (20, 10, 15))).early is None


def test_obsession_needs_a_third_less() -> None:
    scale = SCALES["Y-BOCS"]
    assert course(scale, totals((1, 30, 0), (20, 19.5, 20))).response is True
    assert course(scale, totals((1, 30, 0), (20, 20, 20))).response is False


def test_a_baseline_of_zero_has_no_percent() -> None:
    found = course(PHQ, totals((1, 0, 0), (20, 3, 20)))
    assert (found.change_pct, found.response, found.remission) == (None, None, True)


@pytest.mark.parametrize("name", ["phq9", "PHQ-9", "Phq 9"])
def test_a_scale_is_known_however_it_is_written(name: str) -> None:
    assert scale_of(name) is PHQ


def test_unknown_scales_and_empty_courses_are_refused() -> None:
    with pytest.raises(InputError, match="use one of PHQ-9"):
        scale_of("HAMD")
    with pytest.raises(InputError, match="no PHQ-9 total yet"):
        course(PHQ, [])

"""What a cohort's result says in words: a ratio that the patients do not determine is never printed as a number."""

from __future__ import annotations

from typing import Any

import pytest
from hbc_host.cli_cohort_words import estimated, notes_together
from hbc_host.cohort.audit import Finding
from hbc_host.cohort.ratio_words import bounded, estimate, interval, ratio, reasons
from hbc_host.cohort.report import sentence

SOUND = {"ratio": 1.5, "low": 0.9, "high": 2.5, "p_value": 0.12, "undetermined": ""}
ABSURD = {"ratio": 4164.2, "low": 0.45, "high": 38243537.4, "p_value": 0.08, "undetermined": "above"}


def document(**changed: Any) -> dict[str, Any]:
    prediction = {
        "patients_n": 24, "improved_n": 5, "per_sd": SOUND, "as_measured_per_sd": SOUND, "others": [],
    } | changed  # fmt: skip
    return {"prediction": prediction, "secondary": [], "sensitivity": [], "notes": []}


def test_a_ratio_that_the_patients_bound_is_a_number_with_its_interval() -> None:
    assert ratio(SOUND) == "1.50 (95 % interval 0.90 to 2.50)"
    assert reasons(document()) == []


@pytest.mark.parametrize(
    ("side", "said"),
    [
        ("above", "not determined (95 % interval from 0.45, no upper bound)"),
        ("below", "not determined (95 % interval up to > 1000, no lower bound)"),
        ("both", "not determined: no bound on either side"),
    ],
)
def test_an_end_without_a_bound_is_said_and_no_absurd_number_printed(side: str, said: str) -> None:
    assert ratio(ABSURD | {"undetermined": side}) == said
    assert "38243537" not in interval(ABSURD | {"undetermined": side})
    assert estimate(ABSURD) == "not determined"


def test_a_ratio_beyond_reading_is_capped_even_when_it_is_determined() -> None:
    assert (bounded(4164.2), bounded("infinity"), bounded(1e-9), bounded(None)) == ("> 1000", "> 1000", "< 0.001", "-")


def test_the_reason_names_the_ratios_and_the_smaller_group() -> None:
    (said,) = reasons(document(per_sd=ABSURD, others=[["sex", ABSURD], ["age", SOUND]]))
    assert said.startswith("not determined, no upper bound: coupling, sex. Too few patients: 5 patients of 24 improved")
    (said,) = reasons(document(others=[["sex", ABSURD]], improved_n=23))
    assert "1 patient of 24 did not improve" in said


def test_the_count_of_the_primary_analysis_is_not_said_of_other_patients() -> None:
    other = {"name": "site left alone", "patients_n": 21, "ratio": ABSURD}
    sound = {"name": "middle third", "patients_n": 22, "ratio": SOUND}
    first, second = reasons(document(per_sd=ABSURD) | {"secondary": [other, sound]})
    assert "site left alone" not in first
    assert second.startswith(
        "not determined, no upper bound: site left alone (21 patients). Too few patients: those who"
    )
    assert "24" not in second
    assert "coupling" not in second
    assert reasons(document() | {"sensitivity": [other]}) == [second]


def test_the_answer_says_what_it_does_not_know() -> None:
    said = sentence(document(per_sd=ABSURD))
    assert "not determined (95 % interval from 0.45, no upper bound)" in said
    assert "That is no proof of none." in said
    assert "improved early more often" in sentence(document(per_sd=SOUND | {"p_value": 0.01}))


def test_a_result_of_an_older_version_is_read_without_the_mark() -> None:
    old = {name: value for name, value in SOUND.items() if name != "undetermined"}
    assert ratio(old) == ratio(SOUND)


def test_what_was_estimated_is_said_in_words_that_fit_the_number() -> None:
    assert estimated(7, 7) == "all estimated now"
    assert estimated(0, 7) == "all known from an earlier fit"
    assert estimated(6, 7) == "6 estimated now, 1 is known from an earlier fit"
    assert estimated(2, 7) == "2 estimated now, 5 are known from an earlier fit"


def test_notes_that_differ_in_numbers_only_stand_together() -> None:
    said = notes_together(
        [
            Finding("note", "P-1/a", "first train at 8.5 s by declaration"),
            Finding("note", "P-2/a", "first train at 9 s by declaration"),
            Finding("note", "P-3", "outcome unknown"),
            Finding("note", "outcomes", "decimal commas were read"),
        ]
    )
    assert said == [
        "note: P-1/a: first train at 8.5 s by declaration (and 1 more like this: --json FILE writes all)",
        "note: P-3: outcome unknown",
        "note: decimal commas were read",
    ]

"""The table of outcomes is read forgivingly, and nothing is taken for what it is not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hbc_host.cohort import covariates
from hbc_host.cohort.outcomes import PatientFacts, read_outcomes
from hbc_host.errors import InputError


def table(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "outcomes.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


PLAIN = "patient,improved,age,sex,side,medication,clinic\nP-1,1,40.5,f,L,yes,A\nP-2,0,51,m,R,no,B\nP-3,,33,x,B,,A\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace(",", ";").replace("40.5", "40,5"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("patient", "Participant ID").replace("sex", "Gender").replace("f,L,yes", "Female,left,JA"),
    ],
)
def test_the_same_table_in_many_spellings_is_the_same(tmp_path: Path, text: str | bytes) -> None:
    first, second, third = read_outcomes(table(tmp_path, text)).patients
    assert (first.patient, first.improved, first.age, first.sex, first.side) == ("P-1", True, 40.5, "f", "L")
    assert (first.medication, first.clinic) == (True, "A")
    assert (second.improved, second.medication) == (False, False)
    assert third.improved is None
    assert third.medication is None


def test_liberties_are_told(tmp_path: Path) -> None:
    text = "\ufeffID;Improved;Age;mood\nP-1;ja;40,5;good\n"
    notes = " | ".join(read_outcomes(table(tmp_path, text)).notes)
    for part in ("byte-order mark", "semicolons", "'ID' is read as patient", "'mood' is not used", "1 numbers with"):
        assert part in notes


def test_improvement_is_computed_from_scores_when_it_is_not_given(tmp_path: Path) -> None:
    text = "patient,score_baseline,score_early\nP-1,20,16\nP-2,20,16.1\nP-3,20,\n"
    found = read_outcomes(table(tmp_path, text))
    assert [one.improved for one in found.patients] == [True, False, None]
    assert "at least 20%" in found.notes[0]
    assert read_outcomes(table(tmp_path, text), improvement_share=0.1).patients[1].improved is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "0 lines"),
        ("patient,improved\n", "1 lines"),
        ("name,improved\nP-1,1\n", "no column 'patient'"),
        ("patient,age\nP-1,30\n", "no column 'improved'"),
        ("patient,improved,improved\nP-1,1,1\n", "more than once"),
        ("patient,improved\nP-1,maybe\n", "line 2: improved is 'maybe'"),
        ("patient,improved,age\nP-1,1,430\n", "age of 430 is outside 5 to 110"),
        ("patient,improved,age\nP-1,1,old\n", "age is 'old', not a number"),
        ("patient,improved,sex\nP-1,1,q\n", "sex is 'q'"),
        ("patient,improved\n,1\n", "names no patient"),
        ("patient,improved\nP-1,1\nP-1,0\n", "P-1: 2 rows"),
        ("patient,improved,age\nP-1,1,40,5\n", "decimal comma"),
        ("patient,score_baseline,score_early\nP-1,0,0\n", "cannot improve"),
        (b"PK\x03\x04rest", "spreadsheet"),
    ],
)
def test_what_cannot_be_is_refused_with_the_line_and_the_reason(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_outcomes(table(tmp_path, text))


def test_a_check_hears_of_every_bad_line_and_keeps_the_good_ones(tmp_path: Path) -> None:
    found = read_outcomes(table(tmp_path, "patient,improved\nP-1,maybe\nP-2,1\nP-3,2\n"), strict=False)
    assert [one.patient for one in found.patients] == ["P-2"]
    assert len(found.faults) == 2


def people(**columns: list[object]) -> list[PatientFacts]:
    count = len(next(iter(columns.values())))
    return [PatientFacts(f"P-{k}", **{name: values[k] for name, values in columns.items()}) for k in range(count)]


def test_covariates_become_columns_and_the_most_common_level_is_the_reference() -> None:
    ages = [float(age) for age in range(30, 50)]
    built = covariates.build(people(age=ages, sex=["f"] * 12 + ["m"] * 8), ("age", "sex"))
    assert built.names == ("age, per 10 years", "sex m")
    assert built.columns[:, 0] == pytest.approx((np.array(ages) - 39.5) / 10.0)
    assert built.columns[:, 1].tolist() == [0.0] * 12 + [1.0] * 8
    assert built.complete.all()


def test_a_covariate_that_many_lack_is_left_out_and_that_is_said() -> None:
    ages = [math.nan] * 5 + [40.0, 50.0] * 5
    built = covariates.build(people(age=ages, side=["L", "R", "R"] * 5), ("age", "side"))
    assert built.used == ("side",)
    assert "not adjusted for age: 33%" in built.notes[0]


def test_a_patient_who_lacks_a_covariate_is_not_complete() -> None:
    built = covariates.build(people(age=[math.nan] + [40.0, 50.0] * 5), ("age",))
    assert built.complete.tolist() == [False] + [True] * 10


def test_levels_of_a_few_patients_are_put_together() -> None:
    clinics = ["A"] * 20 + ["B"] * 3 + ["C"] * 3
    built = covariates.build(people(clinic=clinics), ("clinic",))
    assert built.names == ("clinic other",)
    lone = covariates.build(people(clinic=["A"] * 20 + ["B"] * 10 + ["C"]), ("clinic",))
    assert lone.names == ("clinic B",)
    assert lone.complete.all()

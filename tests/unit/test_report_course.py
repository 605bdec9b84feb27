"""The course of a patient on paper: coupling over the sessions, scores, and the definitions that were used."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hbc_host.cli import app
from hbc_host.report.course import ScaleThen, course_of, sites_then
from hbc_host.report.html import render
from hbc_host.report.language import ENGLISH, MINUS, NONE, Language, language
from hbc_host.report.patient_page import patient_page
from hbc_host.report.results_json import to_document
from hbc_host.store.database import open_store
from hbc_host.store.followup import SCALES, Total, course
from hbc_host.store.records import PatientFacts, add_event, add_patient, add_score, find_patient
from support_report import MADE, Page, analysis_of, four_sites_of_one_person, full_course, full_parts, page_of, site_of
from typer.testing import CliRunner


def words_of(lang: Language = ENGLISH, **changed: Any) -> str:
    course = replace(full_course(), **changed)
    return Page(render(patient_page(course, command="hbc patient report P-014", made=MADE, lang=lang))).words()


@pytest.fixture
def store(tmp_path: Path) -> str:
    place = str(tmp_path / "store.sqlite")
    with open_store(place) as session:
        patient = add_patient(session, "P-014", PatientFacts(diagnosis="depression"), who="AJ")
        for day, total, treatment_n in ((1, 20, 0), (10, 15, 10), (20, 9, 20)):
            add_score(session, patient, "PHQ-9", date(2026, 3, day), total, treatment_n, who="AJ")
        add_event(session, patient, "headache", "mild", "gone", datetime(2026, 3, 2, tzinfo=UTC), who="AJ")
    return place


def test_the_course_comes_from_the_store(store: str) -> None:
    with open_store(store) as session:
        course = course_of(find_patient(session, "P-014"), early_pct=25.0, early_treatment_n=10)
    (scale,) = course.scales
    assert (scale.went.response, scale.went.remission, scale.went.early) == (True, False, True)
    assert [total.total for total in scale.totals] == [20, 15, 9]
    assert [event.kind for event in course.events] == ["headache"]
    assert course.facts == (("diagnosis", "depression"),)


def test_a_saved_result_gives_its_sites_as_page_one_judged_them() -> None:
    found = sites_then(to_document(four_sites_of_one_person(), command="c"))
    assert [one.site for one in found] == ["5CM-L", "BF3-L", "5CM-R", "BF3-R"]
    assert [one.verdict for one in found] == ["not_shown", "coupled", "unusable", "not_shown"]
    assert math.isnan(found[2].effect_bpm)
    assert found[1].effect_bpm == pytest.approx(3.1)


@pytest.mark.parametrize("result", [{}, {"sites": None}, {"sites": [1, {}, {"site": "A", "verdict": "coupled"}]}])
def test_a_result_that_cannot_be_read_gives_no_site(result: dict[str, Any]) -> None:
    assert sites_then(result) == ()


def test_sessions_scores_and_definitions_are_printed() -> None:
    text = words_of()
    for words in (
        "Sessions in which the heart coupled: A (3 of 3) and B (0 of 3).",
        f"from 19 to 9 ({MINUS}53 %); response: yes; remission: no; early improvement: yes.",
        "2026-04-08 6 52 ● 2.5 (1.0 to 4.0) ✕",
        "response: a fall of at least 50 % from the first total; remission: a total of 4 or less (Kroenke 2001",
        "a fall of at least 20 % from the first total, judged by the last total up to treatment 10",
        "2026-04-08 headache mild gone in an hour AJ",
        "Choosing a site or an intensity by this result is unproven",
        "hbc patient report P-014",
    ):
        assert words in text, words


def test_the_same_in_dutch() -> None:
    text = words_of(language("nl"))
    assert f"van 19 naar 9 ({MINUS}53 %); respons: ja; remissie: nee; vroege verbetering: ja." in text
    assert "Diagnose depressie" in text


def test_a_patient_without_anything_has_a_page() -> None:
    text = words_of(sessions=(), scales=(), events=(), facts=())
    assert "Neither a session nor a score is in the store yet." in text
    assert "No session yet." in text


def test_two_series_are_told_apart() -> None:
    first, second = full_course().scales
    text = words_of(scales=(first, replace(second, series_n=2)))
    assert "PHQ-9, series 1" in text
    assert "Y-BOCS, series 2" in text


def test_the_report_of_a_session_has_the_course_at_its_end() -> None:
    text = page_of(analysis_of(site_of("A", 1.0, 1.0, 0.2, 0.2)), parts=full_parts()).words()
    assert text.index("Evidence") < text.index("Coupling over the sessions") < text.index("Provenance")


@pytest.mark.parametrize("ending", ["html", "pdf"])
def test_the_command_writes_a_private_file(store: str, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"P-014.{ending}"
    words = ["patient", "report", "P-014", "--out", str(out), "--store", store, "--lang", "nl"]
    result = CliRunner().invoke(app, [*words, *(["--pdf"] if ending == "pdf" else [])])
    assert result.exit_code == 0, result.output
    assert f"report: {out}" in result.output
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_bytes().startswith(b"%PDF" if ending == "pdf" else b"<!DOCTYPE html>")


def test_a_course_in_another_language_replaces_none(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for lang, name in (("en", "P-014.html"), ("nl", "P-014.nl.html")):
        done = CliRunner().invoke(app, ["patient", "report", "P-014", "--store", store, "--lang", lang])
        assert f"report: {name}" in done.output
        assert f'lang="{lang}"' in (tmp_path / name).read_text("utf-8")
    assert 'lang="en"' in (tmp_path / "P-014.html").read_text("utf-8")


def test_a_pdf_by_another_name_is_refused(store: str, tmp_path: Path) -> None:
    words = ["patient", "report", "P-014", "--pdf", "--out", str(tmp_path / "r.html"), "--store", store]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert not (tmp_path / "r.html").exists()


def scale_of_totals(*totals: float) -> ScaleThen:
    given = tuple(Total(date(2026, 4, 1 + 10 * k), total, 5 * k) for k, total in enumerate(totals))
    return ScaleThen(1, given, course(SCALES["PHQ-9"], given))


def test_a_score_that_did_not_change_is_said_to_be_unchanged() -> None:
    assert f"PHQ-9 {NONE} unchanged at 20; response: no" in words_of(scales=(scale_of_totals(20, 20),))
    assert f"PHQ-9 {NONE} onveranderd 20; respons: nee" in words_of(language("nl"), scales=(scale_of_totals(20, 20),))


def test_a_single_score_has_no_course_yet() -> None:
    text = words_of(scales=(scale_of_totals(20),))
    assert f"PHQ-9 {NONE} 20; no later total yet." in text
    assert f"PHQ-9 20 (2026-04-01) {NONE} {NONE}" in text


def test_one_session_without_coupling_is_said_otherwise_than_several() -> None:
    none = tuple(replace(one, sites=()) for one in full_course().sessions)
    assert "Koppeling is in de enige sessie tot nu toe niet aangetoond." in words_of(language("nl"), sessions=none[:1])
    assert "Koppeling is in geen van de 2 sessies aangetoond." in words_of(language("nl"), sessions=none[:2])
    assert "Coupling was not shown in the only session so far." in words_of(sessions=none[:1])

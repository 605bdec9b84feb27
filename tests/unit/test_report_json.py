"""A result survives being saved."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hbc_host.analysis import Analysis
from hbc_host.cli import app
from hbc_host.errors import InputError
from hbc_host.report import (
    results_json,
)
from support_report import (
    beside,
    compared,
    four_sites_of_one_person,
    page_of,
    rendered,
    site_of,
    unusable_site,
)
from typer.testing import CliRunner


@pytest.fixture
def four_sites() -> Analysis:
    return four_sites_of_one_person()


def test_an_analysis_survives_json(four_sites: Analysis, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    document = results_json.to_document(four_sites, command="hbc analyze x")
    path.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
    again = results_json.read_document(path)
    assert results_json.to_document(again, command="hbc analyze x") == document
    first = rendered(four_sites, command="c")
    assert rendered(again, command="c") == first


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
    first = rendered(whole, command="c")
    assert rendered(again, command="c") == first


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


@pytest.fixture
def saved(four_sites: Analysis, tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(results_json.to_document(four_sites, command="hbc analyze x")), encoding="utf-8")
    return path


def test_a_saved_result_becomes_a_dutch_pdf_beside_it(saved: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(saved), "--pdf", "--lang", "nl"])
    assert result.exit_code == 0, result.output
    written = saved.with_suffix(".nl.pdf")
    assert written.read_bytes().startswith(b"%PDF")
    assert written.stat().st_mode & 0o777 == 0o600
    assert not saved.with_suffix(".pdf").exists(), "the English one has that name"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--lang", "fr"], "language fr is not there; choose one of en, nl"),
        (["--pdf", "--out", "r.html"], "the name of a PDF ends in .pdf"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(saved: Path, words: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, ["report", str(saved), *words])
    assert result.exit_code == 2
    assert complaint in result.output
    assert sorted(one.name for one in saved.parent.iterdir()) == ["result.json"]

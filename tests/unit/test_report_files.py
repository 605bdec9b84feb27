"""The report as a file: self-contained, private, whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hbc_host.analysis import Analysis
from hbc_host.errors import InputError
from hbc_host.report import (
    write_report,
)
from support_report import (
    MADE,
    Page,
    analysis_of,
    four_sites_of_one_person,
    rendered,
    site_of,
    unusable_site,
)


@pytest.fixture
def four_sites() -> Analysis:
    return four_sites_of_one_person()


def test_the_page_needs_nothing_from_outside(four_sites: Analysis) -> None:
    text = rendered(four_sites, command="hbc report x")
    assert not re.search(r"https?:|//[a-z]|url\((?!#)|@import", text)
    for tag, attributes in Page(text).tags:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        for name in ("src", "href"):
            target = attributes.get(name)
            assert target is None or target.startswith("#")


def test_names_are_text_and_never_markup() -> None:
    wild = "<b>&\"'$x_1$ [red]"
    analysis = analysis_of(
        site_of(wild, 3.1, 0.9, 0.001, 0.002),
        unusable_site("B", "<script>alert(1)</script>"),
        title=wild,
        notes=(wild,),
    )
    text = rendered(analysis, command="hbc report '<i>'", session_info={"<u>": "<s>"})
    page = Page(text)
    assert not {"b", "i", "u", "s", "script"} & {tag for tag, _ in page.tags}
    assert page.text.count(wild) >= 5
    assert "<script>alert(1)</script>" in page.text


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


def test_a_report_is_for_the_user_alone_also_where_an_open_one_lay(four_sites: Analysis, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("older")
    (tmp_path / "r.html").chmod(0o644)
    path = write_report(four_sites, tmp_path / "r.html", command="c", made=MADE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["r.html"]


def test_a_report_that_cannot_be_finished_leaves_the_older_one(
    four_sites: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.html"
    path.write_text("older")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match="No space left on device; choose another place"):
        write_report(four_sites, path, command="c", made=MADE)
    assert path.read_text() == "older"
    assert [one.name for one in tmp_path.iterdir()] == ["r.html"]

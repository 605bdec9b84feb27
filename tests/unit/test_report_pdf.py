"""The PDF says what the page says, needs nothing but what is installed, and page 1 decides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hbc_host.report import pdf, words
from hbc_host.report.content import report_page
from hbc_host.report.language import language
from hbc_host.report.page import Page, Table
from hbc_host.report.pdf import render_pdf
from hbc_host.report.writing import write_page, write_report
from support_report import MADE, analysis_of, beside, compared, four_sites_of_one_person, full_parts, pdf_text, site_of

WILD = '#panic("x") $x_1$ *b* <b> \\ [red] "q" `c`'


def page_of(lang: str) -> Page:
    sites = (beside(site_of("A", 3.0, 0.5, 0.001, 0.002)), site_of("B", 0.1, 0.5, 0.4, 0.4))
    return report_page(
        compared(*sites), command="hbc report x", session_info={}, made=MADE, lang=language(lang), parts=full_parts()
    )


@pytest.fixture(scope="module", params=["en", "nl"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, Path]:
    """A report with everything in it, in each language."""
    page = page_of(request.param)
    return page, write_page(page, tmp_path_factory.mktemp("pdf") / f"{request.param}.pdf")


def dense(text: str) -> str:
    return "".join(text.split())


def test_every_word_and_number_of_the_page_is_in_the_pdf(made: tuple[Page, Path]) -> None:
    page, path = made
    text = pdf_text(path)
    assert page.verdict is not None
    wanted = [page.badge, *(value for _, value in page.facts), page.verdict.overall, page.verdict.difference]
    for section in page.sections:
        wanted.append(section.title)
        for block in section.blocks:
            if isinstance(block, Table):
                wanted += [column.title for column in block.columns if " " not in column.title]
            wanted.append(getattr(block, "text", ""))
            wanted.append(getattr(block, "caption", ""))
    assert [one for one in wanted if dense(one) not in text] == []


def test_every_cell_of_every_table_is_in_the_pdf(made: tuple[Page, Path]) -> None:
    page, path = made
    text = pdf_text(path)
    tables = [block for section in page.sections for block in section.blocks if isinstance(block, Table)]
    assert len(tables) >= 6
    texts = [cell.text for table in tables for row in table.rows for cell in row.cells]
    # A long cell is set in lines between those of its neighbours: its words are there, not side by side.
    assert [one for cell in texts for one in cell.split() if dense(one) not in text] == []


def test_page_one_decides(made: tuple[Page, Path]) -> None:
    page, path = made
    first = pdf_text(path, "-f", "1", "-l", "1")
    assert page.verdict is not None
    for one in (page.title, page.verdict.overall, page.verdict.caution, "Dr. B. de Vries", "A. Jansen", "52 %MSO"):
        assert dense(one) in first
    assert dense(page.sections[1].title) not in first


def test_the_typeface_is_embedded_and_nothing_points_outside(made: tuple[Page, Path]) -> None:
    _, path = made
    data = path.read_bytes()
    assert data.startswith(b"%PDF-1.")
    assert set(re.findall(rb"/FontName ?/\w+\+([\w-]+)", data)) == {b"DejaVuSans", b"DejaVuSans-Bold"}
    assert b"/URI" not in data


def test_names_are_text_and_never_typst() -> None:
    analysis = analysis_of(site_of(WILD, 3.1, 0.9, 0.001, 0.002), title=WILD, notes=(WILD,))
    page = report_page(analysis, command=WILD, session_info={WILD: WILD}, made=MADE)
    assert render_pdf(page).startswith(b"%PDF")


@pytest.mark.parametrize(("sites_n", "pages_n"), [(0, 2), (6, 3)])
def test_any_number_of_sites_makes_a_pdf(sites_n: int, pages_n: int) -> None:
    sites = [site_of(f"S{n}", n - 1.0, 1.0, 0.2, 0.4, steps_n=20) for n in range(sites_n)]
    page = report_page(analysis_of(*sites), command="c", session_info={}, made=MADE)
    assert len(pdf.render_png(page, ppi=20)) == pages_n


def test_the_same_page_gives_the_same_bytes(made: tuple[Page, Path]) -> None:
    page, path = made
    assert render_pdf(page) == path.read_bytes()


def test_the_ending_of_the_file_decides(tmp_path: Path) -> None:
    path = write_report(four_sites_of_one_person(), tmp_path / "r.PDF", command="c", made=MADE, lang="nl")
    assert path.read_bytes().startswith(b"%PDF")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_shapes_of_the_verdicts_are_in_the_typeface() -> None:
    from matplotlib.ft2font import FT2Font

    known = FT2Font(str(pdf.font_folder() / "DejaVuSans.ttf")).get_charmap()
    assert all(ord(shape) in known for shape in words.VERDICT_SHAPE.values())

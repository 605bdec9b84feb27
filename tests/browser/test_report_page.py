"""The report in a browser: accessible, nothing from outside, a zoom without a script, page 1 on one sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.test_accessibility import AXE, grave_faults
from hbc_host.report.content import report_page
from hbc_host.report.html import render
from hbc_host.report.language import language
from support_report import MADE, beside, compared, full_parts, site_of, unusable_site

SHEET = {"width": 1000, "height": 1300}


def write(folder: Path, lang: str) -> str:
    """A report with everything in it, as a browser opens it."""
    sites = [beside(site_of(name, 3.0, 0.5, 0.001, 0.002)) for name in ("5CM-L", "BF3-L")]
    analysis = compared(*sites, site_of("5CM-R", 0.1, 0.5, 0.4, 0.4), unusable_site("BF3-R", "flat"))
    page = report_page(
        analysis, command="hbc report x", session_info={}, made=MADE, lang=language(lang), parts=full_parts()
    )
    (folder / "report.html").write_text(render(page), "utf-8")
    return (folder / "report.html").as_uri()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab that may not reach the network."""
    context = browser.new_context(viewport=SHEET, offline=True)
    yield context.new_page()
    context.close()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there; make test installs it when npm is there")
@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), ("nl", "dark")])
def test_axe_finds_nothing_serious_in_the_report(tab: Any, tmp_path: Path, lang: str, theme: str) -> None:
    tab.emulate_media(color_scheme=theme)
    tab.goto(write(tmp_path, lang))
    assert grave_faults(tab) == []


def test_the_report_asks_for_nothing_but_itself(tab: Any, tmp_path: Path) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    address = write(tmp_path, "nl")
    tab.goto(address)
    assert asked == [address]


def test_the_heart_rate_can_be_made_larger_by_keyboard(tab: Any, tmp_path: Path) -> None:
    tab.goto(write(tmp_path, "en"))
    figure = tab.locator("svg[aria-label^='Heart rate over time']")
    before = figure.bounding_box()["width"]
    tab.locator("input[name=zoom-rhythm][value='1']").focus()
    tab.keyboard.press("ArrowRight")
    assert figure.bounding_box()["width"] == pytest.approx(2 * before, rel=0.02)


@pytest.mark.parametrize("lang", ["en", "nl"])
def test_page_one_is_one_sheet_when_the_browser_prints(tab: Any, tmp_path: Path, lang: str) -> None:
    tab.goto(write(tmp_path, lang))
    whole = tab.pdf(prefer_css_page_size=True)
    tab.evaluate("document.querySelectorAll('section:not(:first-of-type)').forEach(one => one.remove())")
    first = tab.pdf(prefer_css_page_size=True)
    assert sheets(first) == 1
    assert sheets(whole) <= 6


def sheets(data: bytes) -> int:
    return len(re.findall(rb"/Type ?/Page\b", data))

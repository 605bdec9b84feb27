"""The report as a PDF on A4 by typst, from the words and figures of the page; nothing is fetched.

The typeface is DejaVu Sans, which comes along with matplotlib and draws the figures, too, not one of the computer: the
PDF looks the same everywhere, and has the shapes of the verdicts.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hbc_host.errors import InputError
from hbc_host.report.page import Page

if TYPE_CHECKING:
    import typst

HERE = Path(__file__).parent
TEMPLATE = "report.typ"


def render_pdf(page: Page) -> bytes:
    """The report as a PDF file; raises InputError when typst cannot set it."""
    return _compile(page, "pdf")[0]


def render_png(page: Page, *, ppi: float = 100.0) -> list[bytes]:
    """Each page of the PDF as a picture, to look at it without a reader."""
    return _compile(page, "png", ppi=ppi)


def _compile(page: Page, kind: Literal["pdf", "png"], *, ppi: float | None = None) -> list[bytes]:
    import typst

    try:
        made: Any = typst.compile(
            (HERE / TEMPLATE).read_bytes(),
            format=kind,
            ppi=ppi,
            font_paths=_fonts(),
            sys_inputs={"page": json.dumps(asdict(page))},
            timestamp=0,  # when it was made stands on the page; in the file it would make equal reports differ
        )
    except RuntimeError as fault:
        raise InputError(f"the PDF cannot be set ({fault}); take the HTML report, it prints as well") from fault
    return made if isinstance(made, list) else [made]


@functools.lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    """The typeface alone: neither those of the computer nor those within typst."""
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[font_folder()])


def font_folder() -> Path:
    """Where matplotlib keeps DejaVu Sans."""
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf"

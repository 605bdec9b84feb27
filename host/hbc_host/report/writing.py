"""Writing reports: readable by the user alone, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hbc_host.errors import InputError
from hbc_host.report.content import report_page
from hbc_host.report.language import language
from hbc_host.report.page import Page

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis
    from hbc_host.report.session_parts import SessionParts


def write_report(
    analysis: Analysis,
    path: str | Path,
    *,
    command: str,
    session_info: Mapping[str, str] | None = None,
    made: datetime | None = None,
    drawn_from: str = "",
    lang: str = "en",
    parts: SessionParts | None = None,
) -> Path:
    """Write the report of `analysis` and return where it is.

    Parameters
    ----------
    analysis : Analysis
        What :mod:`hbc_host.analysis` found.
    path : str or Path
        An HTML file, or a PDF by its ending; missing folders are made, an older report of that name is replaced.
    command : str
        The command line that gives these numbers again.
    session_info : mapping of str to str, optional
        Facts for the head of page 1 in the order given, such as ``{"Recorded": "2026-05-04 10:31", "Box": "esp32"}``.
    made : datetime, optional
        When the report was made; now, unless told otherwise.
    drawn_from : str
        Name of the saved result that the page is drawn from; empty when the numbers were computed just now.
    lang : str
        ``"en"`` or ``"nl"``.
    parts : SessionParts, optional
        What is known of the session beside the analysis (:mod:`hbc_host.report.session_parts`).

    Raises
    ------
    InputError
        If the file cannot be written, or the language is not there.
    """
    page = report_page(
        analysis,
        command=command,
        session_info=session_info or {},
        made=made or datetime.now().astimezone(),
        drawn_from=drawn_from,
        lang=language(lang),
        parts=parts,
    )
    return write_page(page, Path(path))


def write_page(page: Page, path: Path) -> Path:
    """Write a report in words as HTML, or as PDF by the ending of the file; raises InputError."""
    if path.suffix.lower() == ".pdf":
        from hbc_host.report.pdf import render_pdf

        return write_private(path, render_pdf(page))
    from hbc_host.report.html import render

    return write_private(path, render(page).encode("utf-8"))


def write_private(path: Path, data: bytes) -> Path:
    """Write a file that only the user may read, in place of an older one, in one step; raises InputError."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as fault:
        raise InputError(f"cannot write the report {path}: {fault.strerror}; choose another place") from None
    return path

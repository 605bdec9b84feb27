"""``hbc patient report``: a patient's course of treatment on paper."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hbc_host.cli_common import command_line, refuse_overwriting
from hbc_host.cli_store import PatientArgument, StoreOption, opened_store
from hbc_host.errors import InputError
from hbc_host.names import report_name


def report(
    patient: PatientArgument,
    out_path: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Where to write; else P.html, P.nl.pdf ... here.", show_default=False
        ),
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="A PDF on A4 instead of HTML.")] = False,
    lang: Annotated[str, typer.Option("--lang", metavar="LANG", help="en or nl.")] = "en",
    early_percent: Annotated[
        float, typer.Option("--early-percent", metavar="PCT", help="Fall that counts as early improvement.")
    ] = 20.0,
    early_at: Annotated[
        int, typer.Option("--early-at", metavar="N", min=1, help="By which treatment it must be there.")
    ] = 10,
    store: StoreOption = None,
) -> None:
    """Write the course of a patient: coupling in each session, scores, response and remission, adverse events.

    Example: hbc patient report P-014 --pdf --lang nl
    """
    target = out_path or Path(report_name(lang, stem=patient, ending=".pdf" if pdf else ".html"))
    if pdf and target.suffix.lower() != ".pdf":
        raise InputError(f"--pdf --out {target}: the name of a PDF ends in .pdf; or leave --pdf out")
    refuse_overwriting([], {"--out": target})
    from hbc_host.report.course import course_of
    from hbc_host.report.language import language
    from hbc_host.report.patient_page import patient_page
    from hbc_host.report.writing import write_page
    from hbc_host.store.records import find_patient

    chosen = language(lang)
    with opened_store(store) as session:
        row = find_patient(session, patient)
        course = course_of(row, early_pct=early_percent, early_treatment_n=early_at)
    options = ["--out", target, "--lang", lang, "--early-percent", f"{early_percent:g}", "--early-at", early_at]
    command = command_line("patient", "report", patient, *options, *([] if store is None else ["--store", store]))
    page = patient_page(course, command=command, made=datetime.now().astimezone(), lang=chosen)
    print(f"report: {write_page(page, target)}")

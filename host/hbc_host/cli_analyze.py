"""``hbc analyze``, ``hbc report``: from what was recorded to an answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hbc_host.cli_common import (
    JsonOption,
    Output,
    command_line,
    progress,
    refuse_overwriting,
    refuse_shared,
    refuse_twice,
)
from hbc_host.cli_store import StoreOption, folder_given
from hbc_host.errors import InputError
from hbc_host.names import report_name

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis

RateOption = Annotated[
    float | None,
    typer.Option("--rate-hz", metavar="HZ", help="Sampling rate of an ECG text file.", show_default=False),
]
LangOption = Annotated[
    str | None,
    typer.Option("--lang", metavar="LANG", help="en or nl; else that of the visit.", show_default=False),
]


def analyze(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Session folder or visit, ECG files or CSV pairs.")
    ],
    protocol: Annotated[
        str,
        typer.Option(metavar="NAME", help="dash, itbs, 10hz, or train/pause seconds like 5/11.", show_default=False),
    ],
    rate_hz: RateOption = None,
    first_train_s: Annotated[
        float | None,
        typer.Option(metavar="S", help="When the first train starts, if no trigger was recorded.", show_default=False),
    ] = None,
    start_uncertainty_s: Annotated[
        float, typer.Option(metavar="S", help="How far off the first train may be, if the start was pressed by hand.")
    ] = 0.0,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an HTML report to FILE.", show_default=False)
    ] = None,
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """Does the heart slow with the TMS trains? Effect, interval and verdict for each site.

    PATH is a session folder made by `hbc record`, or a visit such as P-014/3; or one ECG file per site (WFDB record, or
    text with one value a line); or a CSV of beat times together with a CSV of trigger times, in seconds.

    Example: hbc analyze left.txt right.txt --protocol dash --rate-hz 130 --report result.html
    """
    paths = [folder_given(path, store) for path in paths]
    refuse_twice(paths)
    refuse_overwriting(paths, {"--report": report, "--json": Path(json_target) if json_target else None})
    out = Output(json_target)
    from hbc_host.analysis import analyze_files
    from hbc_host.sources import ignored_options
    from hbc_host.trains import parse_protocol

    chosen = parse_protocol(protocol)
    facts: dict[str, str] = {}
    with progress("analysing"):
        if len(paths) == 1 and (paths[0] / "wire.hbclog").is_file():
            analysis, facts = analyze_folder(paths[0], protocol)
            ignored = ignored_options(["session"], rate_hz, first_train_s)
            analysis = replace(analysis, notes=(*analysis.notes, *ignored))
        else:
            analysis = analyze_files(
                paths,
                protocol=chosen,
                rate_hz=rate_hz,
                first_train_s=first_train_s,
                start_uncertainty_s=start_uncertainty_s,
            )
    command = command_line(
        "analyze",
        *paths,
        *given("--protocol", protocol),
        *given("--rate-hz", rate_hz),
        *given("--first-train-s", first_train_s),
        *given("--start-uncertainty-s", start_uncertainty_s or None),
        *given("--report", report),
    )
    show(out, analysis)
    if report is not None:
        write(out, analysis, report, command=command, facts=facts)
    from hbc_host.report.results_json import to_document

    out.json(to_document(analysis, command=command))


def report(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SESSION_OR_JSON", help="Session folders, visits such as P-014/3, or files from analyze --json."
        ),
    ],
    out_path: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to write; a folder for several.", show_default=False),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Protocol, if the session does not name its own.", show_default=False),
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="A PDF on A4 instead of HTML.")] = False,
    lang: LangOption = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="FILE", help="Store with the patient's course; else HBC_STORE.", show_default=False
        ),
    ] = None,
) -> None:
    """Write the report of a session, or of a result saved with `hbc analyze --json`, as HTML or PDF.

    Without --out the report stands beside its source: SESSION/report.html, or FILE.html for FILE.json; in another
    language than the session's own as report.nl.html.

    Example: hbc report P-014/3 --pdf --lang nl
    """
    if out_path is not None and len(sources) > 1 and not out_path.is_dir():
        raise InputError(f"{len(sources)} reports cannot share the file {out_path}; give an existing folder as --out")
    out = Output(None)
    from hbc_host.cli_store import ask_key_if_needed
    from hbc_host.clinic.visit import VISIT_NAME
    from hbc_host.report.language import language
    from hbc_host.report.results_json import read_command, read_document

    language(lang or "en")  # before the work: a language that is not there
    sources = [folder_given(source, store) for source in sources]
    targets = [_target(source, out_path, lang, pdf=pdf) for source in sources]
    refuse_shared(sources, targets)
    if any((source / VISIT_NAME).exists() for source in sources):  # its report shows the course, from the store
        ask_key_if_needed(store)
    for source, target in zip(sources, targets, strict=True):
        with progress(f"analysing {source.name}"):
            if source.is_dir():
                from hbc_host.report.of_folder import report_of_folder

                options = [*given("--protocol", protocol), *given("--lang", lang), *given("--store", store)]
                command = command_line("report", source, *options, "--out", target)
                path = report_of_folder(source, target, command=command, protocol=protocol, lang=lang, store=store)
            else:
                from hbc_host.report import write_report

                path = write_report(
                    read_document(source),
                    target,
                    command=read_command(source),
                    drawn_from=source.name,
                    lang=lang or "en",
                )
        out.say(f"report: {path}")


def show(out: Output, analysis: Analysis) -> None:
    """Table, verdict, thresholds, notes, and the numbers of others, on the terminal."""
    from hbc_host.report import comparing, words
    from hbc_host.tables import comparison_table, published_table, site_table

    out.console.print(site_table(analysis))
    out.say(words.overall_sentence(analysis))
    if difference := comparing.difference_sentence(analysis):
        out.say(difference)
    for site in analysis.sites:
        if threshold := comparing.threshold_sentence(site):
            out.say(f"{site.site}: {threshold}")
    out.say(words.UNPROVEN)
    if (table := comparison_table(analysis)) is not None:
        out.console.print(table)
    out.console.print(published_table(analysis))
    out.say(comparing.COMPARISON_ONLY)
    for site in analysis.sites:
        for reason in site.coupling.reasons:
            out.say(f"note: {site.site}: {reason}")
        for reason in comparing.threshold_notes(site):
            out.say(f"note: {site.site}, threshold: {reason}")
    for note in analysis.notes:
        out.say(f"note: {note}")


def write(
    out: Output, analysis: Analysis, target: Path, *, command: str, facts: dict[str, str], drawn_from: str = ""
) -> None:
    """Write the report and name it."""
    from hbc_host.report import write_report

    with progress("drawing"):
        path = write_report(analysis, target, command=command, session_info=facts, drawn_from=drawn_from)
    out.say(f"report: {path}")


def analyze_folder(folder: Path, protocol: str | None) -> tuple[Analysis, dict[str, str]]:
    """Analysis of a session, and the facts about it; reads the recording once."""
    from hbc_host.report.of_folder import analyze_recording, session_facts

    session, _, analysis = analyze_recording(folder, protocol)
    return analysis, session_facts(session)


def given(option: str, value: object) -> list[str]:
    """An option as typed; nothing when it was left out."""
    if value is None:
        return []
    return [option, str(value).removesuffix(".0") if isinstance(value, float) else str(value)]  # every digit counts


def _target(source: Path, out_path: Path | None, lang: str | None, *, pdf: bool) -> Path:
    from hbc_host.report.of_folder import default_target

    ending = ".pdf" if pdf else ".html"
    if out_path is None and source.is_dir():
        return default_target(source, lang, ending)
    if out_path is None or out_path.is_dir():
        return (out_path or source.parent) / report_name(lang or "en", stem=source.stem, ending=ending)
    if pdf and out_path.suffix.lower() != ".pdf":
        raise InputError(f"--pdf --out {out_path}: the name of a PDF ends in .pdf; or leave --pdf out")
    return out_path

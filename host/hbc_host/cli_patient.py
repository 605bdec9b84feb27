"""``hbc patient``: pseudonyms, visits, scores and adverse events over the course of treatment."""

from __future__ import annotations

from dataclasses import replace as changed
from pathlib import Path
from typing import Annotated, Any

import typer

from hbc_host import cli_patient_data, cli_patient_event, cli_patient_report, cli_patient_rights
from hbc_host.cli_common import HbcGroup, JsonOption, Output
from hbc_host.cli_store import (
    ByOption,
    PatientArgument,
    SeriesOption,
    StoreOption,
    TreatmentOption,
    day_given,
    opened_store,
    who_changes,
)  # fmt: skip
from hbc_host.errors import InputError

app = typer.Typer(
    name="patient",
    cls=HbcGroup,
    no_args_is_help=True,
    help="Follow patients, under pseudonyms, over the course of treatment: visits, scores, adverse events.",
)


@app.command()
def add(
    patient: PatientArgument,
    diagnosis: Annotated[str, typer.Option(help="depression, ocd, ptsd or other.")] = "",
    sex: Annotated[str, typer.Option(help="f, m or x.")] = "",
    birth_year: Annotated[int | None, typer.Option("--birth-year", metavar="Y", show_default=False)] = None,
    medication: Annotated[str, typer.Option(help="In words.")] = "",
    therapy: Annotated[str, typer.Option(help="Psychotherapy beside it, in words.")] = "",
    approval: Annotated[str, typer.Option(help="Ethics approval or regulatory status of this use.")] = "",
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Add a patient under a pseudonym.

    Example: hbc patient add P-014 --diagnosis depression
    """
    from hbc_host.store.records import PatientFacts, add_patient

    facts = PatientFacts(diagnosis, sex, birth_year, medication, therapy, approval)
    with opened_store(store, "write") as session:
        row = add_patient(session, patient, facts, who=who_changes(by))
        print(f"{patient} added, number {row.number}")


@app.command("list")
def list_patients(store: StoreOption = None, json_target: JsonOption = None) -> None:
    """List the patients in the store.

    Example: hbc patient list
    """
    out = Output(json_target)
    from rich.table import Table

    from hbc_host.store.records import all_patients

    with opened_store(store) as session:
        rows = [
            (p.number, p.pseudonym, p.diagnosis, len(p.visits), len(p.scores), len(p.events))
            for p in all_patients(session)
        ]
    table = Table()
    headings = ("number", "patient", "diagnosis", "visits", "scores", "adverse events")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(str(value) for value in row))
    if rows:
        out.console.print(table)
    else:
        out.say("no patient yet; add one with: hbc patient add P-001")
    out.json({"patients": [dict(zip(headings, row, strict=True)) for row in rows]})


@app.command()
def show(
    patient: PatientArgument,
    early_percent: Annotated[float, typer.Option(metavar="PCT", help="Fall that counts as early improvement.")] = 20.0,
    early_at: Annotated[int, typer.Option(metavar="N", help="By which treatment.")] = 10,
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """Show a patient's visits and scores: response, remission, early improvement.

    Example: hbc patient show P-014
    """
    out = Output(json_target)
    from hbc_host.cli_patient_words import course_document, courses_of, print_patient
    from hbc_host.store.exports import export_patient
    from hbc_host.store.records import find_patient

    with opened_store(store) as session:
        row = find_patient(session, patient)
        found = courses_of(row, early_percent, early_at)
        print_patient(out, row, found, early_percent, early_at)
        document = export_patient(row)
    out.json({**document, "courses": [course_document(series_n, one) for series_n, one in found]})


@app.command()
def score(
    patient: PatientArgument,
    scale: Annotated[str, typer.Argument(metavar="SCALE", help="PHQ-9, BDI-II, HDRS-17, MADRS, QIDS or Y-BOCS.")],
    total: Annotated[float, typer.Argument(metavar="TOTAL", help="Total of the scale.")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="Day, 2026-03-01; else today.")] = "",
    treatment: TreatmentOption = None,
    series: SeriesOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Correct the total of that day.")] = False,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="It is earlier than the first total: make it the baseline.")
    ] = False,
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Add the total of an outcome scale. Only totals are kept.

    Example: hbc patient score P-014 PHQ-9 17 --treatment 0
    """
    from hbc_host.store.records import add_score, find_patient
    from hbc_host.store.sessions import latest_series_n

    with opened_store(store, "correct" if replace else "write") as session:
        owner = find_patient(session, patient)
        row = add_score(
            session, owner, scale, day_given(on), total, treatment, who=who_changes(by), replace=replace,
            baseline=baseline, series_n=series or latest_series_n(owner),
        )  # fmt: skip
        print(f"{patient}: {row.scale} {row.total:g} on {row.on}")


@app.command()
def visit(
    patient: PatientArgument,
    recording: Annotated[Path, typer.Argument(metavar="SESSION", help="Folder that hbc record wrote.")],
    treatment: TreatmentOption = None,
    operator: Annotated[str, typer.Option(help="Who held the coil.")] = "",
    supervisor: Annotated[str, typer.Option(help="Registered clinician in charge.")] = "",
    second_person: Annotated[str, typer.Option("--second-person", help="Trained second person present.")] = "",
    mt: Annotated[
        float | None, typer.Option("--mt", metavar="PCT", help="Motor threshold, %MSO.", show_default=False)
    ] = None,
    mt_method: Annotated[str, typer.Option("--mt-method", help="How it was found.")] = "",
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="NAME=VALUE", help="sleep_h=6, caffeine=1 cup, ...")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(metavar="NAME", help="If the recording does not name its own.", show_default=False)
    ] = None,
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Add a session that hbc record made without a plan: analyse it, and keep the result beside who was there.

    Example: hbc patient visit P-014 sessions/P-014-01 --mt 52 --operator AJ --supervisor BdV
    """
    from hbc_host.cli_analyze import analyze_folder
    from hbc_host.report.results_json import to_document
    from hbc_host.report.words import overall_sentence
    from hbc_host.session import read_meta
    from hbc_host.store.records import find_patient
    from hbc_host.store.sessions import VisitFacts, add_visit, refuse_visit

    meta, _ = read_meta(recording)
    facts = VisitFacts(
        meta.created, str(recording.resolve()), treatment, operator, supervisor, second_person, mt, mt_method,
        _pairs(state or []),
    )  # fmt: skip
    with opened_store(store, "write") as session:  # before the analysis: it takes a while
        find_patient(session, patient)
        refuse_visit(session, facts)
    analysis, _ = analyze_folder(recording, protocol)
    document = to_document(analysis, command="")
    facts = changed(facts, result=document, practice=analysis.is_simulated or _was_practice(recording))
    with opened_store(store, "write") as session:
        add_visit(session, find_patient(session, patient), facts, who=who_changes(by))
    practice = " (practice: a simulated box or a practice protocol)" if facts.practice else ""
    print(f"{patient}, {meta.created:%Y-%m-%d}{practice}: {overall_sentence(analysis)}")


def _was_practice(recording: Path) -> bool:
    """By its plan: a practice protocol, whatever box was there."""
    from hbc_host.clinic.visit import has_visit, load_visit

    return has_visit(recording) and load_visit(recording).practice


def _pairs(texts: list[str]) -> dict[str, Any]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    if "" in pairs or "" in pairs.values():
        raise InputError("--state needs NAME=VALUE, such as --state sleep_h=6")
    return pairs


for command in (
    cli_patient_event.event,
    *cli_patient_data.COMMANDS,
    *cli_patient_rights.COMMANDS,
    cli_patient_report.report,
):
    app.command()(command)

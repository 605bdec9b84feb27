"""``hbc patient``: pseudonyms, visits, scores and adverse events over the course of treatment."""

from __future__ import annotations

import getpass
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from hbc_host.cli_common import HbcGroup, JsonOption, Output, refuse_overwriting
from hbc_host.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from hbc_host.report.words import Verdict
    from hbc_host.store.followup import Course
    from hbc_host.store.models import Patient

app = typer.Typer(
    name="patient",
    cls=HbcGroup,
    no_args_is_help=True,
    help="Follow patients, under pseudonyms, over the course of treatment: visits, scores, adverse events.",
)

PatientArgument = Annotated[str, typer.Argument(metavar="P", help="Pseudonym, such as P-014; never a name.")]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="FILE", help="Store, or database URL; else HBC_STORE.", show_default=False),
]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who makes this change; else the login.", show_default=False)
]
TreatmentOption = Annotated[
    int | None, typer.Option("--treatment", metavar="N", min=0, help="Treatments so far.", show_default=False)
]


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
    with _store(store) as session:
        row = add_patient(session, patient, facts, who=_who(by))
        print(f"{patient} added, number {row.number}")


@app.command("list")
def list_patients(store: StoreOption = None, json_target: JsonOption = None) -> None:
    """List the patients in the store.

    Example: hbc patient list
    """
    out = Output(json_target)
    from rich.table import Table

    from hbc_host.store.records import all_patients

    with _store(store) as session:
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
    from hbc_host.store.followup import SCALES, course
    from hbc_host.store.records import export_patient, find_patient, totals

    with _store(store) as session:
        row = find_patient(session, patient)
        document = export_patient(row)
        found = [
            course(scale, given, early_pct=early_percent, early_treatment_n=early_at)
            for scale in SCALES.values()
            if (given := totals(row, scale.name))
        ]
        _print_patient(out, row, found, early_percent, early_at)
    out.json({**document, "courses": [_course_document(one) for one in found]})


@app.command()
def score(
    patient: PatientArgument,
    scale: Annotated[str, typer.Argument(metavar="SCALE", help="PHQ-9, BDI-II, HDRS-17, MADRS, QIDS or Y-BOCS.")],
    total: Annotated[float, typer.Argument(metavar="TOTAL", help="Total of the scale.")],
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="Day, 2026-03-01; else today.")] = "",
    treatment: TreatmentOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Correct the total of that day.")] = False,
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Add the total of an outcome scale. Only totals are kept.

    Example: hbc patient score P-014 PHQ-9 17 --treatment 0
    """
    from hbc_host.store.records import add_score, find_patient

    with _store(store) as session:
        owner = find_patient(session, patient)
        row = add_score(session, owner, scale, _day(on), total, treatment, who=_who(by), replace=replace)
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
    """Add a recorded session to a patient: analyse it, and keep the result beside who was there.

    Example: hbc patient visit P-014 sessions/P-014-01 --mt 52 --operator AJ --supervisor BdV
    """
    from hbc_host.cli_analyze import analyze_folder
    from hbc_host.report.results_json import to_document
    from hbc_host.report.words import overall_sentence
    from hbc_host.session import read_meta
    from hbc_host.store.records import VisitFacts, add_visit, find_patient

    analysis, _ = analyze_folder(recording, protocol)
    meta, _ = read_meta(recording)
    facts = VisitFacts(
        meta.created,
        str(recording.resolve()),
        treatment,
        operator,
        supervisor,
        second_person,
        mt,
        mt_method,
        _pairs(state or []),
        to_document(analysis, command=""),
    )
    with _store(store) as session:
        add_visit(session, find_patient(session, patient), facts, who=_who(by))
    print(f"{patient}, {meta.created:%Y-%m-%d}: {overall_sentence(analysis)}")


@app.command()
def event(
    patient: PatientArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="syncope, seizure, headache, dizziness, ...; or other.")],
    severity: Annotated[str, typer.Option(help="mild, moderate or serious.")],
    text: Annotated[str, typer.Option(help="What happened, in words.")] = "",
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Record an adverse event, now.

    Example: hbc patient event P-014 headache --severity mild
    """
    from hbc_host.store.records import add_event, find_patient

    with _store(store) as session:
        now = datetime.now().astimezone()
        add_event(session, find_patient(session, patient), kind, severity, text, now, who=_who(by))
    print(f"{patient}: {kind}, {severity}, {now:%Y-%m-%d %H:%M}")


@app.command()
def export(
    patient: PatientArgument,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="JSON file to write.")],
    store: StoreOption = None,
) -> None:
    """Write all that the store has of one patient to a file.

    Example: hbc patient export P-014 P-014.json
    """
    refuse_overwriting([], {"FILE": target})
    if target.exists():
        raise InputError(f"{target} exists already; choose another name, nothing is ever overwritten")
    out = Output(str(target))
    from hbc_host.store.records import export_patient, find_patient

    with _store(store) as session:
        out.json(export_patient(find_patient(session, patient)))
    target.chmod(0o600)
    out.say(f"{target} written; recordings are not in it, they stay in their folders")


@app.command()
def delete(
    patient: PatientArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Delete all that the store has of one patient. Recordings are files of their own: their folders are named.

    Example: hbc patient delete P-014
    """
    from hbc_host.store.records import delete_patient, find_patient

    with _store(store) as session:
        row = find_patient(session, patient)
        folders = [one.folder for one in row.visits if one.folder]
        if not yes and not typer.confirm(
            f"delete {patient} with {len(row.visits)} visits and {len(row.scores)} scores?"
        ):
            raise InputError(f"{patient} was not deleted")
        delete_patient(session, row, who=_who(by))
    print(f"{patient} deleted")
    for folder in folders:
        print(f"the recording stays, delete it yourself if it must go: {folder}")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the copy.")], store: StoreOption = None
) -> None:
    """Copy the whole store to a file. Recordings are not in it, they stay in their folders.

    Example: hbc patient backup store-2026-03-01.sqlite
    """
    from hbc_host.store.database import back_up

    back_up(store, target)
    print(f"{target} written; use it again with: hbc patient list --store {target}")


@app.command()
def audit(store: StoreOption = None, json_target: JsonOption = None) -> None:
    """List who changed what, and check that entries follow from one another.

    Example: hbc patient audit
    """
    out = Output(json_target)
    from sqlalchemy import select

    from hbc_host.store.audit import first_broken_idx, last_sha256
    from hbc_host.store.models import Audit

    with _store(store) as session:
        rows = [
            (row.id, row.at.isoformat(timespec="seconds"), row.who, row.what)
            for row in session.scalars(select(Audit).order_by(Audit.id))
        ]
        broken, last = first_broken_idx(session), last_sha256(session)
    for row in rows:
        out.say("  ".join(str(value) for value in row))
    out.json({"entries": [list(row) for row in rows], "first_broken": broken, "last_sha256": last})
    if broken is not None:
        raise InputError(
            f"entry {broken} does not follow from the one before it: the audit was altered; ask your backup"
        )
    out.say(f"{len(rows)} entries, each follows from the one before; last hash {last[:16]}")


@contextmanager
def _store(place: str | None) -> Iterator[Session]:
    from hbc_host.store.database import open_store

    with open_store(place) as session:
        yield session


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _day(text: str) -> date:
    if not text:
        return datetime.now().astimezone().date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--on {text!r} is no date; write 2026-03-01") from None


def _pairs(texts: list[str]) -> dict[str, Any]:
    pairs = dict(text.partition("=")[::2] for text in texts)
    if "" in pairs or "" in pairs.values():
        raise InputError("--state needs NAME=VALUE, such as --state sleep_h=6")
    return pairs


def _print_patient(out: Output, patient: Patient, courses: list[Course], early_pct: float, early_at: int) -> None:
    facts = [patient.diagnosis, patient.sex, patient.medication, patient.therapy, patient.approval]
    out.say(
        f"{patient.pseudonym}, number {patient.number}: {', '.join(fact for fact in facts if fact) or 'no details'}"
    )
    for visit in patient.visits:
        treatment = "" if visit.treatment_n is None else f", treatment {visit.treatment_n}"
        threshold = "" if visit.mt_mso_pct is None else f", motor threshold {visit.mt_mso_pct:g} %MSO"
        out.say(f"visit {visit.at:%Y-%m-%d}{treatment}{threshold}: {_sites(visit.result)}")
    for one in courses:
        change = "" if one.change_pct is None else f", {one.change_pct:+.0f} %"
        out.say(f"{one.scale.name}: {one.first.total:g} on {one.first.on}, {one.last.total:g} on {one.last.on}{change}")
        out.say(
            f"  response {_word(one.response)}, remission {_word(one.remission)}, "
            f"improved by {early_pct:g} % at treatment {early_at}: {_word(one.early)}"
        )
    for event in patient.events:
        out.say(f"adverse event {event.at:%Y-%m-%d}: {event.kind}, {event.severity} {event.text}".rstrip())


def _sites(result: dict[str, Any]) -> str:
    from hbc_host.report.words import SITE_INTERVAL, VERDICT_WORD, interval, number
    from hbc_host.sites import after_holm

    parts = []
    for site in result.get("sites", []):
        p_holm = math.inf if site["p_holm"] is None else site["p_holm"]
        verdict = VERDICT_WORD[cast("Verdict", after_holm(site["verdict"], p_holm))]
        if site["effect_bpm"] is None or None in site["ci90_bpm"]:
            parts.append(f"{site['site']} {verdict}")
        else:
            measured = f"{number(site['effect_bpm'])} bpm, {SITE_INTERVAL} {interval(*site['ci90_bpm'])}"
            parts.append(f"{site['site']} {verdict} ({measured})")
    return "; ".join(parts) or "no site with a result"


def _word(value: bool | None) -> str:
    return "not known yet" if value is None else "yes" if value else "no"


def _course_document(one: Course) -> dict[str, Any]:
    return {
        "scale": one.scale.name,
        "first": one.first.total,
        "last": one.last.total,
        "change_pct": one.change_pct,
        "response": one.response,
        "remission": one.remission,
        "early": one.early,
    }

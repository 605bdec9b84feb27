"""``hbc session new``, ``list`` and ``show``: a visit is laid down before anybody is stimulated, and found again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbc_host.cli_common import JsonOption, Output, near
from hbc_host.cli_store import ByOption, PatientArgument, SeriesOption, StoreOption, opened_store, who_changes
from hbc_host.cli_visit_options import tables_from
from hbc_host.counting import counted
from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.clinic.visit import Visit
    from hbc_host.store.planning import Known


def new(
    patient: PatientArgument,
    protocol: Annotated[Path, typer.Option("--protocol", metavar="FILE", help="Protocol file, signed or practice.")],
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="Answers as TOML.", show_default=False)
    ] = None,
    sites: Annotated[str, typer.Option("--sites", metavar="A,B", help="Some of the protocol's sites.")] = "",
    site: Annotated[
        list[str] | None,
        typer.Option("--site", metavar="NAME:KEY=V,..", help="How a site is found: rule, side, x_mm, space, source."),
    ] = None,
    head_cm: Annotated[float | None, typer.Option("--head-cm", help="Circumference.", show_default=False)] = None,
    tragus_cm: Annotated[float | None, typer.Option("--tragus-cm", help="Over the vertex.", show_default=False)] = None,
    nasion_inion_cm: Annotated[
        float | None, typer.Option("--nasion-inion-cm", help="Over the vertex.", show_default=False)
    ] = None,
    mt: Annotated[
        float | None, typer.Option("--mt", metavar="PCT", help="Motor threshold, %MSO.", show_default=False)
    ] = None,
    mt_method: Annotated[str, typer.Option("--mt-method", help="How it was found.")] = "",
    mt_on: Annotated[str, typer.Option("--mt-on", metavar="DATE", help="When; else today.")] = "",
    mt_by: Annotated[str, typer.Option("--mt-by", help="By whom; else the operator.")] = "",
    operator: Annotated[str, typer.Option(help="Who holds the coil.")] = "",
    supervisor: Annotated[str, typer.Option(help="Registered clinician in charge.")] = "",
    second_person: Annotated[str, typer.Option("--second-person", help="Trained second person present.")] = "",
    approval: Annotated[str, typer.Option(help="Ethics or regulatory status; else the patient's.")] = "",
    treatment: Annotated[
        int | None, typer.Option("--treatment", metavar="N", min=0, help="With this one.", show_default=False)
    ] = None,
    series: SeriesOption = None,
    language: Annotated[str, typer.Option("--lang", metavar="L", help="en or nl; else en.")] = "",
    screening: Annotated[
        list[str] | None, typer.Option("--screening", metavar="TOPIC=yes|no", help="all=no, pregnancy=yes, ...")
    ] = None,
    override_by: Annotated[str, typer.Option("--override-by", help="Physician who overrides a stop.")] = "",
    override_reason: Annotated[str, typer.Option("--override-reason", help="Why, in words.")] = "",
    state: Annotated[
        list[str] | None, typer.Option("--state", metavar="NAME=VALUE", help="sleep_h=6, alcohol=no, ...")
    ] = None,
    pulses_elsewhere: Annotated[
        int | None,
        typer.Option("--pulses-elsewhere", metavar="N", min=0, help="Of today, not in the store.", show_default=False),
    ] = None,
    practice: Annotated[bool, typer.Option("--practice", help="Nobody is stimulated.")] = False,
    out_dir: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="New folder for it.", show_default=False)
    ] = None,
    store: StoreOption = None,
    by: ByOption = None,
    json_target: JsonOption = None,
) -> None:
    """Lay down a session: screening, people, motor threshold, sites, caps; asks for what is missing.

    Example: hbc session new P-014 --protocol dash.toml
    """
    out = Output(json_target)
    given = {
        "operator": operator, "supervisor": supervisor, "second_person": second_person, "approval": approval,
        "language": language, "treatment_n": treatment, "series_n": series, "pulses_elsewhere_n": pulses_elsewhere,
    }  # fmt: skip
    tables = tables_from(
        answers, given, sites=sites, site=site or [], screening=screening or [], state=state or [],
        skull={"head_cm": head_cm, "tragus_cm": tragus_cm, "nasion_inion_cm": nasion_inion_cm},
        threshold={"mso_pct": mt, "method": mt_method, "on": mt_on, "by": mt_by},
        override={"override_by": override_by, "override_reason": override_reason},
    )  # fmt: skip
    _lay_down(out, patient, protocol, tables, practice, out_dir, store, by)


def _lay_down(
    out: Output,
    pseudonym: str,
    protocol_file: Path,
    tables: dict[str, Any],
    practice: bool,
    out_dir: Path | None,
    store: str | None,
    by: str | None,
) -> None:
    from hbc_host.clinic.answers import checked_answers
    from hbc_host.clinic.protocol_file import load_protocol
    from hbc_host.store.planning import known_of, laid_down, make_visit
    from hbc_host.store.records import find_patient
    from hbc_host.store.roles import require

    protocol = load_protocol(protocol_file)
    practice = practice or protocol.practice
    now = datetime.now().astimezone()
    with opened_store(store, "write") as session:
        known = known_of(session, find_patient(session, pseudonym), now)
    tables.setdefault("skull", {})
    tables["skull"] = known.skull | tables["skull"]
    answers = checked_answers(_complete(tables, protocol, known, practice), "answers")
    with opened_store(store, "write") as session:
        patient = find_patient(session, pseudonym)
        known = known_of(session, patient, now)
        visit = laid_down(protocol, patient, known, answers, now, practice=practice)
        if visit.screening is not None and visit.screening.stops and visit.screening != known.screening:
            require(session, "override")
        elsewhere_n = answers.pulses_elsewhere_n or 0
        folder = make_visit(session, patient, visit, out_dir, who=who_changes(by), pulses_elsewhere_n=elsewhere_n)
    _tell(out, visit, folder, store)


def _complete(tables: dict[str, Any], protocol: Any, known: Known, practice: bool) -> dict[str, Any]:
    """Ask for what is missing on a terminal; elsewhere say what it is."""
    from hbc_host.cli_visit_ask import ask
    from hbc_host.cli_visit_options import how_to_give
    from hbc_host.clinic.answers import checked_answers, missing_of

    def missing(some: dict[str, Any]) -> list[str]:
        answers = checked_answers(some, "answers")
        return missing_of(answers, protocol, screened=known.screening is not None, practice=practice)

    if not (names := missing(tables)):
        return tables
    if not sys.stdin.isatty():
        raise InputError(f"not told yet: {how_to_give(names, known)}; or run it on a terminal, which asks")
    return ask(tables, missing, known, str(tables.get("language", "en")))


def _tell(out: Output, visit: Visit, folder: Path, store: str | None) -> None:
    from hbc_host.cli_visit_words import next_step, visit_words

    for line in visit_words(visit):
        out.say(line)
    out.say(f"folder: {near(folder)}")
    for line in next_step(visit, store):
        out.say(line)
    out.json({"folder": str(folder), "visit": visit.model_dump(mode="json")})


def list_visits(
    patient: Annotated[
        str | None, typer.Argument(metavar="P", help="Pseudonym; else everybody.", show_default=False)
    ] = None,
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """List sessions, the newest last.

    Example: hbc session list P-014
    """
    out = Output(json_target)
    from hbc_host.cli_patient_words import visit_line
    from hbc_host.store.records import all_patients, find_patient

    rows = []
    with opened_store(store) as session:
        chosen = all_patients(session) if patient is None else [find_patient(session, patient)]
        found = sorted(((visit.at, one.pseudonym, visit) for one in chosen for visit in one.visits), key=lambda r: r[0])
        for at, pseudonym, visit in found:
            out.say(f"{pseudonym}/{visit.visit_n}  {visit_line(visit)}")
            rows.append(
                {
                    "session": f"{pseudonym}/{visit.visit_n}",
                    "at": at.isoformat(),
                    "status": visit.status,
                    "folder": visit.folder,
                    "practice": visit.practice,
                }
            )
    if not rows:
        out.say("no session yet; make one with: hbc session new P-001 --protocol FILE")
    else:
        out.say(counted(len(rows), "session"))
    out.json({"sessions": rows})


def show(
    visit: Annotated[str, typer.Argument(metavar="VISIT", help="Folder, P-014/3, or P-014 for the latest.")],
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """Show what was laid down for a session, and how it went.

    Example: hbc session show P-014/3
    """
    out = Output(json_target)
    from hbc_host.cli_visit_words import row_words, visit_words
    from hbc_host.clinic.visit import has_visit, load_visit
    from hbc_host.store.sessions import find_visit

    laid = load_visit(visit) if has_visit(visit) else None
    document: dict[str, Any] = {"folder": visit, "status": None}
    lines = []
    with opened_store(store) as session:
        try:
            row = find_visit(session, visit if laid is None else laid.uid)
        except InputError:
            if laid is None:
                raise
            lines = ["this store does not know the session"]
        else:
            lines = row_words(row)
            document |= {"folder": row.folder, "status": row.status}
    if laid is None and has_visit(str(document["folder"])):
        laid = load_visit(str(document["folder"]))
    for line in [*([] if laid is None else visit_words(laid)), *lines]:
        out.say(line)
    out.say(f"folder: {document['folder']}")
    out.json({**document, "visit": None if laid is None else laid.model_dump(mode="json")})


COMMANDS: dict[str, Callable[..., None]] = {"new": new, "list": list_visits, "show": show}

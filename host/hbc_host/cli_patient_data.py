"""``hbc patient export``, ``delete``, ``backup``, ``keep``, ``due``: what leaves the store, and when it must go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hbc_host.cli_common import JsonOption, Output, refuse_overwriting
from hbc_host.cli_store import (
    ByOption,
    PatientArgument,
    StoreOption,
    day_given,
    opened_store,
    who_changes,
)  # fmt: skip
from hbc_host.counting import counted
from hbc_host.errors import InputError


def export(
    patient: Annotated[str, typer.Argument(metavar="P", help="Pseudonym; all, for everybody with --pseudonymised.")],
    target: Annotated[Path, typer.Argument(metavar="FILE", help="JSON file to write.")],
    pseudonymised: Annotated[
        bool, typer.Option("--pseudonymised", help="For analysts: a code, days instead of dates, no names, no text.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Write all that the store has of one patient to a file; or, for analysts, a version that names nobody.

    Example: hbc patient export P-014 P-014.json
    """
    refuse_overwriting([], {"FILE": target})
    if target.exists():
        raise InputError(f"{target} exists already; choose another name, nothing is ever overwritten")
    out = Output(str(target))
    from hbc_host.store.exports import export_patient, export_pseudonymised
    from hbc_host.store.records import all_patients, find_patient

    with opened_store(store, "pseudonymised" if pseudonymised else "export") as session:
        if pseudonymised:
            chosen = all_patients(session) if patient == "all" else [find_patient(session, patient)]
            out.json(export_pseudonymised(session, chosen))
        else:
            out.json(export_patient(find_patient(session, patient)))
    target.chmod(0o600)
    out.say(f"{target} written; recordings are not in it, they stay in their folders")


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

    with opened_store(store, "delete") as session:
        row = find_patient(session, patient)
        folders = [one.folder for one in row.visits if one.folder]
        what = f"{counted(len(row.visits), 'visit')} and {counted(len(row.scores), 'score')}"
        if not yes and not typer.confirm(f"delete {patient} with {what}?"):
            raise InputError(f"{patient} was not deleted")
        delete_patient(session, row, who=who_changes(by))
    print(f"{patient} deleted")
    for folder in folders:
        print(f"the recording stays, delete it yourself if it must go: {folder}")


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the copy.")], store: StoreOption = None
) -> None:
    """Copy the whole store to a file. The copy of an encrypted store is encrypted. Recordings are not in it.

    Example: hbc patient backup store-2026-03-01.sqlite
    """
    from hbc_host.store.encrypt import back_up, require_file

    require_file(store)
    with opened_store(store, "backup"):
        pass
    back_up(store, target)
    print(f"{target} written; use it again with: hbc patient list --store {target}")


def keep(
    patient: PatientArgument,
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="Last day, 2046-03-01; none: no date.")],
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Say until when a patient's data must be kept; the law and the clinic know, this program does not.

    Example: hbc patient keep P-014 --until 2046-03-01
    """
    from hbc_host.store.records import find_patient, set_retention

    day = None if until == "none" else day_given(until, "--until")
    with opened_store(store, "retain") as session:
        set_retention(session, find_patient(session, patient), day, who=who_changes(by))
    print(f"{patient}: {'no date' if day is None else f'to be kept until {day}'}")


def due(
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="As of this day; else today.")] = "",
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """List patients whose retention date has passed. Nothing is deleted by itself.

    Example: hbc patient due
    """
    out = Output(json_target)
    from hbc_host.store.records import all_patients, past_retention

    day = day_given(on)
    with opened_store(store) as session:
        late = [
            (row.pseudonym, row.retain_until, [one.folder for one in row.visits if one.folder])
            for row in past_retention(session, day)
        ]
        undated_n = sum(row.retain_until is None for row in all_patients(session))
    for pseudonym, until, folders in late:
        assert until is not None
        out.say(f"{pseudonym}: was to be kept until {until}; decide, then: hbc patient delete {pseudonym}")
        for folder in folders:
            out.say(f"  its recording: {folder}")
    if not late:
        out.say(f"nobody is past the retention date on {day}")
    if undated_n:
        out.say(f"{counted(undated_n, 'patient')} without a date; set one with: hbc patient keep P --until DATE")
    rows = [{"patient": name, "until": str(until), "folders": folders} for name, until, folders in late]
    out.json({"on": day.isoformat(), "due": rows, "without_date": undated_n})


def audit(store: StoreOption = None, json_target: JsonOption = None) -> None:
    """List who changed what, and check that entries follow from one another.

    Example: hbc patient audit
    """
    out = Output(json_target)
    from sqlalchemy import select

    from hbc_host.store.audit import first_broken_idx, last_sha256
    from hbc_host.store.models import Audit

    with opened_store(store, "audit") as session:
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
    entries = counted(len(rows), "entry", "entries")
    out.say(f"{entries}, each follows from the one before; last hash {last[:16]}")


COMMANDS = (export, delete, backup, keep, due, audit)

"""``hbc export``: recordings in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hbc_host.cli_common import JsonOption, Output, progress
from hbc_host.cli_store import StoreOption, folder_given
from hbc_host.errors import InputError


def export(
    export_format: Annotated[str, typer.Argument(metavar="FORMAT", help="edf, rr, csv, parquet, wfdb or bids.")],
    paths: Annotated[
        list[Path], typer.Argument(metavar="SESSION... DEST", help="Session folders or visits, then where to.")
    ],
    subject: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Pseudonym of the person, if no visit names it.", show_default=False),
    ] = None,
    no_date: Annotated[bool, typer.Option("--no-date", help="Leave date and time of day out.")] = False,
    store: StoreOption = None,
    json_target: JsonOption = None,
) -> None:
    """Write recordings for other programs: EDF+, RR text (Kubios), CSV, Parquet, WFDB, or a BIDS data set.

    What leaves is pseudonymised: title, port, names, notes and the box's number stay here.

    Example: hbc export edf P-014/3 shared
    """
    if len(paths) < 2:
        raise InputError(
            f"give the sessions and then the folder for the files: hbc export {export_format} SESSION DEST"
        )
    *sessions, dest = paths
    sessions = [folder_given(one, store) for one in sessions]
    out = Output(json_target)
    from hbc_host.exchange.export import export_sessions

    with progress("exporting"):
        done = export_sessions(export_format, sessions, dest, subject=subject, with_date=not no_date)
    for path in done.files:
        out.say(f"wrote {path}")
    for note in done.notes:
        out.say(f"note: {note}")
    out.json(
        {"format": export_format, "files": [str(path) for path in done.files], "names": done.names, "notes": done.notes}
    )

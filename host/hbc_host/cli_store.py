"""What all commands that reach the store of patients share: options, opening it within somebody's role, its key."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hbc_host.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PatientArgument = Annotated[str, typer.Argument(metavar="P", help="Pseudonym, such as P-014; never a name.")]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="FILE", help="Store, or database URL; else HBC_STORE.", show_default=False),
]
SESSION_HELP = "Folder that hbc record wrote, or a visit such as P-014/3."
SessionArgument = Annotated[Path, typer.Argument(metavar="SESSION", help=SESSION_HELP)]
ByOption = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who makes this change; else the login.", show_default=False)
]
TreatmentOption = Annotated[
    int | None, typer.Option("--treatment", metavar="N", min=0, help="Treatments so far.", show_default=False)
]
SeriesOption = Annotated[
    int | None,
    typer.Option("--series", metavar="N", min=1, help="Course of treatment; else the latest.", show_default=False),
]


@contextmanager
def opened_store(place: str | None, action: str = "read") -> Iterator[Session]:
    """The store, for one action of hbc_host.store.roles; on a terminal a missing key is asked for."""
    from hbc_host.store.database import open_store
    from hbc_host.store.roles import require

    ask_key_if_needed(place)
    with open_store(place) as session:
        require(session, action)
        yield session


def ask_key_if_needed(place: str | None) -> None:
    """Ask for the key of an encrypted store that nobody gave, on a terminal; elsewhere opening says what is missing."""
    from hbc_host.store.database import sqlite_file, store_url
    from hbc_host.store.keys import given_key, is_plain, remember_key

    path = sqlite_file(store_url(place))
    if path is not None and not is_plain(path) and given_key() is None and sys.stdin.isatty():
        remember_key(typer.prompt(f"key of the store {path}", hide_input=True))


def folder_given(words: Path, store: str | None = None) -> Path:
    """The session folder meant by a path or by a visit such as P-014/3; what is neither is returned as it is.

    Raises InputError for a visit that the store does not have. Every command that reads a session asks here.
    """
    if words.exists():
        return words
    from hbc_host.store.whereabouts import can_only_be_visit, session_folder

    if can_only_be_visit(words):  # nobody is asked for a key because of a file name misspelt
        ask_key_if_needed(store)
    return session_folder(words, store)


def who_changes(by: str | None) -> str:
    """Name for the audit: as given, else the login."""
    from hbc_host.store.roles import login

    return by or login()


def day_given(text: str, option: str = "--on") -> date:
    """A day as 2026-03-01; today when empty. Raises InputError."""
    if not text:
        return datetime.now().astimezone().date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text!r} is no date; write 2026-03-01") from None

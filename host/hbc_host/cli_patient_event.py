"""``hbc patient event``: an adverse event by hand, asked for where nobody gave it as options."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated

import typer

from hbc_host.cli_store import ByOption, PatientArgument, StoreOption, opened_store, who_changes
from hbc_host.errors import InputError


def event(
    patient: PatientArgument,
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="headache, nausea, syncope, seizure, ...; else asked.", show_default=False),
    ] = None,
    severity: Annotated[
        str | None, typer.Option(help="mild, moderate or severe; else asked.", show_default=False)
    ] = None,
    text: Annotated[str | None, typer.Option(help="What happened, in words.", show_default=False)] = None,
    visit_n: Annotated[
        int | None, typer.Option("--visit", metavar="N", help="Number of its visit.", show_default=False)
    ] = None,
    store: StoreOption = None,
    by: ByOption = None,
) -> None:
    """Record an adverse event, now. On a terminal it asks for what is not given.

    Example: hbc patient event P-014 headache --severity mild
    """
    from hbc_host.store.records import EVENT_KINDS, SEVERITIES, add_event, find_patient

    if kind is None or severity is None:
        with opened_store(store, "write") as session:  # who may not, or a wrong pseudonym, is told before the questions
            find_patient(session, patient)
        kind = _asked("What happened", "KIND", EVENT_KINDS) if kind is None else kind
        severity = _asked("How bad", "--severity", SEVERITIES) if severity is None else severity
        text = typer.prompt("In words (Enter: none)", default="", show_default=False) if text is None else text
    with opened_store(store, "write") as session:
        owner = find_patient(session, patient)
        now = datetime.now().astimezone()
        add_event(session, owner, kind, severity, text or "", now, who=who_changes(by), visit_n=visit_n)
        is_practice = any(visit.practice for visit in owner.visits if visit.visit_n == visit_n)
    practice = "; its visit was practice, so it stands in no course of treatment" if is_practice else ""
    print(f"{patient}: {kind}, {severity}, {now:%Y-%m-%d %H:%M}{practice}")


def _asked(question: str, name: str, choices: tuple[str, ...]) -> str:
    """One of the choices; its first letters will do. Raises InputError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise InputError(f"{name} must be given: one of {', '.join(choices)}")
    while True:
        typed = typer.prompt(f"{question}? {', '.join(choices)}").strip().lower()
        fitting = [choice for choice in choices if choice == typed] or [c for c in choices if c.startswith(typed)]
        if typed and len(fitting) == 1:
            return fitting[0]
        print(f"{typed!r} is {'more than one' if fitting else 'none'} of them")

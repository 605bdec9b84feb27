"""The guided questions of ``hbc session new``: one at a time, on the keyboard, in the language of the visit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import typer

from hbc_host.clinic.answers import PEOPLE
from hbc_host.clinic.screening import STATE_QUESTIONS, STOPS, TOPICS
from hbc_host.clinic.sites import SKULL_MEASURES
from hbc_host.i18n import Translate, translator

if TYPE_CHECKING:
    from hbc_host.store.planning import Known

SKULL_QUESTIONS = dict(
    zip(
        SKULL_MEASURES,
        (
            "Circumference of the head, cm?",
            "From tragus to tragus over the vertex, cm?",
            "From nasion to inion over the vertex, cm?",
        ),
        strict=True,
    )
)


def ask(
    tables: dict[str, Any], missing: Callable[[dict[str, Any]], list[str]], known: Known, language: str
) -> dict[str, Any]:
    """Ask for what is missing until nothing is.

    Parameters
    ----------
    tables : dict
        Answers so far, as in a file of answers.
    missing : callable
        Names of what such tables lack; asked again after each round, since an answer can open questions.
    known : Known
        What the store knows, offered as default.
    language : str

    Returns
    -------
    dict
        The tables, complete.
    """
    tables, say = deepcopy(tables), translator("visit", language)
    while names := missing(tables):
        for name in names:
            _put(tables, name, _asked(name, known, say))
            _ask_override(tables, say)
    return tables


def _asked(name: str, known: Known, say: Translate) -> Any:
    group, _, rest = name.partition(".")
    if group in PEOPLE:
        return _text(say(PEOPLE[group]))
    if group == "motor_threshold":
        return _ask_threshold(rest, known, say)
    if group == "state":
        if rest == "sleep_h":
            return _number(say(STATE_QUESTIONS[rest]), None, say)
        return _yes(say(STATE_QUESTIONS[rest]), say)
    if group == "screening":
        return _yes(say(TOPICS[rest.removeprefix("answers.")]), say)
    if group == "skull":
        return _number(say(SKULL_QUESTIONS[rest]), known.skull.get(rest), say)
    site = rest.removesuffix(".side")
    return _choice(say("Site {site}: which side?").format(site=site), ("left", "right", "midline"), say)


def _ask_threshold(rest: str, known: Known, say: Translate) -> Any:
    last = known.threshold
    if rest == "method":
        return _text(say("How was the motor threshold found?"), "" if last is None else last[1])
    if last is not None:
        typer.echo(say("The last motor threshold: {pct:g} %MSO on {day}").format(pct=last[0], day=last[2]))
    return _number(say("Motor threshold, percent of stimulator output?"), None, say)


def _ask_override(tables: dict[str, Any], say: Translate) -> None:
    """A stop needs a physician; without one the questions end here and the command refuses."""
    screening = tables.get("screening", {})
    stops = [topic for topic in STOPS if screening.get("answers", {}).get(topic)]
    if not stops or screening.get("override_by"):
        return
    typer.echo(say("STOP: no session, unless a physician overrides in writing."))
    if not _yes(say("Does a physician override this now?"), say):
        raise typer.Exit(2)
    screening["override_by"] = _text(say("Name of the physician?"))
    screening["override_reason"] = _text(say("Reason, in words?"))


def _put(tables: dict[str, Any], name: str, value: Any) -> None:
    *groups, last = name.split(".") if not name.startswith("site.") else ("site", name[5:-5], "side")
    for group in groups:
        tables = tables.setdefault(group, {})
    tables[last] = value


def _text(question: str, default: str = "") -> str:
    while True:
        answer = str(typer.prompt(question, default=default or None, prompt_suffix=" ")).strip()
        if answer:
            return answer


def _number(question: str, default: float | None, say: Translate) -> float:
    while True:
        text = str(typer.prompt(question, default=None if default is None else f"{default:g}", prompt_suffix=" "))
        try:
            return float(text.replace(",", "."))
        except ValueError:
            typer.echo(say("A number, please, such as 52."))


def _yes(question: str, say: Translate) -> bool:
    while True:
        answer = str(typer.prompt(f"{question} [{say('y/n')}]", prompt_suffix=" ")).strip().lower()
        if answer and answer in {"y", "yes", say("y/n")[0], say("yes")}:
            return True
        if answer in {"n", "no", say("no")}:
            return False
        typer.echo(say("Please type y or n."))


def _choice(question: str, choices: Iterable[str], say: Translate) -> str:
    names = {say(choice): choice for choice in choices}
    shown = "/".join(names)
    while True:
        answer = str(typer.prompt(f"{question} [{shown}]", prompt_suffix=" ")).strip().lower()
        found = [choice for name, choice in names.items() if answer and name.startswith(answer)]
        if len(found) == 1:
            return found[0]
        typer.echo(shown)

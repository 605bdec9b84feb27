"""Options of ``hbc session new`` as the tables that a file of answers has, and what to type for what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.store.planning import Known

BOOLEANS = {"yes": True, "true": True, "y": True, "ja": True, "no": False, "false": False, "n": False, "nee": False}
TEXTS = ("rule", "side", "space", "source")


def tables_from(
    answers_file: Path | None,
    given: Mapping[str, Any],
    *,
    sites: str,
    site: Iterable[str],
    screening: Iterable[str],
    state: Iterable[str],
    skull: Mapping[str, float | None],
    threshold: Mapping[str, Any],
    override: Mapping[str, str],
) -> dict[str, Any]:
    """Answers of a file with the options over them; raises InputError for an option that says nothing."""
    from hbc_host.clinic.answers import load_answers

    tables = deepcopy({} if answers_file is None else load_answers(answers_file))
    tables |= _said(given)
    if sites:
        tables["sites"] = [name.strip() for name in sites.split(",") if name.strip()]
    _lay_over(tables, "motor_threshold", _said(threshold))
    _lay_over(tables, "skull", _said(skull))
    _lay_over(tables, "state", dict(_pair(text, "--state") for text in state))
    _lay_over(tables, "screening", _said(override))
    if topics := _topics(screening):
        _lay_over(tables["screening"], "answers", topics)
    for text in site:
        name, facts = _site(text)
        _lay_over(tables.setdefault("site", {}), name, facts)
    return tables


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None and value != ""}


def _lay_over(tables: dict[str, Any], name: str, facts: Mapping[str, Any]) -> None:
    tables[name] = {**tables.get(name, {}), **facts}


def _topics(texts: Iterable[str]) -> dict[str, bool]:
    from hbc_host.clinic.screening import TOPICS

    found: dict[str, bool] = {}
    for text in texts:
        name, value = _pair(text, "--screening")
        if not isinstance(value, bool):
            raise InputError(f"--screening {text}: say yes or no")
        found |= dict.fromkeys(TOPICS, value) if name == "all" else {name: value}
    return found


def _pair(text: str, option: str) -> tuple[str, Any]:
    name, _, value = (part.strip() for part in text.partition("="))
    if not name or not value:
        raise InputError(f"{option} {text!r}: write NAME=VALUE")
    if value.lower() in BOOLEANS:
        return name, BOOLEANS[value.lower()]
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _site(text: str) -> tuple[str, dict[str, Any]]:
    name, _, rest = text.partition(":")
    facts: dict[str, Any] = {"measures": {}}
    for part in rest.split(","):
        key, value = _pair(part, f"--site {name}:")
        if key in TEXTS:
            facts[key] = str(value)
        elif isinstance(value, float):
            facts["measures"][key] = value
        else:
            raise InputError(f"--site {name}: {part.strip()!r} is no number; texts are {', '.join(TEXTS)}")
    return name.strip(), facts


def how_to_give(names: Iterable[str], known: Known) -> str:
    """What is missing, as the options that give it."""
    names = list(names)
    parts = [f"--{name.replace('_', '-')}" for name in names if "." not in name]
    if "motor_threshold.mso_pct" in names and known.threshold is not None:
        pct, method, on = known.threshold
        parts.append(f"--mt PCT (the last one: {pct:g} %MSO, {method or 'method not noted'}, {on})")
    elif "motor_threshold.mso_pct" in names:
        parts.append("--mt PCT")
    if "motor_threshold.method" in names:
        parts.append("--mt-method TEXT")
    for group, option in (("state", "--state"), ("screening", "--screening")):
        inside = [name.rpartition(".")[2] for name in names if name.startswith(f"{group}.")]
        parts += [f"{option} NAME=VALUE for {', '.join(inside)}"] if inside else []
    parts += [f"--{name.removeprefix('skull.').replace('_', '-')}" for name in names if name.startswith("skull.")]
    parts += [f"--site {name[5:-5]}:side=left" for name in names if name.startswith("site.")]
    return "; ".join(parts)

"""What somebody tells before a session: as a file of answers, as options, or asked for one by one.

A file of answers (TOML) may hold any of it; what is missing is asked for on a terminal, and refused elsewhere.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from hbc_host.clinic.protocol_file import ProtocolFile, Table, listed_faults
from hbc_host.clinic.screening import STATE_QUESTIONS, TOPICS, State
from hbc_host.clinic.sites import SKULL_MEASURES, Rule, Side, VisitSite, site_from_name, with_skull
from hbc_host.errors import InputError

FILE_MAX_N = 1 << 20  # bytes
PEOPLE = {
    "operator": "Who holds the coil?",
    "supervisor": "Which registered clinician supervises (in the Netherlands: with BIG number)?",
    "second_person": "Which trained second person is present?",
}


class ThresholdAnswer(Table):
    """Motor threshold as told; the day is today and the person the operator unless said."""

    mso_pct: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    method: Annotated[str, Field(max_length=80)] = ""
    on: date | None = None
    by: Annotated[str, Field(max_length=80)] = ""


class ScreeningAnswer(Table):
    """Answers by topic, all or none; the day is today unless said."""

    answers: dict[str, bool] = {}  # noqa: RUF012 - pydantic copies it
    on: date | None = None
    override_by: str = ""
    override_reason: str = ""


class SiteAnswer(Table):
    """How one site is found; what is left out follows from its name."""

    rule: Rule | None = None
    side: Side = ""
    measures: dict[str, float] = {}  # noqa: RUF012 - pydantic copies it
    space: str = ""
    source: str = ""


class Answers(Table):
    """Everything that a visit needs to be told; all of it may be missing."""

    operator: str = ""
    supervisor: str = ""
    second_person: str = ""
    approval: str = ""
    language: Literal["en", "nl"] = "en"
    treatment_n: Annotated[int, Field(ge=0)] | None = None
    series_n: Annotated[int, Field(ge=1)] | None = None
    pulses_elsewhere_n: Annotated[int, Field(ge=0)] | None = None
    sites: tuple[str, ...] | None = None
    motor_threshold: ThresholdAnswer = ThresholdAnswer()
    skull: dict[str, float] = {}  # noqa: RUF012 - pydantic copies it
    site: dict[str, SiteAnswer] = {}  # noqa: RUF012 - pydantic copies it
    screening: ScreeningAnswer = ScreeningAnswer()
    state: State = State()


def load_answers(path: Path) -> dict[str, Any]:
    """Tables of a file of answers, checked; raises InputError with every fault by its place."""
    try:
        data = path.read_bytes()
        if len(data) > FILE_MAX_N:
            raise InputError(f"{path} has {len(data)} bytes, answers have at most {FILE_MAX_N}; is it another file?")
        tables = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}); check the name") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from error
    checked_answers(tables, str(path))
    return tables


def checked_answers(tables: dict[str, Any], where: str) -> Answers:
    """Answers from plain tables; ``where`` opens the error. Raises InputError."""
    try:
        answers = Answers.model_validate(tables)
    except ValidationError as error:
        raise InputError(f"{where}: {listed_faults(error)}") from error
    unknown = [name for name in answers.skull if name not in SKULL_MEASURES]
    unknown += [topic for topic in answers.screening.answers if topic not in TOPICS]
    if unknown:
        raise InputError(f"{where}: {', '.join(unknown)} is unknown; see docs/howto/session.md for the names")
    return answers


def missing_of(answers: Answers, protocol: ProtocolFile, *, screened: bool, practice: bool) -> list[str]:
    """Names of what nobody has told yet; ``screened``: there is a screening that still holds."""
    missing = [name for name in PEOPLE if not practice and not getattr(answers, name).strip()]
    told = answers.motor_threshold
    if protocol.intensity.unit == "%MT" and told.mso_pct is None:
        missing.append("motor_threshold.mso_pct")
    if (protocol.intensity.unit == "%MT" or told.mso_pct is not None) and not told.method.strip():
        missing.append("motor_threshold.method")
    if not practice:
        missing += [f"state.{name}" for name in STATE_QUESTIONS if getattr(answers.state, name) is None]
        if not (screened and answers.state.new_since_screening is False):
            missing += [f"screening.answers.{topic}" for topic in TOPICS if topic not in answers.screening.answers]
    to_place = [site for site in _placed(answers, protocol) if site.rule == "Beam F3" and "x_cm" not in site.measures]
    if to_place and not practice:  # a simulated patient has no skull to measure
        missing += [f"skull.{name}" for name in SKULL_MEASURES if name not in answers.skull]
    missing += [f"site.{site.name}.side" for site in _placed(answers, protocol) if not site.side]
    return missing


def sites_of(answers: Answers, protocol: ProtocolFile) -> list[VisitSite]:
    """The sites of today as they are found, in the order of the protocol; raises InputError.

    A Beam F3 site gets its place from the measures of the skull.
    """
    unknown = sorted(set(answers.site) - set(_names(answers, protocol)))
    if unknown:
        raise InputError(f"{', '.join(unknown)} is no site of this session; it has {', '.join(protocol.sites.names)}")
    placed = _placed(answers, protocol)
    if not set(SKULL_MEASURES) <= set(answers.skull):
        return placed
    skull = [answers.skull[name] for name in SKULL_MEASURES]
    return [with_skull(site, *skull) if site.rule == "Beam F3" else site for site in placed]


def _placed(answers: Answers, protocol: ProtocolFile) -> list[VisitSite]:
    found = []
    for name in _names(answers, protocol):
        by_name, told = site_from_name(name), answers.site.get(name, SiteAnswer())
        facts = by_name.model_dump() | told.model_dump(exclude_defaults=True)
        facts["measures"] = (by_name.measures if told.rule in (None, by_name.rule) else {}) | told.measures
        try:
            found.append(VisitSite.model_validate(facts))
        except ValidationError as error:
            raise InputError(listed_faults(error)) from error
    return found


def _names(answers: Answers, protocol: ProtocolFile) -> Sequence[str]:
    return protocol.sites.names if answers.sites is None else answers.sites

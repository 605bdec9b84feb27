"""Protocol files: what a clinic lays down before a session, as TOML that people write and a model that checks it.

The program has no limits of its own. Caps and alarm limits are the clinic's, taken from the guidelines that it names,
and count once somebody has signed for them (hbc_host.clinic.signing).
"""

from __future__ import annotations

import tomllib
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hbc_host.errors import InputError
from hbc_host.trains import PROTOCOLS, TRAIN_GAP_S, Protocol

FORMAT = 1
FILE_MAX_N = 1 << 20  # bytes; a protocol has some hundred
#: Pulses of one train of the named kinds: 5 s and 4 s of 10 Hz; 2 s of three pulses every 0.2 s.
PULSES_N = {"dash": 50, "itbs": 30, "10hz": 40}

Percent = Annotated[float, Field(gt=0.0, le=100.0)]
PercentOfThreshold = Annotated[float, Field(gt=0.0, le=300.0)]
Seconds = Annotated[float, Field(ge=0.0, le=3600.0)]
Count = Annotated[int, Field(gt=0, le=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=40)]


class Table(BaseModel):
    """What all tables of clinical files share: no unknown names, no change, no infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Trains(Table):
    """What the stimulator does at one site. A named kind brings its own numbers; ``custom`` states them."""

    kind: Literal["dash", "itbs", "10hz", "custom"]
    train_s: Annotated[float, Field(ge=0.05, le=600.0)] | None = None
    pause_s: Annotated[float, Field(ge=TRAIN_GAP_S, le=600.0)] | None = None
    pulses_n: Count | None = None
    trains_n: Annotated[int, Field(ge=1, le=1000)] | None = None
    pause_jitter_s: Annotated[float, Field(ge=0.0, le=60.0)] = 0.0
    catch_trains_n: Annotated[int, Field(ge=0, le=100)] = 0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        own = {"train_s": self.train_s, "pause_s": self.pause_s, "pulses_n": self.pulses_n}
        if self.kind == "custom":
            missing = [name for name, value in (own | {"trains_n": self.trains_n}).items() if value is None]
            if missing:
                raise ValueError(f'kind = "custom" needs {", ".join(missing)}')
        else:
            given = [name for name, value in own.items() if value is not None]
            if given:
                raise ValueError(f'kind = "{self.kind}" fixes {", ".join(given)}; leave out, or use kind = "custom"')
            if self.trains_n is None and PROTOCOLS[self.kind].trains_n is None:
                raise ValueError(f'kind = "{self.kind}" needs trains_n, the trains in a run at one site')
        if self.catch_trains_n and self.catch_trains_n > self.run_trains_n // 3:
            raise ValueError(f"{self.catch_trains_n} of {self.run_trains_n} trains left out; at most a third")
        return self

    @property
    def timing(self) -> Protocol:
        """Train and pause in seconds."""
        if self.kind != "custom":
            return PROTOCOLS[self.kind]
        assert self.train_s is not None
        assert self.pause_s is not None
        return Protocol(f"{self.train_s:g}/{self.pause_s:g}", self.train_s, self.pause_s, trains_n=self.trains_n)

    @property
    def run_trains_n(self) -> int:
        """Trains in a run at one site, left-out ones included."""
        return self.trains_n or self.timing.trains_n or 0

    @property
    def train_pulses_n(self) -> int:
        """Pulses in a train."""
        return self.pulses_n or PULSES_N[self.kind]


class Intensity(Table):
    """Stimulator output of the trains of a run: one for all, or one for each."""

    unit: Literal["%MSO", "%MT"]
    steps: tuple[Annotated[float, Field(gt=0.0, le=300.0)], ...]

    @model_validator(mode="after")
    def _within_unit(self) -> Self:
        if not self.steps:
            raise ValueError(
                "no intensity in steps yet; give one for all trains, or one for each: then the rest is checked"
            )
        if self.unit == "%MSO" and max(self.steps) > 100.0:
            raise ValueError(f"{max(self.steps):g} %MSO is more than the stimulator has (100)")
        return self


class Sites(Table):
    """Coil positions, and in which order people get them."""

    names: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]
    order: Literal["fixed", "random", "counterbalanced"]
    control: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands twice among the names")
        if self.control and self.control not in self.names:
            raise ValueError(f"control site {self.control} is not among the names")
        return self


class Rest(Table):
    """Rest without stimulation, before the first site and before each further one."""

    first_s: Seconds = 180.0
    between_s: Seconds = 60.0


class Caps(Table):
    """The clinic's own limits; a session that would pass one is refused. ``source`` names where they come from."""

    intensity_mso_pct: Percent | None = None
    intensity_mt_pct: PercentOfThreshold | None = None
    train_s: Annotated[float, Field(gt=0.0, le=600.0)] | None = None
    pulses_a_session: Count | None = None
    pulses_a_day: Count | None = None
    source: Annotated[str, Field(max_length=500)] = ""


class Alarms(Table):
    """When the operator is told to look at the patient, and to stop the stimulator."""

    fall_bpm: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    fall_pct: Annotated[float, Field(gt=0.0, lt=100.0)] | None = None
    lowest_bpm: Annotated[float, Field(gt=0.0, le=200.0)] | None = None
    highest_bpm: Annotated[float, Field(gt=0.0, le=300.0)] | None = None
    pause_s: Annotated[float, Field(gt=0.0, le=30.0)] | None = None


class Signature(Table):
    """Who answers for a protocol, since when, and for which content."""

    by: Name
    on: date
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ProtocolFile(Table):
    """A whole protocol.

    Attributes
    ----------
    format : int
        Of the file; this program knows 1.
    name : str
    trains, intensity, sites, rest, caps, alarms
        The tables of the file.
    practice : bool
        Its values are for the simulated patient: a session by it is practice, and no real box takes it.
    signature : Signature or None
    """

    format: Literal[1]
    name: Name
    trains: Trains
    intensity: Intensity
    sites: Sites
    rest: Rest = Rest()
    caps: Caps = Caps()
    alarms: Alarms = Alarms()
    practice: bool = False
    signature: Signature | None = None

    @model_validator(mode="after")
    def _steps_fit(self) -> Self:
        steps_n, trains_n = len(self.intensity.steps), self.trains.run_trains_n
        if steps_n not in (1, trains_n):
            raise ValueError(f"{steps_n} intensities for {trains_n} trains; give one for all, or one for each")
        return self

    def content_sha256(self) -> str:
        """Hash of all that a signature answers for; comments and order of the file do not count."""
        # Protocols that clinics have signed know no such word: it counts where it stands only.
        left_out = {"signature"} if self.practice else {"signature", "practice"}
        return sha256(self.model_dump_json(exclude=left_out).encode()).hexdigest()


def load_protocol(path: Path | str) -> ProtocolFile:
    """Read a protocol file.

    Raises
    ------
    InputError
        It is absent, too large, no TOML, or says something that cannot be; every fault is listed by its place.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file} ({error.strerror}); write one with: hbc protocol new") from error
    if len(data) > FILE_MAX_N:
        raise InputError(f"{file} has {len(data)} bytes, a protocol has at most {FILE_MAX_N}; is it another file?")
    try:
        return parse(tomllib.loads(data.decode("utf-8")), str(file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no TOML: {error}") from error


def parse(tables: dict[str, Any], where: str) -> ProtocolFile:
    """Check the tables of a protocol; ``where`` opens the error. Raises InputError."""
    try:
        return ProtocolFile.model_validate(tables)
    except ValidationError as error:
        raise InputError(f"{where}: {listed_faults(error)}; a fresh file to compare with: hbc protocol new") from error


def listed_faults(error: ValidationError) -> str:
    """Every fault by its place, in one line."""
    faults = []
    for fault in error.errors(include_url=False):
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        text = fault["msg"].removeprefix("Value error, ")
        given = fault.get("input")
        shown = f" (it says {given!r})" if isinstance(given, str | int | float) else ""
        faults.append(f"{place}: {text}{shown}")
    return "; ".join(faults)

"""An analysis as JSON and back, so that a report can be made again without the recording."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis, SiteResult

FORMAT = "hbc-analysis-1"


def plain(value: Any) -> Any:
    """Dataclasses, arrays and tuples as JSON values; NaN and infinity, which JSON lacks, become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def to_document(analysis: Analysis, *, command: str) -> dict[str, Any]:
    """What ``hbc analyze --json`` writes: the analysis and the command that made it.

    The coupling of a site stands beside its name, not one level down: ``sites[0].p_value`` reads as in the demo.
    """
    document = {"format": FORMAT, "command": command, **plain(analysis)}
    document["sites"] = [_flat(site) for site in document["sites"]]
    return document


def read_document(path: Path) -> Analysis:
    """The analysis in a file that ``hbc analyze --json`` wrote.

    Raises
    ------
    InputError
        If the file is not such a document; the text names the first thing that is missing.
    """
    document = _load(path)
    try:
        return from_document(document)
    except (KeyError, TypeError, ValueError) as fault:
        raise InputError(f"{path}: incomplete ({type(fault).__name__} {fault}); run hbc analyze --json again") from None


def read_command(path: Path) -> str:
    """The command that computed the numbers in such a file."""
    command = _load(path).get("command")
    if not isinstance(command, str):
        raise InputError(f"{path}: incomplete (no command); run hbc analyze --json again")
    return command


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise InputError(f"cannot read {path}: {fault.strerror}; check the name") from None
    except ValueError:
        raise InputError(f"{path}: neither session folder nor JSON; give what hbc record or analyze wrote") from None
    found = document.get("format") if isinstance(document, dict) else type(document).__name__
    if not isinstance(document, dict) or found != FORMAT:
        raise InputError(f"{path}: format is {found!r}, expected {FORMAT!r}; give a file from hbc analyze --json FILE")
    return document


def from_document(document: Mapping[str, Any]) -> Analysis:
    """Inverse of :func:`to_document`."""
    from hbc_host.analysis import Analysis
    from hbc_host.trains import Protocol

    return Analysis(
        title=str(document["title"]),
        source=str(document["source"]),
        protocol=Protocol(**document["protocol"]),
        sites=tuple(_site(site) for site in document["sites"]),
        quality=dict(document["quality"]),
        notes=tuple(document["notes"]),
    )


def _flat(site: Mapping[str, Any]) -> dict[str, Any]:
    # beats_n is in both and the same number.
    rest = {key: value for key, value in site.items() if key not in {"site", "coupling"}}
    return {"site": site["site"], **site["coupling"], **rest}


def _site(site: Mapping[str, Any]) -> SiteResult:
    from hbc_host.analysis import SiteResult, StepEffect, TrainResponse
    from hbc_host.coupling import CouplingResult

    response = site["response"]
    coupling = {field.name: site[field.name] for field in fields(CouplingResult)}
    for name in ("ci95_ms", "ci95_bpm"):
        low, high = coupling[name]
        coupling[name] = (_float(low), _float(high))
    for name in ("effect_ms", "effect_bpm", "latency_s", "p_value", "excluded_share"):
        coupling[name] = _float(coupling[name])
    coupling["reasons"] = tuple(coupling["reasons"])
    return SiteResult(
        site=str(site["site"]),
        coupling=CouplingResult(**coupling),
        p_holm=_float(site["p_holm"]),
        response=None if response is None else TrainResponse(*_response(response)),
        steps=tuple(StepEffect(**{key: _step(key, item) for key, item in step.items()}) for step in site["steps"]),
        mean_hr_bpm=_float(site["mean_hr_bpm"]),
        beats_n=int(site["beats_n"]),
    )


def _response(response: Mapping[str, Any]) -> tuple[Any, ...]:
    lines = (_array(response[name]) for name in ("time_s", "change_bpm", "low_bpm", "high_bpm"))
    return (*lines, int(response["trains_n"]))


def _step(key: str, value: Any) -> Any:
    return value if key in {"step_n", "usable", "intensity_pct"} else _float(value)


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _array(values: list[float | None]) -> np.ndarray[Any, Any]:
    return np.array([_float(value) for value in values], dtype=np.float64)

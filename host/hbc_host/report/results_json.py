"""An analysis as JSON and back, so that a report can be made again without the recording."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.analysis import Analysis

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

    whole = {**document, "sites": [_nested(site) for site in document["sites"]]}
    analysis: Analysis = _build(Analysis, whole)
    return analysis


def _flat(site: Mapping[str, Any]) -> dict[str, Any]:
    # beats_n is in both and the same number.
    rest = {key: value for key, value in site.items() if key not in {"site", "coupling"}}
    return {"site": site["site"], **site["coupling"], **rest}


def _nested(site: Mapping[str, Any]) -> dict[str, Any]:
    """The coupling of a site one level down again; its names are in no other field but ``beats_n``."""
    from hbc_host.coupling import CouplingResult

    coupling = {field.name: site[field.name] for field in fields(CouplingResult) if field.name in site}
    return {**site, "coupling": coupling}


def _build(hint: Any, value: Any) -> Any:
    """A value of the annotated type from JSON; null is None where that is allowed, else nan."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        members = [member for member in arguments if member is not types.NoneType]
        is_none = value is None and len(members) < len(arguments)
        return None if is_none else _build(members[0], value) if len(members) == 1 else value
    if is_dataclass(hint):
        return _build_dataclass(hint, value)
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_build(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is np.ndarray:
        return np.array([_float(item) for item in value], dtype=np.float64)
    return _float(value) if hint is float else value


def _build_dataclass(kind: Any, value: Mapping[str, Any]) -> Any:
    """A dataclass from its fields; those with a default may be missing, as in files of older versions."""
    hints = get_type_hints(kind)
    required = [field.name for field in fields(kind) if field.default is MISSING or field.name in value]
    return kind(**{name: _build(hints[name], value[name]) for name in required})


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)

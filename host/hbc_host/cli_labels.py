"""The labels of a recording, as typed on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hbc_host.errors import InputError

if TYPE_CHECKING:
    from hbc_host.session import SessionMeta


def meta_from(out_dir: Path, protocol: str, sites: str, intensities: str, port: str) -> SessionMeta:
    """Labels from the options of ``hbc record``; raises InputError for nonsense, before anybody is stimulated."""
    from datetime import datetime

    from hbc_host import __version__
    from hbc_host.session import SessionMeta
    from hbc_host.trains import parse_protocol

    parse_protocol(protocol)  # refuse nonsense before anybody is stimulated
    steps, names = _steps(intensities), _names(sites)
    return SessionMeta(
        created=datetime.now().astimezone(),
        title=out_dir.resolve().name,
        protocol=protocol,
        sites=names,
        intensities_pct=steps or None,
        host_version=__version__,
        port=port,
    )


def looks_like_a_name(folder: Path) -> str:
    """Words for the operator when a recording's folder may be called after a person, else empty."""
    title = folder.resolve().name
    if not any(letter.isspace() for letter in title):
        return ""
    return f"{title!r} has a blank in it, as a person's name has; it is the title of the report: give a pseudonym"


def _steps(text: str) -> tuple[float, ...]:
    """Intensities in percent of the maximum stimulator output (%MSO); empty when none were given."""
    try:
        steps = tuple(float(step) for step in text.split(",")) if text else ()
    except ValueError:
        raise InputError(f"--intensities {text!r} are not numbers; write 22,24,26") from None
    for step in steps:
        if not 0.0 < step <= 100.0:
            raise InputError(
                f"--intensities: {step:g} %MSO (percent of stimulator output) is not above 0 and up to 100"
            )
    return steps


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if not all(names):
        raise InputError(f"--sites {text!r} holds an empty name; write 5CM-L,BF3-L")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"--sites {text!r} holds {name} {names.count(name)} times; give each run its own name")
    return names

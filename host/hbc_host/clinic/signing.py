"""Somebody in the clinic answers for a protocol: name, date, and a hash of what was signed.

This is a written word, no cryptography: it shows that a file was changed after it was signed, not who typed the name.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date
from pathlib import Path

from hbc_host.clinic.protocol_file import ProtocolFile, load_protocol, parse
from hbc_host.errors import InputError

HEADER = re.compile(r"\s*\[\w+\]\s*(#.*)?$")  # of a table


def open_points(protocol: ProtocolFile) -> tuple[str, ...]:
    """What the clinic has still to decide before it can sign."""
    caps, alarms = protocol.caps, protocol.alarms
    found = [f"caps.{name}" for name in ("train_s", "pulses_a_session", "pulses_a_day") if getattr(caps, name) is None]
    if caps.intensity_mso_pct is None and caps.intensity_mt_pct is None:
        found.append("caps.intensity_mso_pct or caps.intensity_mt_pct")
    if not caps.source:
        found.append("caps.source")
    if alarms.fall_bpm is None and alarms.fall_pct is None:
        found.append("alarms.fall_bpm or alarms.fall_pct")
    found += [f"alarms.{name}" for name in ("lowest_bpm", "pause_s") if getattr(alarms, name) is None]
    return tuple(found)


def signature_state(protocol: ProtocolFile) -> str:
    """``signed``, ``unsigned``, or ``changed`` since it was signed."""
    if protocol.signature is None:
        return "unsigned"
    return "signed" if protocol.signature.sha256 == protocol.content_sha256() else "changed"


def sign(path: Path | str, by: str, on: date) -> ProtocolFile:
    """Write the signature into the file, in place of an older one; nothing else in it changes.

    Raises
    ------
    InputError
        The file cannot be read or written, or the clinic has not decided everything yet.
    """
    file = Path(path)
    protocol = load_protocol(file)
    missing = open_points(protocol)
    if missing:
        raise InputError(f"{file} cannot be signed yet: decide {', '.join(missing)}")
    name = by.strip()
    if not 0 < len(name) <= 40 or not name.isprintable() or '"' in name or "\\" in name:
        raise InputError(f"{by!r} is no name to sign with; give 1 to 40 letters, such as 'A. Jansen'")
    text = _without_signature(file.read_text("utf-8"))
    lines = ["[signature]", f'by = "{name}"', f"on = {on.isoformat()}", f'sha256 = "{protocol.content_sha256()}"']
    whole = text + "\n" + "\n".join(lines) + "\n"
    try:
        signed = parse(tomllib.loads(whole), str(file))
    except tomllib.TOMLDecodeError:  # an older signature elsewhere than at the end was left in
        signed = protocol.model_copy(update={"signature": None})
    if signed.content_sha256() != protocol.content_sha256() or signature_state(signed) != "signed":
        raise InputError(f"{file} could not be signed: take the table [signature] out, or move it to the end")
    _replace(file, whole)
    return signed


def _without_signature(text: str) -> str:
    """The text up to its last table, when that is the signature."""
    lines = text.splitlines()
    headers = [at for at, line in enumerate(lines) if HEADER.match(line)]
    if headers and lines[headers[-1]].strip().startswith("[signature]"):
        lines = lines[: headers[-1]]
    return "\n".join(lines).rstrip() + "\n"


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); choose a folder that is yours") from error

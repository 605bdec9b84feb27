"""What a cohort folder holds: recordings by patient, sessions of the box and imports alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hbc_host.errors import HbcError, InputError
from hbc_host.names import is_simulated

if TYPE_CHECKING:
    from hbc_host.runs import RunInput
    from hbc_host.trains import Protocol

IMPORT_NAME, VISIT_NAME = "recording.json", "visit.json"
SESSION_NAMES = ("session.json", "wire.hbclog")
SESSION, IMPORT = "session", "import"
READ_BYTES_N = 1 << 20


@dataclass(frozen=True)
class RecordingRef:
    """One recording of a cohort: where it is, whose it is, what kind. ``place`` is its path below the cohort folder."""

    folder: Path
    place: str
    patient: str
    kind: str


@dataclass(frozen=True)
class LoadedRuns:
    """The runs of one recording, in order of time, and what was remarked on the way."""

    runs: tuple[RunInput, ...]
    protocol: Protocol
    notes: tuple[str, ...]


def find_recordings(folder: Path) -> list[RecordingRef]:
    """Every recording below a folder, in order of its path.

    The patient is the pseudonym of ``visit.json`` where there is one, else the first folder below ``folder``. Folders
    within a recording, and those whose name begins with a point, are not searched.

    Raises
    ------
    InputError
        If the folder is absent or holds no recording.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder that holds the recordings of the cohort")
    found: list[RecordingRef] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        kind = _kind(here)
        if kind and here != folder:
            place = here.relative_to(folder).as_posix()
            found.append(RecordingRef(here, place, _patient(here, place), kind))
        else:
            inner = (path for path in here.iterdir() if path.is_dir() and not path.is_symlink())
            waiting.extend(path for path in inner if not path.name.startswith("."))
    if not found:
        raise InputError(
            f"{folder}: 0 recordings below it; a recording is a folder with session.json (hbc record) or "
            f"{IMPORT_NAME} (hbc import), one folder per patient above it"
        )
    return sorted(found, key=lambda ref: ref.place)


def _kind(folder: Path) -> str:
    if (folder / IMPORT_NAME).is_file():
        return IMPORT
    return SESSION if any((folder / name).is_file() for name in SESSION_NAMES) else ""


def _patient(folder: Path, place: str) -> str:
    said = _said_in(folder / VISIT_NAME).get("pseudonym")
    return said if isinstance(said, str) and said else place.partition("/")[0]


def _said_in(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing when it is absent or cannot be read."""
    try:
        said = json.loads(path.read_text("utf-8")) if path.is_file() else None
    except (OSError, ValueError):
        said = None
    return said if isinstance(said, dict) else {}


def digest(ref: RecordingRef) -> str:
    """SHA-256 over the names and bytes of all files of a recording: the same digest means the same recording."""
    total = hashlib.sha256()
    for path in sorted(ref.folder.rglob("*")):
        if path.is_file() and path.suffix not in {".html", ".pdf", ".lock"}:
            total.update(path.relative_to(ref.folder).as_posix().encode() + b"\0")
            total.update(str(path.stat().st_size).encode() + b"\0")
            with path.open("rb") as file:
                while block := file.read(READ_BYTES_N):
                    total.update(block)
    return total.hexdigest()


def load_runs(ref: RecordingRef, protocol_name: str | None) -> LoadedRuns:
    """Read one recording and divide it into runs.

    Parameters
    ----------
    protocol_name : str or None
        Protocol for recordings that do not name their own.

    Raises
    ------
    HbcError
        Whatever is wrong with the recording.
    """
    return _load_session(ref, protocol_name) if ref.kind == SESSION else _load_import(ref, protocol_name)


def left_out(refs: Sequence[RecordingRef]) -> dict[str, str]:
    """Recordings that are nobody's, by place, with the reason: practice, or measured by a simulated box."""
    found = {}
    for ref in refs:
        if ref.kind == SESSION and _said_in(ref.folder / VISIT_NAME).get("practice") is True:
            found[ref.place] = "left out: a practice session, nobody was stimulated"
        elif ref.kind == SESSION and is_simulated(_box_of(ref.folder)):
            found[ref.place] = "left out: measured by a simulated box"
    return found


def _box_of(folder: Path) -> str:
    """Number of the box that measured a session; empty when nothing says it."""
    from hbc_host.manifest import MANIFEST_NAME

    box = _said_in(folder / MANIFEST_NAME).get("box")
    if isinstance(box, dict):
        return str(box.get("unique_id", ""))
    from hbc_host.session import load_session

    try:  # cut off before its manifest was written
        return str(load_session(folder).hello.unique_id)
    except HbcError:  # it is refused with its reason where it is read
        return ""


def _protocol(ref: RecordingRef, said: str, given: str | None) -> Protocol:
    from hbc_host.trains import parse_protocol

    if not (said or given):
        raise InputError(f"{ref.place} does not say its protocol; add --protocol, for example --protocol dash")
    return parse_protocol(said or given or "")


def _load_session(ref: RecordingRef, given: str | None) -> LoadedRuns:
    from hbc_host.runs import session_runs
    from hbc_host.session import load_session

    session = load_session(ref.folder)
    protocol = _protocol(ref, session.meta.protocol, given)
    runs, notes = session_runs(session, protocol)
    return LoadedRuns(tuple(runs), protocol, (*notes, *session.notes))


def _load_import(ref: RecordingRef, given: str | None) -> LoadedRuns:
    from hbc_host.errors import NoTrainsError
    from hbc_host.foreign import has_triggers, recording_runs
    from hbc_host.io.import_folder import read_import

    recording = read_import(ref.folder)
    protocol = _protocol(ref, recording.labels.protocol, given)
    notes = list(recording.notes)
    if not has_triggers(recording):
        # A nominal start that nobody declared may be right for one file that a person looks at, not for hundreds.
        if recording.first_train_s is None:
            raise NoTrainsError(f"{ref.place}: no trigger and no declared start; import it again with a start")
        notes.append(
            f"no trigger channel: first train at {recording.first_train_s:g} s by declaration, known to "
            f"+-{recording.start_uncertainty_s:g} s"
        )
    return LoadedRuns(tuple(recording_runs(recording, protocol)), protocol, tuple(notes))

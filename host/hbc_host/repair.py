"""Is a recording whole, and making a whole one out of a damaged one; the damaged one is never touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbc_host.counting import counted
from hbc_host.errors import HbcError, SessionError
from hbc_host.folder import SessionWriter, refuse_used, writer_of
from hbc_host.manifest import MANIFEST_NAME, file_sha256, read_manifest, recorded_files, write_manifest
from hbc_host.parts import log_parts, read_parts, stray_parts
from hbc_host.recorder import FILE_HEADER, read_log
from hbc_host.session import decode_log, load_session, read_meta, session_hash


@dataclass(frozen=True)
class Verdict:
    """What was found in a recording.

    Attributes
    ----------
    problems : tuple of str
        What is not as it was written; empty for a whole recording.
    notes : tuple of str
        What a reader should know besides.
    result_sha256 : str
        Hash of its result now; empty when it does not load.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    result_sha256: str


def verify_session(folder: Path | str) -> Verdict:
    """Compare a recording with its manifest, and check its logs and its result.

    Raises
    ------
    SessionError
        There is no recording, or it is being written now.
    """
    place = Path(folder)
    _refuse_busy(place)
    problems: list[str] = []
    manifest = None
    try:
        manifest = read_manifest(place)
        if manifest is None:
            problems.append(f"no {MANIFEST_NAME}: the recording was interrupted")
    except SessionError as error:
        problems.append(str(error))
    changed = _changed_files(place, manifest["files"]) if manifest is not None else []
    changed += [f"{name} is a part whose forerunner is missing: it is not read" for name in stray_parts(place)]
    found = [text for path in log_parts(place) for text in _log_problems(path)]
    # What a crash had cut off before the recording went on is known to its manifest.
    known = found if manifest is not None and not changed else []
    problems += changed + (found if not known else [])
    try:
        session = load_session(place)
    except HbcError as error:
        return Verdict((*problems, f"it does not load: {error}"), tuple(known), "")
    result = session_hash(session)
    expected = manifest.get("result_sha256") if manifest else None
    if expected is not None and expected != result:
        problems.append(f"its result is {result[:16]}, it was {str(expected)[:16]} when it was recorded")
    return Verdict(tuple(problems), (*known, *session.notes), result)


def _changed_files(folder: Path, files: list[Any]) -> list[str]:
    known = {entry.get("name") for entry in files if isinstance(entry, dict)}
    added = [path.name for path in log_parts(folder) if path.is_file() and path.name not in known]
    problems = [f"{name} is not in {MANIFEST_NAME}: it was added after that was written" for name in added]
    for entry in files:
        name = Path(str(entry.get("name", "?") if isinstance(entry, dict) else "?")).name  # never out of the folder
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif path.stat().st_size != entry.get("bytes"):
            problems.append(f"{name} has {path.stat().st_size} bytes, it had {entry.get('bytes')}")
        elif file_sha256(path) != entry.get("sha256"):
            problems.append(f"{name} was changed since it was recorded")
    return problems


def _log_problems(path: Path) -> list[str]:
    if path.is_file() and path.stat().st_size <= FILE_HEADER.size and path != log_parts(path.parent)[0]:
        return [f"{path.name} is empty"]
    try:
        log = read_log(path)
    except SessionError as error:
        return [str(error)]
    cut = [f"the end of {path.name} is cut off"] if log.truncated else []
    if log.damaged_n:
        return [f"{path.name} is damaged in {log.damaged_n} places ({log.damaged_bytes_n} bytes)", *cut]
    return cut


def _refuse_busy(folder: Path) -> None:
    if not folder.is_dir():
        raise SessionError(f"no recording at {folder}; give the folder that `hbc record --out` wrote")
    if who := writer_of(folder):
        raise SessionError(f"{folder} is being written by {who}; let it end first")


@dataclass(frozen=True)
class Repair:
    """A repaired recording, and what could not be saved."""

    path: Path
    lost: tuple[str, ...]
    result_sha256: str


def repair_session(folder: Path | str, out: Path | str | None = None) -> Repair:
    """Write what can be read of a recording as a whole one, in one part, with a manifest.

    Parameters
    ----------
    folder : Path or str
        Is read only.
    out : Path or str, optional
        New folder; ``folder`` with ``-repaired`` added when not given.

    Raises
    ------
    SessionError
        Nothing can be saved, or the new folder cannot be written.
    """
    source = Path(folder).resolve()
    target = Path(out) if out is not None else source.with_name(source.name + "-repaired")
    _refuse_busy(source)
    refuse_used(target)
    log = read_parts(source)
    meta, label_notes = read_meta(source)
    before = decode_log(log, source, meta, label_notes)
    lost = _lost(log.damaged_n, log.damaged_bytes_n, log.truncated, before) + list(label_notes)
    lost += [f"{name}: a part whose forerunner is missing" for name in stray_parts(source)]
    with SessionWriter.create(target, meta, list(log.chunks)) as writer:
        writer.log.close()
        origin = {path.name: file_sha256(path) for path in recorded_files(source)}
        write_manifest(
            target,
            ended="repaired",
            reason=f"repaired from {source.name}",
            extra={"repaired_from": {"folder": source.name, "sha256": origin}, "lost": lost},
        )
    result = session_hash(load_session(target))
    if result != session_hash(before):
        raise SessionError(f"{target} does not give the result of {source}; keep both and report it")
    return Repair(target, tuple(lost), result)


def _lost(damaged_n: int, damaged_bytes_n: int, truncated: bool, session: Any) -> list[str]:
    counts = (
        (damaged_n, "damaged place in the log", "damaged places in the log"),
        (
            damaged_bytes_n,
            "byte there, of which whole frames were saved",
            "bytes there, of which whole frames were saved",
        ),
        (session.frames_lost_n, "frame", "frames"),
        (session.beats_lost_n, "beat", "beats"),
        (session.edges_lost_n, "trigger edge", "trigger edges"),
        (session.samples_lost_n, "ECG sample", "ECG samples"),
    )
    cut = ["the end of the log was cut off"] if truncated else []
    return cut + [counted(n, one, many) for n, one, many in counts if n]

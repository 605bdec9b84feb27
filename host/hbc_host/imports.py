"""From foreign files to import folders: which files there are, what became of each, and why one was refused."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hbc_host import __version__
from hbc_host.errors import HbcError, InputError, TooFewBeatsError
from hbc_host.io.import_folder import is_import, write_import
from hbc_host.io.recording import FROM_HBC, Labels, ReadOptions, Recording
from hbc_host.io.registry import read_recording
from hbc_host.io.wfdb_record import record_stem
from hbc_host.recorder import LOG_NAME

FILES_MAX_N = 10_000
BEATS_MIN_N = 10
_PIECE_BYTES = 1 << 20
#: Files beside others that are read with them, or are no recordings of anything.
_COMPANIONS = frozenset({".dat", ".atr", ".qrs", ".trg", ".tms", ".stim", ".evt", ".json", ".md", ".html", ".lock"})


@dataclass(frozen=True)
class Declared:
    """A start of the first train that a person knows, seconds from the begin of a recording, either way uncertain."""

    first_train_s: float
    uncertainty_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What became of one file: the recording and its new folder, or the reason why it was refused."""

    path: Path
    recording: Recording | None = None
    folder: Path | None = None
    reason: str = ""


def candidates(paths: Sequence[Path]) -> list[Path]:
    """Recordings among paths: a folder that is no recording itself stands for the files in it.

    Raises
    ------
    InputError
        If a folder holds no file, or more than are read at once.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir() or is_import(path) or (path / "session.json").is_file() or (path / LOG_NAME).is_file():
            found.append(path)
            continue
        inside = sorted(one for one in path.iterdir() if not one.name.startswith(".") and _stands_alone(one))
        if not inside:
            raise InputError(f"{path}: holds no file that may be a recording; check the path")
        found += inside
    if len(found) > FILES_MAX_N:
        raise InputError(f"{len(found)} files, at most {FILES_MAX_N} are imported at once; give fewer")
    return found


def _stands_alone(path: Path) -> bool:
    """True for what may be a recording: no part of a WFDB record, and no folder but a recording's."""
    if path.is_dir():
        return is_import(path) or (path / "session.json").is_file() or (path / LOG_NAME).is_file()
    if path.suffix.lower() in _COMPANIONS and path.suffix.lower() != ".hea":
        return path.suffix.lower() == ".dat" and record_stem(path) is None
    return True


def import_all(
    paths: Sequence[Path], out: Path, options: ReadOptions, *, declared: Declared | None = None, labels: Labels
) -> list[Outcome]:
    """Import each path into its own folder below ``out``; a refused one stops no other."""
    taken: set[str] = set()
    outcomes = []
    for path in paths:
        name = _free_name(path, taken)
        try:
            recording = import_one(path, out / name, options, declared=declared, labels=labels)
        except HbcError as fault:
            outcomes.append(Outcome(path, reason=_reason(path, str(fault))))
        else:
            taken.add(name)
            outcomes.append(Outcome(path, recording, out / name))
    return outcomes


def import_one(
    path: Path, folder: Path, options: ReadOptions, *, declared: Declared | None = None, labels: Labels
) -> Recording:
    """Read a recording, find its beats if it does not give them, and write it as an import folder.

    Raises
    ------
    HbcError
        With the reason why it is refused; then nothing is written.
    """
    recording = with_beats(_told(read_recording(path, options), declared, labels))
    source = _source(path, recording.format)
    rows = beat_rows(recording)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    write_import(folder, recording, source, beats_rows=rows, created=created, host_version=__version__)
    return recording


def with_beats(recording: Recording) -> Recording:
    """The recording with the beats that our detector finds, when it gives none.

    Raises
    ------
    TooFewBeatsError
        If there are fewer than ten.
    """
    from hbc_host.foreign import recording_beats

    beats_s = np.unique(recording_beats(recording))
    if beats_s.size < BEATS_MIN_N:
        raise TooFewBeatsError(
            f"{recording.name}: {beats_s.size} beats in {recording.end_s - recording.start_s:.0f} s, at least "
            f"{BEATS_MIN_N} are needed; check the channel, its unit and --rate-hz"
        )
    if recording.beats_s is not None:
        return replace(recording, beats_s=beats_s)
    return replace(recording, beats_s=beats_s, beats_from=FROM_HBC)


def _told(recording: Recording, declared: Declared | None, labels: Labels) -> Recording:
    """The recording with what a person declared, and notes on what that means."""
    recording = replace(recording, labels=_merged(recording.labels, labels))
    triggers_n = 0 if recording.triggers_s is None else recording.triggers_s.size
    if declared is None:
        if triggers_n:
            return recording
        why = "no trigger and no declared start: hbc analyze takes the protocol's convention, or --first-train-s"
        return replace(recording, notes=(*recording.notes, why))
    if triggers_n:
        why = f"--start-s {declared.first_train_s:g} was ignored: {triggers_n} triggers tell when the trains start"
        return replace(recording, notes=(*recording.notes, why))
    duration_s = recording.end_s - recording.start_s
    if declared.first_train_s >= duration_s:
        raise InputError(
            f"{recording.name}: the declared start at {declared.first_train_s:g} s lies after its end "
            f"({duration_s:.1f} s); check --start-s"
        )
    why = f"the first train is declared at {declared.first_train_s:g} s, known to +-{declared.uncertainty_s:g} s"
    return replace(
        recording,
        first_train_s=declared.first_train_s,
        start_uncertainty_s=declared.uncertainty_s,
        notes=(*recording.notes, why),
    )


def _merged(known: Labels, told: Labels) -> Labels:
    return Labels(
        told.title or known.title,
        told.protocol or known.protocol,
        told.sites or known.sites,
        told.intensities_pct or known.intensities_pct,
    )


def beat_rows(recording: Recording) -> list[str]:
    """Lines of ``beats.csv``; quality and polarity are empty where only times are known."""
    assert recording.beats_s is not None
    times_s = recording.beats_s
    rr_ms = np.concatenate(([math.nan], 1e3 * np.diff(times_s)))
    for start_s, end_s in recording.gaps_s:
        rr_ms[1:][(times_s[:-1] < end_s) & (times_s[1:] > start_s)] = math.nan
    extra = _qualities(recording) if recording.beats_from == FROM_HBC else {}
    return [
        f"{time_s!r},{'' if math.isnan(rr) else f'{rr:.6f}'},{extra.get(time_s, ',')}"
        for time_s, rr in zip(times_s.tolist(), rr_ms.tolist(), strict=True)
    ]


def _qualities(recording: Recording) -> dict[float, str]:
    """Quality and polarity of each found beat, by its time."""
    from hbc_host.detection import find_beats
    from hbc_host.io.ecg_signal import recording_signal

    found = find_beats(recording_signal(recording))
    rows = zip(found.time_s.tolist(), found.quality.tolist(), found.polarity.tolist(), strict=True)
    return {time_s: f"{quality},{polarity:+d}" for time_s, quality, polarity in rows}


def _source(path: Path, format_key: str) -> dict[str, Any]:
    """Name, size and SHA-256 of what was read; of several files the hash is that of their hashes in order of name."""
    files = sorted(_files_of(path))
    listed = [{"name": one.name, "bytes_n": one.stat().st_size, "sha256": _sha256(one)} for one in files]
    whole = listed[0]["sha256"] if len(listed) == 1 else None
    joined = hashlib.sha256("".join(str(one["sha256"]) for one in listed).encode()).hexdigest()
    return {
        "name": path.resolve().name,
        "format": format_key,
        "bytes_n": sum(int(str(one["bytes_n"])) for one in listed),
        "sha256": whole or joined,
        "files": listed,
    }


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        return [one for one in path.iterdir() if one.is_file() and not one.name.endswith(".lock")]
    stem = record_stem(path)
    if stem is None:
        return [path]
    return [one for one in stem.parent.iterdir() if one.is_file() and one.stem == stem.name]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _free_name(path: Path, taken: set[str]) -> str:
    """Name of the new folder: that of the file, with its ending when two files share a name."""
    resolved = path.resolve()
    stem = re.sub(r"[^\w.-]+", "_", resolved.name if path.is_dir() else resolved.stem).strip("._") or "recording"
    ending = resolved.suffix[1:].lower()
    choices = [stem, *([f"{stem}-{ending}"] if ending else []), *(f"{stem}-{n}" for n in range(2, FILES_MAX_N))]
    return next(name for name in choices if name not in taken)


def _reason(path: Path, text: str) -> str:
    """The text of an error without the path that stands before it."""
    for named in (str(path), str(path.with_suffix("") if path.name else path), path.stem):
        if text.startswith(f"{named}: "):
            return text[len(named) + 2 :]
    return text

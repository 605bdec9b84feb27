"""The beats of an import or of a strap, for export as RR text; the other files of such a folder are open already."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hbc_host import __version__
from hbc_host.clinic.visit import PSEUDONYM
from hbc_host.errors import InputError
from hbc_host.exchange.content import BEAT, GAP, Content, Event
from hbc_host.io.import_folder import is_import, read_import
from hbc_host.io.recording import Recording

FORMAT = "rr"


def all_imports(folders: Sequence[Path], export_format: str) -> bool:
    """Whether these folders are imports, and can be exported so; False when they are sessions.

    Raises
    ------
    InputError
        Imports and sessions together, or a format that wants the box's samples.
    """
    imports = [folder for folder in folders if is_import(folder)]
    if not imports:
        return False
    if export_format != FORMAT:
        raise InputError(
            f"{imports[0]}: is an import or a strap's recording, without the box's samples that {export_format} needs; "
            "its ecg.tsv.gz, beats.csv and triggers.csv are open files already, and hbc export rr writes its beats"
        )
    if len(imports) < len(folders):
        other = next(folder for folder in folders if folder not in imports)
        raise InputError(f"{imports[0]} is an import, {other} is not; export the two kinds one after the other")
    return True


def import_contents(folders: Sequence[Path], subject: str | None) -> list[Content]:
    """Beats and gaps of imports; each goes by ``subject``, numbered if there are several, else by a name from its data.

    Raises
    ------
    InputError
        ``subject`` is no pseudonym, an import is damaged or has no beats, or two would have one name.
    """
    if subject is not None and not re.fullmatch(PSEUDONYM, subject):
        raise InputError(f"--subject {subject!r} is no pseudonym: 1 to 32 letters, digits, . _ -; never a name")
    contents = [
        _content(folder, subject, number if len(folders) > 1 else None)
        for number, folder in enumerate(folders, start=1)
    ]
    names: dict[str, Path] = {}
    for folder, content in zip(folders, contents, strict=True):
        if content.name in names:
            raise InputError(f"{names[content.name]} and {folder} are both {content.name}; export one of them")
        names[content.name] = folder
    return contents


def _content(folder: Path, subject: str | None, number: int | None) -> Content:
    recording = read_import(folder)
    if recording.beats_s is None:
        raise InputError(f"{folder}: holds 0 beats, RR text needs at least 2; import the recording again")
    digest = hashlib.sha256(recording.beats_s.tobytes()).hexdigest()
    who = subject or f"rec-{digest[:8]}"
    visit_n = number if subject else None
    return Content(
        name=who.replace(".", "_") + ("" if visit_n is None else f"-v{visit_n:02d}"),
        subject=who,
        visit_n=visit_n,
        started=None,
        rate_hz=0.0,
        ecg_lsb=np.zeros(0, np.int16),
        missing=np.zeros(0, np.bool_),
        blanked=np.zeros(0, np.bool_),
        mv_per_lsb=0.0,
        sample_s=np.zeros(0),
        sample_grid_idx=np.zeros(0, np.int64),
        events=_events(recording),
        protocol="",
        provenance={
            "made_by": f"hbc-box {__version__}",
            "command": f"hbc export {FORMAT}",
            "beats_sha256": digest,
            "imported_from": recording.format,
            "beats_from": recording.beats_from,
        },
    )


def _events(recording: Recording) -> tuple[Event, ...]:
    """Beats and gaps in seconds from the beginning of the recording."""
    assert recording.beats_s is not None
    beats = [Event(float(at - recording.start_s), 0.0, BEAT) for at in recording.beats_s]
    gaps = [Event(float(start - recording.start_s), float(end - start), GAP) for start, end in recording.gaps_s]
    return tuple(sorted(beats + gaps, key=lambda event: (event.onset_s, event.kind)))

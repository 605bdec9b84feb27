"""BIDS: one data set of all sessions; physio and events under ``beh``, the stimulation after the NIBS-BIDS draft.

The draft (BEP037, proposal v6.3) is no part of BIDS yet: its files are named in ``.bidsignore``, and each says its
version. BIDS itself is 1.10, as bids-validator knows it.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hbc_host import __version__
from hbc_host.errors import InputError
from hbc_host.exchange.bids_words import (
    EVENTS_COLUMNS,
    NIBS_COLUMNS,
    NIBS_DRAFT,
    PARTICIPANTS_COLUMNS,
    PHYSIO_COLUMNS,
    README,
)
from hbc_host.exchange.content import BEAT, GAP, PULSE, Content, Event
from hbc_host.exchange.edf import TEXTS
from hbc_host.exchange.out_files import json_text, number

BIDS_VERSION = "1.10.0"
TASK = "tms"
NO_VALUE = "n/a"


def write_bids(contents: Sequence[Content], folder: Path) -> None:
    """Write a data set.

    Raises
    ------
    InputError
        Two pseudonyms become one BIDS label, or two sessions one visit.
    """
    taken: dict[tuple[str, str], str] = {}
    for content in contents:
        key = (_subject(content), _visit(content))
        other = taken.setdefault(key, content.name)
        if other != content.name:
            raise InputError(
                f"{other} and {content.name} would both be sub-{key[0]} ses-{key[1]}: BIDS labels have letters and "
                "digits only; give other pseudonyms with --subject"
            )
    _write_top(contents, folder)
    for content in contents:
        _write_visit(content, folder)


def _write_top(contents: Sequence[Content], folder: Path) -> None:
    description = {
        "Name": "Heart-brain coupling during TMS",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "hbc-box", "Version": __version__, "Description": contents[0].provenance["command"]}],
    }
    (folder / "dataset_description.json").write_text(json_text(description), "utf-8")
    (folder / "README").write_text(README, "utf-8")
    (folder / ".bidsignore").write_text("nibs\n", "utf-8")
    subjects = sorted({_subject(content) for content in contents})
    table = _table(
        list(PARTICIPANTS_COLUMNS), [[f"sub-{subject}", _practised(contents, subject)] for subject in subjects]
    )
    (folder / "participants.tsv").write_text(table, "utf-8")
    (folder / "participants.json").write_text(json_text(PARTICIPANTS_COLUMNS), "utf-8")


def _write_visit(content: Content, folder: Path) -> None:
    subject, visit = f"sub-{_subject(content)}", f"ses-{_visit(content)}"
    place = folder / subject / visit
    stem = f"{subject}_{visit}_task-{TASK}"
    (place / "beh").mkdir(parents=True)
    (place / "nibs").mkdir()
    physio = f"beh/{stem}_physio.tsv.gz"
    (place / physio).write_bytes(gzip.compress(_physio(content).encode("ascii"), mtime=0))
    (place / "beh" / f"{stem}_physio.json").write_text(json_text(_physio_card(content)), "utf-8")
    head, rows = _event_rows(content)
    (place / "beh" / f"{stem}_events.tsv").write_text(_table(head, rows), "utf-8")
    card = {
        **_task(content),
        **EVENTS_COLUMNS,
        "StimulusPresentation": {"SoftwareName": "hbc-box", "SoftwareVersion": __version__},
    }
    (place / "beh" / f"{stem}_events.json").write_text(json_text(card), "utf-8")
    if content.started is not None:
        when = content.started.replace(tzinfo=None).isoformat(timespec="seconds")
        scans = _table(["filename", "acq_time"], [[physio, when]])
        (place / f"{subject}_{visit}_scans.tsv").write_text(scans, "utf-8")
    _write_nibs(content, place / "nibs" / f"{stem}_nibs")


def _physio(content: Content) -> str:
    """ECG, a 1 at the sample nearest to each pulse, and the blanking; no header line, as BIDS wants it."""
    triggers = np.zeros(content.ecg_lsb.size, np.int64)
    places = [round(event.onset_s * content.rate_hz) for event in content.of_kind(PULSE)]
    triggers[np.clip(np.array(places, np.int64), 0, triggers.size - 1)] = 1
    mv = [f"{value:.6f}" for value in content.ecg_mv.tolist()]
    for place in np.flatnonzero(content.missing).tolist():
        mv[place] = NO_VALUE
    rows = zip(mv, triggers.tolist(), content.blanked.astype(np.int64).tolist(), strict=True)
    return "".join(f"{value}\t{trigger}\t{blanked}\n" for value, trigger, blanked in rows)


def _physio_card(content: Content) -> dict[str, Any]:
    box = content.provenance["box"]
    return {
        "SamplingFrequency": content.rate_hz,
        "StartTime": 0.0,
        "Columns": list(PHYSIO_COLUMNS),
        "PhysioType": "generic",
        **_task(content),
        "Manufacturer": "hbc-box (built by its user)",
        "ManufacturersModelName": box["board"],
        "SoftwareVersions": box["firmware"],
        "Provenance": content.provenance,
        **PHYSIO_COLUMNS,
    }


def _task(content: Content) -> dict[str, str]:
    what = f"repetitive TMS, protocol {content.protocol or 'not named'}; the participant rests"
    what = f"{content.practice}. {what}" if content.practice else what
    return {"TaskName": TASK, "TaskDescription": what}


def _event_rows(content: Content) -> tuple[list[str], list[list[str]]]:
    head = ["onset", "duration", *EVENTS_COLUMNS]
    return head, [_event_row(event) for event in content.events]


def _event_row(event: Event) -> list[str]:
    kind = TEXTS[GAP] if event.kind == GAP else event.kind
    percent = NO_VALUE if event.intensity_pct is None else number(event.intensity_pct)
    is_pulse = event.kind == PULSE
    return [
        number(event.onset_s, 7),
        number(event.duration_s, 7),
        kind,
        event.site or NO_VALUE,
        percent,
        str(event.quality) if event.kind == BEAT else NO_VALUE,
        nibs_event_id(event) if is_pulse else NO_VALUE,
        (event.site or NO_VALUE) if is_pulse else NO_VALUE,
    ]


def nibs_event_id(event: Event) -> str:
    """Links a pulse to its row of the stimulation table: pulses of one intensity are one kind."""
    return "pulse" if event.intensity_pct is None else f"pulse_{number(event.intensity_pct).replace('.', 'p')}pct"


def _write_nibs(content: Content, stem: Path) -> None:
    kinds = {nibs_event_id(event): event.intensity_pct for event in content.of_kind(PULSE)}
    rows = [[kind, "TMS", NO_VALUE if percent is None else number(percent)] for kind, percent in sorted(kinds.items())]
    stem.with_suffix(".tsv").write_text(_table(list(NIBS_COLUMNS), rows), "utf-8")
    card = {**NIBS_DRAFT, **NIBS_COLUMNS, "Provenance": content.provenance}
    stem.with_suffix(".json").write_text(json_text(card), "utf-8")


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "".join("\t".join(row) + "\n" for row in [head, *rows])


def _practised(contents: Sequence[Content], subject: str) -> str:
    """All, some or none of a participant's sessions; n/a where nothing is known to be practice and one is in doubt."""
    found = [content.provenance.get("practice") for content in contents if _subject(content) == subject]
    return "all" if all(found) else "some" if any(found) else NO_VALUE if None in found else "none"


def _subject(content: Content) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", content.subject)


def _visit(content: Content) -> str:
    return f"{content.visit_n or 1:02d}"

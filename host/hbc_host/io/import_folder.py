"""The folder that ``hbc import`` writes, in open formats: what any foreign recording becomes, and is read from again.

================  =====================================================================================
recording.json    where it came from (name, SHA-256, format), clock, units, every guess; names of the rest
ecg.tsv.gz        one column of millivolts without heading, ``n/a`` where no sample is valid
ecg.json          its sampling frequency and start: together a physiological recording as BIDS has it
                  (https://bids-specification.readthedocs.io/en/stable/modality-specific-files/physiological-recordings.html)
beats.csv         ``time_s,rr_ms,quality,polarity``, as ``hbc detect --csv`` writes it
triggers.csv      ``time_s``
================  =====================================================================================

Numbers are written so that reading gives the same float64. The folder appears whole: it is filled under another name.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.compose import ecg_recording
from hbc_host.io.ecg_text import check_rate
from hbc_host.io.import_writer import (
    BEATS_HEAD,
    BEATS_NAME,
    ECG_NAME,
    FORMAT,
    INFO_NAME,
    TRIGGERS_HEAD,
    TRIGGERS_NAME,
    write_import,
)
from hbc_host.io.limits import EVENTS_MAX_N, check_samples, check_size
from hbc_host.io.recording import FROM_FILE, FROM_HBC, Labels, Recording, checked

FloatArray = npt.NDArray[np.float64]

INFO_MAX_BYTES = 4_000_000
NUMBER_MAX_CHARS = 26  # of a float64 as repr writes it, and the end of the line

__all__ = ["INFO_NAME", "is_import", "read_import", "write_import"]


def is_import(folder: Path) -> bool:
    """True for a folder that ``hbc import`` wrote."""
    return (folder / INFO_NAME).is_file()


def read_import(folder: Path) -> Recording:
    """Read the folder back: the same recording, beat for beat.

    Raises
    ------
    InputError
        If a file is missing, damaged, or does not hold what ``recording.json`` says.
    """
    path = folder / INFO_NAME
    check_size(path, INFO_MAX_BYTES)
    try:
        info = json.loads(path.read_text("utf-8"))
        if info["format"] != FORMAT:
            raise InputError(f"{path}: has format {str(info['format'])[:30]!r}, {FORMAT!r} is read; update hbc-box")
        recording = _recording(folder, info)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as fault:
        text = " ".join(str(fault).split())[:100]
        raise InputError(
            f"{path}: cannot be read ({type(fault).__name__}: {text}); import the recording again"
        ) from fault
    return checked(recording, folder)


def _recording(folder: Path, info: dict[str, Any]) -> Recording:
    ecg, ecg_info = None, info["ecg"]
    if ecg_info is not None:
        rate_hz = check_rate(folder, float(ecg_info["rate_hz"]))
        values = _read_ecg(folder / ECG_NAME, int(ecg_info["samples_n"]))
        ecg, _ = ecg_recording(str(info["name"]), values, rate_hz, str(folder / ECG_NAME))
    beats_s = _read_times(folder / BEATS_NAME, BEATS_HEAD, int(info["beats"]["n"]))
    triggers = info["triggers"]
    triggers_s = None if triggers is None else _read_times(folder / TRIGGERS_NAME, TRIGGERS_HEAD, int(triggers["n"]))
    declared, labels = info["declared_start"], info["labels"]
    beats_from = str(info["beats"]["from"])
    return Recording(
        name=str(info["name"]),
        format="import",
        ecg=ecg,
        ecg_start_s=float(ecg_info["start_s"]) if ecg_info is not None else 0.0,
        beats_s=beats_s,
        beats_from=beats_from if beats_from in (FROM_FILE, FROM_HBC) else "",
        triggers_s=triggers_s,
        triggers_from="" if triggers is None else str(triggers["from"]),
        first_train_s=None if declared is None else float(declared["first_train_s"]),
        start_uncertainty_s=0.0 if declared is None else float(declared["uncertainty_s"]),
        gaps_s=tuple((float(start_s), float(end_s)) for start_s, end_s in info["gaps_s"]),
        start_s=float(info["start_s"]),
        end_s=float(info["end_s"]),
        units=str(info["units"]),
        clock=str(info["clock"]),
        notes=tuple(str(note) for note in info["notes"]),
        labels=Labels(
            str(labels["title"]),
            str(labels["protocol"]),
            tuple(str(site) for site in labels["sites"]),
            tuple(float(value) for value in labels["intensities_pct"]),
        ),
    )


def _read_ecg(path: Path, samples_n: int) -> FloatArray:
    check_samples(path, samples_n)
    check_size(path)
    limit_bytes = samples_n * NUMBER_MAX_CHARS + 1
    try:
        with gzip.open(path) as file:
            data = file.read(limit_bytes)  # a file that unpacks to more than its samples need is not ours
    except (OSError, EOFError, zlib.error) as fault:
        raise InputError(f"{path}: is damaged ({fault}); import the recording again") from fault
    words = data.replace(b"n/a", b"nan").split()
    if len(words) != samples_n or len(data) >= limit_bytes:
        raise InputError(
            f"{path}: holds {len(words)} samples, {INFO_NAME} says {samples_n}; import the recording again"
        )
    return np.array(words, np.float64)


def _read_times(path: Path, head: str, times_n: int) -> FloatArray:
    """First column of a table of ours."""
    check_size(path)
    lines = path.read_text("utf-8").splitlines()
    if not 0 <= times_n <= EVENTS_MAX_N or not lines or lines[0] != head or len(lines) != times_n + 1:
        raise InputError(
            f"{path}: holds {len(lines) - 1} lines, {INFO_NAME} says {times_n}; import the recording again"
        )
    return np.array([line.partition(",")[0] for line in lines[1:]], np.float64)

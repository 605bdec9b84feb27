"""Writing of an import folder; its files are described in :mod:`hbc_host.io.import_folder`."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hbc_host.errors import InputError
from hbc_host.io.recording import Recording

FORMAT = "hbc-import-1"
INFO_NAME, ECG_NAME, SIDECAR_NAME = "recording.json", "ecg.tsv.gz", "ecg.json"
BEATS_NAME, TRIGGERS_NAME = "beats.csv", "triggers.csv"
BEATS_HEAD, TRIGGERS_HEAD = "time_s,rr_ms,quality,polarity", "time_s"


def write_import(
    folder: Path,
    recording: Recording,
    source: dict[str, Any],
    *,
    beats_rows: list[str],
    created: str,
    host_version: str,
) -> None:
    """Write a recording; the folder must not exist, or be empty.

    Parameters
    ----------
    folder : Path
        Mode 0700, its files 0600.
    recording : Recording
        With beats.
    source : dict
        ``name``, ``sha256``, ``bytes_n``, ``format`` and ``files`` of what it was read from.
    beats_rows : list of str
        Lines of ``beats.csv`` without its heading.
    created, host_version : str
        When and by which program.

    Raises
    ------
    InputError
        If something is at this place, or it cannot be written.
    """
    info = _info(recording, source, len(beats_rows)) | {"created": created, "host_version": host_version}
    with _appearing(folder) as making:
        if recording.ecg is not None:
            _write_ecg(making, recording)
        _write(making / BEATS_NAME, "\n".join([BEATS_HEAD, *beats_rows, ""]))
        if recording.triggers_s is not None:
            lines = [TRIGGERS_HEAD, *(repr(float(time_s)) for time_s in recording.triggers_s), ""]
            _write(making / TRIGGERS_NAME, "\n".join(lines))
        _write(making / INFO_NAME, json.dumps(info, indent=2, sort_keys=True, allow_nan=False) + "\n")


def _info(recording: Recording, source: dict[str, Any], beats_n: int) -> dict[str, Any]:
    ecg, triggers_s = recording.ecg, recording.triggers_s
    declared = None
    if recording.first_train_s is not None:
        declared = {"first_train_s": recording.first_train_s, "uncertainty_s": recording.start_uncertainty_s}
    return {
        "format": FORMAT,
        "name": recording.name,
        "source": source,
        "clock": recording.clock,
        "start_s": recording.start_s,
        "end_s": recording.end_s,
        "gaps_s": [list(gap) for gap in recording.gaps_s],
        "ecg": None
        if ecg is None
        else {
            "file": ECG_NAME,
            "rate_hz": ecg.rate_hz,
            "start_s": recording.ecg_start_s,
            "samples_n": int(ecg.ecg_mv.size),
            "unit": "mV",
        },
        "beats": {"file": BEATS_NAME, "n": beats_n, "from": recording.beats_from},
        "triggers": None
        if triggers_s is None
        else {"file": TRIGGERS_NAME, "n": int(triggers_s.size), "from": recording.triggers_from},
        "declared_start": declared,
        "labels": asdict(recording.labels),
        "units": recording.units,
        "notes": list(recording.notes),
    }


def _write_ecg(folder: Path, recording: Recording) -> None:
    ecg = recording.ecg
    assert ecg is not None
    values = ecg.ecg_mv.copy()
    for start_s, end_s in ecg.gaps_s:
        values[round(start_s * ecg.rate_hz) : round(end_s * ecg.rate_hz)] = np.nan
    text = io.StringIO()
    for value in values.tolist():
        text.write("n/a\n" if math.isnan(value) else f"{value!r}\n")
    # Without name and time in its head, equal recordings give equal bytes.
    packed = gzip.compress(text.getvalue().encode(), compresslevel=6, mtime=0)
    with _private(folder / ECG_NAME) as file:
        file.write(packed)
    sidecar = {
        "SamplingFrequency": ecg.rate_hz,
        "StartTime": recording.ecg_start_s,
        "Columns": ["cardiac"],
        "cardiac": {"Description": "Electrocardiogram, one lead", "Units": "mV"},
    }
    _write(folder / SIDECAR_NAME, json.dumps(sidecar, indent=2) + "\n")


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder under another name, which takes its own when all was written."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty; choose another --out, nothing is ever overwritten")
    making = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # mode 0700
        yield making
        os.rename(making, folder)
    except OSError as fault:
        raise InputError(f"cannot write {folder}: {fault.strerror or fault}; choose another --out") from fault
    finally:
        if making is not None:
            shutil.rmtree(making, ignore_errors=True)


def _private(path: Path) -> io.FileIO:
    return open(path, "xb", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))


def _write(path: Path, text: str) -> None:
    with _private(path) as file:
        file.write(text.encode())

"""Which kind of input a path is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hbc_host.errors import InputError
from hbc_host.io.text import parse_column, read_lines
from hbc_host.io.wfdb_record import record_stem

SESSION, WFDB, EVENTS, ECG_TEXT = "session", "wfdb", "events", "ecg_text"


def sniff(path: Path) -> str:
    """Kind of input: ``"session"``, ``"wfdb"``, ``"events"`` (times that increase) or ``"ecg_text"``.

    Raises
    ------
    InputError
        If the path does not exist, is a directory without ``session.json``, or is neither text nor WFDB.
    """
    if path.is_dir():
        if (path / "session.json").is_file():
            return SESSION
        raise InputError(f"{path}: is a directory without session.json; give a session directory or files")
    if record_stem(path) is not None:
        return WFDB
    if not path.exists():
        raise InputError(f"{path}: no such file or directory; check the path")
    if path.suffix.lower() in {".dat", ".hea"}:
        raise InputError(f"{path}: no WFDB header {path.stem}.hea beside it; copy header and data into one folder")
    # An ECG goes up and down within a beat; times only go up. At 500 Hz 200 values are 0.4 s, at 130 Hz 1.5 s.
    values = parse_column(path, read_lines(path)[:200], header_allowed=True)
    return EVENTS if bool(np.all(np.diff(values) > 0.0)) else ECG_TEXT

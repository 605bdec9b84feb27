"""Which kind of input a path is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hbc_host.errors import InputError
from hbc_host.io.text import cells, parse_column, read_lines
from hbc_host.io.wfdb_record import record_stem
from hbc_host.recorder import LOG_NAME, session_hint

SESSION, WFDB, EVENTS, ECG_TEXT = "session", "wfdb", "events", "ecg_text"
EVEN_MIN_N = 60  # a train of 10 Hz for 5 s has 50 pulses


def sniff(path: Path) -> str:
    """Kind of input: ``"session"``, ``"wfdb"``, ``"events"`` (times that increase) or ``"ecg_text"``.

    Raises
    ------
    InputError
        If the path does not exist, is a directory without a recording, or is neither text nor WFDB.
    """
    if path.is_dir():
        if (path / "session.json").is_file() or (path / LOG_NAME).is_file():  # the bytes do without their labels
            return SESSION
        next_step = session_hint(path) or "; give a session directory or files"
        raise InputError(f"{path}: is a directory without session.json and {LOG_NAME}{next_step}")
    if record_stem(path) is not None:
        return WFDB
    if not path.exists():
        raise InputError(f"{path}: no such file or directory; check the path")
    if path.suffix.lower() in {".dat", ".hea"}:
        raise InputError(f"{path}: no WFDB header {path.stem}.hea beside it; copy header and data into one folder")
    # An ECG goes up and down within a beat; times only go up. At 500 Hz 200 values are 0.4 s, at 130 Hz 1.5 s.
    lines = read_lines(path)[:200]
    values = parse_column(path, lines, header_allowed=True)
    steps = np.diff(values)
    if not np.all(steps > 0.0):
        return ECG_TEXT
    # No heart and no stimulator is as quick or as even as this: these are times of samples, which stand beside them.
    is_quick = steps.size > 0 and np.median(steps) < 0.03 and steps.max() < 1.5 * steps.min()
    is_even = steps.size > 0 and np.ptp(steps) < 0.01 * np.median(steps)
    is_sample_time = values.size >= EVEN_MIN_N and (is_quick or is_even) and len(cells(lines[-1])) > 1
    return ECG_TEXT if is_sample_time else EVENTS

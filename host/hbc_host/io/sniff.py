"""Which kind of input a path is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hbc_host.io.registry import container, text_format
from hbc_host.io.text import cells, parse_column, read_lines

SESSION, WFDB, EVENTS, ECG_TEXT = "session", "wfdb", "events", "ecg_text"
RECORDING = "recording"  # of another format that the registry reads
EVEN_MIN_N = 60  # a train of 10 Hz for 5 s has 50 pulses


def sniff(path: Path, rate_hz: float | None = None) -> str:
    """Kind of input: ``"session"``, ``"wfdb"``, ``"events"`` (times that increase), ``"ecg_text"`` or ``"recording"``.

    Plain columns keep the meaning that they have without a registry: one rate for ECG text, pairs of event files. With
    a rate given, values of any size are an ECG.

    Raises
    ------
    InputError
        If the path does not exist, is a directory without a recording, or is of no format that is read.
    """
    key = container(path)
    if key in (SESSION, WFDB):
        return key
    if key or text_format(path, rate_hz):
        return RECORDING
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

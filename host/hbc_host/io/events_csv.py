"""Beat times and trigger times, one per line, in seconds of one clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.text import parse_column, read_lines

FloatArray = npt.NDArray[np.float64]

_BEAT_WORDS = ("beat", "rpeak", "r_peak", "r-peak")
_TRIGGER_WORDS = ("trig", "edge", "pulse", "onset")


def read_events_csv(path: Path) -> FloatArray:
    """Times from the first column of a text file, shape (n,), seconds, increasing; a header line is optional.

    Raises
    ------
    InputError
        If the file is empty, holds text after the header (with line number), or the times do not increase.
    """
    times_s = parse_column(path, read_lines(path), header_allowed=True)
    steps_s = np.diff(times_s)
    if steps_s.size and steps_s.min() <= 0.0:
        at = int(np.argmax(steps_s <= 0.0))
        raise InputError(
            f"{path}: value {at + 2} ({times_s[at + 1]:g} s) does not come after value {at + 1} ({times_s[at]:g} s); "
            "give increasing seconds"
        )
    return times_s


def assign_roles(first: Path, second: Path) -> tuple[Path, Path]:
    """Which of two files holds beats and which triggers: by name, else in this order."""
    if _has(first, _TRIGGER_WORDS) and not _has(first, _BEAT_WORDS):
        return second, first
    if _has(second, _BEAT_WORDS) and not _has(second, _TRIGGER_WORDS):
        return second, first
    return first, second


def _has(path: Path, words: tuple[str, ...]) -> bool:
    return any(word in path.stem.lower() for word in words)

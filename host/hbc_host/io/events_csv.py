"""Beat times and trigger times, one per line, in seconds of one clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.text import line_number, parse_column, read_lines

FloatArray = npt.NDArray[np.float64]

INTERVAL_MIN_S, INTERVAL_MAX_S = 0.1, 30.0
INTERVALS_MIN_N = 10
_BEAT_WORDS = ("beat", "rpeak", "r_peak", "r-peak")
_TRIGGER_WORDS = ("trig", "edge", "pulse", "onset")


def read_events_csv(path: Path) -> FloatArray:
    """Times from the first column of a text file, shape (n,), seconds, increasing; a header line is optional.

    Raises
    ------
    InputError
        If the file is empty, holds text after the header, or the times are negative or do not increase (with line
        number).
    """
    lines = read_lines(path)
    times_s = parse_column(path, lines, header_allowed=True)
    if look_like_intervals(times_s):
        raise InputError(
            f"{path}: {times_s.size} values around {np.median(times_s):g} that do not increase look like RR intervals; "
            "give the time of each beat instead (add the intervals up, in seconds)"
        )
    negative = np.flatnonzero(times_s < 0.0)
    if negative.size:
        at = int(negative[0])
        line = line_number(lines, times_s.size, at)
        raise InputError(f"{path}: line {line} is {times_s[at]:g} s, before 0; give seconds from the start")
    back = np.flatnonzero(np.diff(times_s) <= 0.0)
    if back.size:
        at = int(back[0]) + 1
        line = line_number(lines, times_s.size, at)
        wrong = "repeats" if times_s[at] == times_s[at - 1] else "does not come after"
        next_step = "remove the repeat" if times_s[at] == times_s[at - 1] else "sort the times"
        raise InputError(
            f"{path}: line {line} ({times_s[at]:g} s) {wrong} the time before it ({times_s[at - 1]:g} s); {next_step}, "
            "increasing seconds are needed"
        )
    return times_s


def look_like_intervals(values: FloatArray) -> bool:
    """True for values that all have the size of one heartbeat, in seconds or milliseconds, and often go down."""
    if values.size < INTERVALS_MIN_N or np.mean(np.diff(values) <= 0.0) < 0.1:
        return False
    middle = float(np.median(values))
    one_size = bool(np.mean((values > 0.4 * middle) & (values < 2.5 * middle)) > 0.9)
    return one_size and (0.25 <= middle <= 2.5 or 250.0 <= middle <= 2500.0)


def check_beat_unit(path: Path, beats_s: FloatArray) -> None:
    """Refuse beat times that no heart has in seconds."""
    if beats_s.size < 3:
        return
    interval_s = float(np.median(np.diff(beats_s)))
    if INTERVAL_MIN_S <= interval_s <= INTERVAL_MAX_S:
        return
    unit = "milliseconds" if interval_s > INTERVAL_MAX_S else "minutes, or pulses instead of beats"
    raise InputError(
        f"{path}: median of {interval_s:g} s between beats is outside {INTERVAL_MIN_S:g} to {INTERVAL_MAX_S:g} s: "
        f"times look like {unit}; seconds are needed"
    )


def assign_roles(first: Path, second: Path) -> tuple[Path, Path]:
    """Which of two files holds beats and which triggers: by name, else in this order."""
    if _has(first, _TRIGGER_WORDS) and not _has(first, _BEAT_WORDS):
        return second, first
    if _has(second, _BEAT_WORDS) and not _has(second, _TRIGGER_WORDS):
        return second, first
    return first, second


def named_as_events(path: Path) -> bool:
    """True when the name of a file says that it holds beats or triggers."""
    return _has(path, (*_BEAT_WORDS, *_TRIGGER_WORDS))


def _has(path: Path, words: tuple[str, ...]) -> bool:
    return any(word in path.stem.lower() for word in words)

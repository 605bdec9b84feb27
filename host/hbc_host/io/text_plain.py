"""Text without a program's headings: one column of ECG or of RR intervals, or a table whose columns must be named.

* Kubios HRV takes and gives RR intervals as text, one a line in seconds or milliseconds, or with the time before it
  (https://www.kubios.com/downloads/HRV-Scientific-Users-Guide.pdf, "Other supported data formats").
* Elite HRV gives milliseconds, one a line, without times
  (https://dataespresso.com/en/2017/07/16/reading-rr-intervals-from-elitehrv-with-pandas/).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.compose import Roles, recording_of, with_choices
from hbc_host.io.events_csv import look_like_intervals
from hbc_host.io.levels import ECG_WORDS, TRIGGER_WORDS
from hbc_host.io.recording import ReadOptions, Recording
from hbc_host.io.table import Table, lines_of

FloatArray = npt.NDArray[np.float64]

LOOK_N = 5000
OUR_BEATS = ("time_s", "rr_ms", "quality")  # of hbc detect and export: intervals have holes, times have none
_TIME = re.compile(r"^(t|times?|time ?stamps?|seconds|elapsed.*|tijd|zeit)$")
_RR = re.compile(r"^(rr.*|r-r.*|ibi.*|nn|nni|nn[ _-]?intervals?|inter-?beat.*)$")
_BEAT = re.compile(r"^(beats?|beat[ _]?times?|r-?peaks?|r[ _]peaks?)$")


def read_rr_text(table: Table, options: ReadOptions) -> Recording:
    """RR intervals, one a line, with or without the time before them."""
    roles = _guess(table)
    if "rr" not in roles.columns and "rr" not in options.choices:
        raise InputError(f"{table.path}: no column holds RR intervals; name it, for example --map rr=2:ms")
    roles = Roles({role: at for role, at in roles.columns.items() if role == "rr"}, roles.units, None, roles.notes)
    return recording_of(table, with_choices(table, roles, options), options, "rr_text")


def read_ecg_column(table: Table, options: ReadOptions) -> Recording:
    """ECG, one value a line; the rate must be given."""
    roles = with_choices(table, Roles({"ecg": 0}), options)
    return recording_of(table, roles, options, "ecg_text")


def read_csv(table: Table, options: ReadOptions) -> Recording:
    """A table whose columns are named by headings that are understood, or by ``--map``."""
    return recording_of(table, with_choices(table, _guess(table), options), options, "csv")


def holds_intervals(table: Table) -> bool:
    """True when the text is one of RR intervals: by its heading, or by the size of its values."""
    return "rr" in _guess(table).columns


def _guess(table: Table) -> Roles:
    """Roles by headings; without headings by what the numbers look like, which is noted."""
    if table.layout.headings:
        return _by_headings(table)
    columns_n = table.layout.columns_n
    if columns_n > 2:
        return Roles()
    values, _ = _first_lines(table)
    if columns_n == 1 and look_like_intervals(values[0]):
        return Roles({"rr": 0}, {}, None, ("the values have the size of RR intervals and are taken as such",))
    if columns_n == 2 and _is_time_and_rr(values[0], values[1]):
        return Roles({"rr": 1}, {}, None, ("column 1 is the sum of column 2, so column 2 is taken as RR intervals",))
    return Roles({"ecg": 0}) if columns_n == 1 else Roles()


def _by_headings(table: Table) -> Roles:
    headings = table.layout.headings
    if set(OUR_BEATS) <= set(headings):
        return Roles({"beat": headings.index("time_s")}, {"beat": "s"}, None, ("beats as hbc writes them",))
    columns: dict[str, int] = {}
    notes = []
    lists = (("time", _TIME), ("ecg", ECG_WORDS), ("rr", _RR), ("beat", _BEAT), ("trigger", TRIGGER_WORDS))
    for role, words in lists:
        at = next(
            (at for at, name in enumerate(table.names) if words.search(name) and at not in columns.values()), None
        )
        if at is not None:
            columns[role] = at
            notes.append(f"{table.shown(at)} is taken as {role}, by its name")
    if "ecg" not in columns and not {"rr", "beat"} & columns.keys() and table.layout.columns_n == 1:
        columns = {"ecg": 0}
    return Roles(columns, {}, None, tuple(notes))


def _first_lines(table: Table) -> tuple[list[FloatArray], tuple[str, ...]]:
    """The first numbers of a table of one or two columns; empty when they cannot be read."""
    lines = itertools.islice(lines_of(table.data, table.encoding), table.layout.first_n + LOOK_N)
    short = replace(table, data="".join(lines).encode(), encoding="utf-8")
    try:
        return short.numbers(range(table.layout.columns_n))
    except InputError:
        return [np.empty(0)] * table.layout.columns_n, ()


def _is_time_and_rr(first: FloatArray, second: FloatArray) -> bool:
    """True when each step of the first column is the interval beside it, in the same or a thousandth of the unit."""
    if first.size < 10 or not (np.isfinite(first).all() and np.isfinite(second).all()):
        return False
    steps = np.diff(first)
    if np.any(steps <= 0.0):
        return False
    share = np.array(
        [np.mean(np.abs(steps * unit - second[1:]) < 0.02 * np.abs(second[1:])) for unit in (1.0, 1e3, 1e-3)]
    )
    return bool(share.max() > 0.9)

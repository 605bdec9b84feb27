"""A recording out of the columns of a table, whichever program wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.ecg_text import EcgRecording, check_duration, check_rate
from hbc_host.io.grid import even_grid
from hbc_host.io.levels import rising_edges
from hbc_host.io.recording import FROM_FILE, ReadOptions, Recording
from hbc_host.io.rr import beats_of_intervals
from hbc_host.io.spans import held, nan_spans
from hbc_host.io.table import Table
from hbc_host.io.units import guess_voltage, millivolts_in, name_and_unit, plain, seconds_in

FloatArray = npt.NDArray[np.float64]

ECG_MAX_MV = 10_000.0


@dataclass(frozen=True)
class Roles:
    """Which column of a table is what, with its unit (empty when it is not known), and a rate that a header says."""

    columns: dict[str, int] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    rate_hz: float | None = None
    notes: tuple[str, ...] = ()

    def unit(self, table: Table, role: str) -> str:
        """Unit of a role: as said, else as its heading says."""
        return plain(self.units.get(role, "")) or table.unit_of(self.columns[role])


def with_choices(table: Table, roles: Roles, options: ReadOptions) -> Roles:
    """The roles with those that a person chose in their place."""
    columns, units = dict(roles.columns), dict(roles.units)
    for role, choice in options.choices.items():
        columns[role] = table.find(choice.column)
        units[role] = choice.unit or name_and_unit(choice.column)[1]
    taken = {"ecg", "rr", "beat"} & options.choices.keys()
    if taken:  # a person who names one source does not want the guessed one
        columns = {role: at for role, at in columns.items() if role not in {"ecg", "rr", "beat"} - taken}
    return Roles(columns, units, roles.rate_hz, roles.notes)


def recording_of(table: Table, roles: Roles, options: ReadOptions, format_key: str) -> Recording:
    """Read the columns and put the recording together.

    Raises
    ------
    InputError
        If no column holds an ECG or beats, or their numbers cannot be used.
    """
    if "ecg" in roles.columns:
        return _ecg(table, roles, options, format_key)
    if "rr" in roles.columns:
        return _intervals(table, roles, format_key)
    if "beat" in roles.columns:
        return _beat_times(table, roles, format_key)
    known = ", ".join(table.layout.headings) or f"{table.layout.columns_n} without headings"
    raise InputError(
        f"{table.path}: no column can be told to be an ECG, RR intervals or beats; its columns are {known[:200]}; "
        "name one, for example --map ecg=COLUMN:uV or --map rr=COLUMN:ms"
    )


def _ecg(table: Table, roles: Roles, options: ReadOptions, format_key: str) -> Recording:
    wanted = [role for role in ("ecg", "time", "trigger") if role in roles.columns]
    arrays, notes = table.numbers([roles.columns[role] for role in wanted])
    values = dict(zip(wanted, arrays, strict=True))
    stated_hz = options.rate_hz if options.rate_hz is not None else roles.rate_hz
    start_s, found = 0.0, [*table.notes, *roles.notes, *notes]
    if "time" in values:
        factor = _time_factor(table, roles, values["time"], found)
        times_s = values.pop("time") * factor
        grid = even_grid(table.path, times_s - times_s[:1], stated_hz)
        values = {role: grid.spread(column) for role, column in values.items()}
        rate_hz, found = check_rate(table.path, grid.rate_hz), [*found, *grid.notes]
        if stated_hz is None:
            found.append(f"sampling rate of {rate_hz:.6g} Hz is taken from {table.shown(roles.columns['time'])}")
        start_s = grid.start_s
    else:
        rate_hz = check_rate(table.path, stated_hz)
    ecg_mv, unit = _millivolts(table, roles, values["ecg"], found)
    ecg, gaps_s = ecg_recording(table.path.stem, ecg_mv, rate_hz, str(table.path))
    triggers_s, source = None, ""
    if "trigger" in values:
        source = table.shown(roles.columns["trigger"])
        edges_idx, more = rising_edges(values["trigger"], source)
        triggers_s, found = start_s + edges_idx / rate_hz, [*found, *more]
    return Recording(
        table.path.stem, format_key, ecg, start_s, triggers_s=triggers_s, triggers_from=source, gaps_s=gaps_s,
        start_s=start_s, end_s=start_s + ecg.duration_s, units=f"ECG in {unit}", notes=tuple(found),
        clock="seconds from the first sample",
    )  # fmt: skip


def ecg_recording(
    name: str, ecg_mv: FloatArray, rate_hz: float, where: str
) -> tuple[EcgRecording, tuple[tuple[float, float], ...]]:
    """An ECG whose missing samples (nan) are held and listed; raises InputError when it is too short or has none."""
    from pathlib import Path

    check_duration(Path(where), ecg_mv.size, rate_hz)
    beyond_n = int((np.abs(ecg_mv) > ECG_MAX_MV).sum())
    if beyond_n > 0.01 * ecg_mv.size:
        raise InputError(
            f"{where}: {beyond_n} of {ecg_mv.size} samples are beyond {ECG_MAX_MV / 1e3:g} V, as no electrode gives; "
            "say the unit, for example --map ecg=NAME:uV"
        )
    valid = np.abs(ecg_mv) <= ECG_MAX_MV  # not so for nan, too
    if not valid.any():
        raise InputError(f"{where}: the ECG has no valid sample; choose another with --map ecg=NAME")
    gaps_s = nan_spans(valid, rate_hz)
    return EcgRecording(name, held(ecg_mv, valid), rate_hz, gaps_s), gaps_s


def _millivolts(table: Table, roles: Roles, values: FloatArray, notes: list[str]) -> tuple[FloatArray, str]:
    unit = roles.unit(table, "ecg")
    where = f"{table.path}, {table.shown(roles.columns['ecg'])}"
    if not unit:
        unit, note = guess_voltage(values)
        notes.append(note)
    return values * millivolts_in(unit, where), unit


def _time_factor(table: Table, roles: Roles, times: FloatArray, notes: list[str]) -> float:
    """Seconds in one unit of the time column; without a stated unit only steps of a possible ECG are believed."""
    unit, where = roles.unit(table, "time"), table.shown(roles.columns["time"])
    if unit:
        return seconds_in(unit, f"{table.path}, {where}")
    steps = np.diff(times[np.isfinite(times)])
    middle = float(np.median(steps[steps > 0.0])) if np.any(steps > 0.0) else 0.0
    for unit, low, high in (("s", 2e-4, 0.02), ("ms", 0.2, 20.0), ("us", 200.0, 2e4), ("ns", 2e5, 2e7)):
        if low <= middle < high:
            notes.append(f"the unit of {where} is not stated; it steps by {middle:g}, so it is taken as {unit}")
            return seconds_in(unit, where)
    raise InputError(
        f"{table.path}: {where} steps by {middle:g}, which is no ECG in s, ms, us or ns; "
        "say its unit with --map time=COLUMN:UNIT, or another time column"
    )


def _intervals(table: Table, roles: Roles, format_key: str) -> Recording:
    (rr,), notes = table.numbers([roles.columns["rr"]])
    stamps_s = _stamps(table, roles)
    found = beats_of_intervals(table.path, rr, roles.unit(table, "rr"), stamps_s=stamps_s)
    end_s = float(found.beats_s[-1])
    return Recording(
        table.path.stem, format_key, beats_s=found.beats_s, beats_from=FROM_FILE, gaps_s=found.gaps_s, end_s=end_s,
        units=found.units, notes=(*table.notes, *roles.notes, *notes, *found.notes),
        clock="the intervals added up, from the first beat",
    )  # fmt: skip


def _stamps(table: Table, roles: Roles) -> FloatArray | None:
    """When each interval was written, seconds; None when there is no such column or it cannot be read."""
    if "time" not in roles.columns:
        return None
    words = table.words(roles.columns["time"])
    try:
        return np.array([datetime.fromisoformat(word).replace(tzinfo=None).timestamp() for word in words])
    except (ValueError, OverflowError, OSError):
        pass
    unit = roles.unit(table, "time")
    if not unit:
        return None
    (times,), _ = table.numbers([roles.columns["time"]])
    return times * seconds_in(unit, str(table.path))


def _beat_times(table: Table, roles: Roles, format_key: str) -> Recording:
    (beats,), notes = table.numbers([roles.columns["beat"]])
    where = table.shown(roles.columns["beat"])
    unit, found = roles.unit(table, "beat"), [*table.notes, *roles.notes, *notes]
    if beats.size < 3 or not np.isfinite(beats).all():
        raise InputError(f"{table.path}: {where} has missing beat times, or fewer than 3; export it again")
    if not unit:
        middle = float(np.median(np.diff(beats)))
        unit = "ms" if 250.0 <= middle <= 2500.0 else "s"
        found.append(f"the unit of {where} is not stated; beats are {middle:g} apart, so it is taken as {unit}")
    beats_s = beats * seconds_in(unit, str(table.path))
    back = np.flatnonzero(np.diff(beats_s) <= 0.0)
    if back.size:
        raise InputError(f"{table.path}: beat {int(back[0]) + 2} does not come after the one before it; sort the times")
    middle_s = float(np.median(np.diff(beats_s)))
    if not 0.2 <= middle_s <= 3.0:
        raise InputError(
            f"{table.path}: beats are {middle_s:g} s apart when read as {unit}, 0.2 to 3 s are possible; "
            "say the unit, for example --map beat=COLUMN:ms"
        )
    return Recording(
        table.path.stem, format_key, beats_s=beats_s, beats_from=FROM_FILE, start_s=float(beats_s[0]),
        end_s=float(beats_s[-1]), units=f"beat times in {unit}", notes=tuple(found), clock="as in the file",
    )  # fmt: skip

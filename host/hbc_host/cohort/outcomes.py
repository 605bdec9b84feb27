"""The table of outcomes: one row per patient, read forgivingly, and every liberty taken is told."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hbc_host.cohort.outcome_words import COLUMNS, NO, NUMBERS, OTHER_NAMES, UNKNOWN, WORDS, YES
from hbc_host.errors import InputError

FILE_MAX_N = 50_000_000


@dataclass(frozen=True)
class PatientFacts:
    """One row of the table; nan and empty texts are unknown, ``improved`` and ``medication`` None when unknown."""

    patient: str
    improved: bool | None = None
    clinic: str = ""
    age: float = math.nan
    sex: str = ""
    side: str = ""
    medication: bool | None = None
    motor_threshold_pct: float = math.nan
    score_baseline: float = math.nan
    score_early: float = math.nan


@dataclass(frozen=True)
class Outcomes:
    """The whole table, in its order, with notes on what was taken for what, and the lines that could not be read."""

    patients: tuple[PatientFacts, ...]
    notes: tuple[str, ...]
    improvement_share: float
    faults: tuple[str, ...] = ()


def read_outcomes(path: Path, *, improvement_share: float = 0.2, strict: bool = True) -> Outcomes:
    """Read a table of outcomes: comma, semicolon or tab between columns, decimal point or comma, with or without BOM.

    Parameters
    ----------
    path : Path
    improvement_share : float
        Fall of the score from baseline, as a share of it, that counts as early improvement.
    strict : bool
        Refuse the whole table for one bad line; else such lines are listed in ``faults``.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, names a patient twice, or holds what cannot be; with the line.
    """
    text, notes = _decode(path)
    separator = _separator(text)
    if separator != ",":
        notes.append(f"columns are separated by {'tabs' if separator == chr(9) else 'semicolons'}")
    rows = list(csv.reader(text.splitlines(), delimiter=separator))
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]
    if len(filled) < 2:
        raise InputError(f"{path}: {len(filled)} lines; a line of column names and one per patient are needed")
    names, more = _column_names(path, filled[0][1])
    notes += more
    reader = _RowReader(path, names, decimal_comma=separator != ",")
    patients, faults = [], []
    for number, row in filled[1:]:
        try:
            patients.append(reader.read(number, row, improvement_share))
        except InputError as fault:
            faults.append(str(fault))
    faults += _repeats(path, patients)
    if strict and faults:
        more_text = f" (and {len(faults) - 1} more; see `hbc cohort check`)" if len(faults) > 1 else ""
        raise InputError(faults[0] + more_text)
    if reader.commas_n:
        notes.append(f"{reader.commas_n} numbers with a decimal comma")
    if "improved" not in names:
        notes.append(f"early improvement: score_early at least {improvement_share:.0%} below score_baseline")
    return Outcomes(tuple(patients), tuple(notes), improvement_share, tuple(faults))


def _decode(path: Path) -> tuple[str, list[str]]:
    try:
        if path.stat().st_size > FILE_MAX_N:
            raise InputError(f"{path}: more than {FILE_MAX_N} bytes; is it another file?")
        data = path.read_bytes()
    except OSError as fault:
        raise InputError(f"{path}: cannot be read ({fault.strerror}); check the path") from None
    if data.startswith(b"PK\x03\x04"):
        raise InputError(f"{path}: is a spreadsheet, not text; save it as CSV")
    notes = ["the file begins with a byte-order mark"] if data.startswith(b"\xef\xbb\xbf") else []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace"), ["the file is UTF-16"]
    try:
        return data.decode("utf-8-sig"), notes
    except UnicodeDecodeError:
        return data.decode("latin-1"), ["the file is not UTF-8; read as Latin-1"]


def _separator(text: str) -> str:
    head = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=lambda mark: (head.count(mark), -",;\t".index(mark)))


def _column_names(path: Path, row: Sequence[str]) -> tuple[list[str], list[str]]:
    names, notes = [], []
    for cell in row:
        plain = re.sub(r"[^a-z0-9]+", "_", cell.strip().lower()).strip("_")
        name = OTHER_NAMES.get(plain, plain)
        if name != plain:
            notes.append(f"column {cell.strip()!r} is read as {name}")
        if name not in COLUMNS and name:
            notes.append(f"column {cell.strip()!r} is not used")
        names.append(name)
    known = [name for name in names if name in COLUMNS]
    repeated = sorted(name for name, count in Counter(known).items() if count > 1)
    if repeated:
        raise InputError(f"{path}: column {repeated[0]} is there more than once; keep one")
    if "patient" not in names:
        raise InputError(
            f"{path}: no column 'patient' among {', '.join(repr(n) for n in names)}; name the pseudonyms so"
        )
    if "improved" not in names and not {"score_baseline", "score_early"} <= set(names):
        raise InputError(
            f"{path}: no column 'improved', and not both 'score_baseline' and 'score_early'; add one or both"
        )
    return names, notes


class _RowReader:
    """Reads one row after the other; counts decimal commas."""

    def __init__(self, path: Path, names: Sequence[str], *, decimal_comma: bool) -> None:
        self._path, self._names, self._decimal_comma = path, names, decimal_comma
        self.commas_n = 0

    def read(self, number: int, row: Sequence[str], improvement_share: float) -> PatientFacts:
        if len(row) > len(self._names) and any(cell.strip() for cell in row[len(self._names) :]):
            raise InputError(
                f"{self._path}: line {number} has {len(row)} columns, the first line has {len(self._names)}; a decimal "
                "comma in a file separated by commas? write decimal points, or separate by semicolons"
            )
        cells = {name: cell.strip() for name, cell in zip(self._names, row, strict=False) if name in COLUMNS}
        patient = cells.get("patient", "")
        if not patient:
            raise InputError(f"{self._path}: line {number} names no patient; remove it or add the pseudonym")
        numbers = {name: self._number(number, name, cells.get(name, "")) for name in NUMBERS}
        improved = self._yes(number, "improved", cells.get("improved", ""))
        before, early = numbers["score_baseline"], numbers["score_early"]
        if "improved" not in self._names and math.isfinite(before) and math.isfinite(early):
            if before <= 0.0:
                raise InputError(
                    f"{self._path}: line {number}: score_baseline of {before:g} cannot improve; correct it"
                )
            improved = early <= before * (1.0 - improvement_share) + 1e-9
        return PatientFacts(
            patient,
            improved,
            cells.get("clinic", ""),
            sex=self._word(number, "sex", cells.get("sex", "")),
            side=self._word(number, "side", cells.get("side", "")),
            medication=self._yes(number, "medication", cells.get("medication", "")),
            **numbers,
        )

    def _number(self, line: int, name: str, text: str) -> float:
        if text.lower() in UNKNOWN:
            return math.nan
        if self._decimal_comma and re.fullmatch(r"-?\d+,\d+", text):
            text, self.commas_n = text.replace(",", "."), self.commas_n + 1
        try:
            value = float(text)
        except ValueError:
            raise InputError(f"{self._path}: line {line}: {name} is {text!r}, not a number; correct it") from None
        low, high = NUMBERS[name]
        if not low <= value <= high:
            raise InputError(
                f"{self._path}: line {line}: {name} of {value:g} is outside {low:g} to {high:g}; correct it"
            )
        return value

    def _word(self, line: int, name: str, text: str) -> str:
        if text.lower() in UNKNOWN:
            return ""
        if text.lower() not in WORDS[name]:
            raise InputError(f"{self._path}: line {line}: {name} is {text!r}; use {COLUMNS[name]}")
        return WORDS[name][text.lower()]

    def _yes(self, line: int, name: str, text: str) -> bool | None:
        if text.lower() in UNKNOWN:
            return None
        if text.lower() in YES or text in {"1.0", "1,0"}:
            return True
        if text.lower() in NO or text in {"0.0", "0,0"}:
            return False
        raise InputError(f"{self._path}: line {line}: {name} is {text!r}; use yes, no or nothing")


def _repeats(path: Path, patients: Sequence[PatientFacts]) -> list[str]:
    counts = Counter(one.patient for one in patients)
    return [f"{path}: {name}: {n} rows; keep one row per patient" for name, n in counts.items() if n > 1]

"""How a table in text is written: what divides its columns, decimal commas, headings, where its numbers begin."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hbc_host.errors import InputError

HEAD_LINES_N = 200  # looked at to find out
DATA_LINES_N = 40
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
_DIVIDERS = (";", "\t", None, ",")  # None: blanks
_POINT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_COMMA = re.compile(r"[-+]?\d*,\d+(e[-+]?\d+)?", re.IGNORECASE)
_EUROPEAN = re.compile(r"[-+]?\d{1,3}(\.\d{3})+,\d+|[-+]?\d{1,3}(\.\d{3}){2,}")
_AMERICAN = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
_SWISS_SIGNS = "'\u2019\u00a0\u202f"
_SWISS = re.compile(r"[-+]?\d{1,3}(['\u2019\u00a0\u202f]\d{3})+([.,]\d+)?")


@dataclass(frozen=True)
class Layout:
    """How a text is written.

    Attributes
    ----------
    divider : str or None
        Between columns; None means blanks.
    columns_n : int
    headings : tuple of str
        Names of the columns, empty when there are none.
    comments : tuple of str
        Lines before the numbers that are no headings.
    first_n : int
        Number of lines before the first line of numbers.
    decimal : str
        ``.`` or ``,``.
    thousands : str
        Signs that group digits; taken off.
    notes : tuple of str
    """

    divider: str | None
    columns_n: int
    headings: tuple[str, ...]
    comments: tuple[str, ...]
    first_n: int
    decimal: str = "."
    thousands: str = ""
    notes: tuple[str, ...] = ()


def split_lines(lines: Iterable[str], divider: str | None) -> Iterator[list[str]]:
    """Cells of each line, blanks and quotes taken off; an empty line gives an empty list."""
    if divider is None:
        for line in lines:
            yield [cell.strip("\"'") for cell in line.split()]
        return
    try:
        for row in csv.reader(lines, delimiter=divider):
            cells = [cell.strip().strip("\"'").strip() for cell in row]
            yield cells if any(cells) else []
    except csv.Error as fault:
        raise InputError(f"a line cannot be divided into columns ({fault}); export the recording again") from fault


def is_number(cell: str) -> bool:
    """True for a number in any of the ways that are read."""
    return any(form.fullmatch(cell) for form in (_POINT, _COMMA, _EUROPEAN, _AMERICAN, _SWISS))


def number(cell: str, layout: Layout) -> float:
    """Value of one cell; nan for the words that mean a missing value.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if cell.lower() in MISSING:
        return math.nan
    for sign in layout.thousands:
        cell = cell.replace(sign, "")
    if layout.decimal == ",":
        if "." in cell:
            raise ValueError(cell)
        cell = cell.replace(",", ".")
    value = float(cell) if "_" not in cell else math.inf
    if math.isinf(value):
        raise ValueError(cell)
    return value


def find_layout(path: Path, lines: Sequence[str], *, decimal_comma: bool = False) -> Layout:
    """Find out how a table is written from its first lines.

    Parameters
    ----------
    path : Path
        For the error text.
    lines : sequence of str
        The first :data:`HEAD_LINES_N` lines, without line ends.
    decimal_comma : bool
        A person says that commas are decimal.

    Raises
    ------
    InputError
        If no numbers are found, or commas may be decimal or between columns.
    """
    head = list(lines[:HEAD_LINES_N])
    for divider in _DIVIDERS:
        if divider == "," and decimal_comma:
            continue
        found = _try(path, head, divider, decimal_comma)
        if found is not None and found.columns_n > 1:
            if divider == "," and _may_be_decimal(head[found.first_n :]) and len(found.headings) < 2:
                at = found.first_n
                raise InputError(
                    f"{path}: line {at + 1} is {head[at].strip()[:40]!r}, a decimal comma or two columns; "
                    "add --decimal-comma, or write decimal points"
                )
            return found
    single = _try(path, head, "\n", decimal_comma)
    if single is None:
        shown = next((line.strip()[:40] for line in head if line.strip()), "")
        raise InputError(f"{path}: holds no numbers (begins with {shown!r}); give a recording, or another export of it")
    return single


def _may_be_decimal(lines: Sequence[str]) -> bool:
    """True when every line is one number with a comma in it."""
    filled = [line.strip() for line in lines if line.strip()]
    return bool(filled) and all(line.count(",") == 1 and _COMMA.fullmatch(line) for line in filled)


def _try(path: Path, head: Sequence[str], divider: str | None, decimal_comma: bool) -> Layout | None:
    """The layout if this divider makes even rows of numbers out of the lines, else None."""
    try:
        rows = [list(next(iter(split_lines([line], divider)), [])) for line in head]
    except InputError:
        return None
    with_numbers = [row for row in rows if row and any(is_number(cell) for cell in row)]
    if not with_numbers:
        return None
    if divider not in (None, "\n") and all(len(row) > 1 and row[-1] == "" for row in with_numbers):
        # Programs that end every line with a divider add an empty cell, which is a column only if it has a heading.
        rows = _without_last(rows, min(len(row) for row in with_numbers))
        with_numbers = [row for row in rows if row and any(is_number(cell) for cell in row)]
    filled_n = [len(row) for row in with_numbers]
    columns_n = Counter(filled_n[-DATA_LINES_N:]).most_common(1)[0][0]
    first_n = next((at for at, row in enumerate(rows) if len(row) == columns_n and _is_data(rows, at, columns_n)), None)
    if first_n is None:
        return None
    data = [row for row in rows[first_n:] if row][:DATA_LINES_N]
    if sum(len(row) == columns_n for row in data) < 0.8 * len(data) or any(
        cell.endswith(",") for row in data for cell in row
    ):
        return None
    before = [at for at in range(first_n) if rows[at]]
    headings: tuple[str, ...] = ()
    if before and len(rows[before[-1]]) == columns_n and not head[before[-1]].startswith("%"):
        headings = tuple(rows[before.pop()])
    comments = tuple(head[at].strip() for at in before)
    decimal, thousands, notes = writing(data, divider, decimal_comma)
    return Layout(divider, columns_n, headings, comments, first_n, decimal, thousands, notes)


def _without_last(rows: list[list[str]], columns_n: int) -> list[list[str]]:
    """The rows without their last cell, unless a row of words has a word in it."""
    headings = [row for row in rows if len(row) == columns_n and not any(is_number(cell) for cell in row)]
    if any(row[-1] for row in headings):
        return rows
    return [row[:-1] if len(row) == columns_n and row[-1] == "" else row for row in rows]


def _is_data(rows: Sequence[Sequence[str]], at: int, columns_n: int) -> bool:
    """True where lines of numbers begin: this line and most of the next five have a number, in the same column."""
    numeric = [column for column in range(columns_n) if is_number(rows[at][column])]
    following = [row for row in rows[at : at + 6] if row]
    return any(
        sum(len(row) > column and (is_number(row[column]) or row[column].lower() in MISSING) for row in following)
        >= 0.7 * len(following)
        for column in numeric
    )


def writing(
    data: Sequence[Sequence[str]], divider: str | None, decimal_comma: bool
) -> tuple[str, str, tuple[str, ...]]:
    """Decimal sign, signs that group digits, and notes, of rows of cells."""
    cells = [cell for row in data for cell in row]
    if any(_EUROPEAN.fullmatch(cell) for cell in cells):
        return ",", ".", ("points group digits and commas are decimal",)
    with_comma = [cell for cell in cells if "," in cell and is_number(cell)]
    both = any("." in cell for cell in with_comma)
    if both or (divider == "," and with_comma):
        return ".", ",", ("commas group digits, points are decimal",)
    swiss = "".join(
        sorted({sign for cell in cells if _SWISS.fullmatch(cell) for sign in cell if sign in "'\u2019\u00a0\u202f"})
    )
    notes = ("signs that group digits are taken off",) if swiss else ()
    if with_comma or decimal_comma:
        return ",", swiss, (*notes, "commas are read as decimal commas")
    return ".", swiss, notes

"""Columns of a table in text: read in pieces, so that memory is bounded by the columns that are wanted."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.decode import find_encoding
from hbc_host.io.layout import HEAD_LINES_N, MISSING, Layout, find_layout, is_number, number, split_lines, writing
from hbc_host.io.limits import CHANNELS_MAX_N, SAMPLES_MAX_N, read_limited
from hbc_host.io.units import name_and_unit

FloatArray = npt.NDArray[np.float64]

PIECE_LINES_N = 50_000
LINE_MAX_CHARS = 100_000


class _OtherWritingError(InputError):
    """A cell is a number in another way of writing than the first lines."""


@dataclass(frozen=True)
class Table:
    """A text file whose writing is known; its columns are read when they are asked for."""

    path: Path
    data: bytes
    encoding: str
    layout: Layout
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Headings in small letters without their units; empty when there are none."""
        return tuple(name_and_unit(heading)[0].lower() for heading in self.layout.headings)

    def unit_of(self, column_idx: int) -> str:
        """Unit that the heading of a column says, else empty."""
        return name_and_unit(self.layout.headings[column_idx])[1] if self.layout.headings else ""

    def shown(self, column_idx: int) -> str:
        """A column as a person knows it."""
        return f"column {self.layout.headings[column_idx]!r}" if self.layout.headings else f"column {column_idx + 1}"

    def find(self, column: str) -> int:
        """Place of a column that a person named, by heading or by number from 1.

        Raises
        ------
        InputError
            If there is none.
        """
        wanted = column.strip().lower()
        for names in ([heading.strip().lower() for heading in self.layout.headings], list(self.names)):
            if wanted in names:
                return names.index(wanted)
        if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:6]) <= self.layout.columns_n:
            return int(wanted) - 1
        known = ", ".join(self.layout.headings) or f"1 to {self.layout.columns_n}"
        raise InputError(f"{self.path}: has no column {column!r}; its columns are {known[:300]}")

    def numbers(self, columns: Sequence[int]) -> tuple[list[FloatArray], tuple[str, ...]]:
        """Some columns, each of shape (rows,), nan where a value is missing; and a note when the end is cut off.

        Raises
        ------
        InputError
            With line number, if a cell is no number or a line has another number of columns.
        """
        try:
            return self._numbers(columns)
        except _OtherWritingError:  # a sign that the first lines do not show, such as that of thousands
            cells = sorted({word for column_idx in columns for word in self.words(column_idx)})
            decimal, thousands, notes = writing([cells], self.layout.divider, False)
            if (decimal, thousands) == (self.layout.decimal, self.layout.thousands):
                raise
        layout = replace(self.layout, decimal=decimal, thousands=thousands)
        values, more = replace(self, layout=layout)._numbers(columns)
        return values, (*notes, *more)

    def _numbers(self, columns: Sequence[int]) -> tuple[list[FloatArray], tuple[str, ...]]:
        pieces: list[list[FloatArray]] = [[] for _ in columns]
        rows_n, cut = 0, ""
        for first_n, lines in self._pieces():
            if cut:
                raise InputError(cut)
            arrays = self._quick(lines, columns)
            if arrays is None:
                rows, cut = self._whole(self._rows(first_n, lines))
                arrays = [self._column(rows, column_idx) for column_idx in columns]
            for out, values in zip(pieces, arrays, strict=True):
                out.append(values)
            rows_n += len(lines)
            if rows_n * len(columns) > SAMPLES_MAX_N:
                raise InputError(
                    f"{self.path}: more than {SAMPLES_MAX_N // len(columns)} lines of {len(columns)} columns; "
                    "export a shorter part"
                )
        notes = ("the last line is cut off; it is left out",) if cut else ()
        return [np.concatenate(out) if out else np.empty(0) for out in pieces], notes

    def words(self, column_idx: int) -> list[str]:
        """One column as it is written, one entry a line of numbers."""
        rows = (row for first_n, lines in self._pieces() for _, row in self._rows(first_n, lines))
        return [row[column_idx].strip() if column_idx < len(row) else "" for row in rows]

    def _pieces(self) -> Iterator[tuple[int, list[str]]]:
        """Pieces of lines, and the number of lines before each."""
        lines = itertools.islice(lines_of(self.data, self.encoding), self.layout.first_n, None)
        at = self.layout.first_n
        while piece := list(itertools.islice(lines, PIECE_LINES_N)):
            if max(map(len, piece)) > LINE_MAX_CHARS:
                raise InputError(f"{self.path}: a line is longer than {LINE_MAX_CHARS} characters; it is no table")
            yield at, piece
            at += len(piece)

    def _quick(self, lines: list[str], columns: Sequence[int]) -> list[FloatArray] | None:
        """The columns by numpy's own reader, where every line is plain and even; None where one is not."""
        divider = self.layout.divider
        if self.layout.decimal != "." or self.layout.thousands or divider in (None, "\n"):
            return None
        if {line.count(divider) for line in lines} != {self.layout.columns_n - 1}:
            return None
        try:
            found = np.loadtxt(lines, np.float64, comments=None, delimiter=divider, usecols=columns, ndmin=2)
        except ValueError:
            return None  # the slow way says which line, or knows the word for a missing value
        return None if np.isinf(found).any() or len(found) != len(lines) else list(found.T)

    def _rows(self, first_n: int, lines: list[str]) -> list[tuple[int, list[str]]]:
        """Line number and cells of each line that is not blank."""
        divider = self.layout.divider
        numbered = [(first_n + n, line) for n, line in enumerate(lines, start=1) if not line.isspace()]
        return [(line_n, self._cells(line, divider)) for line_n, line in numbered]

    def _cells(self, line: str, divider: str | None) -> list[str]:
        """Cells of one line; those without quotes are divided in the quick way, which leaves blanks at their ends."""
        if divider == "\n":
            return [line.strip().strip("\"'")]
        # Line by line: a quote that is never closed must not swallow the rest of the file.
        quoted = '"' in line or "'" in line
        row = next(iter(split_lines([line], divider)), []) if quoted else line.split(divider)
        return row[:-1] if len(row) == self.layout.columns_n + 1 and not row[-1].strip() else row

    def _whole(self, rows: list[tuple[int, list[str]]]) -> tuple[list[tuple[int, list[str]]], str]:
        """The rows, and if the last one is cut off a text for the case that more follow."""
        wrong = [n for n, (_, row) in enumerate(rows) if len(row) != self.layout.columns_n]
        if not wrong:
            return rows, ""
        line_n, row = rows[wrong[0]]
        text = (
            f"{self.path}: line {line_n} has {len(row)} columns, {self.layout.columns_n} are expected; "
            "decimal commas between commas, or a damaged line? export it again"
        )
        if wrong != [len(rows) - 1] or len(row) > self.layout.columns_n:
            raise InputError(text)
        return rows[:-1], text

    def _column(self, rows: list[tuple[int, list[str]]], column_idx: int) -> FloatArray:
        layout = self.layout
        try:
            if layout.decimal == "." and not layout.thousands:
                cells = [row[column_idx] for _, row in rows]
                values = np.array(cells, np.float64)
                if np.isfinite(values).all() and "_" not in "".join(cells):  # Python reads 1_000 as a number
                    return values
        except ValueError:
            pass
        slow = np.empty(len(rows))
        for n, (line_n, row) in enumerate(rows):
            try:
                slow[n] = number(row[column_idx].strip(), layout)
            except ValueError:
                shown = row[column_idx].strip()[:40]
                fault = _OtherWritingError if is_number(shown) else InputError
                raise fault(
                    f"{self.path}: line {line_n}, {self.shown(column_idx)} is {shown!r}, not a number; "
                    "remove or correct that line"
                ) from None
        return slow


def open_table(path: Path, *, decimal_comma: bool = False) -> Table:
    """Read a text file and find out how its table is written.

    Raises
    ------
    InputError
        If it cannot be read, is no text, is too large, or holds no numbers.
    """
    data = read_limited(path)
    encoding, notes = find_encoding(path, data)
    head = [line.rstrip("\n") for line in itertools.islice(lines_of(data, encoding), HEAD_LINES_N)]
    if not any(line.strip() for line in head):
        raise InputError(f"{path}: is empty (0 values in {len(head)} lines); export the recording again")
    if max(map(len, head)) > LINE_MAX_CHARS:
        raise InputError(f"{path}: a line is longer than {LINE_MAX_CHARS} characters; it is no table")
    layout = find_layout(path, head, decimal_comma=decimal_comma)
    if layout.columns_n > CHANNELS_MAX_N:
        raise InputError(f"{path}: {layout.columns_n} columns, at most {CHANNELS_MAX_N} are read; export fewer")
    return Table(path, data, encoding, layout, (*notes, *layout.notes))


def lines_of(data: bytes, encoding: str) -> Iterator[str]:
    """Lines of a text with any ends, decoded as they are asked for: a whole text in memory takes up to four times
    its bytes.
    """
    return io.TextIOWrapper(io.BytesIO(data), encoding, "replace", newline=None)


def missing(word: str) -> bool:
    """True for the words that mean no value."""
    return word.lower() in MISSING

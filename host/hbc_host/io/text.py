"""Columns of numbers in text files, with errors that name the line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.decode import decode
from hbc_host.io.limits import read_limited

FloatArray = npt.NDArray[np.float64]

_SEPARATORS = re.compile(r"[,;\t ]+")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(e[-+]?\d+)?([;\t ].*)?", re.IGNORECASE)


def read_lines(path: Path) -> list[str]:
    """Lines of a text file without line ends.

    Raises
    ------
    InputError
        If the file cannot be read, is empty or is not text.
    """
    text = decode(path, read_limited(path))
    if not text.strip():
        raise InputError(f"{path}: is empty (0 values); export the recording again")
    return text.splitlines()


def cells(line: str) -> list[str]:
    """The columns of a line."""
    return [cell for cell in _SEPARATORS.split(line.strip()) if cell]


def line_number(lines: list[str], values_n: int, index: int) -> int:
    """Number of the line that value ``index`` of ``values_n`` stands on; blank lines and a header hold none."""
    filled = [number for number, line in enumerate(lines, start=1) if line.strip()]
    return filled[len(filled) - values_n + index]


def parse_column(path: Path, lines: list[str], *, header_allowed: bool, only_column: bool = False) -> FloatArray:
    """First column of numbers, shape (n,); blank lines are skipped. ``only_column`` refuses further columns.

    Raises
    ------
    InputError
        With line number and text, if a line does not start with a finite number, has a decimal comma, or has a
        second column where only one may be.
    """
    texts = [line.strip() for line in lines]
    try:
        values = np.array([text for text in texts if text], dtype=np.float64)
    except ValueError:
        values = _parse_slowly(path, texts, header_allowed)
    if not np.isfinite(values).all():
        values = _parse_slowly(path, texts, header_allowed)
    if only_column:
        _refuse_columns(path, lines, values.size)
    if values.size == 0:
        raise InputError(f"{path}: holds no numbers; export the recording again")
    return values


def _refuse_columns(path: Path, lines: list[str], values_n: int) -> None:
    for line in [line for line in lines if line.strip()][-values_n:]:
        columns_n = len(cells(line))
        if columns_n > 1:
            raise InputError(
                f"{path}: {columns_n} columns ({line.strip()[:40]!r}), one is expected; keep the ECG column only, "
                "one value a line"
            )


def _refuse_decimal_commas(path: Path, texts: list[str]) -> None:
    """A comma in every broken number, a point in none, and no header of several columns: these are no columns."""
    with_comma = [(number, text) for number, text in enumerate(texts, start=1) if "," in text]
    if with_comma and all(_DECIMAL_COMMA.fullmatch(text) and "." not in text for _, text in with_comma):
        number, text = with_comma[0]
        raise InputError(
            f"{path}: line {number} is {text[:40]!r}, a decimal comma; write decimal points (0.5, not 0,5)"
        )


def _parse_slowly(path: Path, texts: list[str], header_allowed: bool) -> FloatArray:
    _refuse_decimal_commas(path, texts)
    values: list[float] = []
    header_seen = not header_allowed
    for number, text in enumerate(texts, start=1):
        if not text:
            continue
        cell = _SEPARATORS.split(text)[0].strip("\"'")
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if np.isfinite(value):
            values.append(value)
        elif header_seen or values:
            raise InputError(f"{path}: line {number} is {text[:40]!r}, not a number; remove or correct that line")
        header_seen = True
    return np.array(values, dtype=np.float64)

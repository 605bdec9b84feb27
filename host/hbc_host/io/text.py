"""Columns of numbers in text files, with errors that name the line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]

_SEPARATORS = re.compile(r"[,;\t ]+")


def read_lines(path: Path) -> list[str]:
    """Lines of a text file without line ends.

    Raises
    ------
    InputError
        If the file cannot be read, is empty or is not text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if not data.strip():
        raise InputError(f"{path}: is empty (0 values); export the recording again")
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is not text; give a text file, a WFDB record or a session directory"
        ) from error


def parse_column(path: Path, lines: list[str], *, header_allowed: bool) -> FloatArray:
    """First column of numbers, shape (n,); blank lines are skipped.

    Raises
    ------
    InputError
        With line number and text, if a line does not start with a finite number.
    """
    texts = [line.strip() for line in lines]
    try:
        values = np.array([text for text in texts if text], dtype=np.float64)
    except ValueError:
        values = _parse_slowly(path, texts, header_allowed)
    if not np.isfinite(values).all():
        values = _parse_slowly(path, texts, header_allowed)
    if values.size == 0:
        raise InputError(f"{path}: holds no numbers; export the recording again")
    return values


def _parse_slowly(path: Path, texts: list[str], header_allowed: bool) -> FloatArray:
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

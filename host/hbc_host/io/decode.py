"""Bytes of a text file as text, whatever program and computer wrote it."""

from __future__ import annotations

import codecs
from pathlib import Path

from hbc_host.errors import InputError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CONTROL = frozenset(range(32)) - {9, 10, 11, 12, 13}
_LOOK_BYTES = 4096


def decode(path: Path, data: bytes) -> str:
    """Text of a file, read as :func:`find_encoding` finds; raises InputError if its bytes are not text."""
    return data.decode(find_encoding(path, data)[0], "replace")


def find_encoding(path: Path, data: bytes) -> tuple[str, tuple[str, ...]]:
    """How the bytes of a text are to be read, and notes on it; all of them can be.

    A byte order mark decides; else UTF-16 shows by its zeros; else it is UTF-8; else the one-byte code of Windows,
    which writes the micro sign as B5 and has signs for all but five bytes.

    Raises
    ------
    InputError
        If the bytes are not text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(path, data, encoding), () if encoding == "utf-8-sig" else ("the text is UTF-16",)
    head = data[:_LOOK_BYTES]
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros_n = head[at::2].count(0)
        if len(head) >= 4 and zeros_n > 0.9 * (len(head) // 2) and head[1 - at :: 2].count(0) == 0:
            return _checked(path, data, encoding), (f"no byte order mark; read as {encoding.upper()} by its zeros",)
    try:
        data.decode("utf-8")
        return "utf-8", ()
    except UnicodeDecodeError as fault:
        if set(head) & _CONTROL or not any(48 <= byte <= 57 for byte in head):
            raise InputError(
                f"{path}: byte {fault.start} is not text; give a text file, a WFDB record or a session directory"
            ) from fault
    return "cp1252", ("the text is not UTF-8; read as Windows-1252",)


def _checked(path: Path, data: bytes, encoding: str) -> str:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as fault:
        raise InputError(
            f"{path}: byte {fault.start} is not text in {encoding.upper()}; the file is damaged, export it again"
        ) from fault
    return encoding

"""What a strap sent, line by line, as it came: the raw file of a strap recording, which a crash leaves readable."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hbc_host.errors import InputError

FORMAT = "hbc-strap-1"
FILE_MAX_N = 1 << 29  # bytes; an hour of ECG has some 3 MB
UV_MAX = 1 << 24  # samples have 24 bits on the way
SAMPLES_MAX_N = 1000  # of one notification; a Polar H10 sends 73


class EcgFrame(NamedTuple):
    """Samples in microvolts; ``sensor_s`` is the strap's clock at the last, ``arrived_s`` this computer's."""

    connection: int
    arrived_s: float
    sensor_s: float
    uv: tuple[int, ...]


class RrFrame(NamedTuple):
    """Intervals between heart beats, milliseconds, and when they arrived."""

    connection: int
    arrived_s: float
    rr_ms: tuple[float, ...]


@dataclass(frozen=True)
class StrapLog:
    """All that a raw file holds.

    Attributes
    ----------
    begun : dict
        ``created`` (wall time), ``device`` (kind of strap), ``protocol``, ``site``.
    ecg, rr : tuples of frames, in order of arrival
    marks_s : tuple of float
        When a person pressed the key at the first pulse, host seconds.
    bad_lines_n : int
        Lines that could not be read; the last one of a crash is half.
    """

    begun: dict[str, Any]
    ecg: tuple[EcgFrame, ...]
    rr: tuple[RrFrame, ...]
    marks_s: tuple[float, ...]
    bad_lines_n: int


class StrapWriter:
    """Appends to a new raw file; every line is handed to the system at once.

    Raises
    ------
    InputError
        The file exists, or cannot be written.
    """

    def __init__(self, file: Path, **begun: str) -> None:
        self.file = file
        self.ecg_n = self.rr_n = self.marks_n = 0
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as fault:
            raise InputError(f"cannot write {file}: {fault.strerror}; choose another --out") from None
        self._out = os.fdopen(number, "w", encoding="utf-8", buffering=1)
        self._put({"kind": "begin", "format": FORMAT, **begun})

    def ecg(self, frame: EcgFrame) -> None:
        """Append samples."""
        self.ecg_n += len(frame.uv)
        self._put({"kind": "ecg", **frame._asdict()})

    def rr(self, frame: RrFrame) -> None:
        """Append intervals."""
        self.rr_n += len(frame.rr_ms)
        self._put({"kind": "rr", **frame._asdict()})

    def mark(self, host_s: float) -> None:
        """Append the moment of the first pulse, as a person saw or heard it."""
        self.marks_n += 1
        self._put({"kind": "mark", "at_s": host_s})

    def close(self) -> None:
        """Make it survive a power cut."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()

    def _put(self, fields: dict[str, Any]) -> None:
        try:
            self._out.write(json.dumps(fields) + "\n")
        except OSError as fault:
            raise InputError(f"{self.file}: {fault.strerror}; what came so far is kept, free some space") from fault


def read_strap(file: Path) -> StrapLog:
    """Read a raw file; lines that are no such thing are counted and left out.

    Raises
    ------
    InputError
        It is absent, too large, or does not begin as one.
    """
    try:
        if file.stat().st_size > FILE_MAX_N:
            raise InputError(f"{file}: has more than {FILE_MAX_N} bytes; is it another file?")
        lines = file.read_bytes().splitlines()
    except OSError as fault:
        raise InputError(f"{file}: cannot be read ({fault.strerror}); check the path") from fault
    rows = [_row(line) for line in lines]
    if not rows or rows[0] is None or rows[0].get("format") != FORMAT:
        raise InputError(f"{file}: is no raw file of hbc strap record; give what it wrote beside its folder")
    found: dict[str, list[Any]] = {"ecg": [], "rr": [], "mark": []}
    bad_n = 0
    for row in rows[1:]:
        value = None if row is None else _value(row)
        if row is None or value is None:
            bad_n += 1
        else:
            found[row["kind"]].append(value)
    return StrapLog(rows[0], tuple(found["ecg"]), tuple(found["rr"]), tuple(found["mark"]), bad_n)


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _value(row: dict[str, Any]) -> Any:
    """The frame in a row; None when it holds none."""
    try:
        if row["kind"] == "ecg":
            uv = tuple(int(value) for value in row["uv"])
            frame: Any = EcgFrame(int(row["connection"]), float(row["arrived_s"]), float(row["sensor_s"]), uv)
            good = 0 < len(uv) <= SAMPLES_MAX_N and max(map(abs, uv)) < UV_MAX and _all_finite(frame[1:3])
        elif row["kind"] == "rr":
            frame = RrFrame(int(row["connection"]), float(row["arrived_s"]), tuple(float(rr) for rr in row["rr_ms"]))
            good = len(frame.rr_ms) <= SAMPLES_MAX_N and _all_finite((frame.arrived_s, *frame.rr_ms))
        else:
            frame = float(row["at_s"]) if row["kind"] == "mark" else None
            good = frame is not None and math.isfinite(frame)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return frame if good else None


def _all_finite(values: Sequence[float]) -> bool:
    return all(math.isfinite(value) for value in values)

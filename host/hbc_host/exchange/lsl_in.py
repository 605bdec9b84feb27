"""Markers of other programs, as a fallback when the trigger cannot be wired to the box.

Listened to while the box is recorded, and placed on the box's clock afterwards by the pings of the recording. Good to
some milliseconds at best, and only as good as the other program's own stamps: a wired trigger is good to microseconds.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hbc_host.clocksync import ClockFit, fit_clock
from hbc_host.errors import InputError
from hbc_host.exchange.lsl import LslClock
from hbc_host.exchange.lsl_out import TRIGGERS
from hbc_host.session_model import Session

HEAD = ["host_s", "error_ms", "marker"]
FIND_S = 5.0
LOOK_ROUND_S = 2.0
POLL_S = 0.1
CORRECT_EVERY_S = 5.0  # liblsl itself measures no more often


class Marker(NamedTuple):
    """One marker: its time on this computer's monotonic clock, what that is worth, and its text."""

    host_s: float
    error_s: float
    text: str


def find_markers(lsl: Any, name: str | None) -> Any:
    """The marker stream of that name, or the only one there is beside ours.

    Raises
    ------
    InputError
        There is none, or several to choose from.
    """
    if name is None:
        there = [info for info in lsl.resolve_streams(LOOK_ROUND_S) if info.type() == "Markers"]
    else:
        there = lsl.resolve_byprop("name", name, 1, FIND_S)
    found = [info for info in there if info.name() != TRIGGERS]
    names = ", ".join(sorted({info.name() for info in found}))
    if len(found) != 1:
        what = f"{len(found)} marker streams ({names}); choose one with --name" if found else "no marker stream"
        raise InputError(
            f"{what}{'' if found else '; start the other program, and give --network if it runs elsewhere'}"
        )
    return found[0]


def listen_markers(lsl: Any, info: Any, stop: Callable[[], bool]) -> Iterator[Marker]:
    """Markers as they come, until ``stop()``.

    The stamps of another computer are brought to this one's clock by liblsl's exchange; its error is not known from
    here, so what the correction changed by since it was last measured is taken for it.
    """
    clock = LslClock(lsl)
    inlet = lsl.StreamInlet(info)
    inlet.open_stream(timeout=FIND_S)
    correction_s, changed_s, due_s = float(inlet.time_correction(FIND_S)), 0.0, time.monotonic() + CORRECT_EVERY_S
    while not stop():
        if time.monotonic() >= due_s:
            newest_s = float(inlet.time_correction(FIND_S))
            changed_s, correction_s = max(changed_s, abs(newest_s - correction_s)), newest_s
            due_s = time.monotonic() + CORRECT_EVERY_S
        values, stamp = inlet.pull_sample(timeout=POLL_S)
        if values is not None:
            error_s = clock.offset_error_s + changed_s
            yield Marker(stamp + correction_s - clock.offset_s, error_s, str(values[0]))


def write_markers(file: Path, markers: Iterator[Marker], tell: Callable[[Marker], None]) -> int:
    """Write markers as they come, each at once to the disk; returns how many.

    Raises
    ------
    InputError
        The file exists, or cannot be written.
    """
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as fault:
        raise InputError(f"cannot write {file}: {fault.strerror}; choose another --out") from None
    count = 0
    with open(number, "w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(HEAD)
        for marker in markers:
            table.writerow([f"{marker.host_s:.6f}", f"{marker.error_s * 1e3:.3f}", marker.text])
            out.flush()
            count += 1
            tell(marker)
    return count


def read_markers(file: Path) -> list[Marker]:
    """Read back; raises InputError with the line that is not as :func:`write_markers` writes it."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
    except (OSError, ValueError, csv.Error) as fault:
        raise InputError(
            f"{file}: cannot be read ({type(fault).__name__}); give what hbc stream markers wrote"
        ) from fault
    if not rows or rows[0] != HEAD:
        raise InputError(f"{file}: does not begin with {','.join(HEAD)}; give what hbc stream markers wrote")
    markers = []
    for number, row in enumerate(rows[1:], start=2):
        try:
            host_s, error_ms, text = row
            marker = Marker(float(host_s), float(error_ms) * 1e-3, text)
        except ValueError:
            raise InputError(f"{file}: line {number} is not a time, its error and a text; remove that line") from None
        if not np.isfinite(marker[:2]).all():
            raise InputError(f"{file}: line {number} holds no finite time; remove that line")
        markers.append(marker)
    return markers


class Placed(NamedTuple):
    """Times on the box's clock, seconds, increasing; the bound of their error; how many lay outside the recording."""

    device_s: npt.NDArray[np.float64]
    error_s: float
    outside_n: int


def place_markers(markers: Sequence[Marker], session: Session) -> Placed:
    """Put markers onto the clock of a recording that was made on the same computer at the same time.

    Raises
    ------
    InputError
        The recording has no pings, or none of the markers lies within it.
    """
    fit: ClockFit = fit_clock(session.pings)
    device_s = np.array(sorted({fit.to_device_us(marker.host_s) for marker in markers}), np.float64) * 1e-6
    inside = (device_s >= session.start_s) & (device_s <= session.end_s)
    if not inside.any():
        raise InputError(
            f"{session.path}: 0 of {len(markers)} markers lie within the recording; were both made on this computer at "
            "the same time, without starting it anew between?"
        )
    error_s = fit.max_error_us * 1e-6 + max(marker.error_s for marker in markers)
    return Placed(device_s[inside], error_s, int((~inside).sum()))

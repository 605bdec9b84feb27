"""What any reader of foreign files gives: ECG, beats and triggers on one clock, and how sure each of them is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.ecg_text import EcgRecording

FloatArray = npt.NDArray[np.float64]
Spans = tuple[tuple[float, float], ...]

FROM_FILE, FROM_HBC = "file", "hbc"
ROLES = ("ecg", "time", "rr", "beat", "trigger")


@dataclass(frozen=True)
class Choice:
    """A column or channel that a person chose for a role, and its unit if it was said."""

    column: str
    unit: str = ""


@dataclass(frozen=True)
class ReadOptions:
    """What a person knows about a file that the file does not say.

    Attributes
    ----------
    rate_hz : float or None
        Sampling rate, where neither header nor time column gives one.
    choices : mapping of role to Choice
        Roles are :data:`ROLES`; a column is a name or a number counted from 1.
    decimal_comma : bool
        Numbers are written with decimal commas; needed only where the text can be read in two ways.
    """

    rate_hz: float | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    decimal_comma: bool = False


@dataclass(frozen=True)
class Labels:
    """What a person said about a recording; all empty when nobody did."""

    title: str = ""
    protocol: str = ""
    sites: tuple[str, ...] = ()
    intensities_pct: tuple[float, ...] = ()


@dataclass(frozen=True)
class Recording:
    """One recording, whatever its format; all times are seconds of one clock, the file's own.

    Attributes
    ----------
    name, format : str
        Name of the file without its ending; key of the format in :mod:`hbc_host.io.registry`.
    ecg : EcgRecording or None
        Even samples in millivolts; ``ecg.gaps_s`` count from its first sample.
    ecg_start_s : float
        Instant of the first sample.
    beats_s : (k,) float64 or None
        Beats that the file gives, or that an import has stored; None when they must be found in the ECG.
    beats_from : str
        ``"file"``, ``"hbc"`` (found by our detector and stored), or empty.
    triggers_s : (m,) float64 or None
        None when the file has no source of triggers; empty when its source has none.
    triggers_from : str
        The source in words, such as ``annotations 'TMS'``.
    first_train_s : float or None
        Start of the first train as a person declared it, known to ``start_uncertainty_s`` either way.
    gaps_s : tuple of (start_s, end_s)
        Where nothing is known.
    start_s, end_s : float
        First and last instant of the recording.
    units : str
        Which unit the file had, and from where that is known.
    clock : str
        Whose clock the times are of.
    notes : tuple of str
        Every guess that was made, and what a reader should know.
    """

    name: str
    format: str
    ecg: EcgRecording | None = None
    ecg_start_s: float = 0.0
    beats_s: FloatArray | None = None
    beats_from: str = ""
    triggers_s: FloatArray | None = None
    triggers_from: str = ""
    first_train_s: float | None = None
    start_uncertainty_s: float = 0.0
    gaps_s: Spans = ()
    start_s: float = 0.0
    end_s: float = 0.0
    units: str = ""
    clock: str = ""
    notes: tuple[str, ...] = ()
    labels: Labels = field(default_factory=Labels)


def checked(recording: Recording, path: object) -> Recording:
    """The recording, if its numbers can be used.

    Raises
    ------
    InputError
        If it holds neither ECG nor beats, or times are not finite or not in order.
    """
    if recording.ecg is None and (recording.beats_s is None or recording.beats_s.size == 0):
        raise InputError(f"{path}: holds neither an ECG nor beats; export the ECG channel or the RR intervals")
    for what, times_s in (("beat", recording.beats_s), ("trigger", recording.triggers_s)):
        if times_s is None or times_s.size == 0:
            continue
        if not np.isfinite(times_s).all():
            raise InputError(f"{path}: a {what} time is not a finite number; export the recording again")
        if np.any(np.diff(times_s) <= 0.0):
            raise InputError(f"{path}: {what} times do not increase; sort them and remove repeats")
    if not (math.isfinite(recording.start_s) and math.isfinite(recording.end_s)):
        raise InputError(f"{path}: its begin or end is not a finite time; export the recording again")
    return recording


def parse_choice(text: str) -> tuple[str, Choice]:
    """Read ``ROLE=COLUMN[:UNIT]`` such as ``ecg=Lead II:uV``.

    Raises
    ------
    InputError
        If the role is unknown or no column is named.
    """
    role, equals, rest = text.partition("=")
    role = role.strip().lower()
    column, colon, unit = rest.rpartition(":")
    if not colon:
        column, unit = rest, ""
    if role not in ROLES or not equals or not column.strip():
        raise InputError(
            f"--map {text!r} is not ROLE=COLUMN or ROLE=COLUMN:UNIT with a role of {', '.join(ROLES)}; "
            "for example --map ecg=ch1:uV"
        )
    return role, Choice(column.strip(), unit.strip())

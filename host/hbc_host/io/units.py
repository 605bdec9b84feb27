"""Units of voltage and time as other programs write them, and what a name of a column says about its unit."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]

#: Millivolts in one of these.
MILLIVOLTS = {"v": 1e3, "volt": 1e3, "volts": 1e3, "mv": 1.0, "uv": 1e-3, "nv": 1e-6}
#: Seconds in one of these. Straps count 1/1024 s: Bluetooth Heart Rate Service, RR-Interval field.
SECONDS = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3,
    "milliseconds": 1e-3, "us": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "nanoseconds": 1e-9, "1/1024s": 1 / 1024,
    "1/1024": 1 / 1024, "min": 60.0,
}  # fmt: skip
_BRACKETS = re.compile(r"(.*?)\s*[\[(]\s*([^\])]+?)\s*[\])]\s*")
_SUFFIX = re.compile(r"(.+)_(mv|uv|nv|v|ms|us|ns|s)", re.IGNORECASE)
#: An ECG swings by some millivolts. As numbers: in mV below 50, in uV above, in V below 0.02.
MICROVOLT_ABOVE, VOLT_BELOW = 50.0, 0.02
GUESS_MAX_N = 1_000_000


def plain(unit: str) -> str:
    """A unit in small letters without blanks; both signs for micro become u."""
    return (
        unit.strip().lower().replace(" ", "").replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")
    )


def name_and_unit(heading: str) -> tuple[str, str]:
    """Name and unit of a column: ``ecg [uV]``, ``RR (ms)`` or ``rr_ms``; the unit is empty when it is not said."""
    text = heading.strip().strip("\"'").strip()
    found = _BRACKETS.fullmatch(text) or _SUFFIX.fullmatch(text)
    if not found or (plain(found[2]) not in MILLIVOLTS and plain(found[2]) not in SECONDS):
        return text, ""
    return found[1].strip(), plain(found[2])


def seconds_in(unit: str, where: str) -> float:
    """Seconds in one unit of time; raises InputError for a unit that is none."""
    if plain(unit) not in SECONDS:
        raise InputError(f"{where}: {unit!r} is no unit of time; use s, ms, us, ns or 1/1024s")
    return SECONDS[plain(unit)]


def millivolts_in(unit: str, where: str) -> float:
    """Millivolts in one unit of voltage; raises InputError for a unit that is none."""
    if plain(unit) not in MILLIVOLTS:
        raise InputError(f"{where}: unit {unit!r} is not a voltage; use V, mV or uV, for example --map ecg=COLUMN:uV")
    return MILLIVOLTS[plain(unit)]


def guess_voltage(values: FloatArray) -> tuple[str, str]:
    """Unit of an ECG by its size, and a sentence that says so."""
    some = values[:: values.size // GUESS_MAX_N + 1]
    known = some[np.isfinite(some)]
    # The 99th percentile of sizes, not the largest: a single wild sample must not change the unit.
    swing = float(np.percentile(np.abs(known - np.median(known)), 99.0)) if known.size else 0.0
    unit = "uv" if swing > MICROVOLT_ABOVE else "v" if swing < VOLT_BELOW else "mv"
    shown = {"uv": "uV", "v": "V", "mv": "mV"}[unit]
    return unit, f"the unit of the ECG is not stated; values swing by {swing:.3g}, so it is taken as {shown}"

"""ECG as text, one value a line, in microvolts or millivolts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.text import parse_column, read_lines

FloatArray = npt.NDArray[np.float64]

#: No surface ECG reaches 50 mV, and no usable one stays below 50 microvolts.
MICROVOLT_LIMIT = 50.0
RATE_MIN_HZ, RATE_MAX_HZ = 50.0, 5000.0
DURATION_MIN_S = 10.0


@dataclass(frozen=True)
class EcgRecording:
    """An ECG with even samples; ``ecg_mv`` (n,), ``gaps_s`` are spans without valid samples."""

    name: str
    ecg_mv: FloatArray
    rate_hz: float
    gaps_s: tuple[tuple[float, float], ...] = ()

    @property
    def duration_s(self) -> float:
        """Length of the recording, seconds."""
        return self.ecg_mv.size / self.rate_hz


def check_rate(path: Path, rate_hz: float | None) -> float:
    """The sampling rate, or an error that says how to give it."""
    if rate_hz is None:
        raise InputError(
            f"{path}: a text file does not say its sampling rate; add --rate-hz, for example --rate-hz 130"
        )
    if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
        raise InputError(
            f"sampling rate of {rate_hz:g} Hz is outside {RATE_MIN_HZ:g} to {RATE_MAX_HZ:g} Hz; check --rate-hz"
        )
    return rate_hz


def check_duration(path: Path, samples_n: int, rate_hz: float) -> None:
    """Refuse recordings too short to hold a heart rate."""
    duration_s = samples_n / rate_hz
    if duration_s < DURATION_MIN_S:
        raise InputError(
            f"{path}: {samples_n} samples are {duration_s:.1f} s, at least {DURATION_MIN_S:g} s are needed; "
            "is the file truncated, or --rate-hz wrong?"
        )


def read_ecg_text(path: Path, rate_hz: float | None) -> EcgRecording:
    """Read one ECG channel.

    Parameters
    ----------
    path : Path
        One value a line; a first line of words is allowed in ``.csv`` files. Values above 50 in size mean microvolts.
    rate_hz : float
        Sampling rate; a text file does not contain it.

    Raises
    ------
    InputError
        If the rate is missing, the file is empty, too short, or holds text (with line number) or several columns.
    """
    values = parse_column(path, read_lines(path), header_allowed=path.suffix.lower() == ".csv", only_column=True)
    rate = check_rate(path, rate_hz)
    check_duration(path, values.size, rate)
    # The median of sizes, not the largest: a single wild sample must not change the unit.
    deviation = np.abs(values - np.median(values))
    is_microvolt = float(np.percentile(deviation, 99.0)) > MICROVOLT_LIMIT
    return EcgRecording(path.stem, values / 1000.0 if is_microvolt else values, rate)

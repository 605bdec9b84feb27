"""WFDB records (PhysioNet): the ECG channel in millivolts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.ecg_text import EcgRecording, check_duration, check_rate

BoolArray = npt.NDArray[np.bool_]

_ECG_NAMES = ("ecg", "mlii", "ii", "i", "v5", "v2", "v1")
_MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "\N{MICRO SIGN}v": 1e-3, "v": 1e3}


@contextmanager
def quiet_wfdb() -> Iterator[Any]:
    """The wfdb package, imported late: it pulls in pandas, half a second that only this input should cost."""
    with warnings.catch_warnings():
        # wfdb 4.3 builds tables in a way that pandas 3.1 announces to retire; no user can act on that.
        warnings.simplefilter("ignore")
        import wfdb

        yield wfdb


def record_stem(path: Path) -> Path | None:
    """Path of the record without suffix when ``path`` names a WFDB record, its header or its data; else None."""
    for stem in (path, path.with_suffix("")):
        if stem.with_name(stem.name + ".hea").is_file():
            return stem
    return None


def read_wfdb(path: Path) -> EcgRecording:
    """Read the ECG channel of a WFDB record.

    Raises
    ------
    InputError
        If header or data are missing, truncated, or hold no voltage channel.
    """
    stem = record_stem(path)
    if stem is None:
        raise InputError(f"{path}: no WFDB header {path.stem}.hea beside it; copy header and data into one folder")
    try:
        with quiet_wfdb() as wfdb:
            record = wfdb.rdrecord(str(stem))
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{stem}: WFDB record cannot be read ({first_line[:80]}); it may be truncated: copy .hea and .dat again"
        ) from error
    channel = _ecg_channel([name or "" for name in record.sig_name or []])
    if channel is None or record.p_signal is None:
        raise InputError(f"{stem}: has no signal channel; give a record with an ECG")
    rate_hz = check_rate(stem, float(record.fs))
    ecg = np.asarray(record.p_signal[:, channel], dtype=np.float64)
    check_duration(stem, ecg.size, rate_hz)
    unit = str(record.units[channel]).lower()
    if unit not in _MILLIVOLTS:
        raise InputError(f"{stem}: channel unit {unit!r} is not a voltage; give a record in mV or uV")
    valid = np.isfinite(ecg)
    if not valid.any():
        raise InputError(f"{stem}: the ECG channel has no valid sample; check the record")
    return EcgRecording(stem.name, _hold(ecg, valid) * _MILLIVOLTS[unit], rate_hz, _gaps(valid, rate_hz))


def _ecg_channel(names: list[str]) -> int | None:
    """Index of the most likely ECG channel: by name, else the first."""
    lower = [name.lower() for name in names]
    for wanted in _ECG_NAMES:
        for index, name in enumerate(lower):
            if name == wanted or (wanted == "ecg" and "ecg" in name):
                return index
    return 0 if names else None


def _hold(values: npt.NDArray[np.float64], valid: BoolArray) -> npt.NDArray[np.float64]:
    """Invalid samples take the last valid value, as the detector does under blanking."""
    last = np.maximum.accumulate(np.where(valid, np.arange(values.size), -1))
    first_valid = int(np.argmax(valid))
    return np.asarray(values[np.where(last < 0, first_valid, last)])


def _gaps(valid: BoolArray, rate_hz: float) -> tuple[tuple[float, float], ...]:
    edges = np.flatnonzero(np.diff(np.concatenate(([1], valid.astype(np.int8), [1]))))
    return tuple(
        (float(start) / rate_hz, float(end) / rate_hz) for start, end in zip(edges[::2], edges[1::2], strict=True)
    )

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


_WFDB_FAULTS = (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, ArithmeticError, AssertionError)
_SAMPLE_BYTES = {"8": 1.0, "80": 1.0, "16": 2.0, "61": 2.0, "212": 1.5, "24": 3.0, "32": 4.0}


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
    except _WFDB_FAULTS as error:
        raise InputError(
            f"{stem}: WFDB record cannot be read: {_what_is_damaged(stem)}; copy .hea and .dat again"
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


def _what_is_damaged(stem: Path) -> str:
    """Which file of a record that cannot be read is at fault, and how."""
    header_name = f"{stem.name}.hea"
    try:
        with quiet_wfdb() as wfdb:
            header = wfdb.rdheader(str(stem))
        names = list(header.file_name or [])
        needed_n = {
            name: sum(
                int(header.sig_len or 0) * frame_n * _SAMPLE_BYTES.get(fmt, 0.0)
                for other, fmt, frame_n in zip(names, header.fmt, header.samps_per_frame, strict=True)
                if other == name
            )
            for name in dict.fromkeys(names)
        }
    except _WFDB_FAULTS:
        return f"{header_name} is truncated or damaged"
    for name, size_n in needed_n.items():
        data = stem.with_name(name)
        if not data.is_file():
            return f"{name}, which {header_name} names, is missing"
        if data.stat().st_size < size_n:
            return f"{name} is truncated ({data.stat().st_size} bytes, {header_name} announces {size_n:.0f})"
    return f"{header_name} and its data do not fit each other, one is truncated or damaged"


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

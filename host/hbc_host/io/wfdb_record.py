"""WFDB records (PhysioNet): the ECG channel in millivolts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.ecg_text import EcgRecording, check_duration, check_rate
from hbc_host.io.faults import READER_FAULTS
from hbc_host.io.limits import read_limited
from hbc_host.io.spans import held, nan_spans

BoolArray = npt.NDArray[np.bool_]

_ECG_NAMES = ("ecg", "mlii", "ii", "i", "v5", "v2", "v1")
_MILLIVOLTS = {"mv": 1.0, "uv": 1e-3, "\N{MICRO SIGN}v": 1e-3, "v": 1e3}


_SAMPLE_BYTES = {"8": 1.0, "80": 1.0, "16": 2.0, "61": 2.0, "212": 1.5, "24": 3.0, "32": 4.0}


_DEFINITION = re.compile(rb"## (time resolution: \d|annotation type definitions|end of definitions|)")


@contextmanager
def quiet_wfdb() -> Iterator[Any]:
    """The wfdb package, imported late: it pulls in pandas, half a second that only this input should cost."""
    with warnings.catch_warnings():
        # wfdb 4.3 builds tables in a way that pandas 3.1 announces to retire; no user can act on that.
        warnings.simplefilter("ignore")
        import wfdb

        yield wfdb


def check_annotations(file: Path) -> None:
    """Refuse an annotation file in which its reader (wfdb 4.3) would search for ever.

    Notes that begin with ``##`` define things. At the begin of a file the reader goes on from one only when it is a
    time resolution, the first, or a list of definitions; found by fuzzing (``tests/study/fuzz_import.py``).

    Raises
    ------
    InputError
        If a note begins so and is none of these, or the file is too large.
    """
    data = read_limited(file)
    definitions = _DEFINITION.findall(data)
    known_n = sum(definition != b"" for definition in definitions)
    if known_n != len(definitions) or sum(definition.startswith(b"time") for definition in definitions) > 1:
        raise InputError(
            f"{file}: a note begins with '##' and defines nothing known; the file is damaged, copy it again"
        )


def record_stem(path: Path) -> Path | None:
    """Path of the record without suffix when ``path`` names a WFDB record, its header or its data; else None."""
    for stem in (path, path.with_suffix("")) if path.name else ():  # the folder "." has none
        if stem.with_name(stem.name + ".hea").is_file():
            return stem
    return None


def read_wfdb(path: Path, channel: int | None = None) -> EcgRecording:
    """Read the ECG channel of a WFDB record: the given one, else the most likely.

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
            _check_described(stem, wfdb.rdheader(str(stem)))
            record = wfdb.rdrecord(str(stem))
    except READER_FAULTS as error:
        raise InputError(
            f"{stem}: WFDB record cannot be read: {_what_is_damaged(stem)}; copy .hea and .dat again"
        ) from error
    if channel is None:
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
    return EcgRecording(stem.name, held(ecg, valid) * _MILLIVOLTS[unit], rate_hz, nan_spans(valid, rate_hz))


def _check_described(stem: Path, header: Any) -> None:
    """Refuse a header that announces more signals than it describes: its reader makes a list of as many as announced.

    Found by fuzzing: a line of twenty bytes took all memory (``tests/study/fuzz_import.py``).
    """
    announced_n, described_n = int(header.n_sig or 0), len(getattr(header, "file_name", None) or [])
    if not hasattr(header, "seg_name") and announced_n > described_n:
        raise InputError(
            f"{stem}: {stem.name}.hea announces {announced_n} signals and describes {described_n}; it is truncated or "
            "damaged, copy .hea and .dat again"
        )


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
    except READER_FAULTS:
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

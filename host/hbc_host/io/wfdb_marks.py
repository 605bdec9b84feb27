"""WFDB annotation files: the beats that a person marked in a record, and beats of ours written the same way."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hbc_host.detection import FloatArray, Marks
from hbc_host.errors import InputError
from hbc_host.io.faults import READER_FAULTS
from hbc_host.io.wfdb_record import check_annotations, quiet_wfdb

BEAT_SYMBOLS = tuple("NLRBAaJSVrFejnE/fQ?")
FLUTTER_BEGINS, FLUTTER_ENDS = "[", "]"  # in between are waves that nobody marked one by one
NO_ANNOTATION = (".hea", ".dat")  # what WFDB programs take for a header or for samples


def read_marks(stem: Path, rate_hz: float) -> Marks | None:
    """Beats marked in ``STEM.atr``; None when there is no such file.

    Parameters
    ----------
    stem : Path
        Of the record, as :func:`hbc_host.io.wfdb_record.record_stem` gives it.
    rate_hz : float
        Of the record, whose samples the annotations count.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    file = stem.with_name(stem.name + ".atr")
    if not file.is_file():
        return None
    check_annotations(file)
    try:
        with quiet_wfdb() as wfdb:
            found = wfdb.rdann(str(stem), "atr")
            symbols, sample_idx = np.array(found.symbol), np.asarray(found.sample, np.int64)
    except READER_FAULTS as fault:
        raise InputError(f"{file}: annotations cannot be read; copy the file again, or move it away") from fault
    times_s = sample_idx / rate_hz
    unjudged_s, begin_s = [], None
    for symbol, time_s in zip(symbols.tolist(), times_s.tolist(), strict=True):
        if symbol == FLUTTER_BEGINS and begin_s is None:
            begin_s = time_s
        elif symbol == FLUTTER_ENDS and begin_s is not None:
            unjudged_s.append((begin_s, time_s))
            begin_s = None
    if begin_s is not None:
        unjudged_s.append((begin_s, float("inf")))
    return Marks(np.unique(times_s[np.isin(symbols, BEAT_SYMBOLS)]), tuple(unjudged_s))


def annotation_path(target: Path) -> Path:
    """The file that ``--atr`` means: as given, or with ``.atr`` when it has no ending.

    Raises
    ------
    InputError
        If WFDB programs could not open a file of this name as annotations.
    """
    file = target if target.suffix else target.with_name(target.name + ".atr")
    if not re.fullmatch(r"[-\w]+", file.stem) or not re.fullmatch(r"\.[A-Za-z]+", file.suffix):
        raise InputError(
            f"--atr {target}: a WFDB name has letters, digits, - and _, and an ending of letters only; "
            "choose one such as beats.atr"
        )
    if file.suffix.lower() in NO_ANNOTATION:
        raise InputError(f"--atr {target}: {file.suffix} is no annotation file to WFDB programs; choose .atr or .qrs")
    return file


def write_annotation(file: Path, position_idx: FloatArray, rate_hz: float) -> None:
    """Write beats as a WFDB annotation file: symbol N at the nearest sample, and the rate, so no header is needed.

    Raises
    ------
    InputError
        If there is no beat, or the file cannot be written.
    """
    sample_idx = np.rint(position_idx).astype(np.int64)
    if sample_idx.size == 0:
        raise InputError(f"{file}: 0 beats, and a WFDB annotation file holds at least 1; look at the signal")
    try:
        with quiet_wfdb() as wfdb:
            symbols = ["N"] * sample_idx.size
            wfdb.wrann(file.stem, file.suffix[1:], sample_idx, symbols, fs=rate_hz, write_dir=str(file.parent))
    except OSError as fault:
        raise InputError(f"cannot write {file}: {fault.strerror}; choose another place with --atr") from None

"""WFDB records as recordings: the ECG by :mod:`hbc_host.io.wfdb_record`, triggers from a channel or from notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.faults import READER_FAULTS
from hbc_host.io.levels import TRIGGER_WORDS, find_name, marks_that_trigger, pick, rising_edges
from hbc_host.io.limits import check_samples, check_size
from hbc_host.io.recording import ReadOptions, Recording
from hbc_host.io.wfdb_record import check_annotations, quiet_wfdb, read_wfdb, record_stem

FloatArray = npt.NDArray[np.float64]

#: Endings of annotation files that are looked into for triggers, besides what other programs call their beats.
ANNOTATORS = ("trg", "tms", "stim", "evt", "atr")
HEADER_MAX_BYTES = 1_000_000


def read_wfdb_recording(path: Path, options: ReadOptions) -> Recording:
    """Read a WFDB record.

    Raises
    ------
    InputError
        If header or data are missing, damaged, too large, or hold no voltage channel.
    """
    stem = record_stem(path)
    if stem is None:
        raise InputError(f"{path}: no WFDB header {path.stem}.hea beside it; copy header and data into one folder")
    names = check_header(stem)
    wanted = options.choices.get("ecg")
    notes: list[str] = []
    ecg = read_wfdb(stem, channel=find_name(names, wanted.column, stem) if wanted else None)
    if wanted is None and len(names) > 1:
        notes.append(f"{len(names)} channels ({', '.join(names)[:80]}); the ECG is chosen by name, else the first")
    triggers_s, source, more = _triggers(stem, names, ecg.rate_hz, options)
    return Recording(
        stem.name, "wfdb", ecg, triggers_s=triggers_s, triggers_from=source, gaps_s=ecg.gaps_s, end_s=ecg.duration_s,
        units="ECG in the unit of the header", clock="samples of the record at its nominal rate",
        notes=(*notes, *more),
    )  # fmt: skip


def check_header(stem: Path) -> list[str]:
    """Names of the channels, after the header was held against limits and its files.

    Raises
    ------
    InputError
        If the header is damaged, declares too much, or names files elsewhere.
    """
    header_file = stem.with_name(stem.name + ".hea")
    check_size(header_file, HEADER_MAX_BYTES)
    try:
        with quiet_wfdb() as wfdb:
            header = wfdb.rdheader(str(stem))
            names = [str(name or "") for name in header.sig_name or []] if hasattr(header, "sig_name") else []
            files = [str(name) for name in getattr(header, "file_name", None) or []]
            segments = [str(name) for name in getattr(header, "seg_name", None) or []]
            samples_n, channels_n = float(header.sig_len or 0), int(header.n_sig or 0)
            frames = [float(n or 1) for n in getattr(header, "samps_per_frame", None) or [1]]
    except READER_FAULTS as fault:
        raise InputError(f"{stem}: {header_file.name} is truncated or damaged; copy .hea and .dat again") from fault
    if segments:
        raise InputError(
            f"{stem}: a record of {len(segments)} segments; give one segment, for example {segments[-1][:40]!r}"
        )
    for name in files:
        if name == ".." or Path(name).name != name:
            raise InputError(f"{stem}: its header names {name[:40]!r}, not a file beside it; copy .hea and .dat again")
        beside = stem.with_name(name)
        if beside.exists():
            check_size(beside)
    check_samples(
        stem, samples_n * max([1.0, *frames]) * max(1, min(channels_n, len(files))), "samples in all channels"
    )
    return names


def _triggers(
    stem: Path, names: list[str], rate_hz: float, options: ReadOptions
) -> tuple[FloatArray | None, str, tuple[str, ...]]:
    wanted = options.choices["trigger"].column if "trigger" in options.choices else ""
    for ending in ANNOTATORS:
        times_s, texts = _annotations(stem, ending, rate_hz)
        found_s, source, notes = marks_that_trigger(times_s, texts, wanted, f"annotations of {stem.name}.{ending}")
        if found_s is not None:
            return found_s, source, notes
    at = find_name(names, wanted, stem) if wanted else pick(names, TRIGGER_WORDS)
    if at is None:
        return None, "", ()
    where = f"channel {names[at]!r}"
    try:
        with quiet_wfdb() as wfdb:
            record = wfdb.rdrecord(str(stem), channels=[at])
            values = np.asarray(record.p_signal[:, 0], np.float64)
    except READER_FAULTS as fault:
        raise InputError(f"{stem}: {where} cannot be read; copy .hea and .dat again") from fault
    edges_idx, more = rising_edges(values, where)
    by_name = () if wanted else (f"{where} is taken as the trigger channel, by its name",)
    return edges_idx / rate_hz, where, (*by_name, *more)


def _annotations(stem: Path, ending: str, rate_hz: float) -> tuple[list[float], list[str]]:
    """Instants and texts of the notes in an annotation file (code ``"``, the text beside it)."""
    file = stem.with_name(f"{stem.name}.{ending}")
    if not file.is_file():
        return [], []
    check_annotations(file)
    try:
        with quiet_wfdb() as wfdb:
            found = wfdb.rdann(str(stem), ending)
            rate = float(found.fs or rate_hz)
            rows = list(zip(found.sample, found.symbol, found.aux_note, strict=True))
    except READER_FAULTS as fault:
        raise InputError(f"{file}: annotations cannot be read; copy the file again, or move it away") from fault
    noted = [(int(at) / rate, str(text).rstrip("\x00").strip()) for at, symbol, text in rows if symbol == '"']
    return [at_s for at_s, _ in noted], [text for _, text in noted]

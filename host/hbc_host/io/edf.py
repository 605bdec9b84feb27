"""EDF, EDF+ and BDF: the ECG channel, and triggers from annotations or from a channel.

The header is checked before the reader is let loose: what it declares against the size of the file
(https://www.edfplus.info/specs/edf.html: 256 bytes, then 256 for each signal; data records of two-byte integers, in BDF
of three bytes). Annotations: https://www.edfplus.info/specs/edfplus.html. BioSemi's Status channel carries the triggers
in its lower 16 bits (https://www.biosemi.com/faq/trigger_signals.htm).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.compose import ecg_recording
from hbc_host.io.ecg_text import check_rate
from hbc_host.io.faults import READER_FAULTS
from hbc_host.io.levels import BEAT_WORDS, ECG_WORDS, TRIGGER_WORDS, find_name, marks_that_trigger, pick, rising_edges
from hbc_host.io.limits import BDF_MAX_BYTES, CHANNELS_MAX_N, FILE_MAX_BYTES, check_samples, check_size
from hbc_host.io.recording import FROM_FILE, ReadOptions, Recording, Spans
from hbc_host.io.units import guess_voltage, millivolts_in

FloatArray = npt.NDArray[np.float64]

ECG_NAMES = ("ecg", "ekg", "ecg ecg", "mlii", "ii", "lead ii", "ecg ii")
BIOSEMI_TRIGGERS = 0xFFFF
_HEADER_BYTES = 256
#: Where the number of samples per record stands among the fields of a signal, bytes before it for each signal.
_SAMPLES_FIELD_AT = 16 + 80 + 8 + 8 + 8 + 8 + 8 + 80


def read_edf(path: Path, options: ReadOptions) -> Recording:
    """Read an EDF, EDF+ or BDF file.

    Raises
    ------
    InputError
        If the header is damaged or declares what the file does not hold, no channel is an ECG, or recording was
        interrupted in a way that the file does not time.
    """
    _check_header(path)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            file = _open(path)
            annotations = [(float(mark.onset), str(mark.text)) for mark in file.annotations]
            continuous = file.is_continuous
            signals = list(file.signals)
            labels = [str(signal.label) for signal in signals]
    except READER_FAULTS as fault:
        raise InputError(f"{path}: EDF or BDF cannot be read ({_short(fault)}); export it again") from fault
    notes = list(dict.fromkeys(" ".join(str(one.message).split())[:150] for one in said))
    if not continuous:
        raise InputError(
            f"{path}: recording was interrupted (EDF+D); save it as continuous parts, for example with EDFbrowser"
        )
    ecg, units, start_s = None, "", 0.0
    gaps_s: Spans = ()
    ecg_idx = _ecg_channel(path, labels, options, notes) if labels else None
    if ecg_idx is not None:
        ecg_mv, rate_hz, units = _ecg(path, signals[ecg_idx], labels[ecg_idx], options, notes)
        ecg, gaps_s = ecg_recording(path.stem, ecg_mv, rate_hz, str(path))
    beats_s = _beats(annotations, ecg is not None, notes)
    triggers_s, source = _triggers(path, signals, labels, annotations, ecg_idx, options, notes)
    end_s = ecg.duration_s if ecg else float(beats_s[-1]) if beats_s is not None else 0.0
    return Recording(
        path.stem, "bdf" if _is_bdf(path) else "edf", ecg, start_s, beats_s, FROM_FILE if beats_s is not None else "",
        triggers_s, source, gaps_s=gaps_s, end_s=end_s, units=units, clock="seconds from the begin of the file",
        notes=tuple(notes),
    )  # fmt: skip


def _is_bdf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\xffBIOSEMI"


def _open(path: Path) -> Any:
    import edfio

    # Latin-1 reads every byte: programs write the micro sign and names with accents, though the format is ASCII.
    if _is_bdf(path):
        return edfio.read_bdf(path, header_encoding="latin-1")
    return edfio.read_edf(path, lazy_load_data=True, header_encoding="latin-1")


def _check_header(path: Path) -> None:
    """Compare what the header declares with the size of the file, before anything is allocated."""
    size_bytes = check_size(path)
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        bdf = head[:8] == b"\xffBIOSEMI"
        if size_bytes > (limit := BDF_MAX_BYTES if bdf else FILE_MAX_BYTES):
            check_size(path, limit)
        if len(head) < _HEADER_BYTES:
            raise InputError(f"{path}: {len(head)} bytes, an EDF header has {_HEADER_BYTES}; the file is cut off")
        signals_n = _integer(path, head[252:256], "number of signals")
        header_n = _integer(path, head[184:192], "size of the header")
        if not 1 <= signals_n <= CHANNELS_MAX_N or header_n != _HEADER_BYTES * (signals_n + 1):
            raise InputError(
                f"{path}: declares {signals_n} signals and a header of {header_n} bytes, which do not fit each other "
                f"(1 to {CHANNELS_MAX_N} signals, 256 bytes each); the header is damaged, export the file again"
            )
        if size_bytes < header_n:
            raise InputError(f"{path}: {size_bytes} bytes, its header alone has {header_n}; the file is cut off")
        fields = file.read(_HEADER_BYTES * signals_n)
    record_s = _number(path, head[244:252], "duration of a record")
    samples_at = _SAMPLES_FIELD_AT * signals_n
    per_record = [
        _integer(path, fields[samples_at + 8 * n : samples_at + 8 * n + 8], "samples in a record")
        for n in range(signals_n)
    ]
    if min(per_record) < 0 or sum(per_record) < 1 or not 0.0 <= record_s <= 1e6:
        raise InputError(f"{path}: declares records of {record_s:g} s with {per_record[:5]} samples; export it again")
    record_bytes = sum(per_record) * (3 if bdf else 2)
    records_n = (size_bytes - header_n) // record_bytes
    if records_n < 1:
        raise InputError(
            f"{path}: {size_bytes - header_n} bytes of data, one record has {record_bytes}; the file is cut off"
        )
    check_samples(path, float(records_n) * max(per_record))


def _integer(path: Path, text: bytes, what: str) -> int:
    try:
        return int(text.decode("ascii"))
    except ValueError:
        raise InputError(
            f"{path}: the {what} is {text[:20]!r}, no number; the header is damaged or it is no EDF"
        ) from None


def _number(path: Path, text: bytes, what: str) -> float:
    try:
        return float(text.decode("ascii"))
    except ValueError:
        raise InputError(
            f"{path}: the {what} is {text[:20]!r}, no number; the header is damaged or it is no EDF"
        ) from None


def _ecg_channel(path: Path, labels: list[str], options: ReadOptions, notes: list[str]) -> int | None:
    """Place of the ECG: as chosen, else by its label, else the only channel."""
    if "ecg" in options.choices:
        return find_name(labels, options.choices["ecg"].column, path)
    found = pick(labels, ECG_WORDS, first_exact=ECG_NAMES)
    if found is not None:
        if len(labels) > 1:
            notes.append(f"channel {labels[found]!r} is taken as the ECG, by its label")
        return found
    others = [at for at, label in enumerate(labels) if not TRIGGER_WORDS.search(label)]
    if len(others) == 1:
        notes.append(f"channel {labels[others[0]]!r} is taken as the ECG: there is no other")
        return others[0]
    raise InputError(
        f"{path}: no channel is labelled as an ECG; its channels are {', '.join(labels)[:200]}; "
        "name one with --map ecg=NAME"
    )


def _ecg(path: Path, signal: Any, label: str, options: ReadOptions, notes: list[str]) -> tuple[FloatArray, float, str]:
    """Values in millivolts, rate, and words on the unit."""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            rate_hz = float(signal.sampling_frequency)
            unit = str(signal.physical_dimension).strip()
            values = np.asarray(signal.data, np.float64)
        notes += [" ".join(str(one.message).split())[:150] for one in said]
    except READER_FAULTS as fault:
        raise InputError(f"{path}: channel {label!r} cannot be read ({_short(fault)}); export it again") from fault
    rate_hz = check_rate(path, rate_hz)
    chosen = options.choices.get("ecg")
    if chosen and chosen.unit:
        unit = chosen.unit
    if not unit:
        unit, note = guess_voltage(values)
        notes.append(note)
    return values * millivolts_in(unit, f"{path}, channel {label!r}"), rate_hz, f"ECG in {unit}, as the header says"


def _beats(annotations: list[tuple[float, str]], has_ecg: bool, notes: list[str]) -> FloatArray | None:
    """Beats that are annotated; only used where there is no ECG to find them in."""
    marked_s = np.unique([onset_s for onset_s, text in annotations if BEAT_WORDS.match(text.strip())])
    if marked_s.size == 0:
        return None
    if has_ecg:
        notes.append(f"{marked_s.size} annotated beats are not used: beats are found in the ECG")
        return None
    return np.asarray(marked_s, np.float64)


def _triggers(
    path: Path,
    signals: list[Any],
    labels: list[str],
    annotations: list[tuple[float, str]],
    ecg_idx: int | None,
    options: ReadOptions,
    notes: list[str],
) -> tuple[FloatArray | None, str]:
    """Triggers from what was chosen, else from annotations, else from a channel with a fitting label."""
    chosen = options.choices["trigger"].column if "trigger" in options.choices else ""
    onsets_s, texts = [mark[0] for mark in annotations], [mark[1] for mark in annotations]
    found_s, source, more = marks_that_trigger(onsets_s, texts, chosen, "annotations")
    if found_s is not None:
        notes += more
        return found_s[found_s >= 0.0], source
    if chosen:
        if chosen not in labels and not chosen.isdigit():
            known = sorted(set(texts))[:10]
            if known:
                notes.append(f"annotations of this file: {', '.join(known)[:200]}")
        at = find_name(labels, chosen, path)
    else:
        possible = pick([("" if n == ecg_idx else label) for n, label in enumerate(labels)], TRIGGER_WORDS)
        if possible is None:
            return None, ""
        at = possible
    where = f"channel {labels[at]!r}"
    try:
        values, rate_hz = np.asarray(signals[at].digital), float(signals[at].sampling_frequency)
    except READER_FAULTS as fault:
        raise InputError(f"{path}: {where} cannot be read ({_short(fault)}); export it again") from fault
    if _is_bdf(path) and "status" in labels[at].lower():
        values = values & BIOSEMI_TRIGGERS
        notes.append(f"{where}: triggers are its lower 16 bits, as BioSemi writes them")
    edges_idx, more = rising_edges(np.asarray(values, np.float64), where)
    if not chosen:
        notes.append(f"{where} is taken as the trigger channel, by its label")
    notes += more
    return edges_idx / rate_hz, where


def _short(fault: Exception) -> str:
    return " ".join(str(fault).split())[:120] or type(fault).__name__

"""EDF+: the ECG as signal; beats, pulses, trains and gaps as annotations.

EDF+C: edfio 0.4 writes continuous files only. A missing sample repeats the one before, and a ``BAD_gap`` annotation
covers it; MNE leaves out what is annotated so.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from edfio import Edf, EdfAnnotation, EdfSignal, Patient, Recording

from hbc_host import __version__
from hbc_host.exchange.content import BEAT, GAP, PULSE, TRAIN, Content, Event

LABEL = "ECG"
RECORD_S = 1
TEXTS = {BEAT: "beat", PULSE: "TMS", GAP: "BAD_gap"}
#: Readers that look for triggers by name ("edge", "sync") must not find one in the origin.
PROVENANCE = (
    "made_by", "command", "session_result_sha256", "manifest", "zero_device_s", "sample_instant_error_max_us",
    "practice",
)  # fmt: skip
_COUNTS_MAX = 32767  # both ways: only an even range has its zero at exactly 0 uV after rounding


def write_edf(content: Content, folder: Path) -> None:
    """Write ``NAME.edf``; counts are the box's own, the scale is rounded to the 8 characters that EDF has."""
    record_n = round(content.rate_hz * RECORD_S)
    padded_n = -(-content.ecg_lsb.size // record_n) * record_n
    counts = np.zeros(padded_n, np.int16)
    counts[: content.ecg_lsb.size] = np.maximum(_held(content), -_COUNTS_MAX)
    counts[content.ecg_lsb.size :] = counts[content.ecg_lsb.size - 1]
    limit_uv = _seven(_COUNTS_MAX * content.mv_per_lsb * 1e3)
    signal = EdfSignal.from_digital(
        counts,
        content.rate_hz,
        label=LABEL,
        transducer_type="electrodes, one lead",
        physical_dimension="uV",
        physical_range=(-limit_uv, limit_uv),
        digital_range=(-_COUNTS_MAX, _COUNTS_MAX),
    )
    origin = {name: content.provenance[name] for name in PROVENANCE}
    annotations = [EdfAnnotation(0.0, None, f"provenance {json.dumps(origin, separators=(',', ':'))}")]
    annotations += [EdfAnnotation(0.0, None, content.practice)] if content.practice else []
    annotations += [annotation_of(event) for event in content.events]
    end_s = content.ecg_lsb.size / content.rate_hz
    if padded_n > content.ecg_lsb.size:
        annotations.append(EdfAnnotation(round(end_s, 6), round(padded_n / content.rate_hz - end_s, 6), TEXTS[GAP]))
    started = content.started
    edf = Edf(
        [signal],
        patient=Patient(code=content.subject, additional=("PRACTICE",) if content.practice else ()),
        recording=Recording(
            startdate=None if started is None else started.date(), equipment_code=f"hbc-box_{__version__}"
        ),
        starttime=None if started is None else started.time().replace(microsecond=0),
        data_record_duration=RECORD_S,
        annotations=annotations,
    )
    edf.write(folder / f"{content.name}.edf")


def annotation_of(event: Event) -> EdfAnnotation:
    """An event as annotation; a train names its site and its planned intensity."""
    text = TEXTS.get(event.kind, "")
    if event.kind == TRAIN:
        percent = "" if event.intensity_pct is None else f" {event.intensity_pct:g}%"
        text = f"train {event.site}{percent}".rstrip()
    return EdfAnnotation(event.onset_s, event.duration_s or None, text)


def _held(content: Content) -> np.ndarray:
    """Counts in which a missing sample repeats the last one that exists; the first of all before it."""
    if content.missing.all():
        return np.zeros_like(content.ecg_lsb)
    last = np.maximum.accumulate(np.where(content.missing, -1, np.arange(content.missing.size)))
    return content.ecg_lsb[np.where(last < 0, int(np.argmin(content.missing)), last)]


def _seven(value: float) -> float:
    """The nearest number that fits an EDF header field with a sign before it: 7 of its 8 characters."""
    for digits in range(5, 0, -1):
        text = f"{value:.{digits}f}"
        if len(text) <= 7:
            return float(text)
    return float(round(value))

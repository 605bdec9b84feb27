"""Found beats for other programs: a table in CSV and a document for JSON. Annotations are in ``wfdb_marks``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hbc_host.detection import LOW_QUALITY, Agreement, Beats, Signal, state_durations
from hbc_host.errors import InputError

CSV_HEAD = "time_s,rr_ms,quality,polarity"


def write_csv(file: Path, beats: Beats) -> None:
    """Write one beat a line; ``rr_ms`` is empty where no interval was measured. ``hbc analyze`` reads the times.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    rows = zip(beats.time_s, beats.rr_ms, beats.quality, beats.polarity, strict=True)
    lines = [
        f"{time_s:.6f},{f'{rr_ms:.3f}' if np.isfinite(rr_ms) else ''},{quality},{polarity:+d}"
        for time_s, rr_ms, quality, polarity in rows
    ]
    try:
        file.write_text("\n".join([CSV_HEAD, *lines, ""]), encoding="utf-8")
    except OSError as fault:
        raise InputError(f"cannot write {file}: {fault.strerror}; choose another place with --csv") from None


def to_document(
    signal: Signal, beats: Beats, agreement: Agreement | None, *, file: str, command: str
) -> dict[str, Any]:
    """The JSON of ``hbc detect``: every number that was found."""
    return {
        "format": "hbc-beats-1",
        "command": command,
        "file": file,
        "rate_hz": signal.rate_hz,
        "duration_s": signal.duration_s,
        "beats_n": int(beats.time_s.size),
        "mean_hr_bpm": beats.mean_hr_bpm if np.isfinite(beats.mean_hr_bpm) else None,
        "beats_s": [round(float(time_s), 6) for time_s in beats.time_s],
        "quality": beats.quality.tolist(),
        "low_quality_below": LOW_QUALITY,
        "low_quality_share": float(beats.low.mean()),
        "polarity": beats.polarity.tolist(),
        "signal_s": state_durations(beats),
        "signal_spans": [asdict(span) for span in beats.states],
        "blanked_share": float(signal.blanked.mean()),
        "triggers_n": int(signal.triggers_s.size),
        "annotations": _plain(agreement) if agreement else None,
        "notes": list(signal.notes),
    }


def _plain(agreement: Agreement) -> dict[str, Any]:
    """JSON knows no NaN: without a matched beat there is no offset."""
    return {name: value if np.isfinite(value) else None for name, value in asdict(agreement).items()}

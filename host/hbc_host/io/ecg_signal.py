"""Any of our inputs as one ECG for the detector: WFDB record, text, or a session with its recorded samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hbc_host.detection import Signal
from hbc_host.errors import InputError
from hbc_host.io import sniff
from hbc_host.io.ecg_text import EcgRecording, read_ecg_text
from hbc_host.io.recording import ReadOptions, Recording
from hbc_host.io.registry import read_recording

if TYPE_CHECKING:
    from hbc_host.session_model import Session

#: What the box blanks unless it is told otherwise (firmware/hbc_fw/settings.py).
BLANK_MS, LOOKBACK_US = 8, 4000


def read_signal(path: Path, rate_hz: float | None) -> Signal:
    """Read the ECG of a WFDB record, a text file (needs ``rate_hz``) or a session folder.

    Raises
    ------
    InputError, SessionError, VersionMismatchError
        If the path is none of these, or cannot be read.
    """
    kind = sniff.sniff(path, rate_hz)
    if kind == sniff.EVENTS and rate_hz is None:  # with a rate it may be an ECG that begins by rising
        raise InputError(
            f"{path}: values that only increase are times, not an ECG; hbc analyze takes beat times, and an ECG needs "
            "--rate-hz"
        )
    if kind == sniff.SESSION:
        from hbc_host.session import load_session

        signal = session_signal(load_session(path))
    elif kind in (sniff.WFDB, sniff.RECORDING):
        signal = recording_signal(read_recording(path, ReadOptions(rate_hz=rate_hz)))
    else:
        signal = file_signal(read_ecg_text(path, rate_hz))
    if rate_hz is None or kind in (sniff.EVENTS, sniff.ECG_TEXT, sniff.RECORDING):
        return signal
    ignored = f"--rate-hz {rate_hz:g} was ignored: the recording says {signal.rate_hz:g} Hz"
    return replace(signal, notes=(ignored, *signal.notes))


def file_signal(ecg: EcgRecording) -> Signal:
    """An ECG from a file: times count from its first sample, nothing is blanked, invalid samples are missing."""
    ecg_mv = ecg.ecg_mv.copy()
    for start_s, end_s in ecg.gaps_s:
        ecg_mv[round(start_s * ecg.rate_hz) : round(end_s * ecg.rate_hz)] = np.nan
    missing_s = float(np.isnan(ecg_mv).sum()) / ecg.rate_hz
    notes = (f"{missing_s:.1f} s hold no valid sample",) if missing_s else ()
    sample_s = np.arange(ecg_mv.size) / ecg.rate_hz
    blanked = np.zeros(ecg_mv.size, np.bool_)
    return Signal(ecg.name, ecg_mv, ecg.rate_hz, sample_s, blanked, ((0, ecg_mv.size),), notes=notes)


def recording_signal(recording: Recording) -> Signal:
    """A recording of any format for the detector, blanked around its triggers as the box would.

    Raises
    ------
    InputError
        If it holds beats and no ECG.
    """
    if recording.ecg is None:
        beats_n = 0 if recording.beats_s is None else recording.beats_s.size
        raise InputError(f"{recording.name}: holds {beats_n} beats and no ECG; hbc analyze uses those beats")
    signal = file_signal(recording.ecg)
    notes = (*recording.notes, *signal.notes)
    sample_s = recording.ecg_start_s + signal.sample_s
    if recording.triggers_s is None or recording.triggers_s.size == 0:
        return replace(signal, sample_s=sample_s, notes=notes)
    from hbc_host.blanking import blanked_samples

    sample_us, edges_us = (np.rint(1e6 * times_s).astype(np.int64) for times_s in (sample_s, recording.triggers_s))
    blanked = blanked_samples(sample_us, edges_us, BLANK_MS, LOOKBACK_US)
    kept_from = f"samples from {LOOKBACK_US / 1000:g} ms before to {BLANK_MS} ms after each trigger are blanked"
    return replace(
        signal, sample_s=sample_s, blanked=blanked, triggers_s=recording.triggers_s, notes=(*notes, kept_from)
    )


def session_signal(session: Session) -> Signal:
    """The samples of a recording on the box's grid, blanked as the box did; lost samples are NaN.

    Raises
    ------
    InputError
        If no sample was recorded.
    """
    from hbc_host.redetect import blanked_of
    from hbc_host.session_model import EDGE_TICKS_PER_US

    grid_idx, rate_hz = session.ecg_idx - session.ecg_idx[:1], float(session.hello.rate_hz)
    if grid_idx.size == 0:
        raise InputError(
            f"{session.path}: holds {session.beats_us.size} beats of the box and no ECG sample; "
            f"hbc analyze {session.path} uses those beats"
        )
    grid_n = int(grid_idx[-1]) + 1
    mv_per_lsb = session.hello.adc_lsb_nv * 1e-6 / session.hello.gain
    ecg_mv = np.full(grid_n, np.nan)
    ecg_mv[grid_idx] = session.ecg_lsb * mv_per_lsb
    blanked = np.zeros(grid_n, np.bool_)
    blanked[grid_idx] = blanked_of(session)
    jumps = np.flatnonzero(np.diff(grid_idx) != 1)
    lost_s = (grid_n - grid_idx.size) / rate_hz
    anew = f"{lost_s:.2f} s of samples are lost in {jumps.size} places; the detector begins anew after each"
    starts, ends = [0, *grid_idx[jumps + 1].tolist()], [*(grid_idx[jumps] + 1).tolist(), grid_n]
    return Signal(
        name=session.meta.title or session.path.resolve().name,
        ecg_mv=ecg_mv,
        rate_hz=rate_hz,
        sample_s=np.interp(np.arange(grid_n), grid_idx, session.ecg_us * 1e-6),
        blanked=blanked,
        runs=tuple(zip(starts, ends, strict=True)),
        detector_scale=1e-3 / mv_per_lsb,
        triggers_s=session.edges_tick / (EDGE_TICKS_PER_US * 1e6),
        box_beats_s=np.asarray(session.beats_us * 1e-6, np.float64),
        notes=(*session.notes, anew) if jumps.size else session.notes,
    )

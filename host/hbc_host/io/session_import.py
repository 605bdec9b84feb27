"""A session of ours as a recording like any other: for tools that take all formats alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hbc_host.even import evened
from hbc_host.io.compose import ecg_recording
from hbc_host.io.recording import FROM_FILE, Labels, ReadOptions, Recording


def read_session(path: Path, options: ReadOptions) -> Recording:
    """Read a session folder: the box's own beats and edges, and its samples on the grid of the box, or an even one.

    Raises
    ------
    SessionError, VersionMismatchError
        As :func:`hbc_host.session.load_session`.
    """
    from hbc_host.session import load_session

    session = evened(load_session(path))
    meta = session.meta
    labels = Labels(meta.title, meta.protocol, meta.sites, meta.intensities_pct or ())
    recording = Recording(
        path.resolve().name,
        "session",
        beats_s=np.unique(session.beats_s),
        beats_from=FROM_FILE,
        triggers_s=np.unique(session.edges_s),
        triggers_from="trigger input of the box",
        gaps_s=session.gaps_s,
        start_s=session.start_s,
        end_s=session.end_s,
        units="ECG in counts of the box, by its Hello",
        clock="device seconds of the box since its boot",
        notes=session.notes,
        labels=labels,
    )
    if session.ecg_idx.size == 0:
        return replace(recording, notes=(*recording.notes, "no ECG sample was recorded"))
    grid_idx = session.ecg_idx - session.ecg_idx[0]
    ecg_mv = np.full(int(grid_idx[-1]) + 1, np.nan)
    ecg_mv[grid_idx] = session.ecg_lsb * (session.hello.adc_lsb_nv * 1e-6 / session.hello.gain)
    ecg, _ = ecg_recording(recording.name, ecg_mv, session.rate_hz, str(path))
    return replace(recording, ecg=ecg, ecg_start_s=float(session.ecg_s[0]))

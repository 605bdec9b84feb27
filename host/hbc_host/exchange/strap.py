"""A chest strap as fallback when no box is there: its raw file becomes an import folder that says so everywhere.

A strap has a clock of its own and sends by radio, so its samples and this computer's clock are known against each other
only as well as the delay of the radio is; and the first pulse is marked by hand. Both are in ``start_uncertainty_s``,
which widens what the analysis says. docs/howto/strap.md has the reasons of the numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host import __version__
from hbc_host.errors import InputError
from hbc_host.exchange.strap_log import EcgFrame, RrFrame, StrapLog, read_strap
from hbc_host.imports import beat_rows, with_beats
from hbc_host.io.ecg_text import EcgRecording
from hbc_host.io.import_folder import write_import
from hbc_host.io.recording import FROM_FILE, Labels, Recording
from hbc_host.trains import Protocol, parse_protocol

FloatArray = npt.NDArray[np.float64]

NOMINAL_HZ = 130.0  # Polar H10; the rate in fact is measured from its own stamps
RATE_TOLERANCE = 0.05  # a frame that took longer or shorter by more follows a lost one
DELAY_MAX_S = 0.5  # from the last sample of a frame to its arrival; assumed, never measured on a strap
REACTION_S = 0.3  # from the first pulse to the key, either way
NEAR_S = 60.0  # frames this near to the mark relate the clocks: two crystals part by 6 ms meanwhile
RR_LATE_S = 2.5  # intervals that come this much later than they add up to follow lost ones
HOURS_MAX = 12.0


def finish_strap(raw: Path, folder: Path) -> Recording:
    """Turn a raw file into an import folder.

    Raises
    ------
    InputError
        It holds too little, or something is at ``folder`` already.
    """
    log = read_strap(raw)
    recording = with_beats(recording_of(log))
    data = raw.read_bytes()
    entry = {"name": raw.name, "bytes_n": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    source: dict[str, Any] = {**entry, "format": "strap", "files": [entry]}
    created = str(log.begun.get("created", ""))
    rows = beat_rows(recording)
    write_import(folder, recording, source, beats_rows=rows, created=created, host_version=__version__)
    return recording


def recording_of(log: StrapLog) -> Recording:
    """What a strap sent, on its own clock from its first sample on; beats of its own only when it sent no ECG.

    Raises
    ------
    InputError
        There is neither ECG nor an interval.
    """
    if log.ecg:
        recording, zero_s, host_of = _of_ecg(log.ecg)
    elif any(frame.rr_ms for frame in log.rr):
        recording, zero_s, host_of = _of_rr(log.rr)
    else:
        raise InputError("the strap sent neither ECG nor intervals; wet its electrodes, wear it, and record again")
    site = str(log.begun.get("site", ""))
    labels = Labels(title="strap", protocol=str(log.begun.get("protocol", "")), sites=(site,) if site else ())
    notes = [f"{log.bad_lines_n} lines of the raw file could not be read"] if log.bad_lines_n else []
    return _declared(replace(recording, labels=labels, notes=(*recording.notes, *notes)), log, zero_s, host_of)


def _declared(recording: Recording, log: StrapLog, zero_s: float, pairs: FloatArray) -> Recording:
    """The recording with the start of the first train: at the mark, else at the protocol's own within half a cycle.

    ``pairs`` has a row (strap's clock, arrival) for each frame.
    """
    protocol = _protocol(recording.labels.protocol)
    first_s: float | None = None
    uncertainty_s = DELAY_MAX_S / 2 + REACTION_S
    if log.marks_s:
        near = pairs[np.abs(pairs[:, 1] - log.marks_s[0]) <= NEAR_S]
        near = near if len(near) else pairs
        least_s = float((near[:, 1] - near[:, 0]).min())
        first_s = log.marks_s[0] - least_s + DELAY_MAX_S / 2 - zero_s
        how = "the first pulse was marked by hand"
    elif protocol is not None and protocol.rest_cycles_n is not None:
        first_s, uncertainty_s = protocol.rest_cycles_n * protocol.cycle_s, protocol.cycle_s / 2
        how = f"nobody marked the first pulse, so it is where {protocol.name} has it, to half a cycle"
    else:
        how = "nobody marked the first pulse: give --first-train-s and --start-uncertainty-s to hbc analyze"
    if first_s is not None and not 0.0 <= first_s < recording.end_s:
        raise InputError(
            f"the first pulse was marked at {first_s:.1f} s of a recording of {recording.end_s:.1f} s; record again, "
            "and press the key once, at the first pulse"
        )
    label = f"strap, not the box; alignment +-{uncertainty_s:.2g} s: {how}"
    return replace(recording, first_train_s=first_s, start_uncertainty_s=uncertainty_s, notes=(label, *recording.notes))


def _protocol(name: str) -> Protocol | None:
    return parse_protocol(name) if name else None


def _of_ecg(frames: tuple[EcgFrame, ...]) -> tuple[Recording, float, FloatArray]:
    """ECG on an even grid from its first sample; the strap's time of that; strap's time and arrival of each frame."""
    times_s = _one_clock(frames)
    rate_hz = _rate_hz(frames, times_s)
    places = [0]
    for k in range(1, len(frames)):
        follows = _follows(frames[k - 1], frames[k], times_s[k] - times_s[k - 1])
        end_idx = places[-1] + len(frames[k - 1].uv)
        lost_n = 0 if follows else round((times_s[k] - times_s[k - 1]) * rate_hz) - len(frames[k].uv)
        places.append(end_idx + max(0, lost_n))
    total_n = places[-1] + len(frames[-1].uv)
    if total_n > HOURS_MAX * 3600 * rate_hz:
        raise InputError(
            f"the frames of the strap span {total_n / rate_hz / 3600:.1f} h, at most {HOURS_MAX:g} h are read"
        )
    ecg_mv = np.full(total_n, np.nan)
    for place, frame in zip(places, frames, strict=True):
        ecg_mv[place : place + len(frame.uv)] = np.array(frame.uv, np.float64) * 1e-3
    gaps_s = tuple(
        ((place + len(frame.uv)) / rate_hz, after / rate_hz)
        for (place, frame), after in zip(zip(places, frames, strict=True), places[1:], strict=False)
        if after > place + len(frame.uv)
    )
    ecg = EcgRecording("strap", np.nan_to_num(ecg_mv), rate_hz, gaps_s)
    notes = (f"ECG of the strap at {rate_hz:.3f} Hz by its own clock; {len(gaps_s)} gaps",)
    end_s = total_n / rate_hz
    recording = Recording(
        "strap", "strap", ecg, gaps_s=gaps_s, end_s=end_s, units="uV -> mV", clock="clock of the strap", notes=notes
    )
    pairs = np.array([(at_s, frame.arrived_s) for at_s, frame in zip(times_s, frames, strict=True)])
    return recording, times_s[0] - (len(frames[0].uv) - 1) / rate_hz, pairs


def _one_clock(frames: tuple[EcgFrame, ...]) -> list[float]:
    """Times of the last samples, all on the clock of the first connection.

    Another connection may count from elsewhere; its frames are put where their arrival says, to the delay of the radio.
    """
    least_s: dict[int, float] = {}
    for frame in frames:
        behind_s = frame.arrived_s - frame.sensor_s
        least_s[frame.connection] = min(behind_s, least_s.get(frame.connection, behind_s))
    first_s = least_s[frames[0].connection]
    return [frame.sensor_s + least_s[frame.connection] - first_s for frame in frames]


def _follows(before: EcgFrame, frame: EcgFrame, step_s: float) -> bool:
    """True when nothing is missing between two frames."""
    expected_s = len(frame.uv) / NOMINAL_HZ
    return frame.connection == before.connection and abs(step_s - expected_s) <= RATE_TOLERANCE * expected_s


def _rate_hz(frames: tuple[EcgFrame, ...], times_s: list[float]) -> float:
    """Samples per second of the strap's own clock, over frames that follow each other."""
    samples_n, seconds = 0, 0.0
    for (before, before_s), (frame, at_s) in pairwise(zip(frames, times_s, strict=True)):
        if _follows(before, frame, at_s - before_s):
            samples_n += len(frame.uv)
            seconds += at_s - before_s
    return samples_n / seconds if seconds > 0 else NOMINAL_HZ


def _of_rr(frames: tuple[RrFrame, ...]) -> tuple[Recording, float, FloatArray]:
    """Beats whose intervals the strap gave; a beat ends each interval."""
    beats_s: list[float] = []
    gaps_s: list[tuple[float, float]] = []
    pairs: list[tuple[float, float]] = []
    for frame in frames:
        total_s = sum(frame.rr_ms) * 1e-3
        if not frame.rr_ms:
            continue
        if not beats_s or frame.arrived_s - (beats_s[-1] + total_s) > RR_LATE_S:
            anchor_s = frame.arrived_s - total_s
            if beats_s:
                gaps_s.append((beats_s[-1], anchor_s))
            beats_s.append(anchor_s)
        for rr_ms in frame.rr_ms:
            beats_s.append(beats_s[-1] + rr_ms * 1e-3)
        pairs.append((beats_s[-1], frame.arrived_s))
    zero_s = beats_s[0]
    times_s = np.array(beats_s) - zero_s
    recording = Recording(
        "strap",
        "strap",
        beats_s=times_s,
        beats_from=FROM_FILE,
        gaps_s=tuple((start - zero_s, end - zero_s) for start, end in gaps_s),
        end_s=float(times_s[-1]),
        units="ms",
        clock="intervals of the strap, added up",
        notes=(f"no ECG came: beats are the strap's own intervals; {len(gaps_s)} gaps",),
    )
    return recording, zero_s, np.array(pairs)

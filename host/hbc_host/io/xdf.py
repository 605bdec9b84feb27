"""XDF, what LabRecorder writes of Lab Streaming Layer: an ECG stream, and triggers of a marker stream on one clock.

Read by pyxdf, which puts all streams on the recorder's clock and takes the jitter off regular ones
(https://github.com/xdf-modules/pyxdf).
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.compose import ecg_recording
from hbc_host.io.ecg_text import check_rate
from hbc_host.io.faults import READER_FAULTS
from hbc_host.io.grid import even_grid
from hbc_host.io.levels import ECG_WORDS, TRIGGER_WORDS, find_name, marks_that_trigger, pick, rising_edges
from hbc_host.io.limits import read_limited
from hbc_host.io.recording import ReadOptions, Recording
from hbc_host.io.units import guess_voltage, millivolts_in, plain
from hbc_host.io.xdf_check import check_chunks

FloatArray = npt.NDArray[np.float64]
Stream = dict[str, Any]

_UNITS = {"microvolts": "uv", "microvolt": "uv", "millivolts": "mv", "millivolt": "mv"}


def read_xdf(path: Path, options: ReadOptions) -> Recording:
    """Read an XDF file; ``ecg`` and ``trigger`` may be chosen as ``STREAM`` or ``STREAM/CHANNEL``.

    Raises
    ------
    InputError
        If the file is damaged, or no stream is an ECG.
    """
    streams, notes = _load(path)
    ecg_stream, channel, more = _ecg_channel(path, streams, options)
    notes += more
    times_s = np.asarray(ecg_stream["time_stamps"], np.float64)
    values = np.asarray(ecg_stream["time_series"], np.float64)[:, channel]
    if times_s.size < 3:
        raise InputError(f"{path}: stream {_name(ecg_stream)!r} has {times_s.size} samples; record it again")
    first_s = float(times_s[0])
    stated_hz = float(_info(ecg_stream, "nominal_srate") or 0.0) or options.rate_hz
    grid = even_grid(path, times_s - first_s, stated_hz)
    rate_hz = check_rate(path, grid.rate_hz)
    notes += [*grid.notes, f"sampling rate of {rate_hz:.6g} Hz is taken from the time stamps"]
    unit = (options.choices["ecg"].unit if "ecg" in options.choices else "") or _unit(ecg_stream, channel)
    if not unit:
        unit, note = guess_voltage(values)
        notes.append(note)
    where = f"{path}, stream {_name(ecg_stream)!r}"
    ecg, gaps_s = ecg_recording(path.stem, grid.spread(values * millivolts_in(unit, where)), rate_hz, str(path))
    triggers_s, source, more = _triggers(path, streams, ecg_stream, first_s, options)
    return Recording(
        path.stem, "xdf", ecg, triggers_s=triggers_s, triggers_from=source, gaps_s=gaps_s, end_s=ecg.duration_s,
        units=f"ECG in {plain(unit)}", clock="the recording computer's LSL clock, from the first ECG sample",
        notes=(*notes, *more),
    )  # fmt: skip


class _Kept(logging.Handler):
    """Keeps what a library logs, to be noted instead of printed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.texts) < 5:
            self.texts.append(" ".join(record.getMessage().split())[:150])


def _load(path: Path) -> tuple[list[Stream], list[str]]:
    data = read_limited(path)
    sizes, rest_n = check_chunks(path, data)
    del data
    notes = [f"{rest_n} bytes at the end are no whole chunk; they are left out"] if rest_n else []
    if any(size.offsets_n == 0 for size in sizes.values()):
        notes.append("a stream has no clock offsets; it is taken to be stamped by the recording computer's clock")
    import pyxdf

    log, kept = logging.getLogger("pyxdf"), _Kept()
    was = log.propagate
    log.addHandler(kept)
    log.propagate = False
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            streams, _ = pyxdf.load_xdf(str(path))
        usable = [stream for stream in streams if len(stream["time_stamps"]) == len(stream["time_series"])]
    except READER_FAULTS as fault:
        text = " ".join(str(fault).split())[:120] or type(fault).__name__
        raise InputError(f"{path}: XDF cannot be read ({text}); record or save it again") from fault
    finally:
        log.removeHandler(kept)
        log.propagate = was
    # The segments of a stream without clock offsets always differ from those of its clock.
    return usable, notes + [f"pyxdf: {text}" for text in kept.texts if "clock-segments differ" not in text]


def _info(stream: Stream, key: str) -> str:
    try:
        return str(stream["info"][key][0] or "").strip()
    except (KeyError, IndexError, TypeError):
        return ""


def _name(stream: Stream) -> str:
    return _info(stream, "name")


def _channels(stream: Stream) -> list[dict[str, Any]]:
    try:
        found = stream["info"]["desc"][0]["channels"][0]["channel"]
        return [channel if isinstance(channel, dict) else {} for channel in found]
    except (KeyError, IndexError, TypeError):
        return []


def _labels(stream: Stream) -> list[str]:
    """Labels of the channels, or numbers where the stream names none."""
    shape = np.shape(stream["time_series"])
    channels_n = int(shape[1]) if len(shape) == 2 else 0
    named = []
    for channel in _channels(stream):
        label = channel.get("label") or [""]
        named.append(str(label[0] or "") if isinstance(label, list) else str(label))
    return [named[at] if at < len(named) and named[at] else str(at + 1) for at in range(channels_n)]


def _unit(stream: Stream, channel: int) -> str:
    channels = _channels(stream)
    unit = channels[channel].get("unit") if channel < len(channels) else None
    text = plain(str(unit[0] or "")) if isinstance(unit, list) and unit else ""
    return _UNITS.get(text, text)


def _is_marks(stream: Stream) -> bool:
    """True for a stream of events, and not of samples."""
    rate = _info(stream, "nominal_srate") or "0"
    return _info(stream, "channel_format") == "string" or float(rate) == 0.0


def _chosen(path: Path, streams: list[Stream], wanted: str) -> tuple[Stream, str] | None:
    """Stream and channel that ``STREAM`` or ``STREAM/CHANNEL`` names; None when no stream has this name."""
    name, _, channel = wanted.partition("/")
    for stream in streams:
        if _name(stream).lower() == name.strip().lower():
            return stream, channel.strip()
    return None


def _ecg_channel(path: Path, streams: list[Stream], options: ReadOptions) -> tuple[Stream, int, list[str]]:
    sampled = [stream for stream in streams if not _is_marks(stream) and len(stream["time_stamps"]) > 0]
    names = ", ".join(_name(stream) or "(no name)" for stream in streams)[:200]
    if "ecg" in options.choices:
        found = _chosen(path, sampled, options.choices["ecg"].column)
        if found is None:
            raise InputError(
                f"{path}: has no sampled stream {options.choices['ecg'].column!r}; its streams are {names}"
            )
        stream, channel = found
        return stream, find_name(_labels(stream), channel, path) if channel else 0, []
    for stream in sampled:
        channel_idx = pick(_labels(stream), ECG_WORDS)
        by_type = ECG_WORDS.search(f"{_info(stream, 'type')} {_name(stream)}")
        if channel_idx is not None or by_type:
            at = channel_idx or 0
            return (
                stream,
                at,
                [f"channel {_labels(stream)[at]!r} of stream {_name(stream)!r} is taken as the ECG, by its name"],
            )
    if len(sampled) == 1 and len(_labels(sampled[0])) == 1:
        return sampled[0], 0, [f"stream {_name(sampled[0])!r} is taken as the ECG: there is no other"]
    raise InputError(
        f"{path}: no stream is named as an ECG; its streams are {names or 'none'}; choose with --map ecg=STREAM/CHANNEL"
    )


def _triggers(
    path: Path, streams: list[Stream], ecg_stream: Stream, first_s: float, options: ReadOptions
) -> tuple[FloatArray | None, str, list[str]]:
    """Triggers of the chosen stream, channel or mark text; else of marks or channels that are named as triggers."""
    wanted = options.choices["trigger"].column if "trigger" in options.choices else ""
    chosen = _chosen(path, streams, wanted) if wanted else None
    if chosen is not None:
        stream, channel = chosen
        if _is_marks(stream):
            times_s = np.unique(np.asarray(stream["time_stamps"], np.float64))
            return times_s - first_s, f"marker stream {_name(stream)!r}", []
        return _levels(stream, find_name(_labels(stream), channel, path) if channel else 0, first_s)
    for stream in streams:
        if _is_marks(stream):
            texts = [_text(value) for value in stream["time_series"]]
            if not wanted and TRIGGER_WORDS.search(_name(stream)):  # the stream's name says it for all its marks
                times_s = np.unique(np.asarray(stream["time_stamps"], np.float64))
                source = f"marker stream {_name(stream)!r}"
                return times_s - first_s, source, [f"{source} is taken as the triggers, by its name"]
            found_s, source, notes = marks_that_trigger(
                list(stream["time_stamps"]), texts, wanted, f"marker stream {_name(stream)!r}:"
            )
            if found_s is not None:
                return found_s - first_s, source, list(notes)
    if wanted:
        raise InputError(f"{path}: no stream and no mark is named {wanted!r}; choose another with --map trigger=NAME")
    labels = _labels(ecg_stream)
    at = pick(labels, TRIGGER_WORDS)
    return _levels(ecg_stream, at, first_s) if at is not None else (None, "", [])


def _text(value: Any) -> str:
    return str(value[0]) if isinstance(value, (list, tuple, np.ndarray)) and len(value) else str(value)


def _levels(stream: Stream, channel: int, first_s: float) -> tuple[FloatArray, str, list[str]]:
    where = f"channel {_labels(stream)[channel]!r} of stream {_name(stream)!r}"
    edges_idx, notes = rising_edges(np.asarray(stream["time_series"], np.float64)[:, channel], where)
    return np.asarray(stream["time_stamps"], np.float64)[edges_idx] - first_s, where, list(notes)

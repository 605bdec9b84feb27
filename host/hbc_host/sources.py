"""From paths to runs: which readers a path needs, and where the train onsets come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hbc_host.analysis import BEATS_MIN_N, Analysis, RunInput, analyze_runs, analyze_session
from hbc_host.counting import counted
from hbc_host.errors import InputError, TooFewBeatsError
from hbc_host.foreign import first_onset_s, has_triggers, recording_beats, recording_runs, runs_of_triggers
from hbc_host.io import sniff
from hbc_host.io.ecg_text import read_ecg_text
from hbc_host.io.events_csv import assign_roles, check_beat_unit, named_as_events, read_events_csv
from hbc_host.io.recording import Labels, ReadOptions, Recording
from hbc_host.io.registry import container, read_recording
from hbc_host.trains import Protocol

__all__ = ["analyze_paths", "event_runs", "ignored_options", "recording_beats", "recording_runs"]


def event_runs(beats_path: Path, triggers_path: Path, protocol: Protocol) -> list[RunInput]:
    """Runs of a beat CSV and a trigger CSV on one clock."""
    beats_s, edges_s = read_events_csv(beats_path), read_events_csv(triggers_path)
    check_beat_unit(beats_path, beats_s)
    if edges_s[0] > beats_s[-1]:
        raise InputError(
            f"{triggers_path}: the first trigger at {edges_s[0]:g} s comes after the last beat at {beats_s[-1]:g} s; "
            "give both in seconds of one clock"
        )
    if beats_s.size < BEATS_MIN_N:
        raise TooFewBeatsError(f"{beats_path}: {beats_s.size} beats, at least {BEATS_MIN_N} are needed; check the file")
    start_s, end_s = float(beats_s[0]), float(beats_s[-1])
    pair = Recording(beats_path.stem, "events", beats_s=beats_s, start_s=start_s, end_s=end_s, labels=Labels())
    return runs_of_triggers(pair, beats_s, edges_s, protocol)


def analyze_paths(
    paths: Sequence[Path],
    *,
    protocol: Protocol,
    rate_hz: float | None,
    first_train_s: float | None,
    start_uncertainty_s: float,
) -> Analysis:
    """See :func:`hbc_host.analysis.analyze_files`."""
    if not paths:
        raise InputError(
            "no file given; give a session directory, ECG text, a WFDB record, or a beat and a trigger CSV"
        )
    kinds = [sniff.sniff(path, rate_hz) for path in paths]
    if sniff.SESSION in kinds:
        if len(paths) > 1:
            raise InputError(f"{len(paths)} paths of which one is a session; analyse a session directory alone")
        from hbc_host.session import load_session

        analysis = analyze_session(load_session(paths[0]), protocol=protocol)
        return replace(analysis, notes=(*analysis.notes, *ignored_options(kinds, rate_hz, first_train_s)))
    kinds = _events_by_name(paths, kinds, rate_hz)
    notes = ignored_options(kinds, rate_hz, first_train_s)
    runs = _runs_of_events([path for path, kind in zip(paths, kinds, strict=True) if kind == sniff.EVENTS], protocol)
    for path, kind in zip(paths, kinds, strict=True):
        if kind != sniff.EVENTS:
            recording = _text_recording(path, rate_hz) if kind == sniff.ECG_TEXT else _recording(path, rate_hz)
            runs += recording_runs(
                recording, protocol, first_train_s=first_train_s, start_uncertainty_s=start_uncertainty_s or None
            )
            notes += _start_notes(recording, protocol, first_train_s, start_uncertainty_s, notes)
    title = ", ".join(run.site for run in runs)
    return analyze_runs(
        runs, protocol=protocol, title=title, source=", ".join(str(path) for path in paths), notes=notes
    )


def ignored_options(kinds: Sequence[str], rate_hz: float | None, first_train_s: float | None) -> list[str]:
    """Notes on options that were given but say nothing about inputs of these kinds."""
    notes = []
    if rate_hz is not None and not {sniff.ECG_TEXT, sniff.RECORDING} & set(kinds):
        why = "only ECG text needs it; the recording names its own rate or holds times"
        notes.append(f"--rate-hz {rate_hz:g} was ignored: {why}")
    if first_train_s is not None and not {sniff.ECG_TEXT, sniff.WFDB, sniff.RECORDING} & set(kinds):
        notes.append(f"--first-train-s {first_train_s:g} was ignored: recorded triggers tell when the trains start")
    return notes


def _events_by_name(paths: Sequence[Path], kinds: list[str], rate_hz: float | None) -> list[str]:
    """Kinds of the inputs, where unsorted times beside good ones are times, too: their reader says what is wrong."""
    lone = kinds.count(sniff.EVENTS) % 2 == 1
    if lone:  # beside times, intervals are times that went wrong, too
        kinds = [
            sniff.ECG_TEXT if kind == sniff.RECORDING and not container(path) else kind
            for path, kind in zip(paths, kinds, strict=True)
        ]
    return [
        sniff.EVENTS
        if kind == sniff.ECG_TEXT
        and ((lone and (named_as_events(path) or rate_hz is None)) or _is_bad_csv(path, rate_hz))
        else kind
        for path, kind in zip(paths, kinds, strict=True)
    ]


def _is_bad_csv(path: Path, rate_hz: float | None) -> bool:
    """True for a file of times by its name, when no sampling rate says that it is an ECG."""
    return rate_hz is None and path.suffix.lower() == ".csv" and named_as_events(path)


def _runs_of_events(paths: Sequence[Path], protocol: Protocol) -> list[RunInput]:
    for path in paths:
        read_events_csv(path)  # what is wrong inside a file comes before what is wrong with their number
    if len(paths) % 2:
        raise InputError(
            f"{paths[-1]}: {len(paths)} file(s) of event times; beats and triggers come in pairs, give both CSV files"
        )
    runs: list[RunInput] = []
    for first, second in zip(paths[::2], paths[1::2], strict=True):
        runs.extend(event_runs(*assign_roles(first, second), protocol))
    return runs


def _recording(path: Path, rate_hz: float | None) -> Recording:
    return read_recording(path, ReadOptions(rate_hz=rate_hz))


def _text_recording(path: Path, rate_hz: float | None) -> Recording:
    """ECG text as it always was read: one strict column, no guess but that of the unit."""
    ecg = read_ecg_text(path, rate_hz)
    return Recording(ecg.name, "ecg_text", ecg, gaps_s=ecg.gaps_s, end_s=ecg.duration_s)


def _start_notes(
    recording: Recording,
    protocol: Protocol,
    first_train_s: float | None,
    start_uncertainty_s: float,
    already: Sequence[str],
) -> list[str]:
    """What was guessed in reading, and where the train onsets come from; each sentence once."""
    notes = [f"{recording.name}: {note}" for note in recording.notes]
    if has_triggers(recording):
        triggers_n = 0 if recording.triggers_s is None else recording.triggers_s.size
        notes.append(f"{recording.name}: {counted(triggers_n, 'trigger', 'triggers')} from {recording.triggers_from}")
        if first_train_s is not None:
            why = "recorded triggers tell when the trains start"
            notes.append(f"--first-train-s {first_train_s:g} was ignored for {recording.name}: {why}")
    else:
        declared_s = recording.first_train_s if first_train_s is None else first_train_s
        uncertainty_s = start_uncertainty_s or recording.start_uncertainty_s
        notes.append(_nominal_note(protocol, first_onset_s(protocol, declared_s), uncertainty_s))
    return [note for note in notes if note not in already]


def _nominal_note(protocol: Protocol, onset_s: float, start_uncertainty_s: float) -> str:
    text = f"no trigger channel: train onsets are nominal, first at {onset_s:g} s, then every {protocol.cycle_s:g} s"
    if start_uncertainty_s > 0.0:
        return f"{text}, known to +-{start_uncertainty_s:g} s"
    return f"{text}; if the start was pressed by hand, add --start-uncertainty-s (for example {protocol.cycle_s / 2:g})"

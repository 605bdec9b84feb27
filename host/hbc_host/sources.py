"""From paths to runs: which readers a path needs, and where the train onsets come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hbc_host.analysis import BEATS_MIN_N, Analysis, RunInput, analyze_runs, analyze_session
from hbc_host.errors import InputError, NoTrainsError, TooFewBeatsError
from hbc_host.io import sniff
from hbc_host.io.ecg_text import EcgRecording, read_ecg_text
from hbc_host.io.events_csv import assign_roles, check_beat_unit, named_as_events, read_events_csv
from hbc_host.io.wfdb_record import read_wfdb
from hbc_host.runs import SETTLE_S
from hbc_host.trains import Protocol, find_runs, find_trains, nominal_onsets

FloatArray = npt.NDArray[np.float64]


def detect_beats(ecg: EcgRecording) -> FloatArray:
    """Beat times in seconds from the start of the recording, shape (n,)."""
    import hbc_native  # the compiled detector; beat files do without it

    return np.asarray(hbc_native.detect(ecg.ecg_mv, ecg.rate_hz), dtype=np.float64) / ecg.rate_hz


def first_onset_s(protocol: Protocol, first_train_s: float | None) -> float:
    """First train of a recording without triggers: as given, else the protocol's convention."""
    if first_train_s is not None:
        if not first_train_s >= 0.0:
            raise InputError(f"first train at {first_train_s:g} s lies before the recording; check --first-train-s")
        return first_train_s
    if protocol.rest_cycles_n is None:
        raise NoTrainsError(
            f"the recording has no trigger channel and protocol {protocol.name} no fixed start; add --first-train-s"
        )
    return protocol.rest_cycles_n * protocol.cycle_s


def ecg_run(ecg: EcgRecording, protocol: Protocol, first_train_s: float | None, start_uncertainty_s: float) -> RunInput:
    """Run of an ECG without triggers, at the protocol's nominal onsets."""
    onset_s = first_onset_s(protocol, first_train_s)
    onsets_s = nominal_onsets(protocol, onset_s, ecg.duration_s)
    if onsets_s.size == 0:
        raise NoTrainsError(
            f"{ecg.name}: the first train at {onset_s:g} s does not end before the recording does "
            f"({ecg.duration_s:.1f} s); check --first-train-s and --rate-hz"
        )
    beats_s = detect_beats(ecg)
    if beats_s.size < BEATS_MIN_N:
        raise TooFewBeatsError(
            f"{ecg.name}: {beats_s.size} beats in {ecg.duration_s:.0f} s, at least {BEATS_MIN_N} are needed; "
            "check --rate-hz and the signal"
        )
    return RunInput(
        ecg.name,
        beats_s,
        onsets_s,
        protocol.train_s,
        0.0,
        ecg.duration_s,
        gaps_s=ecg.gaps_s,
        start_uncertainty_s=start_uncertainty_s,
    )


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
    groups = find_runs(find_trains(edges_s))
    runs = []
    start_s = float(beats_s[0])
    for number, group in enumerate(groups):
        onsets_s = np.array([train.onset_s for train in group])
        end_s = float(onsets_s[-1]) + protocol.cycle_s
        site = beats_path.stem if len(groups) == 1 else f"site-{number + 1}"
        runs.append(RunInput(site, beats_s, onsets_s, protocol.train_s, min(start_s, float(onsets_s[0])), end_s))
        start_s = end_s + SETTLE_S
    return runs


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
    kinds = [sniff.sniff(path) for path in paths]
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
            ecg = read_wfdb(path) if kind == sniff.WFDB else read_ecg_text(path, rate_hz)
            runs.append(ecg_run(ecg, protocol, first_train_s, start_uncertainty_s))
    if any(kind != sniff.EVENTS for kind in kinds):
        notes.append(_nominal_note(protocol, first_onset_s(protocol, first_train_s), start_uncertainty_s))
    title = ", ".join(run.site for run in runs)
    return analyze_runs(
        runs, protocol=protocol, title=title, source=", ".join(str(path) for path in paths), notes=notes
    )


def ignored_options(kinds: Sequence[str], rate_hz: float | None, first_train_s: float | None) -> list[str]:
    """Notes on options that were given but say nothing about inputs of these kinds."""
    notes = []
    if rate_hz is not None and sniff.ECG_TEXT not in kinds:
        why = "only ECG text needs it; the recording names its own rate or holds times"
        notes.append(f"--rate-hz {rate_hz:g} was ignored: {why}")
    if first_train_s is not None and not {sniff.ECG_TEXT, sniff.WFDB} & set(kinds):
        notes.append(f"--first-train-s {first_train_s:g} was ignored: recorded triggers tell when the trains start")
    return notes


def _events_by_name(paths: Sequence[Path], kinds: list[str], rate_hz: float | None) -> list[str]:
    """Kinds of the inputs, where unsorted times beside good ones are times, too: their reader says what is wrong."""
    lone = kinds.count(sniff.EVENTS) % 2 == 1
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


def _nominal_note(protocol: Protocol, onset_s: float, start_uncertainty_s: float) -> str:
    text = f"no trigger channel: train onsets are nominal, first at {onset_s:g} s, then every {protocol.cycle_s:g} s"
    if start_uncertainty_s > 0.0:
        return f"{text}, known to +-{start_uncertainty_s:g} s"
    return f"{text}; if the start was pressed by hand, add --start-uncertainty-s (for example {protocol.cycle_s / 2:g})"

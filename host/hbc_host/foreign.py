"""Runs of a recording of any format: its beats given or found, its trains at triggers or at a declared start."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hbc_host.analysis import BEATS_MIN_N, RunInput
from hbc_host.errors import InputError, NoTrainsError, TooFewBeatsError
from hbc_host.io.recording import Recording
from hbc_host.runs import SETTLE_S, intensities_of
from hbc_host.trains import Protocol, find_runs, find_trains, median_train_s, nominal_onsets

FloatArray = npt.NDArray[np.float64]


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


def recording_beats(recording: Recording) -> FloatArray:
    """Beat times of a recording, seconds of its clock, shape (n,): those it gives, else found in its ECG.

    Around recorded triggers the detector is kept from looking, as it is in the box.
    """
    if recording.beats_s is not None:
        return recording.beats_s
    from hbc_host.detection import find_beats  # the compiled detector; beat files do without it
    from hbc_host.io.ecg_signal import recording_signal

    return find_beats(recording_signal(recording)).time_s


def recording_runs(
    recording: Recording,
    protocol: Protocol,
    *,
    first_train_s: float | None = None,
    start_uncertainty_s: float | None = None,
) -> list[RunInput]:
    """Runs of a recording of any format: at its triggers, else at the declared or the protocol's nominal onsets.

    Parameters
    ----------
    recording : Recording
    protocol : Protocol
    first_train_s, start_uncertainty_s : float, optional
        In place of what was declared when the recording was imported; seconds from its start.

    Raises
    ------
    NoTrainsError, TooFewBeatsError
    """
    beats_s = recording_beats(recording)
    if beats_s.size < BEATS_MIN_N:
        duration_s = recording.end_s - recording.start_s
        raise TooFewBeatsError(
            f"{recording.name}: {beats_s.size} beats in {duration_s:.0f} s, at least {BEATS_MIN_N} are needed; "
            "check --rate-hz and the signal"
        )
    if has_triggers(recording):
        assert recording.triggers_s is not None
        return runs_of_triggers(recording, beats_s, recording.triggers_s, protocol)
    declared_s = recording.first_train_s if first_train_s is None else first_train_s
    uncertainty_s = recording.start_uncertainty_s if start_uncertainty_s is None else start_uncertainty_s
    onset_s = first_onset_s(protocol, declared_s)
    duration_s = recording.end_s - recording.start_s
    onsets_s = recording.start_s + nominal_onsets(protocol, onset_s, duration_s)
    if onsets_s.size == 0:
        raise NoTrainsError(
            f"{recording.name}: the first train at {onset_s:g} s does not end before the recording does "
            f"({duration_s:.1f} s); check --first-train-s and --rate-hz"
        )
    site = recording.labels.sites[0] if recording.labels.sites else recording.name
    return [
        RunInput(
            site,
            beats_s,
            onsets_s,
            protocol.train_s,
            recording.start_s,
            recording.end_s,
            gaps_s=recording.gaps_s,
            start_uncertainty_s=uncertainty_s,
            intensities_pct=intensities_of(recording.labels.intensities_pct, onsets_s.size),
        )
    ]


def has_triggers(recording: Recording) -> bool:
    """True when the trains of a recording are known from triggers."""
    return recording.triggers_s is not None and recording.triggers_s.size > 0


def runs_of_triggers(
    recording: Recording, beats_s: FloatArray, edges_s: FloatArray, protocol: Protocol
) -> list[RunInput]:
    """Runs at trigger edges: trains become runs as in a session, and a single run takes the name of the recording."""
    groups = find_runs(find_trains(edges_s))
    sites, runs = recording.labels.sites, []
    start_s = recording.start_s
    for number, group in enumerate(groups):
        onsets_s = np.array([train.onset_s for train in group])
        end_s = float(onsets_s[-1]) + protocol.cycle_s
        unnamed = recording.name if len(groups) == 1 else f"site-{number + 1}"
        runs.append(
            RunInput(
                sites[number] if number < len(sites) else unnamed,
                beats_s,
                onsets_s,
                protocol.train_s,
                min(start_s, float(onsets_s[0])),
                end_s,
                gaps_s=recording.gaps_s,
                intensities_pct=intensities_of(recording.labels.intensities_pct, len(group)),
                measured_train_s=median_train_s(group),
            )
        )
        start_s = end_s + SETTLE_S
    return runs

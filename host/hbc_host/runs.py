"""Runs: one recording at one site each, and how a recorded session is divided into them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hbc_host.counting import counted
from hbc_host.errors import InputError, NoTrainsError
from hbc_host.guided import GuidedSite, guided_run, guided_sites
from hbc_host.trains import Protocol, Train, find_runs, find_trains, median_train_s, parse_protocol

if TYPE_CHECKING:
    from hbc_host.session import Session

FloatArray = npt.NDArray[np.float64]

#: After a run the heart is given this long to settle before its rhythm counts as rest.
SETTLE_S = 10.0
#: Recorded trains may differ from the protocol by this share before the protocol is doubted.
TIMING_TOLERANCE = 0.2


@dataclass(frozen=True)
class RunInput:
    """One recording at one site; all times in seconds of one clock. ``rest_s`` None = all beats from ``start_s``.

    ``measured_train_s`` is how long the recorded trains last, nan when only their onsets are known.
    """

    site: str
    beats_s: FloatArray
    onsets_s: FloatArray
    train_s: float
    start_s: float
    end_s: float
    rest_s: tuple[float, float] | None = None
    gaps_s: tuple[tuple[float, float], ...] = ()
    start_uncertainty_s: float = 0.0
    intensities_pct: FloatArray | None = None
    measured_train_s: float = math.nan


def intensities_of(intensities_pct: Sequence[float] | None, trains_n: int) -> FloatArray | None:
    """Intensity of each train: as given, or each repeated when a step has several trains; None when neither fits."""
    if intensities_pct is None or len(intensities_pct) == 0 or trains_n % len(intensities_pct):
        return None
    return np.repeat(np.asarray(intensities_pct, dtype=np.float64), trains_n // len(intensities_pct))


def session_runs(session: Session, protocol: Protocol) -> tuple[list[RunInput], list[str]]:
    """Runs of a recorded session, in order of time, and notes on what did not match the plan.

    The notes of a guided session say which site when; else a long pause divides the runs.
    """
    guided = guided_sites(session.host_notes)
    if guided:
        return _guided_runs(session, protocol, guided)
    trains = find_trains(session.edges_s)
    if not trains:
        raise NoTrainsError(
            f"{session.path}: 0 trigger edges recorded; check the trigger cable and its polarity, then record again"
        )
    groups = find_runs(trains)
    planned = session.meta.sites
    notes: list[str] = []
    if planned and len(planned) != len(groups):
        notes.append(
            f"{counted(len(groups), 'run', 'runs')} recorded, planned sites: {len(planned)}; "
            f"names are given in order of time"
        )
    runs: list[RunInput] = []
    previous_end_s = session.start_s - SETTLE_S
    for number, group in enumerate(groups):
        site = planned[number] if number < len(planned) else f"site-{number + 1}"
        intensities = intensities_of(session.meta.intensities_pct, len(group))
        if session.meta.intensities_pct and intensities is None:
            notes.append(
                f"{site}: {counted(len(group), 'train', 'trains')} recorded, "
                f"planned intensities: {len(session.meta.intensities_pct)}; "
                "analysed without intensities"
            )
        runs.append(_run_of(session, protocol, group, site, intensities, previous_end_s + SETTLE_S))
        previous_end_s = group[-1].onset_s + protocol.cycle_s
    return runs, notes


def _guided_runs(session: Session, protocol: Protocol, sites: list[GuidedSite]) -> tuple[list[RunInput], list[str]]:
    runs: list[RunInput] = []
    notes: list[str] = []
    for site in sites:
        found = guided_run(site, session.edges_s)
        notes += found.notes
        if found.trains:
            intensities = found.intensities_pct if session.meta.intensities_pct else None
            runs.append(_run_of(session, protocol, found.trains, site.site, intensities, site.begins_s))
    if not runs:
        raise NoTrainsError(
            f"{session.path}: no pulse train recorded at {', '.join(site.site for site in sites)}; check the trigger "
            f"cable and its polarity"
        )
    return runs, notes


def _run_of(
    session: Session,
    protocol: Protocol,
    group: Sequence[Train],
    site: str,
    intensities: FloatArray | None,
    rest_start_s: float,
) -> RunInput:
    onsets_s = np.array([train.onset_s for train in group])
    return RunInput(
        site,
        session.beats_s,
        onsets_s,
        protocol.train_s,
        min(rest_start_s, float(onsets_s[0])),
        min(session.end_s, float(onsets_s[-1]) + protocol.cycle_s),
        gaps_s=session.gaps_s,
        intensities_pct=intensities,
        measured_train_s=median_train_s(group),
    )


def protocol_notes(runs: Sequence[RunInput], protocol: Protocol) -> list[str]:
    """A note when the recorded trains are not those of `protocol` by more than :data:`TIMING_TOLERANCE`."""
    train_s = _median([run.measured_train_s for run in runs])
    cycle_s = _median([cycle for run in runs for cycle in np.diff(run.onsets_s)])
    found = ((train_s, protocol.train_s), (cycle_s, protocol.cycle_s))
    if not any(abs(measured_s - said_s) > TIMING_TOLERANCE * said_s for measured_s, said_s in found):
        return []
    last = f"last {train_s:.1f} s" if np.isfinite(train_s) else ""
    every = f"come every {cycle_s:.1f} s" if np.isfinite(cycle_s) else ""
    measured = " and ".join(part for part in (last, every) if part)
    said = f"{protocol.train_s:g} s every {protocol.cycle_s:g} s"
    return [f"trains {measured}, protocol {protocol.name} says {said}: wrong --protocol?"]


def label_notes(label: str, protocol: Protocol) -> list[str]:
    """A note when a recording was labelled with a protocol of other timing; without a label there is none."""
    try:
        planned = parse_protocol(label)
    except InputError:
        return []
    if (planned.train_s, planned.pause_s) == (protocol.train_s, protocol.pause_s):
        return []
    return [f"recorded as protocol {label}, analysed as {protocol.name}: wrong --protocol?"]


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else math.nan

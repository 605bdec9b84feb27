"""Runs: one recording at one site each, and how a recorded session is divided into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hbc_host.errors import NoTrainsError
from hbc_host.trains import Protocol, Train, find_runs, find_trains

if TYPE_CHECKING:
    from hbc_host.session import Session

FloatArray = npt.NDArray[np.float64]

#: After a run the heart is given this long to settle before its rhythm counts as rest.
SETTLE_S = 10.0


@dataclass(frozen=True)
class RunInput:
    """One recording at one site; all times in seconds of one clock. ``rest_s`` None = all beats from ``start_s``."""

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


def _intensities_of(intensities_pct: Sequence[float] | None, trains_n: int) -> FloatArray | None:
    """Intensity of each train: as given, or each repeated when a step has several trains; None when neither fits."""
    if intensities_pct is None or len(intensities_pct) == 0 or trains_n % len(intensities_pct):
        return None
    return np.repeat(np.asarray(intensities_pct, dtype=np.float64), trains_n // len(intensities_pct))


def session_runs(session: Session, protocol: Protocol) -> tuple[list[RunInput], list[str]]:
    """Runs of a recorded session, in order of time, and notes on what did not match the plan."""
    trains = find_trains(session.edges_s)
    if not trains:
        raise NoTrainsError(
            f"{session.path}: 0 trigger edges recorded; check the trigger cable and its polarity, then record again"
        )
    groups = find_runs(trains)
    planned = session.meta.sites
    notes: list[str] = []
    if planned and len(planned) != len(groups):
        notes.append(f"{len(groups)} runs recorded, {len(planned)} sites planned; names are given in order of time")
    runs: list[RunInput] = []
    previous_end_s = session.start_s - SETTLE_S
    for number, group in enumerate(groups):
        site = planned[number] if number < len(planned) else f"site-{number + 1}"
        intensities = _intensities_of(session.meta.intensities_pct, len(group))
        if session.meta.intensities_pct and intensities is None:
            notes.append(
                f"{site}: {len(group)} trains recorded, {len(session.meta.intensities_pct)} intensities planned; "
                "analysed without intensities"
            )
        runs.append(_run_of(session, protocol, group, site, intensities, previous_end_s + SETTLE_S))
        previous_end_s = group[-1].onset_s + protocol.cycle_s
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
    )

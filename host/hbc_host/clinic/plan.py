"""The plan of one session: which site when, which train how strong, and whether it stays within the clinic's caps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from hbc_host.clinic.protocol_file import ProtocolFile
from hbc_host.errors import InputError


@dataclass(frozen=True)
class PlannedTrain:
    """One train: seconds from the start of the session, whole percent of stimulator output, pulses.

    A catch train is left out: ``pulses_n`` is 0, and its cycle passes without stimulation.
    """

    onset_s: float
    intensity_mso_pct: float
    pulses_n: int


@dataclass(frozen=True)
class PlannedRun:
    """One site: rest begins at ``rest_s``, trains follow, ``end_s`` is the end of the last cycle."""

    site: str
    is_control: bool
    rest_s: float
    end_s: float
    trains: tuple[PlannedTrain, ...]

    @property
    def pulses_n(self) -> int:
        """Pulses at this site."""
        return sum(train.pulses_n for train in self.trains)


@dataclass(frozen=True)
class SessionPlan:
    """Runs in the order of stimulation; the same protocol, patient and visit give the same plan."""

    runs: tuple[PlannedRun, ...]

    @property
    def pulses_n(self) -> int:
        """Pulses of the whole session."""
        return sum(run.pulses_n for run in self.runs)

    @property
    def duration_s(self) -> float:
        """Rest and stimulation, without moving the coil, seconds."""
        return self.runs[-1].end_s


def plan_session(
    protocol: ProtocolFile,
    *,
    patient: str,
    visit_n: int = 1,
    number: int = 1,
    mt_mso_pct: float | None = None,
    site_names: Sequence[str] | None = None,
) -> SessionPlan:
    """Plan a session.

    Parameters
    ----------
    protocol : ProtocolFile
    patient : str
        Pseudonym; with ``visit_n`` it decides what is left to chance, the same way every time.
    visit_n : int
        Which visit of this patient, from 1.
    number : int
        Running number of the patient, from 1: a counterbalanced order goes by it.
    mt_mso_pct : float, optional
        Motor threshold in percent of stimulator output; needed for intensities in %MT.
    site_names : sequence of str, optional
        Those of the protocol's sites that are wanted; else all. The order stays the plan's.

    Raises
    ------
    InputError
        The motor threshold is missing or impossible, an intensity is more than the stimulator has, or a site is not
        one of the protocol's.
    """
    if visit_n < 1 or number < 1:
        raise InputError(f"visit {visit_n} of patient number {number}: both count from 1")
    rng = np.random.default_rng(_seed(protocol, patient, visit_n))
    names = _wanted(protocol, _order(protocol, rng, number), site_names)
    steps = _steps_mso_pct(protocol, mt_mso_pct)
    runs: list[PlannedRun] = []
    now_s = 0.0
    for name in names:
        rest_s = protocol.rest.between_s if runs else protocol.rest.first_s
        run = _run(protocol, name, now_s, rest_s, steps, rng)
        runs.append(run)
        now_s = run.end_s
    return SessionPlan(tuple(runs))


def _seed(protocol: ProtocolFile, patient: str, visit_n: int) -> int:
    text = f"{protocol.content_sha256()}|{patient}|{visit_n}"
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def _order(protocol: ProtocolFile, rng: np.random.Generator, number: int) -> list[str]:
    names = list(protocol.sites.names)
    if protocol.sites.order == "random":
        return [names[k] for k in rng.permutation(len(names))]
    if protocol.sites.order == "counterbalanced":
        rows = williams_rows(len(names))
        return [names[k] for k in rows[(number - 1) % len(rows)]]
    return names


def _wanted(protocol: ProtocolFile, names: list[str], wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        return names
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        known = ", ".join(protocol.sites.names)
        raise InputError(f"{', '.join(unknown) or 'no site'}: the protocol has the sites {known}; choose of them")
    return [name for name in names if name in wanted]


def williams_rows(n: int) -> list[list[int]]:
    """Orders of n sites in which each follows each equally often (Williams 1949, doi 10.1071/CH9490149).

    >>> williams_rows(4)
    [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]
    """
    first = [0]
    low, high = 1, n - 1
    while low <= high:
        first.append(low)
        if low < high:
            first.append(high)
        low, high = low + 1, high - 1
    rows = [[(k + shift) % n for k in first] for shift in range(n)]
    return rows if n % 2 == 0 else rows + [row[::-1] for row in rows]


def _steps_mso_pct(protocol: ProtocolFile, mt_mso_pct: float | None) -> list[float]:
    trains_n = protocol.trains.run_trains_n
    steps = list(protocol.intensity.steps)
    steps = steps * trains_n if len(steps) == 1 else steps
    if protocol.intensity.unit == "%MSO":
        return [float(step) for step in steps]
    if mt_mso_pct is None:
        raise InputError("intensities are in %MT: give the motor threshold in %MSO, such as --mt 52")
    if not 0.0 < mt_mso_pct <= 100.0:
        raise InputError(f"a motor threshold of {mt_mso_pct:g} %MSO is not above 0 and up to 100")
    # Stimulators are set in whole percent; never more than was asked for.
    found = [float(math.floor(step * mt_mso_pct / 100.0 + 1e-9)) for step in steps]
    if min(found) < 1.0:
        raise InputError(f"{min(steps):g} %MT of {mt_mso_pct:g} %MSO is below 1 %MSO; check the motor threshold")
    if max(found) > 100.0:
        raise InputError(
            f"{max(steps):g} %MT of {mt_mso_pct:g} %MSO is {max(found):.0f} %MSO, more than the stimulator has"
        )
    return found


def _run(
    protocol: ProtocolFile, site: str, start_s: float, rest_s: float, steps: Sequence[float], rng: np.random.Generator
) -> PlannedRun:
    timing, trains_n = protocol.trains.timing, protocol.trains.run_trains_n
    # Never the first two trains: a run must begin as the patient expects it, and the first response is the largest.
    catch = set(
        rng.choice(np.arange(min(2, trains_n), trains_n), protocol.trains.catch_trains_n, replace=False).tolist()
    )
    trains: list[PlannedTrain] = []
    onset_s = start_s + rest_s
    for k in range(trains_n):
        pulses_n = 0 if k in catch else protocol.trains.train_pulses_n
        trains.append(PlannedTrain(onset_s, steps[k], pulses_n))
        onset_s += timing.cycle_s + float(rng.uniform(0.0, protocol.trains.pause_jitter_s))
    return PlannedRun(site, site == protocol.sites.control, start_s, onset_s, tuple(trains))


def breaches(
    protocol: ProtocolFile, plan: SessionPlan, *, mt_mso_pct: float | None = None, pulses_today_n: int = 0
) -> tuple[str, ...]:
    """Each of the clinic's caps that the plan would pass: what, planned against allowed. Empty when within all.

    ``pulses_today_n`` are pulses that the patient has had today before this session.
    """
    caps = protocol.caps
    top_pct = max(train.intensity_mso_pct for run in plan.runs for train in run.trains)
    top_mt_pct = None if mt_mso_pct is None else 100.0 * top_pct / mt_mso_pct
    today_n = plan.pulses_n + pulses_today_n
    rows = (
        ("intensity", top_pct, caps.intensity_mso_pct, "%MSO"),
        ("intensity", top_mt_pct, caps.intensity_mt_pct, "%MT"),
        ("train", protocol.trains.timing.train_s, caps.train_s, "s"),
        ("pulses in this session", plan.pulses_n, caps.pulses_a_session, ""),
        ("pulses today", today_n, caps.pulses_a_day, ""),
    )
    found = []
    for what, planned, allowed, unit in rows:
        if allowed is not None and planned is None:
            found.append(f"{what}: cannot be checked against {allowed:g} {unit} without the motor threshold")
        elif allowed is not None and planned is not None and planned > allowed * (1.0 + 1e-9):
            found.append(
                f"{what}: {planned:g} {unit}".rstrip() + f" planned, the clinic allows {allowed:g} {unit}".rstrip()
            )
    return tuple(found)

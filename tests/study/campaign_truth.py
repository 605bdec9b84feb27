"""The oracle of the fault campaign: what a recording holds, and says is missing, against the simulated truth."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from hbc_hil.rig import Rig
from hbc_host.session_model import Session

MATCH_BEAT_S = 0.1
EDGE_SLACK_S = 20e-6


@dataclass
class Outcome:
    """One recording under one fault, against the truth. ``problem`` is empty when it is as it must be."""

    fault: str
    seed: int
    loaded: bool = True
    wrong_n: int = 0
    silent_n: int = 0
    frames_lost_n: int = 0
    beats_lost_n: int = 0
    edges_lost_n: int = 0
    samples_lost_n: int = 0
    problem: str = ""


def judge(out: Outcome, box: Rig, session: Session, reference_s: npt.NDArray[np.float64]) -> Outcome:
    """Every true edge is recorded or inside a gap; every beat's number, too; nothing else is there."""
    start_s = first_world_s(box, session)
    silent_n, wrong_n = edges_against_truth(box, session, start_s)
    silent_n += numbers_without_gap(session.beat_n, session.beats_s, session)
    silent_n += numbers_without_gap(session.edge_n, session.edges_s, session)
    silent_n += numbers_without_gap(session.ecg_idx, session.ecg_s, session)
    # A box that restarted learns anew, and times samples a little differently: only beats far from all are wrong.
    if len(session.beats_s) and len(reference_s):
        distance_s = np.abs((session.beats_s - start_s)[:, None] - reference_s[None, :]).min(axis=1)
        wrong_n += int(np.count_nonzero(distance_s > MATCH_BEAT_S)) if session.boots_n == 1 else 0
    return replace(
        out,
        silent_n=silent_n,
        wrong_n=wrong_n,
        frames_lost_n=session.frames_lost_n,
        beats_lost_n=session.beats_lost_n,
        edges_lost_n=session.edges_lost_n,
        samples_lost_n=session.samples_lost_n,
        problem=f"{silent_n} silent, {wrong_n} wrong" if silent_n or wrong_n else "",
    )


def first_world_s(box: Rig, session: Session) -> float:
    """Device time at world time 0 in the boot that was loaded: from the first edge when the box was restarted."""
    boot = session.hello.boot_n - 1
    if boot == 0:
        return box.boot_s
    return box.boot_s - box.boots[boot][0]


def edges_against_truth(box: Rig, session: Session, start_s: float) -> tuple[int, int]:
    """(true edges that are neither recorded nor in a gap, recorded edges that never were)."""
    true_s = box.world.truth.edges_ns * 1e-9 + start_s
    inside = true_s[(true_s > session.start_s) & (true_s < session.end_s - 0.5)]
    slack_s = session.hello.bracket_half_ns * 1e-9 + EDGE_SLACK_S
    found = session.edges_s
    recorded = np.zeros(len(inside), bool)
    if len(found):
        recorded = np.abs(inside[:, None] - found[None, :]).min(axis=1) < slack_s
    silent_n = sum(not in_gap(session, at_s) for at_s in inside[~recorded])
    wrong_n = 0
    if len(found):
        nearest = np.abs(found[:, None] - true_s[None, :]).min(axis=1) if len(true_s) else np.full(len(found), math.inf)
        wrong_n = int(np.count_nonzero(nearest >= slack_s))
    return silent_n, wrong_n


def in_gap(session: Session, at_s: float) -> bool:
    return any(start_s - 1e-3 <= at_s <= end_s + 1e-3 for start_s, end_s in session.gaps_s)


def numbers_without_gap(numbers: npt.NDArray[np.int64], times_s: npt.NDArray[np.float64], session: Session) -> int:
    """Holes in running numbers that no gap covers or touches."""
    silent_n = 0
    for k in np.flatnonzero(np.diff(numbers) > 1):
        first_s, last_s = times_s[k] - 1e-3, times_s[k + 1] + 1e-3
        silent_n += not any(start_s <= last_s and end_s >= first_s for start_s, end_s in session.gaps_s)
    return silent_n

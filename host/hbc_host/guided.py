"""Runs of a guided session: what its notes say about sites and planned trains, and which recorded trains are which.

The same rules serve the session while it goes on (hbc_host/live) and every later analysis of its recording.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host.counting import counted
from hbc_host.session_model import HostNote
from hbc_host.trains import Train, find_trains

SITE_BEGINS, SITE_ENDS, INTENSITY = "site_begins", "site_ends", "intensity"
SITES_MAX_N = 100  # in the notes of one recording
TRAINS_MAX_N = 2000


@dataclass
class GuidedSite:
    """One site as the notes tell of it.

    Attributes
    ----------
    site : str
    begins_s, ends_s : float
        Device time; rest begins, and the last cycle is over (infinite when that was not noted).
    until_s : float
        When the next site begins; infinite for the last one. Trains up to here were given at this site.
    pulses_n : tuple of int
        Planned pulses of each train; 0 for a catch train, which is left out.
    intensities_pct : tuple of float
        Planned stimulator output of each train.
    noted_pct : dict of int to float
        What the stimulator really stood at, by the number of the counted train from 0.
    """

    site: str
    begins_s: float
    pulses_n: tuple[int, ...]
    intensities_pct: tuple[float, ...]
    ends_s: float = math.inf
    until_s: float = math.inf
    noted_pct: dict[int, float] = field(default_factory=dict)

    @property
    def given(self) -> list[int]:
        """Planned trains that are given, catch trains left out: their indices."""
        return [k for k, pulses_n in enumerate(self.pulses_n) if pulses_n > 0]

    def intensity_pct(self, train: int) -> float:
        """Of the counted train of this number from 0: as noted, else as planned; nan beyond the plan."""
        given = self.given
        planned = self.intensities_pct[given[train]] if train < len(given) else math.nan
        return self.noted_pct.get(train, planned)


def counted_trains(edges_s: npt.ArrayLike, pulses_n: int) -> tuple[list[Train], list[Train]]:
    """Trains by the rule of :func:`hbc_host.trains.find_trains`, and groups of too few pulses to be one.

    Parameters
    ----------
    edges_s : array (n,), seconds
    pulses_n : int
        Planned in a train. A group of fewer than half of them, such as a test pulse, is not counted as a train.
    """
    found = find_trains(edges_s)
    enough = [train for train in found if 2 * train.pulses_n >= pulses_n]
    return enough, [train for train in found if 2 * train.pulses_n < pulses_n]


def guided_sites(notes: Sequence[HostNote]) -> list[GuidedSite]:
    """Sites in order of time, from the notes of a recording; empty when it was not guided.

    Notes are JSON from a file: what cannot be used is passed over.
    """
    sites: list[GuidedSite] = []
    for note in notes:
        if note.event == SITE_BEGINS and len(sites) < SITES_MAX_N:
            site = _site_of(note.fields)
            if site is not None and (not sites or site.begins_s > sites[-1].begins_s):
                if sites:
                    sites[-1].ends_s = min(sites[-1].ends_s, site.begins_s)
                    sites[-1].until_s = site.begins_s
                sites.append(site)
        elif note.event == SITE_ENDS and sites and note.fields.get("site") == sites[-1].site:
            ends_us = note.fields.get("ends_us")
            if isinstance(ends_us, int) and ends_us * 1e-6 > sites[-1].begins_s:
                sites[-1].ends_s = ends_us * 1e-6
        elif note.event == INTENSITY and sites:
            _note_intensity(sites, note.fields)
    return sites


def delivered_edges(site: GuidedSite, edges_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Trigger edges at a site, seconds: also those that came when its last planned cycle was over."""
    return edges_s[(edges_s >= site.begins_s) & (edges_s < site.until_s)]


def _site_of(fields: dict[str, Any]) -> GuidedSite | None:
    site, begins_us, trains = fields.get("site"), fields.get("begins_us"), fields.get("trains")
    if not isinstance(site, str) or not isinstance(begins_us, int) or not isinstance(trains, list):
        return None
    try:
        planned = [(float(pct), int(pulses_n)) for pct, pulses_n in trains[:TRAINS_MAX_N]]
    except (TypeError, ValueError):
        return None
    if not planned or not all(math.isfinite(pct) and 0 <= n < 100_000 for pct, n in planned):
        return None
    return GuidedSite(site, begins_us * 1e-6, tuple(n for _, n in planned), tuple(pct for pct, _ in planned))


def _note_intensity(sites: list[GuidedSite], fields: dict[str, Any]) -> None:
    train, pct = fields.get("train"), fields.get("mso_pct")
    site = next((site for site in reversed(sites) if site.site == fields.get("site")), None)
    if site is not None and isinstance(train, int) and isinstance(pct, int | float) and 0 < pct <= 100:
        site.noted_pct[train] = float(pct)


@dataclass(frozen=True)
class GuidedRun:
    """The counted trains of one site, as many as were planned at most, and what a reader should know."""

    site: GuidedSite
    trains: tuple[Train, ...]
    intensities_pct: npt.NDArray[np.float64]
    notes: tuple[str, ...]


def guided_run(site: GuidedSite, edges_s: npt.NDArray[np.float64]) -> GuidedRun:
    """What was recorded at a site, against its plan.

    Parameters
    ----------
    site : GuidedSite
    edges_s : array (n,), seconds of device time
        Trigger edges of the whole recording.
    """
    inside = edges_s[(edges_s >= site.begins_s) & (edges_s < site.ends_s)]
    trains, strays = counted_trains(inside, max(site.pulses_n))
    planned_n = len(site.given)
    all_n = len(counted_trains(delivered_edges(site, edges_s), max(site.pulses_n))[0])
    notes = []
    if all_n != planned_n:
        notes.append(f"{site.site}: {counted(all_n, 'train', 'trains')} recorded, {planned_n} planned")
    if strays:
        strays_n = sum(stray.pulses_n for stray in strays)
        notes.append(
            f"{site.site}: {counted(len(strays), 'group', 'groups')} of pulses too small for a train left out "
            f"(pulses in all: {strays_n})"
        )
    wrong_n = sum(train.pulses_n != site.pulses_n[k] for train, k in zip(trains, site.given, strict=False))
    if wrong_n:
        notes.append(f"{site.site}: {counted(wrong_n, 'train', 'trains')} had another number of pulses than planned")
    if site.noted_pct:
        noted_n = len(site.noted_pct)
        notes.append(
            f"{site.site}: the operator noted another intensity at {counted(noted_n, 'train', 'trains')}; it is used"
        )
    used = tuple(trains[:planned_n])
    intensities = np.array([site.intensity_pct(k) for k in range(len(used))], np.float64)
    return GuidedRun(site, used, intensities, tuple(notes))

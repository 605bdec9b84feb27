"""What was really there: beats, pulses and responses of a simulated session, and how they come about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.draws import draws
from hbc_hil.evoked import Response, largest_falls_bpm, responses_of_run
from hbc_hil.scenario import LeadOff, PlannedRun, Scenario
from hbc_hil.stimulator import train_edges_ns

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainTruth:
    """One train that was fired: first trigger edge, nominal end, and the largest noiseless fall of heart rate."""

    site: str
    step_n: int
    intensity_pct: float
    onset_s: float
    end_s: float
    pulses_n: int
    fall_bpm: float


@dataclass(frozen=True)
class SiteTruth:
    """One run; `truth_bpm` is the mean of `fall_bpm` over its trains, 0 without trains."""

    name: str
    truth_bpm: float
    rest_start_s: float
    start_s: float
    end_s: float


@dataclass(frozen=True)
class WorldTruth:
    """What an ideal instrument would report.

    Attributes
    ----------
    beats_s : array of float (n,)
        R peaks at the electrodes, world seconds. For a recording: its annotated beats.
    beats_known : bool
        False for a recording without annotations; `beats_s` is then empty.
    edges_ns : array of int64 (m,)
        Rising trigger edges.
    trains : tuple of TrainTruth
    sites : tuple of SiteTruth
    lead_off : tuple of LeadOff
    obscured_s : tuple of (start_s, end_s)
        Spans of a recording in which its annotator could not see the beats; nobody should be scored there.
    duration_s : float
    afe_delay_s : float
        How much later the front end's output shows the R peak of a clean beat, see `hbc_hil.afe.r_peak_delay_s`.
    """

    beats_s: FloatArray
    beats_known: bool
    edges_ns: IntArray
    trains: tuple[TrainTruth, ...]
    sites: tuple[SiteTruth, ...]
    lead_off: tuple[LeadOff, ...]
    obscured_s: tuple[tuple[float, float], ...]
    duration_s: float
    afe_delay_s: float


@dataclass(frozen=True)
class Stimulation:
    """All pulses of a session; arrays have one entry per pulse, `trains` and `responses` follow the timetable."""

    edges_ns: IntArray
    intensity_pct: FloatArray
    polarity: FloatArray
    trains: tuple[TrainTruth, ...]
    sites: tuple[SiteTruth, ...]
    responses: tuple[Response, ...]


def stimulate(scenario: Scenario, runs: Sequence[PlannedRun], *, responsive: bool) -> Stimulation:
    """Fire the timetable.

    Parameters
    ----------
    scenario : Scenario
    runs : sequence of PlannedRun
        Its timetable.
    responsive : bool
        False when a recording is played, in which nothing can respond.

    Returns
    -------
    Stimulation
    """
    edges: list[IntArray] = []
    polarity: list[FloatArray] = []
    trains: list[TrainTruth] = []
    sites: list[SiteTruth] = []
    responses: list[Response] = []
    for run_n, run in enumerate(runs):
        run_edges = [
            train_edges_ns(
                scenario.pattern, scenario.stimulator, train.onset_s, seed=scenario.seed, train_n=len(trains) + n
            )
            for n, train in enumerate(run.trains)
        ]
        run_responses, falls_bpm = _respond(scenario, run, run_edges, responsive)
        sign = 1.0 if draws(scenario.seed, "artefact polarity", run_n).random() < 0.5 else -1.0
        edges += run_edges
        polarity += [np.full(times.size, sign) for times in run_edges]
        trains += _train_truths(scenario, run, run_edges, falls_bpm)
        truth_bpm = float(falls_bpm.mean()) if falls_bpm.size else 0.0
        sites.append(SiteTruth(run.site.name, truth_bpm, run.rest_start_s, run.start_s, run.end_s))
        responses += run_responses
    pulses_pct = [np.full(train.pulses_n, train.intensity_pct) for train in trains]
    return Stimulation(
        edges_ns=np.concatenate(edges) if edges else np.empty(0, dtype=np.int64),
        intensity_pct=np.concatenate(pulses_pct) if edges else np.empty(0),
        polarity=np.concatenate(polarity) if edges else np.empty(0),
        trains=tuple(trains),
        sites=tuple(sites),
        responses=tuple(responses),
    )


def _respond(
    scenario: Scenario, run: PlannedRun, run_edges: Sequence[IntArray], responsive: bool
) -> tuple[tuple[Response, ...], FloatArray]:
    """Return the responses of one run and the largest fall of each of its trains."""
    if not responsive:
        return (), np.zeros(len(run.trains))
    onsets_s = [float(times[0]) * 1e-9 for times in run_edges]
    intensities_pct = [train.intensity_pct for train in run.trains]
    responses = responses_of_run(run.site, onsets_s, intensities_pct, scenario.pattern.train_s)
    return responses, largest_falls_bpm(responses, run.end_s)


def _train_truths(
    scenario: Scenario, run: PlannedRun, run_edges: Sequence[IntArray], falls_bpm: FloatArray
) -> list[TrainTruth]:
    """Return the truth about each train of one run."""
    return [
        TrainTruth(
            site=train.site,
            step_n=train.step_n,
            intensity_pct=train.intensity_pct,
            onset_s=float(times[0]) * 1e-9,
            end_s=float(times[0]) * 1e-9 + scenario.pattern.train_s,
            pulses_n=int(times.size),
            fall_bpm=float(fall_bpm),
        )
        for train, times, fall_bpm in zip(run.trains, run_edges, falls_bpm, strict=True)
    ]

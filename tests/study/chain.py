"""The full chain: what the box and the host make of a simulated heart.

Its beats become an ECG, with the artefacts of the pulses; front end, firmware on MicroPython on the simulated chip,
wire and reader do the rest. What the estimate gets are beats and train onsets as ``hbc analyze`` has them.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from backgrounds import FloatArray
from hbc_hil.ecg import PatientEcg
from hbc_hil.evoked import Response
from hbc_hil.patient import Heart, PatientSettings, breathing_phase, grid_points_n
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import PlannedRun, Scenario, SiteScenario
from hbc_hil.score import match_beats
from hbc_hil.stimulator import PATTERNS
from hbc_hil.world import World
from hbc_host import __version__
from hbc_host.record import record
from hbc_host.runs import RunInput, session_runs
from hbc_host.session import load_session
from hbc_host.session_model import Session, SessionMeta
from hbc_host.transport import SerialTransport
from recordings import Run, make_run

SITE = "BF3-L"
INTENSITY_PCT = 50.0  # where the run has none of its own; artefacts have their nominal height then
MATCH_S = 0.1
TAIL_S = 3.0  # the world goes on after the run: the detector reports a beat up to 0.3 s late
HELLO_S = 600.0  # virtual: the box runs far ahead of the reader
OPEN_WALL_S = 60.0


@dataclass(frozen=True)
class ChainRun:
    """A run as it came over the wire, the run as it was, and how many beats the two do not have in common.

    ``run`` is on the box's session clock, ``true_run`` on the world's, which began 0.25 s later (``ticks_at_boot_us``
    of the rig); ``run``'s beats show up another 5 ms late, the delay of the front end. Neither shift is taken off: the
    first moves beats and onsets alike, the second is as small as on the bench. The crystal is exact, as the rig's is.
    """

    run: Run
    true_run: Run
    beats_lost_n: int
    beats_added_n: int


def chain_run(name: str, dip_bpm: float, seed: int) -> ChainRun:
    """One simulated run through the full chain; the same arguments give the same result.

    Parameters
    ----------
    name : str
        "dash", "itbs" or "ramp".
    dip_bpm : float
        Largest fall of heart rate that a train causes; a ramp's plateau.
    seed : int
        Draws the heart and its response as :func:`recordings.make_run` does, and all noise of the rig.

    Returns
    -------
    ChainRun

    Raises
    ------
    RigError
        No interpreter, or the firmware stopped with a fault.
    RuntimeError
        Part of the recording is missing, which nothing in this chain should cause.
    """
    true_run = make_run("sim", name, dip_bpm, seed, [])
    heart_s = _going_on(true_run.beats_s, _end_s(true_run) + TAIL_S)
    world = GivenHeartWorld(_scenario(true_run, seed), heart_s)
    with tempfile.TemporaryDirectory(prefix="hbc-chain-") as folder:
        box, session = _recorded(world, Path(folder) / "session")
    if session.gaps_s or session.frames_bad_n:
        raise RuntimeError(f"{name} {dip_bpm:g} bpm, seed {seed}: gaps {session.gaps_s}, bad {session.frames_bad_n}")
    runs, _ = session_runs(session, true_run.protocol)
    if len(runs) != 1:
        raise RuntimeError(f"{name} {dip_bpm:g} bpm, seed {seed}: {len(runs)} runs were found in the recording of one")
    run = replace(true_run, beats_s=_beats_s(runs[0]), onsets_s=runs[0].onsets_s)
    shift_s = box.device_s(0.0) + world.truth.afe_delay_s
    # Each against all of the other: at the end of the run one of a pair may be just outside.
    lost_n = unmatched_n(true_run.beats_s + shift_s, session.beats_s)
    return ChainRun(run, true_run, lost_n, unmatched_n(run.beats_s, heart_s + shift_s))


def unmatched_n(beats_s: FloatArray, others_s: FloatArray) -> int:
    """How many beats have none within 100 ms among the others, one to one; both (n,), seconds of one clock."""
    return int(beats_s.size - match_beats(beats_s, others_s, MATCH_S)[0].size)


class GivenHeartWorld(World):
    """A scenario's world in which the heart beats when it is told to.

    Breathing, which moves the baseline and the height of the beats, is drawn as always and knows nothing of these
    beats.

    Parameters
    ----------
    scenario : Scenario
    heart_s : array of float (n,), world seconds
        Beats, the last one after the end of the world.
    """

    def __init__(self, scenario: Scenario, heart_s: FloatArray) -> None:
        self._heart_s = heart_s
        super().__init__(scenario)

    def _patient(self, runs: tuple[PlannedRun, ...], responses: tuple[Response, ...]) -> PatientEcg:
        scenario, points_n = self.scenario, grid_points_n(self.duration_s)
        heart = Heart(
            self._heart_s,
            np.full(points_n, scenario.patient.mean_bpm),
            breathing_phase(scenario.patient, scenario.seed, points_n),
        )
        return PatientEcg(scenario.waveform, heart, rate_hz=self.analog_rate_hz, seed=scenario.seed)


def _end_s(run: Run) -> float:
    """End of the last cycle."""
    return float(run.onsets_s[-1]) + run.protocol.cycle_s


def _going_on(beats_s: FloatArray, until_s: float) -> FloatArray:
    """The beats, then even ones to the first after `until_s`: the detector searches back where a beat stays away."""
    rr_s = float(np.median(np.diff(beats_s[-10:])))
    more_n = int((until_s - beats_s[-1]) / rr_s) + 1
    return np.concatenate((beats_s, beats_s[-1] + rr_s * np.arange(1, more_n + 1)))


def _scenario(run: Run, seed: int) -> Scenario:
    """The default patient, stimulator, artefact and front end, with this run's trains and mean heart rate.

    The rate gives the delay of the front end, which depends on it.
    """
    each_pct = np.full(run.onsets_s.size, INTENSITY_PCT) if run.intensities_pct is None else run.intensities_pct
    return Scenario(
        seed=seed,
        sites=(SiteScenario(SITE),),
        pattern=PATTERNS[run.protocol.name],
        intensities_pct=tuple(each_pct.tolist()),
        rest_first_s=float(run.onsets_s[0]),
        rest_cycles_n=0,
        duration_s=_end_s(run) + TAIL_S,
        patient=PatientSettings(mean_bpm=float(60.0 / np.diff(run.beats_s).mean())),
    )


def _recorded(world: World, path: Path) -> tuple[Rig, Session]:
    """Let the box live in this world, record what it sends, and read the recording."""
    scenario = world.scenario
    listening = threading.Event()
    with rig(scenario, RigOptions(world_source=_held(world.chunks(), listening))) as box:
        summary = record(
            _Listener(box.port, listening),
            path,
            meta=SessionMeta(
                created=datetime.now(UTC),
                title=f"chain, seed {scenario.seed}",
                protocol=scenario.pattern.name,
                sites=(SITE,),
                intensities_pct=scenario.intensities_pct,
                host_version=__version__,
                port=box.port,
            ),
            stop=lambda: box.finished,
            clock=lambda: box.bridge.virtual_s,
            hello_timeout_s=HELLO_S,
            manifest=False,
        )
    if summary.ended == "interrupted":
        raise KeyboardInterrupt
    return box, load_session(path)


class _Listener(SerialTransport):
    """A serial port that says when it is open: opening it throws away what came before."""

    def __init__(self, url: str, listening: threading.Event) -> None:
        super().__init__(url)
        self._listening = listening

    def open(self) -> None:
        super().open()
        self._listening.set()


def _held(chunks: Iterator[bytes], listening: threading.Event) -> Iterator[bytes]:
    """The world, which begins when somebody listens: on a busy computer that is late, and the run would be cut."""
    if listening.wait(OPEN_WALL_S):
        yield from chunks


def _beats_s(found: RunInput) -> FloatArray:
    """Beats of a recorded run, as the analysis cuts them."""
    return found.beats_s[(found.beats_s >= found.start_s) & (found.beats_s <= found.end_s)]

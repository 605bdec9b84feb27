"""An hour at the stimulator with all that makes alarms cry wolf, and one pause of the heart that is real.

Eleven sites of the Dash ramp in 3600 s; four ectopic beats a minute (ventricular and atrial in turn), electrode motion
(the ``em`` record of the MIT-BIH noise stress test database, HBC_SHARED, else ../shared/data/nstdb) for 6 s in every
90 s, a lead off eight times for 1 to 60 s, and pulses of five R waves. Heart rate never falls by 15 bpm in truth, so
every alarm but the one for the pause is false.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import wfdb
from artefact_patients import add_ventricular
from hbc_hil.artefact import ArtefactSettings
from hbc_hil.draws import draws
from hbc_hil.ecg import BLOCK_N, PatientEcg
from hbc_hil.evoked import Response, evoked_bpm
from hbc_hil.patient import LAW_RATE_HZ, Heart, grid_points_n, simulate_heart
from hbc_hil.scenario import RAMP_PCT, LeadOff, PlannedRun, Scenario, SiteScenario
from hbc_hil.world import World
from hbc_host.alarms import NOT_VISIBLE, PAUSE
from hbc_host.parts import note_of
from hbc_host.recorder import Log
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

HOUR_S = 3600.0
PLACE_S = 15.0  # the coil is moved before a rest
SITES = ("5CM-L", "BF3-L", "5CM-R", "BF3-R", "F3", "F4", "Fz", "Cz", "C3", "C4", "Pz")
COUPLED = {"5CM-L": 4.0, "BF3-L": 6.0}  # bpm, of the demonstration's patient
ECTOPIC_EVERY_S, MOTION_EVERY_S, MOTION_S, MOTION_MV_RMS = 15.0, 90.0, 6.0, 0.5
LEAD_OFF_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 5.0)
ARREST_S = 4.5  # the pause that is real, at least
ARREST_RUN, ARREST_AT_S = 5, 40.0  # in the rest before the sixth site
LATE_S = 1.5  # an alarm so long after the end of the pause still belongs to it


def hard_scenario(seed: int) -> Scenario:
    """Sites, timetable, leads and artefact; ectopic beats, motion and the pause come with the world."""
    sites = tuple(SiteScenario(name, threshold_pct=36.0, plateau_bpm=COUPLED.get(name, 0.0)) for name in SITES)
    leads = tuple(
        LeadOff(130.0 + 440.0 * k, 130.0 + 440.0 * k + seconds, ("RA", "LA")[k % 2])
        for k, seconds in enumerate(LEAD_OFF_S)
    )
    return Scenario(
        seed=seed,
        sites=sites,
        intensities_pct=RAMP_PCT,
        rest_first_s=180.0 + PLACE_S,
        rest_between_s=60.0 + PLACE_S,
        rest_cycles_n=0,
        duration_s=HOUR_S,
        artefact=ArtefactSettings(amplitude_mv=5.0, tail_ms=5.0, recharge_mv_rms=0.05),
        lead_off=leads,
    )


class HardWorld(World):
    """The scenario's world with ectopic beats, motion, and one pause of the heart.

    Attributes
    ----------
    arrest_s : (float, float)
        Last beat before the real pause and the first after it, world seconds.
    """

    arrest_s = (0.0, 0.0)

    def _patient(self, runs: tuple[PlannedRun, ...], responses: tuple[Response, ...]) -> PatientEcg:
        scenario = self.scenario
        law_s = np.arange(grid_points_n(self.duration_s)) / LAW_RATE_HZ
        spans_s = [(run.start_s, run.end_s) for run in runs]
        heart = simulate_heart(
            scenario.patient,
            duration_s=self.duration_s,
            seed=scenario.seed,
            evoked_bpm=evoked_bpm(law_s, responses),
            runs_s=spans_s,
        )
        begins_s = runs[ARREST_RUN].rest_start_s + ARREST_AT_S
        heart = _without(heart, (heart.beats_s < begins_s) | (heart.beats_s > begins_s + ARREST_S))
        after_n = int(np.searchsorted(heart.beats_s, begins_s))
        self.arrest_s = (float(heart.beats_s[after_n - 1]), float(heart.beats_s[after_n]))
        return HardEcg(scenario, heart, self.analog_rate_hz, keep_s=self.arrest_s)


def _without(heart: Heart, kept: NDArray[np.bool_]) -> Heart:
    return replace(heart, beats_s=heart.beats_s[kept])


class HardEcg(PatientEcg):
    """The patient's ECG with ectopic beats and electrode motion; ``keep_s`` is left without both."""

    def __init__(self, scenario: Scenario, heart: Heart, rate_hz: int, *, keep_s: tuple[float, float]) -> None:
        chosen = _every(heart.beats_s, scenario.seed, keep_s)
        before_s = np.diff(heart.beats_s, prepend=0.0)
        early_s = heart.beats_s.copy()
        early_s[chosen] -= before_s[chosen] / 3.0  # the pause after it is compensatory
        ventricular = np.zeros(early_s.size, bool)
        ventricular[chosen[::2]] = True
        narrow = replace(heart, beats_s=early_s[~ventricular])
        super().__init__(scenario.waveform, narrow, rate_hz=rate_hz, seed=scenario.seed)
        self._pvc_s, self._r_mv = early_s[ventricular], scenario.waveform.r_mv
        self._motion = Motion(rate_hz, keep_s)
        self.all_beats_s = early_s

    def render(self, block_idx: int) -> FloatArray:
        """As the patient's own."""
        out_mv = super().render(block_idx)
        first_idx, rate_hz = block_idx * BLOCK_N, self._rate_hz
        near = self._pvc_s[np.abs(self._pvc_s - (first_idx + BLOCK_N / 2) / rate_hz) < BLOCK_N / rate_hz + 2.0]
        add_ventricular(out_mv, first_idx, rate_hz, near, self._r_mv)
        return self._motion.added(out_mv, first_idx)


def _every(beats_s: FloatArray, seed: int, keep_s: tuple[float, float]) -> NDArray[np.int64]:
    """Beats that come early: one in each `ECTOPIC_EVERY_S`, never in the first 20 s or around the pause."""
    starts_s = np.arange(20.0, HOUR_S - 20.0, ECTOPIC_EVERY_S)
    at_s = starts_s + draws(seed, "ectopic").uniform(0.0, ECTOPIC_EVERY_S - 4.0, starts_s.size)
    at_s = at_s[(at_s < keep_s[0] - 5.0) | (at_s > keep_s[1] + 5.0)]
    return np.searchsorted(beats_s, at_s)


class Motion:
    """Stretches of recorded electrode motion, one in each `MOTION_EVERY_S`."""

    def __init__(self, rate_hz: int, keep_s: tuple[float, float]) -> None:
        shared = Path(os.environ.get("HBC_SHARED", Path(__file__).resolve().parents[3] / "shared"))
        record = wfdb.rdrecord(str(shared / "data" / "nstdb" / "em"), channels=[0])
        noise_mv = np.asarray(record.p_signal[:, 0], dtype=np.float64)
        self._noise_mv = (noise_mv - noise_mv.mean()) * (MOTION_MV_RMS / noise_mv.std())
        self._noise_hz, self._rate_hz = float(record.fs), rate_hz
        starts_s = np.arange(47.0, HOUR_S - MOTION_S, MOTION_EVERY_S)
        self.starts_s = starts_s[(starts_s + MOTION_S < keep_s[0] - 5.0) | (starts_s > keep_s[1] + 5.0)]

    def added(self, out_mv: FloatArray, first_idx: int) -> FloatArray:
        """Add what falls into this block, in place; returns it."""
        time_s = (first_idx + np.arange(out_mv.size)) / self._rate_hz
        for start_s in self.starts_s[(self.starts_s < time_s[-1]) & (self.starts_s + MOTION_S > time_s[0])]:
            inside = (time_s >= start_s) & (time_s < start_s + MOTION_S)
            since_s = time_s[inside] - start_s
            edge = np.clip(np.minimum(since_s, MOTION_S - since_s) / 0.2, 0.0, 1.0)  # no click where it begins
            source_n = (time_s[inside] % (self._noise_mv.size / self._noise_hz)) * self._noise_hz
            out_mv[inside] += edge * np.interp(source_n, np.arange(self._noise_mv.size), self._noise_mv)
        return out_mv


@dataclass
class Score:
    """What a session said in such an hour, against the truth."""

    true: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)


def score(log: Log, arrest_s: tuple[float, float], world_s: Callable[[float], float]) -> Score:
    """Sort the alarms of a log; ``world_s`` turns host seconds into the world's. All starts of the box count."""
    found = Score()
    for chunk in log.chunks:
        fields = note_of(chunk)
        if not fields.get("began"):
            continue
        at_s = world_s(chunk.host_s)
        if fields["event"] == "problem":
            found.problems[str(fields.get("code"))] += 1
        elif fields["event"] == "alarm" and fields.get("kind") != NOT_VISIBLE:
            is_true = fields["kind"] == PAUSE and arrest_s[0] <= at_s <= arrest_s[1] + LATE_S
            (found.true if is_true else found.false).append(f"{at_s:.1f} s: {fields['text']}")
    return found

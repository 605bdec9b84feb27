"""The recordings of a simulated patient of a cohort: beats and triggers, by box in one go, by strap site by site."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hbc_hil.cohort import SITES, CohortPlan, SimPatient
from hbc_hil.draws import draws
from hbc_hil.evoked import Response, evoked_bpm, largest_falls_bpm, responses_of_run
from hbc_hil.patient import LAW_RATE_HZ, PatientSettings, grid_points_n, simulate_heart
from hbc_hil.scenario import SiteScenario

FloatArray = npt.NDArray[np.float64]

TRAIN_S, CYCLE_S, TRAINS_N = 5.0, 16.0, 15
PULSES_HZ = 10.0
#: After a run the coil is moved; then rest begins.
SETTLE_S, NEXT_REST_S = 10.0, 60.0
#: Intensities of a run, as shares of the motor threshold, first and last train.
LOW_SHARE, HIGH_SHARE = 0.5, 1.2


@dataclass(frozen=True)
class SimRecording:
    """What a clinic hands over; ``triggers_s`` is None where only a start was declared, ``first_train_s`` elsewhere."""

    folder: str
    sites: tuple[str, ...]
    intensities_pct: tuple[float, ...]
    beats_s: FloatArray
    triggers_s: FloatArray | None
    first_train_s: float | None
    start_uncertainty_s: float
    end_s: float
    gaps_s: tuple[tuple[float, float], ...]


def intensities_pct(patient: SimPatient) -> FloatArray:
    """Rising intensities of a run in whole percent of stimulator output, (15,)."""
    return np.asarray(np.linspace(LOW_SHARE, HIGH_SHARE, TRAINS_N) * patient.motor_threshold_pct).round()


def site_responses(
    rng: np.random.Generator,
    name: str,
    fall_bpm: float,
    onsets_s: FloatArray,
    intensities: FloatArray,
    motor_pct: float,
) -> tuple[Response, ...]:
    """Responses of one run whose mean fall over the trains is as drawn."""
    site = SiteScenario(
        name=name,
        plateau_bpm=1.0,
        threshold_pct=float(rng.uniform(0.7, 1.0)) * motor_pct,
        dose_slope_pct=0.05 * motor_pct,
        latency_s=float(rng.uniform(0.5, 2.5)),
        growth_s=float(rng.uniform(1.0, 3.0)),
        recovery_s=float(rng.uniform(2.0, 6.0)),
        habituation=float(rng.uniform(0.0, 0.4)),
    )
    onsets, doses = [float(one) for one in onsets_s], [float(one) for one in intensities]
    unit = responses_of_run(site, onsets, doses, TRAIN_S)
    unit_bpm = float(largest_falls_bpm(unit, onsets[-1] + CYCLE_S).mean())
    return responses_of_run(replace(site, plateau_bpm=fall_bpm / unit_bpm), onsets, doses, TRAIN_S)


def draw_settings(rng: np.random.Generator, strap: bool) -> PatientSettings:
    """A resting heart; a strap times its beats less exactly."""
    return PatientSettings(
        mean_bpm=float(rng.uniform(54.0, 84.0)),
        rsa_bpm_rms=float(rng.uniform(0.7, 2.6)),
        mayer_bpm_rms=float(rng.uniform(0.4, 1.8)),
        pink_bpm_rms=float(rng.uniform(1.0, 2.6)),
        breathing_hz=float(rng.uniform(0.2, 0.3)),
        beat_jitter_ms=6.0 if strap else 3.0,
    )


def patient_recordings(plan: CohortPlan, patient: SimPatient) -> list[SimRecording]:
    """Every recording of one patient; none when no site was measured."""
    rng = draws(plan.seed, f"recordings/{patient.name}")
    settings = draw_settings(rng, patient.strap)
    taken = [k for k, measured in enumerate(patient.measured) if measured]
    groups = [[k] for k in taken] if patient.strap else [taken] if taken else []
    return [_recording(plan, patient, rng, settings, group) for group in groups]


def _recording(
    plan: CohortPlan, patient: SimPatient, rng: np.random.Generator, settings: PatientSettings, group: list[int]
) -> SimRecording:
    doses = intensities_pct(patient)
    responses: list[Response] = []
    starts_s: list[float] = []
    at_s = plan.rest_s
    for k in group:
        onsets_s = np.asarray(at_s + CYCLE_S * np.arange(TRAINS_N), dtype=np.float64)
        responses += site_responses(
            rng, SITES[k], float(patient.falls_bpm[k]), onsets_s, doses, patient.motor_threshold_pct
        )
        starts_s.append(at_s)
        at_s = float(onsets_s[-1]) + CYCLE_S + SETTLE_S + NEXT_REST_S
    end_s = starts_s[-1] + TRAINS_N * CYCLE_S
    time_s = np.arange(grid_points_n(end_s)) / LAW_RATE_HZ
    heart = simulate_heart(
        settings, duration_s=end_s, seed=int(rng.integers(1 << 62)), evoked_bpm=evoked_bpm(time_s, responses)
    )
    beats_s = heart.beats_s[heart.beats_s <= end_s]
    gaps_s = _gaps(rng, end_s) if patient.noisy and not patient.strap else ()
    for gap_start_s, gap_end_s in gaps_s:
        beats_s = beats_s[(beats_s < gap_start_s) | (beats_s > gap_end_s)]
    if patient.strap:
        beats_s = beats_s[rng.random(beats_s.size) >= 0.004]  # a strap misses a beat now and then, and says nothing
    names = tuple(SITES[k] for k in group)
    onsets = tuple(response.onset_s for response in responses)
    if patient.strap:
        off_s = float(rng.uniform(-plan.start_uncertainty_s, plan.start_uncertainty_s))
        declared_s = round(starts_s[0] + off_s, 1)
        return SimRecording(
            names[0], names, tuple(doses), beats_s, None, declared_s, plan.start_uncertainty_s, end_s, gaps_s
        )
    pulses_s = np.arange(0.0, TRAIN_S, 1.0 / PULSES_HZ)
    triggers_s = np.add.outer(np.array(onsets), pulses_s).ravel()
    return SimRecording("session", names, tuple(doses), beats_s, triggers_s, None, 0.0, end_s, gaps_s)


def _gaps(rng: np.random.Generator, end_s: float) -> tuple[tuple[float, float], ...]:
    """Spans of 3 to 20 s without beats, one in four minutes."""
    starts_s = np.sort(rng.uniform(20.0, end_s - 30.0, max(1, int(end_s / 240.0))))
    spans = [(float(start), float(start + rng.uniform(3.0, 20.0))) for start in starts_s]
    kept: list[tuple[float, float]] = []
    for start, end in spans:
        if not kept or start > kept[-1][1] + 1.0:
            kept.append((round(start, 3), round(end, 3)))
    return tuple(kept)

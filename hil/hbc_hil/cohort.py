"""A simulated group of patients of several clinics: who couples how strongly, who improves, who drops out.

What is drawn here is the truth that an analysis is held to. Coupling is drawn as the mean fall of heart rate over the
trains of a run, in bpm; the response of each site (:mod:`hbc_hil.evoked`) is then scaled so that it has that fall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hbc_hil.draws import draws

FloatArray = npt.NDArray[np.float64]

SITES = ("5CM-L", "5CM-R", "BF3-L", "BF3-R", "FC3-L", "FC4-R", "F3-L", "F4-R")
#: Mean fall in bpm of each of SITES before `CohortPlan.site_spread_bpm` is applied, as deviations from the mean.
SITE_PATTERN = (-0.4, -0.6, 0.7, 0.3, 0.2, -0.2, 0.5, -0.5)
POPULATION_N = 20_000


@dataclass(frozen=True)
class CohortPlan:
    """What a simulated cohort is like.

    Parameters
    ----------
    patients_n, sites_n, clinics_n : int
    strap_clinics_n : int
        So many of the clinics, the last ones, have a strap and a start pressed by hand instead of a box.
    start_uncertainty_s : float
        How far off the declared start may be there, either way.
    odds_ratio : float
        Of early improvement per standard deviation of a patient's mean coupling over the sites; 1 = no relation.
    improved_share : float
        Share of patients that improve.
    mean_bpm, patient_sd_bpm, patient_site_sd_bpm, site_spread_bpm : float
        Mean fall of heart rate; how patients differ; how a patient's sites differ beyond that; how sites differ.
    dropout_share : float
        Patients without an outcome; twice as many with medication as without.
    skipped_share : float
        Sites that were planned and not measured.
    noisy_share : float
        Patients whose box loses beats in places.
    rest_s : float
        Rest before the first site; 60 s before each further one.
    seed : int
    """

    patients_n: int = 101
    sites_n: int = 4
    clinics_n: int = 3
    strap_clinics_n: int = 1
    start_uncertainty_s: float = 2.0
    odds_ratio: float = 2.2
    improved_share: float = 0.5
    mean_bpm: float = 2.2
    patient_sd_bpm: float = 0.9
    patient_site_sd_bpm: float = 0.7
    site_spread_bpm: float = 0.5
    dropout_share: float = 0.08
    skipped_share: float = 0.04
    noisy_share: float = 0.15
    rest_s: float = 180.0
    seed: int = 8

    def __post_init__(self) -> None:
        limits = {
            "patients_n": (1, 100_000),
            "sites_n": (1, len(SITES)),
            "clinics_n": (1, 50),
            "strap_clinics_n": (0, self.clinics_n),
            "start_uncertainty_s": (0.0, 8.0),
            "odds_ratio": (0.05, 20.0),
            "improved_share": (0.05, 0.95),
            "dropout_share": (0.0, 0.6),
            "skipped_share": (0.0, 0.9),
            "noisy_share": (0.0, 1.0),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} of {getattr(self, name):g} is outside {low:g} to {high:g}")


@dataclass(frozen=True)
class SimPatient:
    """One patient as drawn. ``falls_bpm`` (sites,) are true; ``measured`` (sites,) says which were recorded.

    ``improved`` is None after drop-out.
    """

    name: str
    clinic_idx: int
    age: float
    sex: str
    side: str
    medication: bool
    motor_threshold_pct: float
    falls_bpm: FloatArray
    measured: tuple[bool, ...]
    improved: bool | None
    noisy: bool
    strap: bool


def site_means_bpm(plan: CohortPlan) -> FloatArray:
    """Mean fall of each site before patients differ, (sites,)."""
    pattern = np.array(SITE_PATTERN[: plan.sites_n])
    return np.asarray(plan.mean_bpm + plan.site_spread_bpm * (pattern - pattern.mean()))


def draw_falls(plan: CohortPlan, rng: np.random.Generator, patients_n: int) -> FloatArray:
    """True falls, (patients, sites), never below zero: some sites of some patients do not couple."""
    common = plan.patient_sd_bpm * rng.standard_normal((patients_n, 1))
    own = plan.patient_site_sd_bpm * rng.standard_normal((patients_n, plan.sites_n))
    return np.asarray(np.maximum(site_means_bpm(plan) + common + own, 0.0))


@lru_cache(maxsize=64)
def population(plan: CohortPlan) -> tuple[float, float, float]:
    """(mean, standard deviation) of patients' mean fall in bpm, and the constant of the logistic law, of many patients.

    The constant is the one with which the planned share of patients improves.
    """
    rng = draws(0, "population")
    falls = draw_falls(plan, rng, POPULATION_N).mean(axis=1)
    mean_bpm, sd_bpm = float(falls.mean()), float(falls.std())
    age, sex, side, medication = _covariates(rng, POPULATION_N)
    clinic = rng.integers(plan.clinics_n, size=POPULATION_N)
    linear = _linear(plan, (falls - mean_bpm) / sd_bpm, age, sex, side, medication, clinic)
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2.0
        share = float(np.mean(1.0 / (1.0 + np.exp(-(linear + middle)))))
        low, high = (middle, high) if share < plan.improved_share else (low, middle)
    return mean_bpm, sd_bpm, (low + high) / 2.0


def _covariates(rng: np.random.Generator, count: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Age in years; female, right side, medication as 0 or 1."""
    age = np.clip(rng.normal(44.0, 13.0, count), 18.0, 75.0).round()
    sex, side, medication = (np.asarray(rng.random(count) < share, dtype=np.float64) for share in (0.58, 0.3, 0.6))
    return age, sex, side, medication


def _linear(
    plan: CohortPlan,
    deviation: FloatArray,
    age: FloatArray,
    sex: FloatArray,
    side: FloatArray,
    medication: FloatArray,
    clinic: npt.NDArray[np.int64],
) -> FloatArray:
    """Log odds of early improvement but for the constant."""
    clinic_part = 0.4 * (clinic / max(plan.clinics_n - 1, 1) - 0.5)
    covariates = -0.015 * (age - 44.0) + 0.2 * sex - 0.2 * side - 0.3 * medication
    return np.asarray(math.log(plan.odds_ratio) * deviation + covariates + clinic_part)


def draw_cohort(plan: CohortPlan) -> list[SimPatient]:
    """Draw every patient; the same plan gives the same patients."""
    rng = draws(plan.seed, "cohort")
    count = plan.patients_n
    falls = draw_falls(plan, rng, count)
    age, sex, side, medication = _covariates(rng, count)
    clinic = rng.integers(plan.clinics_n, size=count)
    mean_bpm, sd_bpm, constant = population(plan)
    linear = constant + _linear(plan, (falls.mean(axis=1) - mean_bpm) / sd_bpm, age, sex, side, medication, clinic)
    improved = rng.random(count) < 1.0 / (1.0 + np.exp(-linear))
    # Twice as many drop out with medication as without, so that leaving them out is not harmless by design.
    out_share = plan.dropout_share * np.where(medication > 0, 1.25, 0.625)
    is_out = rng.random(count) < out_share
    measured = rng.random((count, plan.sites_n)) >= plan.skipped_share
    noisy = rng.random(count) < plan.noisy_share
    threshold = np.clip(rng.normal(52.0, 7.0, count), 35.0, 75.0).round()
    width = len(str(count))
    return [
        SimPatient(
            name=f"P-{k + 1:0{max(width, 3)}d}",
            clinic_idx=int(clinic[k]),
            age=float(age[k]),
            sex="f" if sex[k] else "m",
            side="R" if side[k] else "L",
            medication=bool(medication[k]),
            motor_threshold_pct=float(threshold[k]),
            falls_bpm=falls[k],
            measured=tuple(bool(one) for one in measured[k]),
            improved=None if is_out[k] else bool(improved[k]),
            noisy=bool(noisy[k]),
            strap=bool(clinic[k] >= plan.clinics_n - plan.strap_clinics_n),
        )
        for k in range(count)
    ]

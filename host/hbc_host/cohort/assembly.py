"""From the table of runs and the table of outcomes to what the models take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hbc_host.cohort.calibration import calibrate
from hbc_host.cohort.exposure import SiteEffects, combine_repeats
from hbc_host.cohort.mixed import StepRun
from hbc_host.cohort.outcomes import Outcomes, PatientFacts
from hbc_host.sites import COMPARED

if TYPE_CHECKING:
    import pyarrow as pa

FloatArray = npt.NDArray[np.float64]

#: Intensities are counted in percent of the motor threshold when at least this share of patients has one.
MOTOR_SHARE = 0.8


@dataclass(frozen=True)
class Cohort:
    """Runs and patients on common indices.

    ``rows`` are the runs as dicts of the table's columns, in its order; ``patients`` everyone with a recording or an
    outcome, by name; ``sites`` the names of sites, sorted. ``relative`` says that intensities are in percent of the
    motor threshold.
    """

    rows: tuple[dict[str, Any], ...]
    patients: tuple[PatientFacts, ...]
    sites: tuple[str, ...]
    recorded: frozenset[str]
    listed: frozenset[str]
    relative: bool

    def index(self) -> dict[str, int]:
        """Place of each patient by name."""
        return {one.patient: k for k, one in enumerate(self.patients)}


def assemble(table: pa.Table, outcomes: Outcomes) -> Cohort:
    """Put the tables together; a patient without an outcome, or without a recording, stays and is counted."""
    return assemble_rows(table.to_pylist(), outcomes)


def assemble_rows(runs: Sequence[dict[str, Any]], outcomes: Outcomes) -> Cohort:
    """The same from rows that are dicts of the table's columns."""
    rows = tuple(runs)
    facts = {one.patient: one for one in outcomes.patients}
    recorded = frozenset(str(row["patient"]) for row in rows)
    names = sorted(recorded | set(facts))
    patients = tuple(facts.get(name, PatientFacts(name)) for name in names)
    sites = tuple(sorted({str(row["site"]) for row in rows if not row["error"]}))
    known = [math.isfinite(facts[name].motor_threshold_pct) for name in sorted(recorded) if name in facts]
    relative = bool(known) and sum(known) >= MOTOR_SHARE * len(recorded)
    return Cohort(rows, patients, sites, recorded, frozenset(facts), relative)


def is_usable(row: dict[str, Any], verdicts: Sequence[str] = COMPARED) -> bool:
    """True for a run whose effect counts: judged, and not explained by something else."""
    numbers = (row["effect_bpm"], row["low95_bpm"], row["high95_bpm"])
    return not row["error"] and row["verdict"] in verdicts and all(math.isfinite(number) for number in numbers)


def site_effects(cohort: Cohort, rows: Sequence[dict[str, Any]]) -> SiteEffects:
    """Calibrated effects of usable runs, one per patient and site."""
    index = cohort.index()

    def column(name: str) -> FloatArray:
        return np.array([row[name] for row in rows], dtype=np.float64)

    found = calibrate(column("effect_bpm"), column("low95_bpm"), column("high95_bpm"), column("start_uncertainty_s"))
    patient = np.array([index[row["patient"]] for row in rows], dtype=np.int64)
    site = np.array([cohort.sites.index(row["site"]) for row in rows], dtype=np.int64)
    return combine_repeats(SiteEffects(patient, site, found.effects_bpm, found.errors_bpm))


def step_runs(cohort: Cohort) -> list[StepRun]:
    """Steps of usable runs with known intensities, in percent of motor threshold where the cohort has it."""
    index = cohort.index()
    runs = []
    for row in cohort.rows:
        if not is_usable(row):
            continue
        patient = index[row["patient"]]
        scale = 100.0 / cohort.patients[patient].motor_threshold_pct if cohort.relative else 1.0
        intensity = np.array(row["step_intensity_pct"], dtype=np.float64) * scale
        error = np.array(row["step_error_bpm"], dtype=np.float64)
        kept = np.isfinite(intensity) & np.isfinite(error) & (error > 0.0)
        if kept.any():
            effect = np.array(row["step_effect_bpm"], dtype=np.float64)
            site = cohort.sites.index(row["site"])
            runs.append(StepRun(patient, site, intensity[kept], effect[kept], error[kept]))
    return runs


def third_effects(cohort: Cohort, third: int) -> SiteEffects | None:
    """Mean effect in the lowest (0), middle (1) or highest (2) third of the steps of each rising run; None without."""
    patient, site, effect, error = [], [], [], []
    for run in step_runs(cohort):
        if np.ptp(run.intensity_pct) == 0.0 or run.intensity_pct.size < 3:
            continue
        inside = np.array_split(np.argsort(run.intensity_pct, kind="stable"), 3)[third]
        precision = run.error_bpm[inside] ** -2.0
        patient.append(run.patient_idx)
        site.append(run.site_idx)
        effect.append(float(precision @ run.effect_bpm[inside] / precision.sum()))
        error.append(float(precision.sum() ** -0.5))
    if not patient:
        return None
    return combine_repeats(SiteEffects(np.array(patient), np.array(site), np.array(effect), np.array(error)))

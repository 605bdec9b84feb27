"""Per patient: which site slows the heart most, and at which intensity it begins, as on the patient's own report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hbc_host.cohort.assembly import Cohort
from hbc_host.cohort.exposure import Exposure
from hbc_host.coupling import CouplingResult
from hbc_host.sites import compare_sites


@dataclass(frozen=True)
class SiteOfPatient:
    """One site of one patient: own effect with 95 % interval, shrunken effect, chance of being best, threshold."""

    site: str
    verdict: str
    effect_bpm: float
    low95_bpm: float
    high95_bpm: float
    shrunken_bpm: float
    probability_best: float
    threshold_found: str
    threshold_pct: float
    threshold_low_pct: float
    threshold_high_pct: float


@dataclass(frozen=True)
class PatientResult:
    """One patient: sites, the best of them (None when none is compared), coupling over all sites."""

    patient: str
    clinic: str
    improved: bool | None
    best_site: str | None
    measured_bpm: float
    expected_bpm: float
    motor_threshold_pct: float
    sites: tuple[SiteOfPatient, ...]


def patient_results(cohort: Cohort, exposure: Exposure) -> tuple[PatientResult, ...]:
    """Results of every patient with a recording, in order of name."""
    by_patient: dict[str, list[dict[str, Any]]] = {}
    for row in cohort.rows:
        if not row["error"]:
            by_patient.setdefault(row["patient"], []).append(row)
    found = []
    for k, one in enumerate(cohort.patients):
        rows = by_patient.get(one.patient, [])
        if not rows:
            continue
        compared = compare_sites([(row["site"], _result_of(row)) for row in rows])
        sites = tuple(
            SiteOfPatient(
                row["site"],
                row["verdict"],
                row["effect_bpm"],
                row["low95_bpm"],
                row["high95_bpm"],
                site.shrunken_bpm,
                site.probability_best,
                row["threshold_found"],
                row["threshold_pct"],
                row["threshold_low_pct"],
                row["threshold_high_pct"],
            )
            for row, site in zip(rows, compared.sites, strict=True)
        )
        found.append(
            PatientResult(
                one.patient,
                one.clinic,
                one.improved,
                compared.best,
                float(exposure.measured_bpm[k]),
                float(exposure.expected_bpm[k]),
                one.motor_threshold_pct,
                sites,
            )
        )
    return tuple(found)


def _result_of(row: dict[str, Any]) -> CouplingResult:
    """What the comparison of sites asks of a run; milliseconds are not among it."""
    nan = math.nan
    return CouplingResult(
        nan,
        row["effect_bpm"],
        (nan, nan),
        (row["low95_bpm"], row["high95_bpm"]),
        row["latency_s"],
        row["p_value"],
        row["verdict"],
        tuple(row["reasons"]),
        row["beats_n"],
        row["excluded_share"],
    )

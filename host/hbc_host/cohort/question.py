"""The question that a cohort is asked: who can be analysed, with which covariates, and how strongly they couple."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hbc_host.cohort import covariates as adjust
from hbc_host.cohort.assembly import Cohort
from hbc_host.cohort.exposure import RELIABILITY_MIN, Exposure, SiteEffects, patient_exposure
from hbc_host.cohort.prediction import GROUP_MIN_N

#: Patients of the rarer outcome for each coefficient; below it intervals begin to be too narrow (Vittinghoff and
#: McCulloch 2007, doi 10.1093/aje/kwk052; what three do here is in docs/cohort.md).
PER_COEFFICIENT_MIN_N = 5

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """What stays the same however the exposure is made: outcomes (nan unknown), covariates, strata, seed."""

    cohort: Cohort
    outcome: FloatArray
    covariates: adjust.Covariates
    strata: npt.NDArray[np.int64]
    seed: int

    def analysed(self, effects: SiteEffects) -> BoolArray:
        """Patients with a run, an outcome and all covariates."""
        has_run = np.bincount(effects.patient_idx, minlength=self.outcome.size) > 0
        return np.asarray(has_run & np.isfinite(self.outcome) & self.covariates.complete)


@dataclass(frozen=True)
class Prepared:
    """Exposure of the patients that can be analysed, and whether it is corrected for the error of measurement."""

    exposure: Exposure
    analysed: BoolArray
    is_corrected: bool


def question_of(cohort: Cohort, adjust_for: Sequence[str], seed: int) -> Question:
    """The question to these patients; covariates that cannot be adjusted for are left out, and its notes say so."""
    outcome = np.array([np.nan if one.improved is None else float(one.improved) for one in cohort.patients])
    clinics = sorted({one.clinic for one in cohort.patients})
    strata = np.array([clinics.index(one.clinic) for one in cohort.patients], dtype=np.int64)
    return Question(cohort, outcome, adjust.build(cohort.patients, adjust_for), strata, seed)


def prepare(question: Question, effects: SiteEffects, notes: list[str]) -> Prepared | None:
    """Exposure of the patients that can be analysed; None, and a note, when there are too few."""
    analysed = question.analysed(effects)
    outcome = question.outcome[analysed]
    rarer_n = min(outcome.sum(), outcome.size - outcome.sum())
    if rarer_n < GROUP_MIN_N:
        notes.append(
            f"no prediction: {int(outcome.sum())} improved and {int(outcome.size - outcome.sum())} not among the "
            f"{outcome.size} that can be analysed, {GROUP_MIN_N} of each are needed"
        )
        return None
    coefficients_n = 1 + len(question.covariates.names)
    per_coefficient_n = rarer_n / coefficients_n
    if per_coefficient_n < PER_COEFFICIENT_MIN_N:
        notes.append(
            f"few patients for so many covariates: {int(rarer_n)} of the rarer outcome for {coefficients_n} "
            f"coefficients, {per_coefficient_n:.1f} each (limit {PER_COEFFICIENT_MIN_N}); the interval may be too "
            "narrow"
        )
    columns = np.where(question.covariates.complete[:, None], question.covariates.columns, 0.0)
    inside = only(effects, analysed[effects.patient_idx])
    exposure = patient_exposure(inside, question.outcome.size, len(question.cohort.sites), columns)
    if exposure.reliability >= RELIABILITY_MIN:
        return Prepared(exposure, analysed, True)
    notes.append(
        f"patients do not differ beyond the error of measurement (share of true variance {exposure.reliability:.2f}, "
        f"limit {RELIABILITY_MIN}): the odds ratio is that of coupling as measured"
    )
    as_measured = replace(exposure, expected_bpm=exposure.measured_bpm, true_sd_bpm=exposure.measured_sd_bpm)
    return Prepared(as_measured, analysed, False)


def only(effects: SiteEffects, kept: BoolArray) -> SiteEffects:
    """The effects that are kept, a truth for each."""
    return SiteEffects(
        effects.patient_idx[kept], effects.site_idx[kept], effects.effects_bpm[kept], effects.errors_bpm[kept]
    )

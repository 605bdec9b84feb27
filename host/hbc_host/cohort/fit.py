"""The whole analysis of a cohort, in the order in which it was laid down: one primary question, then the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hbc_host.cohort import covariates as adjust
from hbc_host.cohort import missing, power
from hbc_host.cohort.alternatives import Alternative, secondary, sensitivity
from hbc_host.cohort.assembly import Cohort, assemble, is_usable, site_effects, step_runs
from hbc_host.cohort.exposure import Exposure, SiteEffects, patient_exposure
from hbc_host.cohort.mixed import MixedResult, fit_mixed
from hbc_host.cohort.outcomes import Outcomes
from hbc_host.cohort.patients import PatientResult, patient_results
from hbc_host.cohort.prediction import Prediction, predict
from hbc_host.cohort.question import BoolArray, FloatArray, Prepared, Question, prepare, question_of
from hbc_host.cohort.validation import Validation, validate
from hbc_host.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class CohortFit:
    """Everything that the report shows. ``prediction`` and what follows from it are None when it could not be made."""

    cohort: Cohort
    patients: tuple[PatientResult, ...]
    exposure: Exposure
    mixed: MixedResult | None
    adjusted_for: tuple[str, ...]
    prediction: Prediction | None
    secondary: tuple[Alternative, ...]
    sensitivity: tuple[Alternative, ...]
    validation: Validation | None
    missing: missing.Missingness
    study_sizes: tuple[power.StudySize, ...]
    notes: tuple[str, ...]


def fit_cohort(
    table: pa.Table, outcomes: Outcomes, *, seed: int, adjust_for: Sequence[str] = adjust.ADJUST_FOR
) -> CohortFit:
    """Analyse a cohort.

    Parameters
    ----------
    table : pyarrow.Table
        Runs, from :func:`hbc_host.cohort.scatter.estimate_cohort`.
    outcomes : Outcomes
    seed : int
        Of permutations and cross-validation folds.
    adjust_for : sequence of str
        Covariates; what is missing or constant is left out, and the notes say so.

    Raises
    ------
    InputError
        If fewer than eight patients have a usable run.
    """
    cohort = assemble(table, outcomes)
    usable = [row for row in cohort.rows if is_usable(row)]
    if not usable:
        raise InputError(f"0 of {len(cohort.rows)} runs can be used; see `hbc cohort check`")
    effects = site_effects(cohort, usable)
    described = patient_exposure(effects, len(cohort.patients), len(cohort.sites))
    question = question_of(cohort, adjust_for, seed)
    notes = list(question.covariates.notes)
    prepared = prepare(question, effects, notes)
    prediction = _predict(question, prepared, notes) if prepared else None
    validation: Validation | None = None
    sizes: tuple[power.StudySize, ...] = ()
    if prepared is not None and prediction is not None:
        inside = prepared.analysed
        validation = validate(
            described.expected_bpm[inside], question.covariates.columns[inside], question.outcome[inside], seed=seed
        )
        sizes = _sizes(question, prepared, prediction)
    return CohortFit(
        cohort,
        patient_results(cohort, described),
        described,
        fit_mixed(step_runs(cohort), cohort.sites),
        question.covariates.used,
        prediction,
        secondary(question, effects) if prediction else (),
        sensitivity(question, effects, usable) if prediction else (),
        validation,
        _missing(question, effects, described, question.analysed(effects)),
        sizes,
        tuple(notes),
    )


def _predict(question: Question, prepared: Prepared, notes: list[str]) -> Prediction | None:
    inside = prepared.analysed
    try:
        return predict(
            prepared.exposure.expected_bpm[inside],
            prepared.exposure.measured_bpm[inside],
            prepared.exposure.true_sd_bpm,
            question.outcome[inside],
            question.covariates.columns[inside],
            question.covariates.names,
            question.strata[inside],
            seed=question.seed,
        )
    except InputError as fault:
        notes.append(f"no prediction: {fault}")
        return None


def _sizes(question: Question, prepared: Prepared, prediction: Prediction) -> tuple[power.StudySize, ...]:
    inside = prepared.analysed
    recorded_n = len(question.cohort.recorded)
    return power.study_sizes(
        prediction.per_sd.ratio,
        prediction.per_sd.low,
        prediction.per_sd.high,
        improved_share=prediction.improved_n / prediction.patients_n,
        reliability=prepared.exposure.reliability,
        explained_share=_explained(prepared.exposure.expected_bpm[inside], question.covariates.columns[inside]),
        dropout_share=1.0 - float(inside.sum()) / recorded_n,
    )


def _explained(exposure: FloatArray, columns: FloatArray) -> float:
    """Share of the exposure's variance that the covariates explain, adjusted for their number, never below zero."""
    if columns.shape[1] == 0 or exposure.size <= columns.shape[1] + 1:
        return 0.0
    design = np.concatenate((np.ones((exposure.size, 1)), columns), axis=1)
    residual = exposure - design @ np.linalg.lstsq(design, exposure, rcond=None)[0]
    left = float(residual @ residual) / (exposure.size - design.shape[1])
    return float(max(1.0 - left / float(np.var(exposure, ddof=1)), 0.0))


def _missing(question: Question, effects: SiteEffects, exposure: Exposure, analysed: BoolArray) -> missing.Missingness:
    cohort = question.cohort
    recorded = np.array([one.patient in cohort.recorded for one in cohort.patients])
    has_run = np.bincount(effects.patient_idx, minlength=len(cohort.patients)) > 0
    known = np.isfinite(question.outcome)
    flow = (
        missing.FlowStep("with a recording or a row in the table of outcomes", len(cohort.patients)),
        missing.FlowStep("with a recording", int(recorded.sum())),
        missing.FlowStep("with at least one usable run", int(has_run.sum())),
        missing.FlowStep("and a known outcome", int((has_run & known).sum())),
        missing.FlowStep("and all covariates: analysed", int(analysed.sum())),
    )
    compared = missing.compare(cohort.patients, exposure.measured_bpm, [bool(one) for one in analysed])
    return missing.Missingness(flow, compared, missing.RULE)

"""The whole analysis of a cohort, in the order in which it was laid down: one primary question, then the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hbc_host.cohort import covariates as adjust
from hbc_host.cohort import missing, power
from hbc_host.cohort.assembly import Cohort, assemble, is_usable, site_effects, step_runs, third_effects
from hbc_host.cohort.exposure import RELIABILITY_MIN, Exposure, SiteEffects, patient_exposure
from hbc_host.cohort.mixed import MixedResult, fit_mixed
from hbc_host.cohort.outcomes import Outcomes
from hbc_host.cohort.patients import PatientResult, patient_results
from hbc_host.cohort.prediction import GROUP_MIN_N, OddsRatio, Prediction, predict, primary_ratio
from hbc_host.cohort.validation import Validation, validate
from hbc_host.errors import InputError
from hbc_host.sites import COMPARED, holm

if TYPE_CHECKING:
    import pyarrow as pa

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: A site or a third of the intensities with fewer analysed patients than this is not tried as a predictor.
SECONDARY_MIN_N = 20
THIRDS = ("lowest third of intensities", "middle third", "highest third")


@dataclass(frozen=True)
class Alternative:
    """The odds ratio per standard deviation of true coupling, asked differently; ``p_holm`` over its table, or nan."""

    name: str
    patients_n: int
    ratio: OddsRatio
    p_holm: float


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


@dataclass(frozen=True)
class _Question:
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
class _Prepared:
    """Exposure of the patients that can be analysed, and whether it is corrected for the error of measurement."""

    exposure: Exposure
    analysed: BoolArray
    is_corrected: bool


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
    question = _question(cohort, adjust_for, seed)
    notes = list(question.covariates.notes)
    prepared = _prepare(question, effects, notes)
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
        _secondary(question, effects) if prediction else (),
        _sensitivity(question, effects, usable) if prediction else (),
        validation,
        _missing(question, effects, described, question.analysed(effects)),
        sizes,
        tuple(notes),
    )


def _question(cohort: Cohort, adjust_for: Sequence[str], seed: int) -> _Question:
    outcome = np.array([np.nan if one.improved is None else float(one.improved) for one in cohort.patients])
    clinics = sorted({one.clinic for one in cohort.patients})
    strata = np.array([clinics.index(one.clinic) for one in cohort.patients], dtype=np.int64)
    return _Question(cohort, outcome, adjust.build(cohort.patients, adjust_for), strata, seed)


def _prepare(question: _Question, effects: SiteEffects, notes: list[str]) -> _Prepared | None:
    """Exposure of the patients that can be analysed; None, and a note, when there are too few."""
    analysed = question.analysed(effects)
    outcome = question.outcome[analysed]
    if min(outcome.sum(), outcome.size - outcome.sum()) < GROUP_MIN_N:
        notes.append(
            f"no prediction: {int(outcome.sum())} improved and {int(outcome.size - outcome.sum())} not among the "
            f"{outcome.size} that can be analysed, {GROUP_MIN_N} of each are needed"
        )
        return None
    columns = np.where(question.covariates.complete[:, None], question.covariates.columns, 0.0)
    inside = _only(effects, analysed[effects.patient_idx])
    exposure = patient_exposure(inside, question.outcome.size, len(question.cohort.sites), columns)
    if exposure.reliability >= RELIABILITY_MIN:
        return _Prepared(exposure, analysed, True)
    notes.append(
        f"patients do not differ beyond the error of measurement (share of true variance {exposure.reliability:.2f}, "
        f"limit {RELIABILITY_MIN}): the odds ratio is that of coupling as measured"
    )
    as_measured = replace(exposure, expected_bpm=exposure.measured_bpm, true_sd_bpm=exposure.measured_sd_bpm)
    return _Prepared(as_measured, analysed, False)


def _only(effects: SiteEffects, kept: BoolArray) -> SiteEffects:
    return SiteEffects(
        effects.patient_idx[kept], effects.site_idx[kept], effects.effects_bpm[kept], effects.errors_bpm[kept]
    )


def _predict(question: _Question, prepared: _Prepared, notes: list[str]) -> Prediction | None:
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


def _ratio(name: str, question: _Question, effects: SiteEffects, *, uncorrected: bool = True) -> list[Alternative]:
    """The primary question of these effects as a row, or no row when it cannot be answered."""
    try:
        prepared = _prepare(question, effects, [])
        if prepared is None or not (prepared.is_corrected or uncorrected):
            return []
        inside = prepared.analysed
        exposure = prepared.exposure
        columns = question.covariates.columns[inside]
        ratio = primary_ratio(exposure.expected_bpm[inside], exposure.true_sd_bpm, question.outcome[inside], columns)
    except InputError:
        return []
    return [Alternative(name, int(inside.sum()), ratio, float("nan"))]


def _secondary(question: _Question, effects: SiteEffects) -> tuple[Alternative, ...]:
    """Each site alone, each third of the intensities: exploratory, adjusted by Holm over the table."""
    tried: list[tuple[str, SiteEffects]] = []
    for k, name in enumerate(question.cohort.sites):
        tried.append((f"site {name} alone", _only(effects, effects.site_idx == k)))
    for third, name in enumerate(THIRDS):
        found = third_effects(question.cohort, third)
        if found is not None:
            tried.append((name, found))
    rows: list[Alternative] = []
    for name, some in tried:
        if question.analysed(some).sum() >= SECONDARY_MIN_N:
            rows += _ratio(name, question, some, uncorrected=False)
    adjusted = holm([row.ratio.p_value for row in rows])
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True))


def _sensitivity(question: _Question, effects: SiteEffects, usable: list[dict[str, object]]) -> tuple[Alternative, ...]:
    """The primary question asked in other ways; none of them replaces it."""
    cohort = question.cohort
    plain = replace(question, covariates=adjust.build(cohort.patients, ()))
    exact = [row for row in usable if row["start_uncertainty_s"] == 0.0]
    doubtful = [row for row in cohort.rows if is_usable(row, (*COMPARED, "cannot_tell"))]
    lost = np.isnan(question.outcome)
    ways: list[tuple[str, _Question, SiteEffects]] = [("not adjusted for anything", plain, effects)]
    if 0 < len(exact) < len(usable):
        ways.append(("only runs with recorded triggers", question, site_effects(cohort, exact)))
    if len(doubtful) > len(usable):
        ways.append(('with runs called "cannot tell"', question, site_effects(cohort, doubtful)))
    if lost.any():
        for text, value in (("not improved", 0.0), ("improved", 1.0)):
            filled = replace(question, outcome=np.where(lost, value, question.outcome))
            ways.append((f"patients without outcome counted as {text}", filled, effects))
    return tuple(row for name, how, some in ways for row in _ratio(name, how, some))


def _sizes(question: _Question, prepared: _Prepared, prediction: Prediction) -> tuple[power.StudySize, ...]:
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


def _missing(question: _Question, effects: SiteEffects, exposure: Exposure, analysed: BoolArray) -> missing.Missingness:
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

"""The primary question asked differently: site by site, by thirds of the intensities, and of other patients or runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hbc_host.cohort import covariates as adjust
from hbc_host.cohort.assembly import is_usable, site_effects, third_effects
from hbc_host.cohort.exposure import SiteEffects
from hbc_host.cohort.prediction import OddsRatio, primary_ratio
from hbc_host.cohort.question import Question, only, prepare
from hbc_host.errors import InputError
from hbc_host.sites import COMPARED, holm

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


def secondary(question: Question, effects: SiteEffects) -> tuple[Alternative, ...]:
    """Each site alone, each third of the intensities: exploratory, adjusted by Holm over the table."""
    tried: list[tuple[str, SiteEffects]] = []
    for k, name in enumerate(question.cohort.sites):
        tried.append((f"site {name} alone", only(effects, effects.site_idx == k)))
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


def sensitivity(question: Question, effects: SiteEffects, usable: list[dict[str, object]]) -> tuple[Alternative, ...]:
    """The primary question asked in other ways; none of them replaces it."""
    cohort = question.cohort
    plain = replace(question, covariates=adjust.build(cohort.patients, ()))
    exact = [row for row in usable if row["start_uncertainty_s"] == 0.0]
    doubtful = [row for row in cohort.rows if is_usable(row, (*COMPARED, "cannot_tell"))]
    lost = np.isnan(question.outcome)
    ways: list[tuple[str, Question, SiteEffects]] = [("not adjusted for anything", plain, effects)]
    if 0 < len(exact) < len(usable):
        ways.append(("only runs with recorded triggers", question, site_effects(cohort, exact)))
    if len(doubtful) > len(usable):
        ways.append(('with runs called "cannot tell"', question, site_effects(cohort, doubtful)))
    if lost.any():
        for text, value in (("not improved", 0.0), ("improved", 1.0)):
            filled = replace(question, outcome=np.where(lost, value, question.outcome))
            ways.append((f"patients without outcome counted as {text}", filled, effects))
    return tuple(row for name, how, some in ways for row in _ratio(name, how, some))


def _ratio(name: str, question: Question, effects: SiteEffects, *, uncorrected: bool = True) -> list[Alternative]:
    """The primary question of these effects as a row, or no row when it cannot be answered."""
    try:
        prepared = prepare(question, effects, [])
        if prepared is None or not (prepared.is_corrected or uncorrected):
            return []
        inside = prepared.analysed
        exposure = prepared.exposure
        columns = question.covariates.columns[inside]
        ratio = primary_ratio(exposure.expected_bpm[inside], exposure.true_sd_bpm, question.outcome[inside], columns)
    except InputError:
        return []
    return [Alternative(name, int(inside.sum()), ratio, float("nan"))]

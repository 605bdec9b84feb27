"""How coupling depends on intensity and site over all patients: a linear mixed model (statsmodels MixedLM).

Effect of a step = mean of its site + slope x intensity + patient (level and slope) + patient at this site + error, each
step weighted by its precision. A run enters through the two numbers that hold all it says about level and slope (the
first rows of the QR decomposition of its weighted steps), so the model has two rows per run, not one per step.
Laird & Ware 1982, doi 10.2307/2529876. The model describes; the prediction does not depend on it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host.cohort.mixed_start import best_start
from hbc_host.pooling import Z975

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Intensities count in units of this many percent.
UNIT_PCT = 10.0
#: Fewer patients or runs than this are described by their means only.
PATIENTS_MIN_N, RUNS_MIN_N = 6, 12


@dataclass(frozen=True)
class StepRun:
    """Steps of one run: patient and site as indices; intensity (percent), effect and error (bpm), arrays (steps,)."""

    patient_idx: int
    site_idx: int
    intensity_pct: FloatArray
    effect_bpm: FloatArray
    error_bpm: FloatArray


@dataclass(frozen=True)
class Term:
    """A fixed effect: estimate, 95 % interval, p-value (two-sided, Wald)."""

    name: str
    estimate_bpm: float
    low_bpm: float
    high_bpm: float
    p_value: float


@dataclass(frozen=True)
class MixedResult:
    """The fitted model. ``form`` says which random effects it has; ``notes`` what did not converge and was left out.

    ``intensity`` is per 10 percent, None when no intensity is known or none differs; sites are at ``centre_pct``.
    ``sites_p`` is the p-value of "all sites are equal".
    """

    form: str
    converged: bool
    runs_n: int
    patients_n: int
    centre_pct: float
    sites: tuple[Term, ...]
    intensity: Term | None
    sites_p: float
    patient_sd_bpm: float
    patient_site_sd_bpm: float
    slope_sd_bpm: float
    notes: tuple[str, ...]


def fit_mixed(runs: Sequence[StepRun], site_names: Sequence[str]) -> MixedResult | None:
    """Fit the model; None with too few runs or patients.

    The fullest model is tried first. One that does not converge is replaced by a simpler one, and the notes say so.
    """
    known = [run for run in runs if run.effect_bpm.size and np.isfinite(run.intensity_pct).all()]
    patients_n = len({run.patient_idx for run in known})
    if len(known) < RUNS_MIN_N or patients_n < PATIENTS_MIN_N:
        return None
    weights = np.concatenate([run.error_bpm**-2.0 for run in known])
    centre_pct = float(np.average(np.concatenate([run.intensity_pct for run in known]), weights=weights))
    table = _Rows(known, len(site_names), centre_pct)
    notes: list[str] = []
    for form, slope, site in _forms(table):
        fitted, said = _try(table, slope=slope, site=site)
        notes += [f"{form}: {text}" for text in said]
        if fitted is not None and (fitted.converged or form == "patient"):
            return _result(table, fitted, form, site_names, centre_pct, patients_n, len(known), notes)
    return None


def _forms(table: _Rows) -> list[tuple[str, bool, bool]]:
    forms = [("patient", False, False)]
    if table.repeated:
        forms.insert(0, ("patient, patient at site", False, True))
        if table.has_slope:
            forms.insert(0, ("patient, patient's slope, patient at site", True, True))
    elif table.has_slope:
        forms.insert(0, ("patient, patient's slope", True, False))
    return forms


class _Rows:
    """One or two rows per run: response, level and slope columns, patient and site."""

    def __init__(self, runs: Sequence[StepRun], sites_n: int, centre_pct: float) -> None:
        y, level, slope, patient, site = [], [], [], [], []
        for run in sorted(runs, key=lambda one: (one.patient_idx, one.site_idx)):
            dose = (run.intensity_pct - centre_pct) / UNIT_PCT
            columns = np.stack((np.ones_like(dose), dose), axis=1) / run.error_bpm[:, None]
            rank = 1 if np.ptp(dose) == 0.0 else 2
            basis, _ = np.linalg.qr(columns[:, :rank])
            reduced = basis.T @ columns
            y.append(basis.T @ (run.effect_bpm / run.error_bpm))
            level.append(reduced[:, 0])
            slope.append(reduced[:, 1])
            patient.append(np.full(rank, run.patient_idx))
            site.append(np.full(rank, run.site_idx))
        # In units of the mean error: the search for variances is lost when their ratio to the error is far from one.
        unit = float(np.sqrt(np.mean(np.concatenate([run.error_bpm for run in runs]) ** 2)))
        self.y, self.level, self.slope = (np.concatenate(part) * unit for part in (y, level, slope))
        self.patient, site_of_row = np.concatenate(patient), np.concatenate(site)
        self.present = np.unique(site_of_row)
        self.dummies = (site_of_row[:, None] == self.present[None, :]).astype(np.float64)
        self.has_slope = bool(np.any(np.abs(self.slope) > 1e-9)) and any(np.ptp(r.intensity_pct) > 0.0 for r in runs)
        pairs = {(run.patient_idx, run.site_idx) for run in runs}
        self.repeated = len(pairs) > len({patient for patient, _ in pairs})
        self.sites_n = sites_n

    def fixed(self) -> FloatArray:
        columns = self.dummies * self.level[:, None]
        return np.concatenate((columns, self.slope[:, None]), axis=1) if self.has_slope else columns


def _try(table: _Rows, *, slope: bool, site: bool) -> tuple[Any, list[str]]:
    """Fitted model or None, and what statsmodels had to say."""
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    random = np.stack((table.level, table.slope), axis=1) if slope else table.level[:, None]
    parts = None
    if site:
        names, matrices = [], []
        for patient in np.unique(table.patient):
            inside = table.patient == patient
            matrix = (table.dummies * table.level[:, None])[inside]
            kept = np.flatnonzero(np.any(matrix != 0.0, axis=0))
            names.append([str(k) for k in kept])
            matrices.append(matrix[:, kept])
        parts = VCSpec(["site"], [names], [matrices])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            model = MixedLM(table.y, table.fixed(), groups=table.patient, exog_re=random, exog_vc=parts)
            # Powell's search needs no start, and 250 evaluations: it is for where the other one loses its way.
            fitted = model.fit(reml=True, start_params=_start(table, random, site=site), method=["lbfgs", "powell"])
        except (np.linalg.LinAlgError, ValueError) as fault:
            return None, [f"could not be fitted ({fault})"]
    texts = sorted({" ".join(str(one.message).split()) for one in said})
    if not np.isfinite(fitted.bse_fe).all():
        return None, [*texts, "standard errors are not finite"]
    if not fitted.converged:
        texts.append("did not converge")
    return fitted, texts


def _start(table: _Rows, random: FloatArray, *, site: bool) -> Any:
    """The start of the search as statsmodels takes it."""
    from statsmodels.regression.mixed_linear_model import MixedLMParams

    by_site = table.dummies * table.level[:, None] if site else None
    found = best_start(table.y, table.fixed(), random, by_site, table.patient)
    return MixedLMParams.from_components(
        fe_params=np.zeros(table.fixed().shape[1]),
        cov_re=found.covariance,
        vcomp=np.array([found.site_variance]) if site else None,
    )


def _result(
    table: _Rows,
    fitted: Any,
    form: str,
    site_names: Sequence[str],
    centre_pct: float,
    patients_n: int,
    runs_n: int,
    notes: list[str],
) -> MixedResult:
    sites_n = table.present.size
    estimates = np.asarray(fitted.fe_params, dtype=np.float64)
    covariance = np.asarray(fitted.cov_params(), dtype=np.float64)[: estimates.size, : estimates.size]
    errors = np.sqrt(np.diag(covariance))
    names = [site_names[k] for k in table.present]
    sites = tuple(_term(names[k], estimates[k], errors[k]) for k in range(sites_n))
    intensity = _term(f"intensity, per {UNIT_PCT:g} %", estimates[-1], errors[-1]) if table.has_slope else None
    random = np.atleast_2d(np.asarray(fitted.cov_re, dtype=np.float64))
    return MixedResult(
        form,
        bool(fitted.converged),
        runs_n,
        patients_n,
        centre_pct,
        sites,
        intensity,
        _equal_p(estimates[:sites_n], covariance[:sites_n, :sites_n]),
        math.sqrt(max(float(random[0, 0]), 0.0)),
        math.sqrt(max(float(fitted.vcomp[0]), 0.0)) if len(fitted.vcomp) else 0.0,
        math.sqrt(max(float(random[1, 1]), 0.0)) if random.shape[0] > 1 else 0.0,
        tuple(notes),
    )


def _term(name: str, estimate: float, error: float) -> Term:
    from scipy.special import ndtr

    p_value = 2.0 * float(ndtr(-abs(estimate) / error))
    return Term(name, float(estimate), float(estimate - Z975 * error), float(estimate + Z975 * error), p_value)


def _equal_p(estimates: FloatArray, covariance: FloatArray) -> float:
    """Wald's test that all estimates are equal; nan for a single one."""
    from scipy.special import chdtrc

    if estimates.size < 2:
        return math.nan
    contrast = np.eye(estimates.size)[1:] - np.eye(estimates.size)[:1]
    difference = contrast @ estimates
    statistic = float(difference @ np.linalg.solve(contrast @ covariance @ contrast.T, difference))
    return float(chdtrc(float(estimates.size - 1), statistic))

"""How strongly each patient couples, with what is known of the error: the exposure of the prediction.

Measured effects of runs are true effects plus an error of known size. True effects are the mean of the site, what is
common to the patient, and what is particular to this patient at this site, both normal. Their variances are found by
restricted maximum likelihood; each patient's true mean over the sites is then its expectation given what was measured
(regression calibration: Carroll et al. 2006, Measurement Error in Nonlinear Models, ch. 4, doi 10.1201/9781420010138).
A noisy patient is pulled to the mean more than a quiet one, so that noise does not weaken the odds ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Fewer patients than this teach nothing about how patients differ.
PATIENTS_MIN_N = 8
#: With a share of true variance below this, patients cannot be told apart and there is no exposure to speak of.
RELIABILITY_MIN = 0.05


@dataclass(frozen=True)
class SiteEffects:
    """Measured effects, one per patient and site: arrays (n,) of patient index, site index, effect and its error."""

    patient_idx: IntArray
    site_idx: IntArray
    effects_bpm: FloatArray
    errors_bpm: FloatArray


@dataclass(frozen=True)
class Exposure:
    """Coupling per patient, arrays (patients,); nan for a patient without a usable run.

    ``measured_bpm`` is the plain mean over sites, each less the mean of its site; ``expected_bpm`` the expectation of
    the true one; ``sites_n`` how many sites it rests on. ``site_means_bpm`` (sites,) are means over patients with
    standard errors ``site_errors_bpm``. ``true_sd_bpm`` is how much patients truly differ, ``measured_sd_bpm`` how much
    measured means differ, ``reliability`` the share of the latter's variance that is true. ``patient_sd_bpm`` and
    ``patient_site_sd_bpm`` are the two parts of the model.
    """

    measured_bpm: FloatArray
    expected_bpm: FloatArray
    sites_n: IntArray
    site_means_bpm: FloatArray
    site_errors_bpm: FloatArray
    true_sd_bpm: float
    measured_sd_bpm: float
    reliability: float
    patient_sd_bpm: float
    patient_site_sd_bpm: float


def combine_repeats(effects: SiteEffects) -> SiteEffects:
    """Several runs of a patient at one site become one, weighted by their precision."""
    keys, inverse = np.unique(np.stack((effects.patient_idx, effects.site_idx)), axis=1, return_inverse=True)
    inverse = inverse.reshape(-1)
    precision = effects.errors_bpm**-2.0
    total = np.bincount(inverse, precision)
    mean = np.bincount(inverse, precision * effects.effects_bpm) / total
    return SiteEffects(keys[0], keys[1], mean, np.asarray(np.sqrt(1.0 / total)))


def patient_exposure(
    effects: SiteEffects, patients_n: int, sites_n: int, covariates: FloatArray | None = None
) -> Exposure:
    """Estimate each patient's coupling.

    Parameters
    ----------
    effects : SiteEffects
        At most one row per patient and site.
    patients_n, sites_n : int
    covariates : array (patients, k), optional
        Columns, without a constant, that the prediction adjusts for: what they tell of coupling must be taken into
        account here too, else the correction is wrong.

    Returns
    -------
    Exposure

    Raises
    ------
    InputError
        If fewer than eight patients have a usable run.
    """
    seen = np.unique(effects.patient_idx)
    if seen.size < PATIENTS_MIN_N:
        raise InputError(
            f"{seen.size} patients with a usable run, at least {PATIENTS_MIN_N} are needed; see `hbc cohort check`"
        )
    extra = np.zeros((patients_n, 0)) if covariates is None else covariates - covariates[seen].mean(axis=0)
    present, site_at = np.unique(effects.site_idx, return_inverse=True)  # a site may be left with no usable run
    dummies = np.eye(present.size)[site_at]
    fixed = np.concatenate((dummies, extra[effects.patient_idx]), axis=1)
    model = _Model(effects, fixed, patients_n)
    patient_sd, site_sd = model.fit()
    gamma, covariance = model.fixed_effects(patient_sd, site_sd)
    site_means = np.full(sites_n, math.nan)
    site_errors = np.full(sites_n, math.nan)
    site_means[present] = gamma[: present.size]
    site_errors[present] = np.sqrt(np.diag(covariance)[: present.size])
    centre = float(gamma[: present.size].mean())
    by_covariates = extra @ gamma[present.size :]
    common = patient_sd**2 + site_sd**2 / present.size  # variance of a patient's mean over all sites
    pull = model.pulls(patient_sd, site_sd, effects.effects_bpm - fixed @ gamma)
    counts = np.bincount(effects.patient_idx, minlength=patients_n)
    deviation = np.bincount(effects.patient_idx, effects.effects_bpm - gamma[site_at], minlength=patients_n)
    with np.errstate(invalid="ignore"):
        measured = np.where(counts > 0, centre + deviation / counts, math.nan)
    expected = np.where(counts > 0, centre + by_covariates + common * pull, math.nan)
    explained = float(np.var(by_covariates[seen])) if extra.shape[1] else 0.0
    measured_var = float(np.var(measured[seen], ddof=1))
    true_var = common + explained
    return Exposure(
        measured,
        expected,
        counts.astype(np.int64),
        site_means,
        site_errors,
        math.sqrt(true_var),
        math.sqrt(measured_var),
        min(true_var / max(measured_var, 1e-12), 1.0),
        patient_sd,
        site_sd,
    )


class _Model:
    """Normal model with a part common to a patient; sums over the rows of a patient, so the cost is linear in rows."""

    def __init__(self, effects: SiteEffects, fixed: FloatArray, patients_n: int) -> None:
        self._patient_idx = effects.patient_idx
        self._effects = effects.effects_bpm
        self._known_var = effects.errors_bpm**2
        self._fixed = fixed
        self._patients_n = patients_n
        self._repeated = bool(np.any(np.bincount(effects.patient_idx, minlength=patients_n) > 1))

    def fit(self) -> tuple[float, float]:
        """Standard deviations (between patients, of a patient between sites), bpm, by restricted likelihood.

        With one site per patient the two cannot be told apart and the second is zero.
        """
        from scipy.optimize import minimize

        scale = max(float(np.std(self._effects)), 0.1)
        start = np.array((0.7, 0.5) if self._repeated else (0.7,)) * scale
        found = minimize(self._deviance, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-4})
        sds = np.abs(np.append(found.x, 0.0)[:2])
        return float(sds[0]), float(sds[1])

    def _parts(self, patient_sd: float, site_sd: float) -> tuple[FloatArray, FloatArray]:
        """Inverse of the variance of each row beside the common part, and what the common part takes off."""
        inverse = 1.0 / (self._known_var + site_sd**2)
        total = np.bincount(self._patient_idx, inverse, minlength=self._patients_n)
        return inverse, np.asarray(patient_sd**2 / (1.0 + patient_sd**2 * total), dtype=np.float64)

    def _times_inverse(self, columns: FloatArray, patient_sd: float, site_sd: float) -> FloatArray:
        """Inverse covariance times columns (n, k)."""
        inverse, common = self._parts(patient_sd, site_sd)
        scaled = columns * inverse[:, None]
        sums = np.stack([np.bincount(self._patient_idx, c, minlength=self._patients_n) for c in scaled.T], axis=1)
        return np.asarray(scaled - inverse[:, None] * (common[:, None] * sums)[self._patient_idx])

    def fixed_effects(self, patient_sd: float, site_sd: float) -> tuple[FloatArray, FloatArray]:
        """Generalised least squares: coefficients and their covariance."""
        weighted = self._times_inverse(self._fixed, patient_sd, site_sd)
        covariance: FloatArray = np.asarray(np.linalg.pinv(self._fixed.T @ weighted), dtype=np.float64)
        return np.asarray(covariance @ (weighted.T @ self._effects)), np.asarray(covariance)

    def _deviance(self, sds: FloatArray) -> float:
        """Minus twice the restricted log likelihood, but for a constant."""
        patient_sd, site_sd = (abs(float(sd)) for sd in np.append(sds, 0.0)[:2])
        inverse, _ = self._parts(patient_sd, site_sd)
        total = np.bincount(self._patient_idx, inverse, minlength=self._patients_n)
        gamma, covariance = self.fixed_effects(patient_sd, site_sd)
        residual = self._effects - self._fixed @ gamma
        quadratic = float(residual @ self._times_inverse(residual[:, None], patient_sd, site_sd)[:, 0])
        log_det = float(np.log1p(patient_sd**2 * total).sum() - np.log(inverse).sum())
        sizes = np.linalg.eigvalsh(covariance)
        # A covariate that is the same for all patients at hand has no variance to speak of, here as in `pinv`.
        kept = sizes[sizes > 1e-10 * sizes.max()]
        return log_det + quadratic - float(np.log(kept).sum())

    def pulls(self, patient_sd: float, site_sd: float, residual: FloatArray) -> FloatArray:
        """Sum over a patient's rows of inverse covariance times residual, (patients,)."""
        weighted = self._times_inverse(residual[:, None], patient_sd, site_sd)[:, 0]
        return np.asarray(np.bincount(self._patient_idx, weighted, minlength=self._patients_n))

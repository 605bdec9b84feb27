"""Where the search of the mixed model begins: at the optimum, found with all patients at once.

statsmodels goes through patients one by one, some 15 ms for each of the 250 places that its search looks at. The same
restricted likelihood (Lindstrom & Bates 1988, doi 10.2307/2290128) of all patients in one batch of small matrices takes
less than a millisecond. Its optimum is found here, and statsmodels' own search begins there: if the two likelihoods
were not the same, it would move away. What is reported is statsmodels' in any case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Sizes of the random effects, in units of the error, from which a search begins; the best of them counts.
STARTS = (0.1, 0.6)
#: A variance of exactly zero has no square root to start from.
VARIANCE_MIN = 1e-5


@dataclass(frozen=True)
class Start:
    """Covariance of a patient's random effects (k, k) and variance of a patient at a site, relative to the error's."""

    covariance: FloatArray
    site_variance: float


def best_start(
    response: FloatArray, fixed: FloatArray, random: FloatArray, by_site: FloatArray | None, patient: IntArray
) -> Start:
    """Where the restricted likelihood is largest.

    Parameters
    ----------
    response : array (n,)
    fixed, random : array (n, p), (n, k)
        Columns of fixed and of random effects; k is 1 or 2.
    by_site : array (n, sites) or None
        Columns of what is particular to a patient at a site.
    patient : array (n,) of int
    """
    from scipy.optimize import minimize

    likelihood = _Likelihood(response, fixed, random, by_site, patient)
    size = likelihood.roots_n
    # Size of level, of slope and of what they share, then of site.
    unit = np.array([1.0, 0.0, 1.0] if random.shape[1] == 2 else [1.0])
    unit = np.append(unit, 1.0) if by_site is not None else unit
    options = {"xatol": 1e-5, "fatol": 1e-7, "maxiter": 400 * size}
    found = [minimize(likelihood.deviance, start * unit, method="Nelder-Mead", options=options) for start in STARTS]
    covariance, site_variance = likelihood.components(min(found, key=lambda one: float(one.fun)).x)
    return Start(covariance + VARIANCE_MIN * np.eye(random.shape[1]), max(site_variance, VARIANCE_MIN))


class _Likelihood:
    """Restricted likelihood by the square roots of the variances; patients with fewer rows are filled up with none."""

    def __init__(
        self,
        response: FloatArray,
        fixed: FloatArray,
        random: FloatArray,
        by_site: FloatArray | None,
        patient: IntArray,
    ) -> None:
        _, group, counts = np.unique(patient, return_inverse=True, return_counts=True)
        order = np.argsort(group, kind="stable")
        place = np.arange(group.size) - np.repeat(np.cumsum(counts) - counts, counts)

        def filled(columns: FloatArray) -> FloatArray:
            batch = np.zeros((counts.size, int(counts.max()), columns.shape[1]))
            batch[group[order], place] = columns[order]
            return batch

        self._data = filled(np.concatenate((fixed, response[:, None]), axis=1))
        self._random = filled(random)
        site = filled(np.zeros((response.size, 0)) if by_site is None else by_site)
        self._site = site @ site.transpose(0, 2, 1)
        self._has_site = by_site is not None
        self._effects_n = random.shape[1]
        self._dof = response.size - fixed.shape[1]

    @property
    def roots_n(self) -> int:
        """Numbers that :meth:`deviance` takes."""
        return (3 if self._effects_n == 2 else 1) + int(self._has_site)

    def components(self, roots: FloatArray) -> tuple[FloatArray, float]:
        """Covariance of the random effects, and variance of a patient at a site."""
        lower = np.zeros((self._effects_n, self._effects_n))
        lower[np.tril_indices(self._effects_n)] = roots[: 3 if self._effects_n == 2 else 1]
        return lower @ lower.T, float(roots[-1] ** 2) if self._has_site else 0.0

    def deviance(self, roots: FloatArray) -> float:
        """Minus twice the log likelihood, but for a constant; fixed effects and variance of the error at their best."""
        covariance, site_variance = self.components(roots)
        between = self._random @ covariance @ self._random.transpose(0, 2, 1) + site_variance * self._site
        lower = np.linalg.cholesky(np.eye(between.shape[1]) + between)
        white = np.linalg.solve(lower, self._data).reshape(-1, self._data.shape[2])
        products = white.T @ white
        inner = np.linalg.cholesky(products[:-1, :-1])
        explained = np.linalg.solve(inner, products[:-1, -1])
        left = float(products[-1, -1] - explained @ explained)
        logs = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum() + np.log(np.diagonal(inner)).sum()
        return float(self._dof * np.log(left) + 2.0 * logs)

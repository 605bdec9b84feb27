"""Effects of several sites seen together: a normal random-effects model, integrated on a grid without random numbers.

Each measured effect is normal around its true one with its own standard error; true effects are normal around a common
mean with a standard deviation between sites. A point estimate of that deviation from two to six sites is often zero, so
it is averaged over (Gelman 2006, doi 10.1214/06-BA117A), with a flat prior on the mean and a half-normal one on the
deviation. A posterior mean is not spoilt by choosing the largest (Efron 2011, doi 10.1198/jasa.2011.tm11181), as far
as the model holds.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

#: 97.5 % point of the normal distribution.
Z975 = 1.959963984540054
#: Degrees of freedom of the standard error of one run. Errors of four equal sites of one simulated heart scatter by
#: 22 % (tests/study/sites_study.py, 60 persons, seed 2), some of it real; 14 degrees of freedom make 19 %.
ERRORS_DOF = 14.0
#: Scale of the prior on the deviation between sites, bpm. Published responses are of 0 to about 5 bpm.
BETWEEN_SCALE_BPM = 2.0
BETWEEN_STEPS_N, MEAN_NODES_N, EFFECT_NODES_N, QUANTILE_STEPS_N = 32, 9, 41, 200


@dataclass(frozen=True)
class SitePosterior:
    """What all sites together say about each, arrays (sites,): mean, 95 % interval, probability of being largest."""

    mean_bpm: FloatArray
    low_bpm: FloatArray
    high_bpm: FloatArray
    probability_best: FloatArray
    between_sd_bpm: float

    def widened(self, factor: float) -> SitePosterior:
        """Intervals so much wider about their means."""
        low_bpm, high_bpm = (self.mean_bpm + factor * (end - self.mean_bpm) for end in (self.low_bpm, self.high_bpm))
        return replace(self, low_bpm=low_bpm, high_bpm=high_bpm)


def heterogeneity(
    effects_bpm: FloatArray, errors_bpm: FloatArray, errors_dof: float = ERRORS_DOF
) -> tuple[float, int, float]:
    """Cochran's Q (1954, doi 10.2307/3001666), its degrees of freedom and the p-value of "one effect".

    Q takes standard errors for known and is too large where they are estimates; the p-value is that of Welch's test
    (1951, doi 10.1093/biomet/38.3-4.330), which allows for that. With fewer than two effects: (nan, 0, nan).
    """
    if effects_bpm.size < 2:
        return math.nan, 0, math.nan
    from scipy.special import fdtrc  # costs 0.3 s to import, so only when sites are compared

    weights = errors_bpm**-2.0
    mean = float(weights @ effects_bpm / weights.sum())
    q = float(weights @ (effects_bpm - mean) ** 2)
    k = effects_bpm.size
    doubt = float(np.sum((1.0 - weights / weights.sum()) ** 2)) / errors_dof
    f = q / (k - 1) / (1.0 + 2.0 * (k - 2) / (k**2 - 1) * doubt)
    return q, k - 1, float(fdtrc(k - 1, (k**2 - 1) / (3.0 * doubt), f))


def posterior(effects_bpm: FloatArray, errors_bpm: FloatArray) -> SitePosterior:
    """Posterior of the true effects.

    Parameters
    ----------
    effects_bpm, errors_bpm : array (sites,), bpm
        Estimates and their standard errors, at least one.

    Returns
    -------
    SitePosterior
        A single site keeps its estimate (nothing was chosen, there is nothing to be pulled to) and has no
        probability of being best.
    """
    if effects_bpm.size == 1:
        half = Z975 * errors_bpm
        return SitePosterior(effects_bpm.copy(), effects_bpm - half, effects_bpm + half, np.full(1, math.nan), math.nan)
    between, weights = _between(effects_bpm, errors_bpm)
    # Given the deviation between sites, the common mean is normal; given both, so is each site, independently.
    total = errors_bpm[None, :] ** 2 + between[:, None] ** 2
    precision = (1.0 / total).sum(axis=1)
    centre = (effects_bpm / total).sum(axis=1) / precision
    nodes, node_weights = _hermite(MEAN_NODES_N)
    common = centre[:, None] + nodes[None, :] / np.sqrt(precision)[:, None]
    pull = errors_bpm[None, :] ** 2 / total
    means = effects_bpm + pull[:, None, :] * (common[:, :, None] - effects_bpm)
    sds = np.sqrt(pull * between[:, None] ** 2)[:, None, :] + np.zeros_like(means)
    mixture = (weights[:, None] * node_weights[None, :]).ravel()
    means, sds = means.reshape(mixture.size, -1), sds.reshape(mixture.size, -1)
    low, high = _quantiles(mixture, means, sds)
    best = mixture @ _largest(means, sds)
    return SitePosterior(mixture @ means, low, high, best / best.sum(), float(weights @ between))


def _between(effects: FloatArray, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Grid of deviations between sites, bpm, and its posterior weights with the common mean integrated out."""
    span = 4.0 * max(BETWEEN_SCALE_BPM, 1e-9)
    # Midpoints that lie closer near zero, where most of the posterior often is.
    edges = span * np.linspace(0.0, 1.0, BETWEEN_STEPS_N + 1) ** 2
    between = (edges[1:] + edges[:-1]) / 2.0
    total = errors[None, :] ** 2 + between[:, None] ** 2
    precision = (1.0 / total).sum(axis=1)
    centre = (effects / total).sum(axis=1) / precision
    misfit = ((effects - centre[:, None]) ** 2 / total).sum(axis=1)
    log_weight = -0.5 * (np.log(total).sum(axis=1) + np.log(precision) + misfit + (between / BETWEEN_SCALE_BPM) ** 2)
    weights = np.exp(log_weight - log_weight.max()) * np.diff(edges)
    return between, weights / weights.sum()


@functools.lru_cache(maxsize=4)
def _hermite(nodes_n: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of the standard normal distribution."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(nodes_n)
    return nodes, weights / weights.sum()


def _largest(means: FloatArray, sds: FloatArray) -> FloatArray:
    """Probability of each of independent normals (rows, sites) to be the largest of its row, same shape."""
    from scipy.special import ndtr

    nodes, weights = _hermite(EFFECT_NODES_N)
    found = np.empty_like(means)
    for site in range(means.shape[1]):
        value = means[:, site, None] + sds[:, site, None] * nodes[None, :]
        below = np.ones_like(value)
        for other in range(means.shape[1]):
            if other != site:
                below *= ndtr((value - means[:, other, None]) / sds[:, other, None])
        found[:, site] = below @ weights
    return found


def _quantiles(mixture: FloatArray, means: FloatArray, sds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """2.5 and 97.5 % points of a mixture of normals for each site (columns)."""
    from scipy.special import ndtr

    low, high = np.empty(means.shape[1]), np.empty(means.shape[1])
    for site in range(means.shape[1]):
        ends = (means[:, site] - 6.0 * sds[:, site]).min(), (means[:, site] + 6.0 * sds[:, site]).max()
        grid = np.linspace(*ends, QUANTILE_STEPS_N)
        share = mixture @ ndtr((grid[None, :] - means[:, site, None]) / sds[:, site, None])
        low[site], high[site] = np.interp((0.025, 0.975), share, grid)
    return low, high

"""What a run says about each dose response: weights, and the plateau under each.

Dose responses (:mod:`hbc_host.threshold_grid`) are crossed with response shapes and amounts of habituation. Each
combination has one unknown size, whose evidence in autoregressive noise is known in closed form: the posterior of the
midpoint is a sum over a grid and needs no sampler.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import design as build
from hbc_host import evidence, noise
from hbc_host.coupling import RunFit
from hbc_host.response import GROWTHS_S, SHAPES, regressors
from hbc_host.stretches import Stretch
from hbc_host.threshold_grid import CELLS_PER_STEP_N, DoseGrid, Levels, dose_grid

FloatArray = npt.NDArray[np.float64]

#: One growth constant stands for all: the others take three times as long and move no threshold (with 36 shapes
#: instead of 12 the median error changed by less than 0.05 steps, seed 1).
STEP_SHAPES = tuple(shape for shape in SHAPES if shape.growth_s == GROWTHS_S[len(GROWTHS_S) // 2])
#: Share of the response that is lost from the first to the last train.
HABITUATIONS = (0.0, 0.25, 0.5)
HALF_CELL_STEPS = 0.5 / CELLS_PER_STEP_N
#: Scale of the half-normal prior on the plateau, bpm.
PLATEAU_PRIOR_BPM = 4.0
#: Standard errors are widened by this much, for the noise is fitted and not known (chosen on seeds 1 to 6).
SE_FACTOR = 1.2


@dataclass(frozen=True)
class Posterior:
    """What the run says: weight of each habituation, shape and dose response, and the plateau under each, bpm.

    ``weights``, ``plateau_bpm``, ``se_bpm`` are (habituations, shapes, k); the plateau, before it is cut off at zero,
    is normal with these. ``catch_bpm``, ``catch_se_bpm``: fall after catch trains beside the likeliest response, nan
    without any.
    """

    grid: DoseGrid
    weights: FloatArray
    plateau_bpm: FloatArray
    se_bpm: FloatArray
    catch_bpm: float
    catch_se_bpm: float

    def cell_weights(self) -> FloatArray:
        """Probability of each midpoint cell, (c,)."""
        return np.asarray(self.weights.sum(axis=(0, 1)) @ self.grid.cells)

    def quantile_step(self, share: float) -> float:
        """Level number below which the midpoint lies with this probability."""
        below = np.concatenate(([0.0], np.cumsum(self.cell_weights())))
        return float(np.interp(share, below / below[-1], self.grid.edges_steps))

    def interval_steps(self) -> tuple[float, float]:
        """Level numbers between which the midpoint lies with 95 % probability.

        Half a cell is added at both ends, for the grid. Midpoints outside the tested levels all look alike: an end out
        there is set a whole step outside.
        """
        levels_n = self.grid.dose.shape[1]
        low, high = self.quantile_step(0.025) - HALF_CELL_STEPS, self.quantile_step(0.975) + HALF_CELL_STEPS
        return (low if low >= 1.0 else 0.0), (high if high <= levels_n else levels_n + 1.0)

    @property
    def outside_shares(self) -> tuple[float, float]:
        """Probabilities that the midpoint lies below the lowest and above the highest level."""
        weights, edges = self.cell_weights(), self.grid.edges_steps
        return float(weights[edges[1:] <= 1.0].sum()), float(weights[edges[:-1] >= self.grid.dose.shape[1]].sum())

    @property
    def confined_share(self) -> float:
        """Probability that the response is lost again further up."""
        return float(self.weights[:, :, self.grid.confined].sum())


def _signals(run: RunFit, stretch: Stretch, levels: Levels) -> FloatArray:
    """Regressors of a 1 bpm fall, (shapes, columns, cycles): per level (catch trains first), then habituating ones."""
    design = run.design
    starts_s, ends_s = design.beats.starts_s[design.window], design.beats.ends_s[design.window]
    at_level = (levels.of_train[:, None] == np.arange(levels.levels_n + 1)[None, :]).astype(np.float64)
    late = np.linspace(0.0, 1.0, levels.of_train.size)[:, None]
    columns = np.concatenate((at_level, late * at_level[:, 1:]), axis=1)
    onsets_s = design.onsets_s
    if run.fit is not None:
        # Where the start of the run is uncertain, the likeliest shift is taken as known.
        onsets_s = onsets_s + run.candidates[int(np.argmax(run.fit.weights[0]))].shift_s
    rows = [(regressors(shape, starts_s, ends_s, onsets_s, design.train_s) @ columns).T for shape in STEP_SHAPES]
    return stretch.block.scaled(-np.concatenate(rows)).reshape(len(STEP_SHAPES), columns.shape[1], -1)


def _noise(run: RunFit, stretch: Stretch, rest_s: float | tuple[float, float] | None) -> tuple[FloatArray, float]:
    """Prediction-error filter and its residual in bpm, from rest and from what the mean fitted response leaves."""
    design, fit = run.design, run.fit
    residual = stretch.row
    if fit is not None:
        kept = np.flatnonzero(fit.weights[0] > 1e-3)
        signals = stretch.block.scaled(build.signals(design, [run.candidates[index] for index in kept]))
        residual = residual - (fit.weights[0, kept] * fit.fall_bpm[0, kept]) @ signals
    rest_row, window = None, build.rest_window(design, rest_s)
    if window is not None:
        rest = build.make_block(design.beats, window, design.cycle_s)
        rest_row = rest.repair(design.beats.rate_bpm[window][None, :])
    filter_ = evidence.fit_noise(residual, rest_row)[0]
    white = np.convolve(residual[0], filter_)
    # A heart without any variability is an idealisation; the floor keeps its evidence finite.
    return filter_, max(float(np.sqrt(white @ white / stretch.block.dof)), 1e-3)


def _products(row: FloatArray, signals: FloatArray, filter_: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Products of whitened regressors with each other (shapes, q, q) and with the whitened run (shapes, q)."""
    n = noise.transform_n(row.shape[1] + filter_.size)
    gain = np.abs(np.fft.rfft(filter_, n)) * np.sqrt(2.0 / n)
    gain[[0, -1] if n % 2 == 0 else [0]] *= np.sqrt(0.5)
    spectra, run = np.fft.rfft(signals, n, axis=-1) * gain, np.fft.rfft(row[0], n) * gain
    # By Parseval's theorem the products of spectra are those of the series; no way back is needed.
    parts = np.concatenate((spectra.real, spectra.imag), axis=-1)
    whole = np.concatenate((run.real, run.imag))
    return parts @ parts.transpose(0, 2, 1), parts @ whole


def posterior(run: RunFit, levels: Levels, rest_s: float | tuple[float, float] | None) -> Posterior:
    """Weigh every dose response for a run that could be fitted."""
    if run.run is None:
        raise ValueError("a run without fit has no posterior")
    grid = dose_grid(levels.levels_n)
    filter_, sigma_bpm = _noise(run, run.run, rest_s)
    gram, overlap = _products(run.run.row, _signals(run, run.run, levels), filter_)
    inner_gram, inner_overlap = gram[:, 1:, 1:], overlap[:, 1:]
    fall, se = np.empty((2, len(HABITUATIONS), len(STEP_SHAPES), grid.log_prior.size))
    for number, lost in enumerate(HABITUATIONS):
        mix = np.kron([[1.0], [-lost]], np.eye(levels.levels_n))
        information = _quadratic(mix.T @ inner_gram @ mix, grid.dose)
        fall[number] = (inner_overlap @ mix) @ grid.dose.T / information
        se[number] = SE_FACTOR * sigma_bpm / np.sqrt(information)
    log_bayes, mean, sd = _half_normal(fall, se)
    score = log_bayes + grid.log_prior
    weights = np.exp(score - score.max())
    weights /= weights.sum()
    catch = _catch(gram, overlap, weights, grid, levels, sigma_bpm)
    return Posterior(grid, weights, mean, sd, *catch)


def _quadratic(gram: FloatArray, dose: FloatArray) -> FloatArray:
    """Squared length of each dose response in each Gram matrix, (shapes, k)."""
    upper = np.triu_indices(dose.shape[1])
    twice = np.where(upper[0] == upper[1], 1.0, 2.0)
    pairs = dose[:, upper[0]] * dose[:, upper[1]]
    return np.maximum((gram[:, upper[0], upper[1]] * twice) @ pairs.T, 1e-9)


def _half_normal(fall: FloatArray, se: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log Bayes factor of slowing under a half-normal prior, and mean and deviation of the uncut posterior."""
    from scipy.special import log_ndtr  # costs 0.3 s to import, so only when a threshold is asked for

    shrink = PLATEAU_PRIOR_BPM**2 / (PLATEAU_PRIOR_BPM**2 + se**2)
    sd = se * np.sqrt(shrink)
    z = fall / se
    log_bayes = np.log(2.0) + 0.5 * np.log1p(-shrink) + 0.5 * z**2 * shrink + log_ndtr(z * np.sqrt(shrink))
    return np.asarray(log_bayes), fall * shrink, sd


def _catch(
    gram: FloatArray, overlap: FloatArray, weights: FloatArray, grid: DoseGrid, levels: Levels, sigma_bpm: float
) -> tuple[float, float]:
    """Fall after catch trains and its standard error, fitted beside the likeliest response."""
    if not np.any(levels.of_train == 0):
        return float("nan"), float("nan")
    habituation, shape, best = np.unravel_index(int(np.argmax(weights)), weights.shape)
    response = np.concatenate((grid.dose[best], -HABITUATIONS[habituation] * grid.dose[best]))
    to_two = np.zeros((2, gram.shape[1]))
    to_two[0, 0] = 1.0
    to_two[1, 1:] = response
    covariance = np.linalg.inv(to_two @ gram[shape] @ to_two.T + 1e-9 * np.eye(2))
    fall = covariance @ (to_two @ overlap[shape])
    return float(fall[0]), SE_FACTOR * sigma_bpm * float(np.sqrt(covariance[0, 0]))

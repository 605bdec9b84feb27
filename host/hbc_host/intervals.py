"""Effect and interval by turning the test around: which sizes of the response would the test not reject?

A response of supposed size is taken out of the run and the test is done on the rest, against the same surrogates.
The sizes at which slowing is no longer shown bound the effect from below, those at which speeding is not yet shown
from above, and where both directions have the same evidence lies the estimate (Hodges & Lehmann 1963, doi
10.1214/aoms/1177704172). What no size takes out of the run is added to the limit. Size zero is the test itself: the
lower bound of the 90 % interval is above zero exactly when one-sided p < .05, and that of the 95 % interval when
p < .025.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import evidence
from hbc_host.bayes import log_bayes, log_mean
from hbc_host.evidence import ALPHA, Fit

FloatArray = npt.NDArray[np.float64]

#: Supposed sizes: around the estimate in steps of a third of its standard error, then coarser.
NEAR_SE, NEAR_N = 7.0, 43
FAR_SE = (10.0, 15.0, 25.0, 50.0)
#: Intervals are this much wider than the test turned around, as the shape of the response is only estimated.
SHAPE_WIDENING = 1.3


@dataclass(frozen=True)
class Bounds:
    """Sizes of the mean response shape in bpm: estimate, and the bounds of the 90 % and 95 % intervals."""

    estimate: float
    ci90: tuple[float, float]
    ci95: tuple[float, float]

    def widened(self, factor: float) -> Bounds:
        """Intervals widened about the estimate; a bound keeps its side of zero, and at least half its distance."""
        return Bounds(self.estimate, self._wide(self.ci90, factor), self._wide(self.ci95, factor))

    def _wide(self, interval: tuple[float, float], factor: float) -> tuple[float, float]:
        low, high = (self.estimate + factor * (bound - self.estimate) for bound in interval)
        return max(low, interval[0] / 2.0) if interval[0] > 0.0 else low, (
            min(high, interval[1] / 2.0) if interval[1] < 0.0 else high
        )

    def with_zero(self) -> Bounds:
        """The same intervals widened to hold zero, for a test that has been withdrawn."""
        return Bounds(
            self.estimate,
            (min(self.ci90[0], 0.0), max(self.ci90[1], 0.0)),
            (min(self.ci95[0], 0.0), max(self.ci95[1], 0.0)),
        )


def unwidened(estimate: float, end: float) -> float:
    """Distance of an end of an interval from the estimate before :data:`SHAPE_WIDENING`.

    An end at zero may have been put there for a withdrawn test and keeps its distance.
    """
    distance = abs(estimate - end)
    if end == 0.0:
        return distance
    # An end that was held beside zero, at half its place, was not widened by the whole factor.
    held = abs(estimate) - 2.0 * abs(end) if estimate * end > 0.0 and abs(end) < abs(estimate) else 0.0
    return max(held, distance / SHAPE_WIDENING)


def invert(run: FloatArray, rest: FloatArray | None, signals: FloatArray, dof: int, fit: Fit, null: Fit) -> Bounds:
    """Bounds for the run (1, n) whose evidence is ``fit``, from surrogates whose evidence is ``null``.

    Returns
    -------
    Bounds
        In units of the mean shape ``fit.weights @ signals``. The estimate lies in the 90 % interval, and that in the
        95 % interval, always.
    """
    shape = fit.weights[0] @ signals
    centre = float(fit.weights[0] @ fit.fall_bpm[0])
    se = float(np.sqrt(fit.weights[0] @ fit.se_bpm[0] ** 2))
    far = np.array(FAR_SE)
    steps = np.concatenate((-far, np.linspace(-NEAR_SE, NEAR_SE, NEAR_N), far))
    sizes = np.unique(np.append(centre + se * steps, 0.0))
    zero = int(np.searchsorted(sizes, 0.0))
    found = evidence.evidence(run - sizes[:, None] * shape, rest, signals, dof)
    intervals = []
    left = float(np.min(np.maximum(found.slowing, found.speeding)))
    for alpha in (ALPHA, ALPHA / 2.0):
        critical = evidence.critical(null, alpha)
        # At least one size is kept, whatever surrogates say; at zero it is the test itself.
        limit = np.full(sizes.size, max(critical + _beyond_nothing(left, fit), left))
        limit[zero] = critical
        low = _bound(sizes, found.slowing - np.maximum(found.speeding, limit), zero)
        high = -_bound(-sizes[::-1], (found.speeding - np.maximum(found.slowing, limit))[::-1], sizes.size - 1 - zero)
        intervals.append((low, max(low, high)))
    estimate = _balance(sizes, found.slowing - found.speeding, centre)
    bounds = Bounds(float(np.clip(estimate, *intervals[0])), intervals[0], intervals[1])
    return bounds.widened(SHAPE_WIDENING)


def _beyond_nothing(left: float, fit: Fit) -> float:
    """What is left in the run at the best size, beyond the evidence of a run that shows nothing at all.

    Mostly some tenths, by chance and because sizes are tried in steps. Large where the true shape is not the mean one:
    without it the test rejects every size of a strong response in a calm heart, and the interval has no width.
    """
    nothing = float(log_mean(log_bayes(np.zeros_like(fit.se_bpm), fit.se_bpm)[0])[0])
    return max(left - nothing, 0.0)


def _bound(sizes: FloatArray, excess: FloatArray, zero: int) -> float:
    """Smallest size that is not rejected; ``excess`` of evidence over its limit is positive where a size is.

    Above zero when size zero is rejected, whatever happens below it; else the lowest size of all that are not.
    """
    first = zero if excess[zero] > 0.0 else 0
    kept = np.flatnonzero(excess[first:] <= 0.0)
    if kept.size == 0:
        return float(sizes[-1])
    at = first + int(kept[0])
    return float(sizes[at]) if at == first else _between(sizes, excess, at - 1)


def _balance(sizes: FloatArray, values: FloatArray, centre: float) -> float:
    """Where values change sign nearest to ``centre``; ``centre`` itself when they do not."""
    changes = np.flatnonzero((values[:-1] > 0.0) != (values[1:] > 0.0))
    found = [_between(sizes, values, int(at)) for at in changes]
    return min(found, key=lambda size: abs(size - centre), default=centre)


def _between(sizes: FloatArray, values: FloatArray, at: int) -> float:
    """Where the line between one value and the next is zero."""
    part = values[at] / (values[at] - values[at + 1])
    return float(sizes[at] + part * (sizes[at + 1] - sizes[at]))

"""A run and its surrogates weighed in the same way: all of a test but the count.

Noise of the run, and of rest unless it is stale, is fitted; each hypothesis is weighed in it; then noise without any
response is. What the two say together is in ``coupling.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import design as build
from hbc_host import evidence
from hbc_host.design import Hypothesis, RunDesign
from hbc_host.evidence import Fit
from hbc_host.peaks import null_noise
from hbc_host.stretches import Stretch, prepare

FloatArray = npt.NDArray[np.float64]

#: What few dose responses leave of a ramp's response looks like a rhythm on the cycle frequency: caution ends here.
CAUTION_RAMP_MAX = 1.08


@dataclass(frozen=True)
class Weighed:
    """A run and its evidence, before noise is asked how often it says as much.

    ``rest`` is None without rest; ``used`` is the rest that the noise was learned from, None when it was stale.
    """

    design: RunDesign
    run: Stretch
    rest: Stretch | None
    used: Stretch | None
    signals: FloatArray
    fit: Fit


def weigh(
    design: RunDesign, candidates: tuple[Hypothesis, ...], rest_s: float | tuple[float, float] | None = None
) -> Weighed:
    """Weigh a usable run under the given hypotheses, in noise of the run and of rest."""
    run, rest = prepare(design, rest_s)
    signals = run.block.scaled(build.signals(design, list(candidates)))
    dof, used = run.block.dof, rest
    fit = evidence.evidence(run.row, None, signals, dof)
    if rest is not None and evidence.is_stale(fit, run.row, rest.row, signals):
        used = None
    if used is not None:
        fit = evidence.evidence(run.row, used.row, signals, dof)
    return Weighed(design, run, rest, used, signals, fit)


def null_fit(
    weighed: Weighed,
    candidates: tuple[Hypothesis, ...],
    *,
    is_ramp: bool = False,
    surrogates_n: int = evidence.SURROGATES_N,
) -> Fit:
    """Weigh surrogates of the run's noise in the same way; fewer of them are the first ones of all.

    ``is_ramp``: intensities were given, and differ.
    """
    run, used, signals, fit = weighed.run, weighed.used, weighed.signals, weighed.fit
    # Of one shift only: over all of them the mean response is flat.
    first = signals[[item.shift_s == candidates[0].shift_s for item in candidates]].mean(axis=0)
    noise = null_noise(weighed.design, run, used, evidence.null_residual(fit, run.row, signals), first)
    rest_block = None if used is None else used.block
    surrogates = evidence.surrogate_rows(noise.filter_, noise.sigma_bpm, run.block, rest_block, surrogates_n)
    caution = min(noise.caution, CAUTION_RAMP_MAX) if is_ramp else noise.caution
    return evidence.evidence(*surrogates, signals, run.block.dof, caution)

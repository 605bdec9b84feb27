"""The noise that surrogates are drawn from, and the caution that a rhythm on the cycle frequency asks for.

Autoregressive noise with a memory of half a minute makes a rhythm that is narrower than about 0.03 Hz too wide and too
low. Where such a rhythm lies on the cycle frequency, surrogates lack part of it. How much is not known from so short a
record, but that there is a rhythm is: the fitted noise itself is higher where the response is than a little beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host import noise
from hbc_host.design import RunDesign
from hbc_host.evidence import order_for
from hbc_host.stretches import Stretch

FloatArray = npt.NDArray[np.float64]

#: "Beside": this far from the cycle frequency and its multiples, Hz, and at most this share of a cycle.
BESIDE_HZ, BESIDE_CYCLES = 0.02, 1.0 / 3.0
#: Falls in surrogates count more by the ratio of noise at the response to noise beside it, to this power. Chosen on
#: seed 1: of simulated iTBS with high variability 13 % were positive with 0, 7 % with 0.15, 5 % with 0.2 (n 100).
#: A test with 16 beats of memory needs more where a Mayer wave is on the cycle of Dash: of 600 runs (seed 402) 6.5 %
#: with 0.2, 4.5 % with 0.3.
PEAK_POWER = 0.3
#: Silence in gaps smears the spectrum and hides the peak: falls count more by the share that is known, to this power.
#: Without it 11, 6 and 12 % of simulated iTBS runs with 30 % in gaps were positive (seeds 1, 5 and 300, n 100 each).
KNOWN_POWER = -0.5


@dataclass(frozen=True)
class NullNoise:
    """Noise without response: prediction-error filter, size of its innovations, and the :func:`caution` it asks for."""

    filter_: FloatArray
    sigma_bpm: float
    caution: float


def null_noise(
    design: RunDesign, run: Stretch, rest: Stretch | None, residual: FloatArray, signal: FloatArray
) -> NullNoise:
    """Noise of a run (1, n) less its response, and of rest scaled to the same variance.

    ``signal`` (n,) is the response whose frequencies matter, scaled like the run.
    """
    order = order_for(residual.shape[1])
    stretches = [residual[0]] if rest is None else [residual[0], _as_large(rest.row[0], residual[0])]
    filter_, variance = noise.burg(stretches, order)
    return NullNoise(filter_, math.sqrt(variance), caution(design, run, rest, residual[0], signal))


def caution(design: RunDesign, run: Stretch, rest: Stretch | None, residual: FloatArray, signal: FloatArray) -> float:
    """Factor, at least 1, by which falls in surrogates count more.

    Judged over even time, not over beats: where the heart rate varies much, a rhythm of the nerves is smeared over beat
    number, and so is the response, but the two together are not.
    """
    middle_s = (design.beats.starts_s + design.beats.ends_s)[design.window] / 2.0
    even_s = np.linspace(middle_s[0], middle_s[-1], middle_s.size)
    series = [_even(middle_s, residual * run.block.scale)]
    if rest is not None:
        at_rest_s = (design.beats.starts_s + design.beats.ends_s)[rest.window] / 2.0
        series.append(_as_large(_even(at_rest_s, rest.rate_bpm), series[0]))
    filter_ = noise.burg(series, order_for(even_s.size))[0]
    shape = _even(middle_s, signal * run.block.scale)
    angle = 2.0 * np.pi * min(BESIDE_HZ, BESIDE_CYCLES / design.cycle_s) * even_s
    covariance = noise.autocovariance(np.stack((shape, shape * np.cos(angle), shape * np.sin(angle))), filter_.size - 1)
    # Size of each regressor over its size after whitening: the noise at its frequencies.
    whitened = np.maximum(covariance @ noise.filter_products(filter_[None, :])[0], 1e-12)
    at, beside = covariance[0, 0] / whitened[0], covariance[1:, 0].sum() / whitened[1:].sum()
    known = 1.0 - float(np.mean(run.block.in_gap))
    return float(max(at / max(beside, 1e-12), 1.0) ** PEAK_POWER * max(known, 0.1) ** KNOWN_POWER)


def _even(middle_s: FloatArray, values: FloatArray) -> FloatArray:
    """A series over beats at evenly spaced times, as many, less its mean."""
    found = np.interp(np.linspace(middle_s[0], middle_s[-1], middle_s.size), middle_s, values)
    return np.asarray(found - found.mean())


def _as_large(series: FloatArray, other: FloatArray) -> FloatArray:
    """A series scaled to the mean square of another."""
    return np.asarray(series * math.sqrt(float(np.mean(other**2)) / max(float(np.mean(series**2)), 1e-12)))

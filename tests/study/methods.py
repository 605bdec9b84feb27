"""Every method that is compared, on one run: what its own rule says, and a score that is larger the more it believes.

Ours, ours told the true response ("oracle"), one fixed template in autoregressive noise, and the published numbers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from backgrounds import FloatArray
from hbc_host import design as build
from hbc_host import noise
from hbc_host.beats import classify_beats
from hbc_host.coupling import fit_run
from hbc_host.evidence import ALPHA, Fit
from hbc_host.published import THRESHOLD, published_score
from hbc_host.response import Shape
from hbc_host.secondary import secondary_metrics
from hbc_host.stretches import prepare
from recordings import Run
from scipy.special import ndtr

#: The template of those who use one; all its constants are in the middle of what the responses have, which is generous.
TEMPLATE = Shape(1.75, 2.0, 4.0)
#: Its noise model, in beats.
TEMPLATE_ORDER = 24


#: Protocol, background, dip in bpm, seed, run.
Key = tuple[str, str, float, int, int]


class Compared(NamedTuple):
    """What the methods make of one run; nan where a method cannot use it.

    ``verdict`` to ``ci95_high_bpm`` are :func:`estimate_coupling`'s; ``truth_bpm`` is the effect that it estimates.
    ``*_is_coupled`` is each method's own rule, ``*score`` what a matched cut-off is taken of. Of a run that went
    through the box, beats that were not detected and beats that are none.
    """

    protocol: str
    background: str
    dip_bpm: float
    seed: int
    run: int
    beats_lost_n: int
    beats_added_n: int
    verdict: str
    p_value: float
    score: float
    truth_bpm: float
    effect_bpm: float
    ci90_low_bpm: float
    ci90_high_bpm: float
    ci95_low_bpm: float
    ci95_high_bpm: float
    oracle_is_coupled: bool
    oracle_score: float
    template_is_coupled: bool
    template_score: float
    published_is_coupled: bool
    published_score: float
    t2circ_is_coupled: bool
    t2circ_score: float
    harmonic_is_coupled: bool
    harmonic_score: float


def compare(key: Key, run: Run, shaped: Run) -> Compared:
    """All methods on a run; ``shaped`` has the response that the oracle is told (the run's own, if it has one)."""
    found = fit_run(run.beats_s, run.onsets_s, train_s=run.protocol.train_s, intensities_pct=run.intensities_pct)
    result = found.result
    oracle_is_coupled, oracle_score = (False, math.nan) if found.fit is None else _oracle(run, shaped)
    template_score = _template(run)
    score = published_score(run.beats_s, run.onsets_s, train_s=run.protocol.train_s)
    other = secondary_metrics(run.beats_s, run.onsets_s, train_s=run.protocol.train_s)
    return Compared(
        *key,
        0,
        0,
        result.verdict,
        result.p_value,
        math.nan if found.fit is None else _slowing(found.fit),
        run.truth_bpm,
        result.effect_bpm,
        *result.ci90_bpm,
        *result.ci95_bpm,
        oracle_is_coupled,
        oracle_score,
        bool(ndtr(-template_score) < ALPHA),
        template_score,
        score.mean_log_power > THRESHOLD,
        score.mean_log_power,
        other.t2circ_p < ALPHA,
        -other.t2circ_p,
        other.harmonic_p < ALPHA,
        -other.harmonic_p,
    )


def unusable(key: Key) -> Compared:
    """A run of which nothing came."""
    nothing = (math.nan,) * 8
    return Compared(*key, 0, 0, "unusable", *nothing, *(False, math.nan) * 5)


def _slowing(fit: Fit) -> float:
    """Evidence of slowing, or none at all where speeding explains more."""
    slowing, speeding = float(fit.slowing[0]), float(fit.speeding[0])
    return slowing if slowing > speeding else -math.inf


def _oracle(run: Run, shaped: Run) -> tuple[bool, float]:
    """The same estimator told the true shape and dose: its verdict, and the fall over its standard error."""
    told = run.told(shaped)
    assert told.fit is not None
    return told.result.verdict == "coupled", float(told.fit.fall_bpm[0, 0] / told.fit.se_bpm[0, 0])


def _template(run: Run) -> float:
    """Fall over its standard error of one fixed template, by least squares whitened with the run's AR(24) noise.

    As it is usually done: the run alone, one fit of the noise to what ordinary least squares leaves, no local size.
    """
    design = build.design_run(classify_beats(run.beats_s), run.onsets_s, run.protocol.train_s)
    if design.problems:
        return math.nan
    run_of, _ = prepare(design, None)
    block, row = run_of.block, run_of.rate_bpm[None, :]
    equal_dose = build.Hypothesis(TEMPLATE, np.ones(run.onsets_s.size), 0.0)
    signal = block.repair(build.signals(design, [equal_dose]))
    residual = row - (float(row[0] @ signal[0]) / float(signal[0] @ signal[0])) * signal
    filter_ = noise.levinson(noise.autocovariance(residual, TEMPLATE_ORDER))[0][0]
    white, template = (_whitened(series[0], filter_) for series in (row, signal))
    fall = float(white @ template) / float(template @ template)
    variance = float(np.sum((white - fall * template) ** 2)) / max(block.dof - 1 - TEMPLATE_ORDER, 1)
    return fall / math.sqrt(variance / float(template @ template))


def _whitened(series: FloatArray, filter_: FloatArray) -> FloatArray:
    return np.convolve(series, filter_)[filter_.size - 1 : series.size]

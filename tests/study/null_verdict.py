"""The verdict of an estimate, sooner where it cannot be "coupled".

Most runs of a null campaign are far from the limit, and a few surrogates show it. What is not ruled out so is estimated
as always; `tests/unit/test_coupling_worlds.py` holds the two against each other.
"""

from __future__ import annotations

import math

import numpy as np
from hbc_host import design as build
from hbc_host.beats import classify_beats
from hbc_host.coupling import estimate_coupling
from hbc_host.evidence import ALPHA, SURROGATES_N
from hbc_host.weighing import null_fit, weigh
from null_worlds import Recording

#: The first of all surrogates; where so many of them have more evidence than the run, p is above 0.05 whatever the
#: others say. Two more are asked for, as sums over fewer rows may differ in their last bits.
FEW_N = 100
ENOUGH_N = math.ceil(2.0 * ALPHA * (1 + SURROGATES_N)) - 1 + 2


def is_ruled_out(one: Recording) -> bool:
    """Can this run not be "coupled", nor "cannot tell"?"""
    design = build.design_run(classify_beats(one.beats_s, one.gaps_s), one.onsets_s, one.train_s)
    if design.problems:
        return False
    candidates = tuple(build.hypotheses(build.dose_profiles(None, one.onsets_s.size), 0.0, design.cycle_s))
    weighed = weigh(design, candidates)
    slowing = float(weighed.fit.slowing[0])
    if slowing <= float(weighed.fit.speeding[0]):
        return True
    null = null_fit(weighed, candidates, surrogates_n=FEW_N)
    return int(np.count_nonzero(np.maximum(null.slowing, null.speeding) >= slowing)) >= ENOUGH_N


def verdict_of(one: Recording) -> str:
    """The verdict of :func:`estimate_coupling`."""
    if is_ruled_out(one):
        return "not_shown"
    return estimate_coupling(one.beats_s, one.onsets_s, train_s=one.train_s, gaps_s=one.gaps_s).verdict

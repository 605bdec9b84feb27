"""What the mean response would look like if the heart only did what it does at rest.

Onsets that never were are laid over the rest before each run, a second apart; the spread of what follows them is that
of a heart without trains. The mean of as many as the run had would lie within the band about nine times out of ten, and
more often when the heart has a regular rhythm of its own that averages out. It is for the eye: the p-value comes from
:mod:`hbc_host.evidence`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.beats import Beats
from hbc_host.response import student_t95, train_changes

FloatArray = npt.NDArray[np.float64]

STEP_S = 1.0
#: With less rest than this the spread is not known well enough to be drawn.
REST_MIN_S = 60.0


@dataclass(frozen=True)
class RestNull:
    """Half-width of the 90 % band of a mean response without a response, at the times of ``TrainResponse.time_s``.

    ``time_s``, ``half_bpm`` (n,); ``rest_s`` is how much rest it was taken from, seconds.
    """

    time_s: FloatArray
    half_bpm: FloatArray
    rest_s: float


@dataclass(frozen=True)
class RestSpread:
    """Spread of the change after one onset that never was, ``spread_bpm`` (n,) at ``time_s`` (n,); of ``rest_s``
    seconds of rest, of which each onset sees ``extent_s``.
    """

    time_s: FloatArray
    spread_bpm: FloatArray
    rest_s: float
    extent_s: float

    def of_mean(self, trains_n: int) -> RestNull | None:
        """The band for the mean of some trains; None without any."""
        if trains_n < 1:
            return None
        # Neighbouring onsets see nearly the same beats: what counts is how many fit beside each other.
        dof = max(2, int(self.rest_s / self.extent_s) - 1)
        half_bpm = student_t95(dof) * self.spread_bpm / math.sqrt(trains_n)
        return RestNull(self.time_s, half_bpm, self.rest_s)


def rest_spread(
    rests: Sequence[tuple[Beats, float, float]], after_s: float, before_s: float = 3.0
) -> RestSpread | None:
    """What follows onsets that never were.

    Parameters
    ----------
    rests : sequence of (Beats, start, end)
        Stretches of rest, seconds on the clock of their beats.
    after_s, before_s : float, seconds
        Extent of the response, as for :func:`hbc_host.response.mean_response`.

    Returns
    -------
    RestSpread or None
        None with less than :data:`REST_MIN_S` of rest, or without measured beats in it.
    """
    changes: list[FloatArray] = []
    time_s = np.empty(0)
    total_s = 0.0
    for beats, start_s, end_s in rests:
        onsets_s = np.arange(start_s + before_s, end_s - after_s, STEP_S)
        found = train_changes(beats, onsets_s, after_s=after_s, before_s=before_s) if onsets_s.size else None
        if found is not None and found[1].shape[0]:
            time_s, change = found
            changes.append(change)
            total_s += end_s - start_s
    if total_s < REST_MIN_S:
        return None
    spread_bpm = np.sqrt((np.concatenate(changes) ** 2).mean(axis=0))  # about zero: by chance nothing has a direction
    return RestSpread(time_s, spread_bpm, total_s, before_s + after_s)


def rest_null(
    rests: Sequence[tuple[Beats, float, float]], *, after_s: float, trains_n: int, before_s: float = 3.0
) -> RestNull | None:
    """The band for the mean of ``trains_n`` trains; the rest as :func:`rest_spread`, None where that is."""
    spread = rest_spread(rests, after_s, before_s)
    return None if spread is None else spread.of_mean(trains_n)

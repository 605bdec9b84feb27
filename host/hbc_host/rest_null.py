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


def rest_null(
    rests: Sequence[tuple[Beats, float, float]], *, after_s: float, trains_n: int, before_s: float = 3.0
) -> RestNull | None:
    """The band for the mean of some trains.

    Parameters
    ----------
    rests : sequence of (Beats, start, end)
        Stretches of rest, seconds on the clock of their beats.
    after_s, before_s : float, seconds
        Extent of the response, as for :func:`hbc_host.response.mean_response`.
    trains_n : int
        Trains that the response is the mean of.

    Returns
    -------
    RestNull or None
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
    if total_s < REST_MIN_S or trains_n < 1:
        return None
    spread_bpm = np.sqrt((np.concatenate(changes) ** 2).mean(axis=0))  # about zero: by chance nothing has a direction
    # Neighbouring onsets see nearly the same beats: what counts is how many fit beside each other.
    dof = max(2, int(total_s / (before_s + after_s)) - 1)
    return RestNull(time_s, student_t95(dof) * spread_bpm / math.sqrt(trains_n), total_s)

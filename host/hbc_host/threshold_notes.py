"""What a reader must be told beside a threshold: flags that a program may ask for, and reasons in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.threshold_grid import Levels
from hbc_host.threshold_model import Posterior

FloatArray = npt.NDArray[np.float64]

FROM_FIRST_STEP, ABOVE_LAST_STEP = "from_first_step", "above_last_step"
NOT_MONOTONE, DOSE_FOLLOWS_TIME, CATCH_RESPONSE = "not_monotone", "dose_follows_time", "catch_response"

#: An interval wider than this is no threshold.
WIDTH_MAX_STEPS = 5.0
TRAINS_PER_STEP_ADVISED_N = 3
#: A midpoint outside the tested levels is worth a word from this probability on; beforehand it is about 0.01.
OUTSIDE_MIN = 0.1
CONFINED_MIN = 0.5
#: Rank correlation of intensity and time from which the two cannot be told apart.
CONFOUNDED_MIN = 0.7
#: 97.5 % point of the normal distribution.
Z975 = 1.959963984540054


@dataclass(frozen=True)
class Note:
    """A flag and the sentence that explains it."""

    flag: str
    text: str


def notes(found: Posterior, levels: Levels, onsets_s: FloatArray) -> tuple[Note, ...]:
    """Everything that the posterior and the order of the trains give reason to say."""
    maybe = (*_outside(found, levels), _confined(found), _confounded(levels, onsets_s), _catch(found))
    return tuple(note for note in maybe if note is not None)


def _outside(found: Posterior, levels: Levels) -> tuple[Note | None, Note | None]:
    below, above = found.outside_shares
    first_pct, last_pct = levels.intensities_pct[[0, -1]]
    low = Note(
        FROM_FIRST_STEP,
        f"the heart may slow from the lowest intensity on (probability {below:.2f}): the threshold may lie below "
        f"{first_pct:g} %, or the slowing has another cause than the dose; start lower and add catch trains",
    )
    high = Note(
        ABOVE_LAST_STEP,
        f"the threshold may lie above the highest intensity, {last_pct:g} % (probability {above:.2f}): "
        "no plateau is seen",
    )
    return (low if below >= OUTSIDE_MIN else None), (high if above >= OUTSIDE_MIN else None)


def _confined(found: Posterior) -> Note | None:
    share = found.confined_share
    if share < CONFINED_MIN:
        return None
    return Note(
        NOT_MONOTONE,
        f"the response is lost again at higher intensities (probability {share:.2f}): more is not better here, and "
        "the threshold is that of the rise",
    )


def _confounded(levels: Levels, onsets_s: FloatArray) -> Note | None:
    correlation = time_correlation(levels, onsets_s)
    if abs(correlation) < CONFOUNDED_MIN:
        return None
    return Note(
        DOSE_FOLLOWS_TIME,
        f"intensity goes with time (rank correlation {correlation:.2f}): habituation, arousal or drift can look like "
        "dose; give the steps in random order",
    )


def _catch(found: Posterior) -> Note | None:
    if not found.catch_bpm > Z975 * found.catch_se_bpm:
        return None
    return Note(
        CATCH_RESPONSE,
        f"the heart slows after catch trains too (by {found.catch_bpm:.1f} bpm, standard error "
        f"{found.catch_se_bpm:.1f}): something else than the dose follows the cycle, such as breathing or sound",
    )


def against(levels: Levels, said: tuple[Note, ...], width_steps: float) -> tuple[str, ...]:
    """Why no threshold may be given although the run shows slowing; empty when one may."""
    flags = {note.flag for note in said}
    reasons = []
    if width_steps > WIDTH_MAX_STEPS:
        now_n = levels.trains_per_level_n
        advice = f"give {TRAINS_PER_STEP_ADVISED_N} trains a step (now {now_n:.3g})"
        if now_n >= TRAINS_PER_STEP_ADVISED_N:
            advice = f"repeat the run, with more than {now_n:.3g} trains a step"
        reasons.append(f"the 95 % interval spans {width_steps:.1f} steps, at most {WIDTH_MAX_STEPS:g} may be; {advice}")
    if flags & {FROM_FIRST_STEP, ABOVE_LAST_STEP}:
        reasons.append("the tested intensities may not enclose the threshold")
    if CATCH_RESPONSE in flags:
        reasons.append("a response without stimulation is none to a dose")
    return tuple(reasons)


def time_correlation(levels: Levels, onsets_s: FloatArray) -> float:
    """Spearman's rank correlation of intensity with time, over the trains that are no catch trains."""
    given = levels.of_train > 0
    return float(np.corrcoef(_ranks(levels.of_train[given]), _ranks(onsets_s[given]))[0, 1])


def _ranks(values: npt.NDArray[np.float64] | npt.NDArray[np.intp]) -> FloatArray:
    """Rank of each value; equal values share the mean of their ranks."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts + 1) / 2.0)[where])

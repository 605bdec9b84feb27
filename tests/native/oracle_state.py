"""What the signal was worth in each second: the oracle's side of hbc_rpeak_state, from whole arrays."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from oracle_signal import Bands, IntArray, Plan, share_q10

State = tuple[int, int]  # samples pushed, state from then on
GOOD, NOISY, HUM, SATURATED, FLAT, LEAD_OFF = range(6)


@dataclass(frozen=True)
class Watched:
    """A recording from its first good sample on."""

    bands: Bands
    off: NDArray[np.bool_]  # of each sample: electrode off
    railed: NDArray[np.bool_]  # of each sample: good and on a rail
    heights: list[tuple[int, int]]  # (step, usual coarse energy of a beat after that step)


def by_second(values: NDArray[Any], second_n: int) -> NDArray[Any]:
    """One row per whole second."""
    rows = len(values) // second_n
    return values[: rows * second_n].reshape(rows, second_n)


def square(steps_n: int, turn: int, lead: int) -> IntArray:
    """Square wave of +1 and -1 whose phase grows by ``turn`` / 65536 a step."""
    phase = np.arange(1, steps_n + 1, dtype=np.int64) * turn + lead
    return np.where(phase % 65536 >= 32768, 1, -1)


def hum_of(change: IntArray, plan: Plan) -> IntArray:
    """Strength of the stronger of 50 and 60 Hz in each second: length of the two correlations, to 12 %."""
    strengths = []
    for mains_hz in (50, 60):
        turn = mains_hz * plan.decim * 65536 // plan.rate_hz
        parts = [
            np.abs(by_second(change * square(len(change), turn, lead), plan.step_hz).sum(axis=1)) for lead in (0, 16384)
        ]
        strengths.append(np.maximum(*parts) + (np.minimum(*parts) >> 1))
    return np.asarray(np.maximum(*strengths))


def states_of(watched: Watched, plan: Plan) -> list[State]:
    """State at the end of each whole second; the worst that applies."""
    second_raw = plan.step_hz * plan.decim
    bands = watched.bands
    change = np.diff(bands.mean, n=2, prepend=[bands.before] * 2) >> 6
    hum, fast = hum_of(change, plan), by_second(np.abs(change), plan.step_hz).sum(axis=1)
    largest = by_second(bands.coarse, plan.step_hz).max(axis=1, initial=0)
    off, railed = (by_second(seen, second_raw).sum(axis=1) for seen in (watched.off, watched.railed))
    states = []
    for second in range(len(fast)):
        end = (second + 1) * plan.step_hz - 1  # judged in this step, before what it decides about beats
        known_n = bisect_left(watched.heights, (end, -1))
        height = watched.heights[known_n - 1][1] if known_n else 0
        hum_height = int(fast[second]) // plan.step_hz * 7 * plan.ms(24) * plan.energy
        if 4 * off[second] >= second_raw:
            state = LEAD_OFF
        elif 16 * railed[second] >= second_raw:
            state = SATURATED
        elif largest[second] < plan.floor:
            state = FLAT
        elif 8 * hum[second] > 5 * fast[second] and hum_height > height >> 6:
            state = HUM
        else:
            noisy = known_n > 0 and share_q10(bands.usual[end][0], height + 1) > 400
            state = NOISY if noisy else GOOD
        states.append(((second + 1) * second_raw, state))
    return states

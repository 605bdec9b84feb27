"""How the heart rate answers to pulse trains, and the truth an estimator is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.scenario import SiteScenario

FloatArray = npt.NDArray[np.float64]

HABITUATION_TRAINS = 5.0
AROUSAL_LATENCY_S, AROUSAL_TRAIN_S, AROUSAL_GROWTH_S, AROUSAL_RECOVERY_S = 0.5, 1.5, 0.7, 1.5
AROUSAL_TRAINS = 3.0
TRUTH_STEP_S = 0.005


@dataclass(frozen=True)
class Response:
    """What one train does to the heart rate."""

    onset_s: float
    train_s: float
    fall_bpm: float
    arousal_bpm: float
    site: SiteScenario


def dose(site: SiteScenario, intensity_pct: float) -> float:
    """Return the share of the plateau that an intensity reaches, 0..1, logistic in the intensity."""
    return float(1.0 / (1.0 + np.exp(-(intensity_pct - site.threshold_pct) / site.dose_slope_pct)))


def responses_of_run(
    site: SiteScenario, onsets_s: Sequence[float], intensities_pct: Sequence[float], train_s: float
) -> tuple[Response, ...]:
    """Return the response to each train of one run, with habituation.

    Parameters
    ----------
    site : SiteScenario
    onsets_s, intensities_pct : sequence of float (n,)
    train_s : float
        Length of a train.

    Returns
    -------
    tuple of Response (n,)
    """
    responses = []
    for train_n, (onset_s, intensity_pct) in enumerate(zip(onsets_s, intensities_pct, strict=True)):
        left = 1.0 - site.habituation * -np.expm1(-train_n / HABITUATION_TRAINS)
        fall_bpm = site.plateau_bpm * dose(site, intensity_pct) * float(left)
        arousal_bpm = site.arousal_bpm * float(np.exp(-train_n / AROUSAL_TRAINS))
        responses.append(Response(onset_s, train_s, fall_bpm, arousal_bpm, site))
    return tuple(responses)


def unit_response(
    after_s: FloatArray, *, latency_s: float, train_s: float, growth_s: float, recovery_s: float
) -> FloatArray:
    """Return a response of height 1: exponential growth while the (delayed) train lasts, exponential return.

    `after_s` is the time since the first pulse, any shape; the result has the same shape.
    """
    running_s = np.clip(after_s - latency_s, 0.0, train_s)
    over_s = np.maximum(after_s - latency_s - train_s, 0.0)
    growth = np.expm1(-running_s / growth_s) / np.expm1(-train_s / growth_s)
    return np.asarray(growth * np.exp(-over_s / recovery_s))


def evoked_bpm(time_s: FloatArray, responses: Sequence[Response]) -> FloatArray:
    """Return the change of heart rate by all responses together; overlapping responses add.

    Parameters
    ----------
    time_s : array of float (n,), seconds, increasing
    responses : sequence of Response

    Returns
    -------
    array of float (n,), beats per minute, negative = slower
    """
    change_bpm = np.zeros(time_s.size)
    for response in responses:
        site = response.site
        low, high = np.searchsorted(time_s, (response.onset_s, _end_s(response)))
        after_s = time_s[low:high] - response.onset_s
        change_bpm[low:high] -= response.fall_bpm * unit_response(
            after_s,
            latency_s=site.latency_s,
            train_s=response.train_s,
            growth_s=site.growth_s,
            recovery_s=site.recovery_s,
        )
        change_bpm[low:high] += response.arousal_bpm * unit_response(
            after_s,
            latency_s=AROUSAL_LATENCY_S,
            train_s=AROUSAL_TRAIN_S,
            growth_s=AROUSAL_GROWTH_S,
            recovery_s=AROUSAL_RECOVERY_S,
        )
    return change_bpm


def _end_s(response: Response) -> float:
    """Return the time from which a response counts as over: 15 recovery constants on, below a millionth of itself."""
    site = response.site
    return response.onset_s + (site.latency_s + response.train_s + 15.0 * site.recovery_s + AROUSAL_TRAIN_S)


def largest_falls_bpm(responses: Sequence[Response], end_s: float) -> FloatArray:
    """Return the largest fall of the noiseless heart rate after each train.

    The fall is measured from the rate at the train's onset to the lowest rate until the next onset (for the last
    train: until `end_s`), so what remains of the previous response is not counted twice.

    Parameters
    ----------
    responses : sequence of Response (n,), in order of onset
    end_s : float
        End of the run.

    Returns
    -------
    array of float (n,), beats per minute, >= 0
    """
    borders_s = [response.onset_s for response in responses] + [end_s]
    falls = []
    first_n = 0  # the oldest response that is not over: a day has thousands
    for train_n in range(len(responses)):
        start_s, stop_s = borders_s[train_n], borders_s[train_n + 1]
        while _end_s(responses[first_n]) < start_s:
            first_n += 1
        points_n = max(2, int((stop_s - start_s) / TRUTH_STEP_S))
        change_bpm = evoked_bpm(np.linspace(start_s, stop_s, points_n), responses[first_n : train_n + 1])
        falls.append(float(change_bpm[0] - change_bpm.min()))
    return np.array(falls, dtype=np.float64)

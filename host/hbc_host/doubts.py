"""Other explanations of a slowing that is locked to the trains: a steady rhythm, or breathing that follows them.

A test against noise cannot see these: breathing or a word in step with the trains is as locked as a response. Three
things tell them apart, as far as heart rate alone can. A response is a fall after the train and not a sinusoid with
several waves a cycle. A word after each train is a *rise* that begins when the train is over. And a person whose
breathing follows the trains stops breathing at their own pace: the free rhythm that rest showed is gone from the run,
while a response leaves it where it was.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

from hbc_host import bayes, evidence
from hbc_host.design import RunDesign
from hbc_host.response import Shape, regressors
from hbc_host.stretches import Stretch

FloatArray = npt.NDArray[np.float64]

#: Breathing of adults at rest, and slower rhythms to compare it with, Hz.
BREATHING_HZ, SLOWER_HZ = (0.12, 0.45), (0.02, 0.12)
#: Free breathing is gone when less than this share of its power at rest is left, and when it has lost this much more
#: than slower rhythms have. Chosen on seed 1, where 3 % of real runs without locked breathing are below the first.
LEFT_MAX, LEFT_RELATIVE_MAX = 0.38, 0.6
#: Waves a cycle that are tried; higher ones are faster than breathing or than every second beat.
WAVES_MAX_N, WAVES_MAX_HZ = 8, 0.4
#: A word: begins so long after the train, lasts so long, and the heart takes so long to settle, seconds.
WORD_AFTER_S, WORD_S, WORD_SETTLES_S = (0.25, 1.0, 2.0), 1.5, (1.5, 3.0)


def doubts(
    design: RunDesign, run: Stretch, rest: Stretch | None, signals: FloatArray, *, exact_onsets: bool
) -> tuple[str, ...]:
    """Reasons why a slowing that the test shows may not be a response; empty when there is none.

    Parameters
    ----------
    design : RunDesign
    run, rest : Stretch
    signals : array (k, n)
        Regressors of the responses, scaled like the run.
    exact_onsets : bool
        Without them, when in the cycle something happens says nothing.
    """
    waves = _waves(design)
    found = [
        _steady_rhythm(design, run, rest, signals, waves),
        _late_rise(design, run, rest, signals) if exact_onsets else "",
        "" if rest is None else _breathing_gone(design, run, rest, waves),
    ]
    return tuple(reason for reason in found if reason)


def _waves(design: RunDesign) -> FloatArray:
    """Cosine and sine with 1, 2, ... waves a cycle at the middle of each heart cycle of the run, (2 n, cycles)."""
    middle_s = (design.beats.starts_s[design.window] + design.beats.ends_s[design.window]) / 2.0
    onsets_s, cycle_s = design.onsets_s, design.cycle_s
    number = np.interp(middle_s, onsets_s, np.arange(onsets_s.size, dtype=np.float64))
    number += (np.minimum(middle_s - onsets_s[0], 0.0) + np.maximum(middle_s - onsets_s[-1], 0.0)) / cycle_s
    # Faster than every second beat there is nothing to see.
    limit_hz = min(WAVES_MAX_HZ, design.mean_rate_bpm / 120.0)
    count = max(1, min(WAVES_MAX_N, int(limit_hz * cycle_s)))
    angle = 2.0 * np.pi * np.arange(1, count + 1)[:, None] * number
    return np.stack((np.cos(angle), np.sin(angle)), axis=1).reshape(2 * count, -1)


def _steady_rhythm(
    design: RunDesign, run: Stretch, rest: Stretch | None, signals: FloatArray, waves: FloatArray
) -> str:
    """Is a sinusoid of two or more waves a cycle, at any phase, likelier than every response?"""
    if waves.shape[0] < 4:
        return ""
    response, fit = _beside(run, rest, signals, run.block.scaled(waves))
    # Sine and cosine are nearly orthogonal over whole cycles: their evidence adds.
    rhythm = bayes.log_bayes_either(*fit).reshape(-1, 2).sum(axis=1)
    waves_n = 2 + int(np.argmax(rhythm[1:]))
    ratio = float(rhythm[waves_n - 1]) - response
    if ratio <= 0.0:
        return ""
    return (
        f"a steady rhythm of {waves_n} waves a cycle ({waves_n / design.cycle_s:.2f} Hz) explains the heart rate "
        f"{math.exp(min(ratio, 7.0)):.3g} times better than a response: breathing or speech in step with the trains "
        "looks like this. Repeat with quiet, free breathing, and record breathing"
    )


def _late_rise(design: RunDesign, run: Stretch, rest: Stretch | None, signals: FloatArray) -> str:
    """Is a rise that begins after the train likelier than every response?"""
    starts_s, ends_s = design.beats.starts_s[design.window], design.beats.ends_s[design.window]
    rises = [
        regressors(Shape(design.train_s + after_s, 1.0, settles_s), starts_s, ends_s, design.onsets_s, WORD_S)
        for after_s, settles_s in itertools.product(WORD_AFTER_S, WORD_SETTLES_S)
    ]
    response, fit = _beside(run, rest, signals, run.block.scaled(np.stack([rise.sum(axis=1) for rise in rises])))
    # A regressor that rises has a positive fit where the heart speeds up: the same half-normal prior applies.
    ratio = float(bayes.log_mean(bayes.log_bayes(*(part[None, :] for part in fit))[0])[0]) - response
    if ratio <= 0.0:
        return ""
    return (
        f"a rise of heart rate after each train explains the run {math.exp(min(ratio, 7.0)):.3g} times better than a "
        "fall after its onset: a word or a movement after each train does this. Repeat in silence, with a silent rating"
    )


def _beside(
    run: Stretch, rest: Stretch | None, signals: FloatArray, others: FloatArray
) -> tuple[float, tuple[FloatArray, FloatArray]]:
    """Log Bayes factor of slowing by a response, and size and standard error of each other regressor, one noise."""
    fit = evidence.fit_rows(
        run.row, None if rest is None else rest.row, np.concatenate((signals, others)), run.block.dof
    )
    k = signals.shape[0]
    slowing = bayes.log_bayes(fit.fall_bpm[:, :k], fit.se_bpm[:, :k])[0]
    return float(bayes.log_mean(slowing)[0]), (fit.fall_bpm[0, k:], fit.se_bpm[0, k:])


def _breathing_gone(design: RunDesign, run: Stretch, rest: Stretch, waves: FloatArray) -> str:
    """Has breathing at its own pace, seen at rest, left the run?"""
    basis, _ = np.linalg.qr(run.block.repair(waves).T)
    free = run.rate_bpm - basis @ (basis.T @ run.rate_bpm)
    breathing, slower = (
        _power(free, design.mean_rate_bpm, band) / max(_power(rest.rate_bpm, design.mean_rate_bpm, band), 1e-12)
        for band in (BREATHING_HZ, SLOWER_HZ)
    )
    if breathing >= LEFT_MAX or breathing >= LEFT_RELATIVE_MAX * slower:
        return ""
    return (
        f"of the breathing rhythm at rest {100.0 * breathing:.0f} % is left in the run "
        f"({100.0 * slower:.0f} % of slower rhythms): breathing may follow the trains, and then slows the heart "
        "in step with them. Repeat with free breathing, and record breathing"
    )


def _power(rate_bpm: FloatArray, mean_bpm: float, band_hz: tuple[float, float]) -> float:
    """Mean power of a tapered series over beats in a band of frequencies."""
    taper = np.hanning(rate_bpm.size)
    power = np.abs(np.fft.rfft(rate_bpm * taper)) ** 2 / np.sum(taper**2)
    frequency_hz = np.fft.rfftfreq(rate_bpm.size) * mean_bpm / 60.0
    inside = (frequency_hz > band_hz[0]) & (frequency_hz < band_hz[1])
    return float(power[inside].sum()) / rate_bpm.size

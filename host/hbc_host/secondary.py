"""Other published numbers that stand beside the coupling estimate, for comparison only.

None of them decides anything here: docs/published.md says what each is, where it comes from and where it fails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.beats import Beats, classify_beats
from hbc_host.design import SLOW_CYCLES_N, SLOW_MIN_S, check_onsets

FloatArray = npt.NDArray[np.float64]

SLOPE_S = 45.0
SLOPE_INTERVALS_MIN_N = 10
CYCLES_MIN_N = 4
TAPERS_N = 5
#: Steps at which the intervals are read; a beat lasts several of them at any heart rate.
STEP_HZ = 10.0
#: Cycles more than this share off their median are jittered, and then nothing below has one frequency to test.
JITTER_MAX = 0.05


@dataclass(frozen=True)
class SecondaryMetrics:
    """Comparison numbers of one run; nan where ``reasons`` say so.

    ``t2circ_p`` is the p-value of a constant amplitude *and* phase of the interval between beats at the cycle
    frequency, ``t2circ_ms`` that amplitude (half of peak to peak), both from ``cycles_n`` cycles. ``harmonic_p`` is
    the p-value of a line at the cycle frequency in the spectrum of the intervals. Neither knows slowing from speeding.
    ``rr_slope_ms_per_s`` is the trend of the interval over the first 45 s of stimulation; positive = slowing.
    """

    t2circ_p: float
    t2circ_ms: float
    harmonic_p: float
    rr_slope_ms_per_s: float
    cycles_n: int
    reasons: tuple[str, ...]


def secondary_metrics(
    beats_s: npt.ArrayLike, onsets_s: npt.ArrayLike, *, train_s: float, gaps_s: Sequence[tuple[float, float]] = ()
) -> SecondaryMetrics:
    """T2circ, harmonic F and RR slope of one run, from measured intervals; excluded ones are bridged.

    Parameters
    ----------
    beats_s : array (n,), seconds
    onsets_s : array (trains,), seconds of the same clock
    train_s : float, seconds
    gaps_s : sequence of (start, end), seconds
        Spans in which beats cannot be trusted.

    Raises
    ------
    NoTrainsError
        If there is no onset.
    InputError
        If times are not finite or not increasing.
    """
    return metrics_of(classify_beats(beats_s, gaps_s), check_onsets(onsets_s, train_s, 0.0))


def metrics_of(beats: Beats, onsets: FloatArray) -> SecondaryMetrics:
    """The same for beats that are classified and onsets (trains,) that were checked."""
    slope, slope_reasons = _slope(beats, float(onsets[0]))
    problem = _problem(beats, onsets)
    if problem:
        return SecondaryMetrics(math.nan, math.nan, math.nan, slope, 0, (problem, *slope_reasons))
    cycle_s = float(np.median(np.diff(onsets)))
    rr_ms = _intervals_ms(beats, float(onsets[0]), cycle_s, onsets.size)
    p_circular, amplitude_ms = t2circ(cycle_vectors(rr_ms.reshape(onsets.size, -1)))
    p_harmonic = harmonic_f(rr_ms, onsets.size)
    return SecondaryMetrics(p_circular, amplitude_ms, p_harmonic, slope, onsets.size, slope_reasons)


def _problem(beats: Beats, onsets: FloatArray) -> str:
    if onsets.size < CYCLES_MIN_N:
        return f"{onsets.size} cycles, T2circ and harmonic F need {CYCLES_MIN_N}"
    cycle_s = float(np.median(np.diff(onsets)))
    off_s = float(np.max(np.abs(np.diff(onsets) - cycle_s)))
    if off_s > JITTER_MAX * cycle_s:
        return f"cycles vary by {off_s:.1f} s around {cycle_s:.1f} s: there is no one cycle frequency to test"
    excluded = beats.share_excluded(float(onsets[0]), float(onsets[-1]) + cycle_s)
    return f"{100.0 * excluded:.0f} % of the run is excluded, at most 50 % may be" if excluded > 0.5 else ""


def _intervals_ms(beats: Beats, start_s: float, cycle_s: float, cycles_n: int) -> FloatArray:
    """Interval between beats over the run, ms, ``round(cycle_s * STEP_HZ)`` steps a cycle, drift taken out.

    Drift is what the coupling estimate calls so: cosines slower than six cycles and 90 s. Taking a line out of every
    cycle instead would take out most of a response in sine phase.
    """
    per_cycle_n = max(8, round(cycle_s * STEP_HZ))
    samples_n = cycles_n * per_cycle_n
    time_s = start_s + (np.arange(samples_n) + 0.5) * cycle_s / per_cycle_n
    measured = beats.weights > 0.0
    length_ms = 1000.0 * (beats.ends_s - beats.starts_s)
    middle_s = (beats.starts_s + beats.ends_s) / 2.0
    filled_ms = np.interp(middle_s, middle_s[measured], length_ms[measured])
    at = np.clip(np.searchsorted(beats.ends_s, time_s), 0, filled_ms.size - 1)
    slow_n = int(2.0 * cycles_n * cycle_s / max(SLOW_MIN_S, SLOW_CYCLES_N * cycle_s))
    phase = np.pi * (np.arange(samples_n) + 0.5) / samples_n
    drift = np.cos(phase[:, None] * np.arange(slow_n + 1)[None, :])
    rr_ms = filled_ms[at]
    return np.asarray(rr_ms - drift @ np.linalg.lstsq(drift, rr_ms, rcond=None)[0])


def cycle_vectors(per_cycle: FloatArray) -> npt.NDArray[np.complex128]:
    """Amplitude and phase at one oscillation per row, as complex numbers (cycles,), from (cycles, samples)."""
    samples_n = per_cycle.shape[1]
    carrier = np.exp(-2j * np.pi * (np.arange(samples_n) + 0.5) / samples_n)
    return np.asarray(2.0 * (per_cycle @ carrier) / samples_n)


def t2circ(vectors: npt.NDArray[np.complex128]) -> tuple[float, float]:
    """p-value that the mean of complex vectors (n,) is zero, and its length (Victor & Mast 1991).

    The statistic n (n - 1) |mean|^2 / sum |vector - mean|^2 has F(2, 2n - 2) if the vectors are independent and equally
    scattered in all directions; neighbouring cycles of a slow heart rhythm are not. doi 10.1016/0013-4694(91)90099-P.
    """
    n = vectors.size
    mean = vectors.mean()
    scatter = float(np.sum(np.abs(vectors - mean) ** 2))
    signal = n * (n - 1.0) * float(np.abs(mean)) ** 2
    return _f2_tail(signal, scatter, n - 1), float(np.abs(mean))


def harmonic_f(series: FloatArray, cycles_n: int) -> float:
    """p-value of a line at ``cycles_n`` oscillations in the series (n,) by Thomson's F-test with five tapers.

    doi 10.1109/PROC.1982.12433. Sine tapers (Riedel & Sidorenko 1995, doi 10.1109/78.365298) instead of Slepian's:
    closed form, as good a bandwidth. The background must be flat within about three oscillations over the run.
    """
    n = series.size
    k = np.arange(1, TAPERS_N + 1)[:, None]
    tapers = math.sqrt(2.0 / (n + 1)) * np.sin(np.pi * k * np.arange(1, n + 1)[None, :] / (n + 1))
    transformed = tapers @ (series * np.exp(-2j * np.pi * cycles_n * np.arange(n) / n))
    sums = tapers.sum(axis=1)
    amplitude = np.sum(sums * transformed) / np.sum(sums**2)
    left = float(np.sum(np.abs(transformed - amplitude * sums) ** 2))
    return _f2_tail((TAPERS_N - 1.0) * float(np.abs(amplitude)) ** 2 * float(np.sum(sums**2)), left, TAPERS_N - 1)


def _f2_tail(signal: float, rest: float, m: int) -> float:
    """P(F > signal / rest) for F with 2 and 2m degrees of freedom, which has a closed form; 1 when all is zero."""
    if signal == 0.0:
        return 1.0
    return float((rest / (rest + signal / m)) ** m)


def _slope(beats: Beats, start_s: float) -> tuple[float, tuple[str, ...]]:
    """Trend of measured intervals that lie in the first 45 s, ms per s, by least squares over their middles.

    The first 45 s of iTBS predicted improvement in Goya-Maldonado 2025, doi 10.61373/bm025a.0113.
    """
    inside = (beats.weights > 0.0) & (beats.starts_s >= start_s) & (beats.ends_s <= start_s + SLOPE_S)
    count_n = int(np.count_nonzero(inside))
    if count_n < SLOPE_INTERVALS_MIN_N:
        return math.nan, (f"{count_n} measured intervals in the first 45 s, the slope needs {SLOPE_INTERVALS_MIN_N}",)
    middle_s = (beats.starts_s[inside] + beats.ends_s[inside]) / 2.0
    length_ms = 1000.0 * (beats.ends_s[inside] - beats.starts_s[inside])
    off_s = middle_s - middle_s.mean()
    return float(off_s @ length_ms / (off_s @ off_s)), ()

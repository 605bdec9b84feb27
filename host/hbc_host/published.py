"""The published score of heart-brain coupling, for comparison only: log wavelet power of heart rate at 130 Hz.

Written from the description of the method (Dijkstra 2023, doi 10.1016/j.bpsgos.2023.01.003, and what its authors
publish about their scripts), not from the scripts. It measures how large the rhythm of heart rate at the cycle
frequency is, not whether stimulation made it; docs/published.md tells what is wrong with it, and where the description
leaves a choice, the choice is named below.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.design import check_onsets
from hbc_host.errors import InputError, TooFewBeatsError
from hbc_host.noise import transform_n

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LABEL = "published score (130 Hz)"
#: Power grows with this rate, so it is part of the definition and no option.
RATE_HZ = 130.0
SMOOTH_S = 2.0
WAVELET_CYCLES_N = 10.0
#: The wavelet ends at five standard deviations, 7.96 cycles: the published 50 mirrored cycles give what 8 give.
WAVELET_SD_N, MIRRORED_N = 5.0, 8
SPIKE_PROMINENCE, SPIKE_WINDOW_S = 4.0, 5.0
RATE_SD_MAX_BPM = 12.0
#: Of the newer published version (October 2023: 9.5), and only for the 16 s cycle that it was made for.
THRESHOLD = 9.56
THRESHOLD_CYCLE_S = 16.0
BEATS_MIN_N = 10


@dataclass(frozen=True)
class PublishedScore:
    """Mean natural-log power of heart rate at the cycle frequency, bpm squared, cycle by cycle.

    ``rest_log_power`` is the cycle before the first train (nan without one), ``log_power`` (trains,) the cycles that
    trains start, ``mean_log_power`` their mean. ``above_n`` counts trains above :data:`THRESHOLD`; it is None where
    that threshold has no meaning (``cycle_s`` is not 16 s). ``spikes_n`` stretches were bridged before. When
    ``usable`` is False the powers are nan and ``reasons`` say why; other reasons warn.
    """

    rest_log_power: float
    log_power: FloatArray
    mean_log_power: float
    above_n: int | None
    cycle_s: float
    rate_sd_bpm: float
    spikes_n: int
    usable: bool
    reasons: tuple[str, ...]


def published_score(
    beats_s: npt.ArrayLike, onsets_s: npt.ArrayLike, *, train_s: float, cycle_s: float | None = None
) -> PublishedScore:
    """Published score of one run.

    Parameters
    ----------
    beats_s : array (n,), seconds
        Beat times, increasing. The score knows no artefact correction but its own: give beats as detected.
    onsets_s : array (trains,), seconds of the same clock
        Train onsets. The recording is cut to begin one cycle before the first, or with it when no beat comes earlier.
    train_s : float, seconds
        Length of a train; does not enter the score, is checked like everywhere else.
    cycle_s : float or None, seconds
        From onset to onset; None takes the median of the onsets.

    Returns
    -------
    PublishedScore

    Raises
    ------
    NoTrainsError
        If there is no onset.
    TooFewBeatsError
        If fewer than ten beats lie in the run.
    InputError
        If times are not finite or not increasing, or a single train is given without ``cycle_s``.
    """
    onsets = check_onsets(onsets_s, train_s, 0.0)
    beats = _checked_beats(beats_s)
    cycle_s = _cycle_of(onsets, cycle_s)
    rests_n = 1 if beats[0] < onsets[0] - cycle_s / 2.0 else 0
    start_s = float(onsets[0]) - rests_n * cycle_s
    rate_bpm = step_series(beats, start_s, _kept_cycles_n(beats, onsets, start_s, cycle_s), cycle_s)
    repaired, spikes_n = bridge_spikes(rate_bpm)
    sd_bpm = float(np.std(repaired))
    reasons = _warnings(onsets, cycle_s)
    if sd_bpm > RATE_SD_MAX_BPM:
        reasons = (f"heart rate varies by {sd_bpm:.1f} bpm (SD), the limit is {RATE_SD_MAX_BPM:g} bpm", *reasons)
        nothing = np.full(onsets.size, math.nan)
        return PublishedScore(math.nan, nothing, math.nan, None, cycle_s, sd_bpm, spikes_n, False, reasons)
    log_power = np.log(wavelet_power(smooth(repaired), cycle_s))
    from_s = np.concatenate((onsets[:1] - cycle_s, onsets)) if rests_n else onsets
    per_cycle = _cycle_means(log_power, from_s - start_s, cycle_s)
    trains, rest = per_cycle[rests_n:], float(per_cycle[0]) if rests_n else math.nan
    portable = abs(cycle_s - THRESHOLD_CYCLE_S) < 0.01 * THRESHOLD_CYCLE_S
    above_n = int(np.count_nonzero(trains > THRESHOLD)) if portable else None
    return PublishedScore(rest, trains, float(trains.mean()), above_n, cycle_s, sd_bpm, spikes_n, True, reasons)


def _checked_beats(beats_s: npt.ArrayLike) -> FloatArray:
    beats = np.asarray(beats_s, dtype=np.float64).ravel()
    if beats.size < BEATS_MIN_N:
        raise TooFewBeatsError(f"{beats.size} beats, at least {BEATS_MIN_N} are needed; check electrodes and signal")
    if not np.isfinite(beats).all() or np.any(np.diff(beats) <= 0.0):
        raise InputError("beat times are not finite, increasing seconds; check the beats")
    return beats


def _cycle_of(onsets: FloatArray, cycle_s: float | None) -> float:
    if cycle_s is None and onsets.size < 2:
        raise InputError("one train has no cycle; give cycle_s, the seconds from one onset to the next")
    found_s = float(np.median(np.diff(onsets))) if cycle_s is None else cycle_s
    if not 1.0 <= found_s <= 1200.0:
        raise InputError(f"cycle of {found_s:g} s is outside 1 to 1200 s; check the onsets")
    return found_s


def _kept_cycles_n(beats: FloatArray, onsets: FloatArray, start_s: float, cycle_s: float) -> int:
    """Whole cycles of the recording that are kept: those scored, and up to two more where beats go on."""
    scored_n = math.ceil((float(onsets[-1]) + cycle_s - start_s) / cycle_s - 1e-6)
    recorded_n = math.floor((float(beats[-1]) - start_s) / cycle_s + 1e-6)
    return min(max(recorded_n, scored_n), scored_n + 2)


def _warnings(onsets: FloatArray, cycle_s: float) -> tuple[str, ...]:
    if onsets.size < 2:
        return ()
    off_s = float(np.max(np.abs(np.diff(onsets) - cycle_s)))
    if off_s <= 0.05 * cycle_s:
        return ()
    return (f"onsets are up to {off_s:.1f} s off a fixed cycle of {cycle_s:g} s, which the score takes for granted",)


def step_series(beats_s: FloatArray, start_s: float, cycles_n: int, cycle_s: float) -> FloatArray:
    """Heart rate at 130 Hz, bpm: the rate of an interval from its first beat to its last, held before and after."""
    time_s = start_s + np.arange(round(cycles_n * cycle_s * RATE_HZ)) / RATE_HZ
    rate_bpm = 60.0 / np.diff(beats_s)
    idx = np.searchsorted(beats_s, time_s, side="right") - 1
    return np.asarray(rate_bpm[np.clip(idx, 0, rate_bpm.size - 1)])


def bridge_spikes(rate_bpm: FloatArray) -> tuple[FloatArray, int]:
    """Lines in place of peaks of ``abs(z)`` that stand out by more than four within five seconds, and their number.

    A line goes from the lowest point on the left to the lowest point on the right. The description names neither the
    order (done here before smoothing: a spike that is smoothed first gets wider than its bridge) nor the ends.
    """
    sd = float(np.std(rate_bpm))
    if sd == 0.0:
        return rate_bpm, 0
    z = np.abs((rate_bpm - rate_bpm.mean()) / sd)
    bridged, found_n = rate_bpm.copy(), 0
    half_n = int(SPIKE_WINDOW_S * RATE_HZ) // 2
    edges = np.concatenate(([0], np.flatnonzero(np.diff(z)) + 1, [z.size]))
    tops = z[edges[:-1]]
    # No stretch can stand out by more than its height, so few are looked at; the first and last are no peaks.
    for k in range(1, tops.size - 1):
        if not (tops[k] > SPIKE_PROMINENCE and tops[k] > tops[k - 1] and tops[k] > tops[k + 1]):
            continue
        middle = int(edges[k] + edges[k + 1] - 1) // 2
        left = _base(z[max(middle - half_n, 0) : middle + 1][::-1])
        right = _base(z[middle : middle + half_n + 1])
        if tops[k] - max(z[middle - left], z[middle + right]) >= SPIKE_PROMINENCE:
            ends = [middle - left, middle + right]
            inside = np.arange(ends[0], ends[1] + 1)
            bridged[inside] = np.interp(inside, ends, rate_bpm[ends])
            found_n += 1
    return bridged, found_n


def _base(z: FloatArray) -> int:
    """Steps from a peak (first value) to its base: the lowest value before anything higher, nearest if several."""
    higher = np.flatnonzero(z > z[0])
    return int(np.argmin(z[: higher[0]] if higher.size else z))


def smooth(rate_bpm: FloatArray) -> FloatArray:
    """Moving average under a Hann window of two seconds; the ends are held."""
    half_n = int(SMOOTH_S * RATE_HZ) // 2
    window = np.hanning(2 * half_n + 1)
    return np.convolve(np.pad(rate_bpm, half_n, mode="edge"), window / window.sum(), mode="valid")


def wavelet_power(rate_bpm: FloatArray, cycle_s: float) -> FloatArray:
    """Power under the Morlet wavelet of one frequency, 1 / cycle, of whole cycles at 130 Hz; same shape.

    The wavelet has an L2 norm of sqrt(2). Both ends are continued by the cycles in mirrored *order*, each run forwards:
    of the readings of "mirrored one cycle at a time" this one keeps the phase and agrees best with published values.
    """
    cycle_n = cycle_s * RATE_HZ
    cycles_n = round(rate_bpm.size / cycle_n)
    bounds = np.round(np.arange(cycles_n + 1) * cycle_n).astype(np.int64)
    bounds[-1] = rate_bpm.size
    order = np.pad(np.arange(cycles_n), MIRRORED_N, mode="symmetric")
    pieces = [rate_bpm[bounds[k] : bounds[k + 1]] for k in order]
    before_n = sum(piece.size for piece in pieces[:MIRRORED_N])
    long = np.concatenate(pieces)
    # The wavelet does not see the mean; without it the transform loses fewer digits.
    n, spectrum, half_n = _wavelet_spectrum(cycle_s, long.size)
    filtered = np.fft.ifft(np.fft.fft(long - rate_bpm.mean(), n) * spectrum)
    first = before_n + half_n
    inside = filtered[first : first + rate_bpm.size]
    return np.maximum(inside.real**2 + inside.imag**2, 1e-12)


@functools.lru_cache(maxsize=8)
def _wavelet_spectrum(cycle_s: float, samples_n: int) -> tuple[int, npt.NDArray[np.complex128], int]:
    """Transform length, transform of the wavelet, and its delay in samples."""
    sd_s = WAVELET_CYCLES_N * cycle_s / (2.0 * math.pi)
    half_n = int(WAVELET_SD_N * sd_s * RATE_HZ)
    time_s = np.arange(-half_n, half_n + 1) / RATE_HZ
    wavelet = np.exp(2j * np.pi * time_s / cycle_s - 0.5 * (time_s / sd_s) ** 2)
    wavelet *= math.sqrt(2.0) / np.linalg.norm(wavelet)
    # What wraps around falls on the first 2 half_n samples: on mirrored cycles, which are longer than half a wavelet.
    n = transform_n(samples_n, 0)
    return n, np.fft.fft(wavelet, n), half_n


def _cycle_means(values: FloatArray, starts_s: FloatArray, cycle_s: float) -> FloatArray:
    first = np.round(starts_s * RATE_HZ).astype(np.int64)
    count_n = round(cycle_s * RATE_HZ)
    return np.array([values[start : start + count_n].mean() for start in first])

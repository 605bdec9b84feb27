"""Signals for the detector tests: a synthetic ECG with known R-peaks, and signals that hurt."""

import numpy as np
from numpy.typing import NDArray

# (offset to R in s, width in s, height relative to R) of the Gaussians of one beat: P Q R S T.
Beat = tuple[tuple[float, float, float], ...]
NARROW_BEAT: Beat = (
    (-0.20, 0.020, 0.12),
    (-0.028, 0.010, -0.12),
    (0.0, 0.011, 1.0),
    (0.030, 0.011, -0.22),
    (0.28, 0.05, 0.25),
)
BROAD_BEAT: Beat = (
    (-0.20, 0.020, 0.12),
    (-0.035, 0.009, -0.10),
    (0.0, 0.014, 1.0),
    (0.033, 0.010, -0.22),
    (0.28, 0.05, 0.35),
)


def beat_shape(offset_s: NDArray[np.float64], beat: Beat) -> NDArray[np.float64]:
    """One beat, R wave of height about 1 at offset 0."""
    waves = np.zeros_like(offset_s)
    for at_s, width_s, height in beat:
        waves += height * np.exp(-0.5 * ((offset_s - at_s) / width_s) ** 2)
    return waves


def apex_s(beat: Beat = NARROW_BEAT) -> float:
    """Where the sum of the Gaussians really peaks, to a microsecond."""
    grid_s = np.arange(-0.01, 0.01, 1e-6)
    return float(grid_s[np.argmax(beat_shape(grid_s, beat))])


def synthetic_ecg(
    beats_s: NDArray[np.float64],
    rate_hz: float,
    *,
    height_lsb: float = 1000.0,
    beat: Beat = NARROW_BEAT,
    tail_s: float = 1.0,
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Return the samples and the true R-peak instants in seconds."""
    time_s = np.arange(int((beats_s[-1] + tail_s) * rate_hz)) / rate_hz
    ecg = np.zeros_like(time_s)
    for beat_s in beats_s:
        near = slice(*np.searchsorted(time_s, (beat_s - 0.6, beat_s + 0.8)))
        ecg[near] += beat_shape(time_s[near] - beat_s, beat)
    return to_int16(height_lsb * ecg), beats_s + apex_s(beat)


def regular_beats(until_s: float, rr_s: float = 0.83, first_s: float = 0.3) -> NDArray[np.float64]:
    """Beat instants of a steady rhythm."""
    return np.arange(first_s, until_s, rr_s)


def to_int16(values: NDArray[np.float64]) -> NDArray[np.int16]:
    """Round and clip like an ADC."""
    return np.clip(np.rint(values), -32768, 32767).astype(np.int16)


def square_wave(samples_n: int, half_period_n: int) -> NDArray[np.int16]:
    """Rail to rail."""
    return np.where(np.arange(samples_n) // half_period_n % 2, 32767, -32768).astype(np.int16)


def random_square_wave(samples_n: int, rng: np.random.Generator) -> NDArray[np.int16]:
    """Rail to rail with random half periods of 1..400 samples."""
    flips = np.zeros(samples_n, np.int64)
    flips[np.cumsum(rng.integers(1, 400, samples_n // 100)) % samples_n] = 1
    return np.where(np.cumsum(flips) % 2, 32767, -32768).astype(np.int16)


def random_mask(
    samples_n: int, rng: np.random.Generator, runs_n: int, kinds: tuple[int, ...] = (1,)
) -> NDArray[np.uint8]:
    """Mask with random runs of 1..60 samples, the given kinds (1 = blanked, 2 = an electrode is off) in turn."""
    mask = np.zeros(samples_n, np.uint8)
    runs = zip(rng.integers(0, samples_n, runs_n), rng.integers(1, 60, runs_n), strict=True)
    for run, (start, length) in enumerate(runs):
        mask[start : start + length] = kinds[run % len(kinds)]
    return mask


def train_pulses_s(
    until_s: float, *, first_s: float = 5.0, every_s: float = 8.0, pulses_n: int = 30, itbs: bool = False
) -> NDArray[np.float64]:
    """Instants of TMS pulses in trains: 10 Hz, or iTBS: three at 50 Hz, five times a second."""
    pulse = np.arange(pulses_n)
    one_s = pulse // 3 * 0.2 + pulse % 3 * 0.02 if itbs else pulse * 0.1
    pulses_s = np.add.outer(np.arange(first_s, until_s, every_s), one_s).ravel()
    return np.asarray(pulses_s[pulses_s < until_s])


def pulse_mask(
    pulses_s: NDArray[np.float64], samples_n: int, rate_hz: float, before_s: float = 0.004, after_s: float = 0.008
) -> NDArray[np.uint8]:
    """1 where a pulse may spoil the sample."""
    mask = np.zeros(samples_n, np.uint8)
    for pulse_s in pulses_s:
        mask[max(0, int(np.ceil((pulse_s - before_s) * rate_hz))) : int(np.ceil((pulse_s + after_s) * rate_hz))] = 1
    return mask


def artefacts(
    pulses_s: NDArray[np.float64], samples_n: int, rate_hz: float, height_lsb: float, tail_s: float
) -> NDArray[np.float64]:
    """A step at each pulse that decays."""
    time_s, artefact = np.arange(samples_n) / rate_hz, np.zeros(samples_n)
    for pulse_s in pulses_s:
        tail = slice(*np.searchsorted(time_s, (pulse_s, pulse_s + 15 * tail_s)))  # e**-15 of 30 000 LSB is nothing
        artefact[tail] += height_lsb * np.exp((pulse_s - time_s[tail]) / tail_s)
    return artefact


def unmatched(
    found_s: NDArray[np.float64], true_s: NDArray[np.float64], within_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Match one to one in time order; return (missed true instants, false found instants)."""
    missed, false, i, j = [], [], 0, 0
    while i < len(true_s) and j < len(found_s):
        gap_s = found_s[j] - true_s[i]
        if abs(gap_s) <= within_s:
            i, j = i + 1, j + 1
        elif gap_s > 0:
            missed.append(true_s[i])
            i += 1
        else:
            false.append(found_s[j])
            j += 1
    return np.array([*missed, *true_s[i:]]), np.array([*false, *found_s[j:]])


def f1_score(found_s: NDArray[np.float64], true_s: NDArray[np.float64], within_s: float = 0.15) -> float:
    """F1 of one-to-one matching, in percent."""
    missed, false = unmatched(found_s, true_s, within_s)
    hits_n = len(true_s) - len(missed)
    return 200.0 * hits_n / (2 * hits_n + len(missed) + len(false))

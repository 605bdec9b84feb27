"""When the simulated heart beats: integral pulse frequency modulation of a fluctuating rate.

The rate is the sum of a mean, breathing (respiratory sinus arrhythmia, with a rate that wanders), the Mayer wave near
0.1 Hz, 1/f noise and the response to the pulse trains. Its spectrum has no gaps: a noise model with gaps makes every
estimator of heart-brain coupling look perfect. A beat falls where the integral of the rate crosses an integer.

All fluctuations are filtered white noise that starts 400 s before the world does, so they are stationary from the
first second, and a longer world begins with exactly the beats of a shorter one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from hbc_hil.draws import draws

FloatArray = npt.NDArray[np.float64]

LAW_RATE_HZ = 20  # the law is smooth on 50 ms: linear inversion of its integral is good to about 10 us
BURN_IN_S = 400.0  # five time constants of the slowest process below
PINK_POLES_HZ = tuple(0.002 * 2.0**octave for octave in range(11))  # up to 2 Hz: straight through the beat Nyquist
GAIN_RAMP_S = 5.0


@dataclass(frozen=True)
class PatientSettings:
    """Resting heart-rate law; the defaults are a resting adult.

    Parameters
    ----------
    mean_bpm : float
        Mean heart rate.
    rsa_bpm_rms, mayer_bpm_rms, pink_bpm_rms : float
        Strength of breathing, Mayer wave and 1/f noise. The 1/f figure counts the band up to half the mean heart rate.
    breathing_hz, breathing_spread_hz : float
        Breathing wanders within ``breathing_hz`` +- ``breathing_spread_hz``.
    mayer_hz, mayer_width_hz : float
        Centre and full width at half power of the Mayer wave.
    beat_jitter_ms : float
        White timing noise of each beat, standard deviation, cut at three deviations.
    run_noise_gain : float
        Fluctuations during runs relative to rest.
    """

    mean_bpm: float = 66.0
    rsa_bpm_rms: float = 2.0
    mayer_bpm_rms: float = 1.0
    pink_bpm_rms: float = 1.5
    breathing_hz: float = 0.25
    breathing_spread_hz: float = 0.05
    mayer_hz: float = 0.1
    mayer_width_hz: float = 0.02
    beat_jitter_ms: float = 3.0
    run_noise_gain: float = 1.0


@dataclass(frozen=True)
class Heart:
    """One realisation of the heart law.

    Attributes
    ----------
    beats_s : array of float (n,)
        R-peak times in world seconds, strictly increasing, the last one after the end of the world.
    rate_bpm : array of float (m,)
        Instantaneous rate on the law's grid, `LAW_RATE_HZ` points a second from 0 s.
    breathing_rad : array of float (m,)
        Phase of breathing on the same grid.
    """

    beats_s: FloatArray
    rate_bpm: FloatArray
    breathing_rad: FloatArray


def grid_points_n(duration_s: float) -> int:
    """Return how many points of the law cover `duration_s` and the beat after it."""
    return math.ceil((duration_s + 5.0) * LAW_RATE_HZ) + 1


def _white(seed: int, stream: str, points_n: int) -> FloatArray:
    """Return white noise including the burn-in, unit variance."""
    return draws(seed, stream).standard_normal(points_n + int(BURN_IN_S * LAW_RATE_HZ))


def relaxation_noise(seed: int, stream: str, corner_hz: float, points_n: int) -> FloatArray:
    """Return a first-order relaxation (Ornstein-Uhlenbeck) process of unit variance, shape (points_n,)."""
    decay = math.exp(-2.0 * math.pi * corner_hz / LAW_RATE_HZ)
    noise = lfilter([math.sqrt(1.0 - decay * decay)], [1.0, -decay], _white(seed, stream, points_n))
    return np.asarray(noise[-points_n:], dtype=np.float64)


def resonance_noise(seed: int, stream: str, centre_hz: float, width_hz: float, points_n: int) -> FloatArray:
    """Return noise with one spectral peak (a second-order resonator), unit variance, shape (points_n,)."""
    radius = math.exp(-math.pi * width_hz / LAW_RATE_HZ)
    a1 = -2.0 * radius * math.cos(2.0 * math.pi * centre_hz / LAW_RATE_HZ)
    a2 = radius * radius
    variance = (1.0 + a2) / ((1.0 - a2) * ((1.0 + a2) ** 2 - a1 * a1))  # of a unit-driven AR(2) process
    noise = lfilter([1.0 / math.sqrt(variance)], [1.0, a1, a2], _white(seed, stream, points_n))
    return np.asarray(noise[-points_n:], dtype=np.float64)


def pink_noise(seed: int, stream: str, nyquist_hz: float, points_n: int) -> FloatArray:
    """Return 1/f noise, unit variance in the band below `nyquist_hz`, shape (points_n,).

    Relaxation processes of equal power, one per octave of corner frequency, add up to 1/f (van der Ziel 1950,
    doi 10.1016/0031-8914(50)90078-4). Below 2 mHz the spectrum is flat, so the power stays finite.
    """
    total = np.zeros(points_n)
    for corner_hz in PINK_POLES_HZ:
        total += relaxation_noise(seed, f"{stream}/{corner_hz:.3f}", corner_hz, points_n)
    in_band = sum(2.0 / math.pi * math.atan(nyquist_hz / corner_hz) for corner_hz in PINK_POLES_HZ)
    return total / math.sqrt(in_band)


def breathing_phase(settings: PatientSettings, seed: int, points_n: int) -> FloatArray:
    """Return the phase of breathing in radians on the law's grid, shape (points_n,)."""
    wander = np.tanh(relaxation_noise(seed, "breathing rate", 0.01, points_n))
    rate_hz = settings.breathing_hz + settings.breathing_spread_hz * wander
    start_rad = 2.0 * math.pi * float(draws(seed, "breathing start").random())
    cycles = (np.cumsum(rate_hz) - rate_hz[0]) / LAW_RATE_HZ
    return np.asarray(start_rad + 2.0 * math.pi * cycles)


def _noise_gain(gain: float, runs_s: Sequence[tuple[float, float]], points_n: int) -> FloatArray:
    """Return the gain of the fluctuations on the law's grid: 1 at rest, `gain` in runs, 5 s ramps between."""
    time_s = np.arange(points_n) / LAW_RATE_HZ
    in_run = np.zeros(points_n)
    for start_s, end_s in runs_s:
        rising = np.clip((time_s - start_s) / GAIN_RAMP_S, 0.0, 1.0)
        falling = np.clip((end_s - time_s) / GAIN_RAMP_S, 0.0, 1.0)
        in_run = np.maximum(in_run, np.minimum(rising, falling))
    return np.asarray(1.0 + (gain - 1.0) * in_run)


def beat_times(rate_bpm: FloatArray, jitter_ms: float, seed: int) -> FloatArray:
    """Return where the integral of the rate crosses integers, plus timing noise.

    Parameters
    ----------
    rate_bpm : array of float (m,)
        Instantaneous rate on the law's grid.
    jitter_ms : float
        Standard deviation of the timing noise; beat n takes the n-th draw.
    seed : int
        Seed of the scenario.

    Returns
    -------
    array of float (n,), seconds
        Beat times, strictly increasing.
    """
    rate_per_s = rate_bpm / 60.0
    beats_before = np.concatenate(([0.0], np.cumsum((rate_per_s[1:] + rate_per_s[:-1]) / 2.0))) / LAW_RATE_HZ
    first = 0.2 + 0.8 * float(draws(seed, "first beat").random())
    wanted = np.arange(first, beats_before[-1])
    exact_s = np.interp(wanted, beats_before, np.arange(rate_bpm.size) / LAW_RATE_HZ)
    noise = np.clip(draws(seed, "beat jitter").standard_normal(exact_s.size), -3.0, 3.0)
    return np.asarray(exact_s + noise * jitter_ms * 1e-3)


def simulate_heart(
    settings: PatientSettings,
    *,
    duration_s: float,
    seed: int,
    evoked_bpm: FloatArray | None = None,
    runs_s: Sequence[tuple[float, float]] = (),
) -> Heart:
    """Draw one heart.

    Parameters
    ----------
    settings : PatientSettings
    duration_s : float
        Length of the world.
    seed : int
    evoked_bpm : array of float (grid_points_n(duration_s),), optional
        Change of rate caused by the pulse trains, negative = slower.
    runs_s : sequence of (start_s, end_s)
        Spans in which ``settings.run_noise_gain`` applies.

    Returns
    -------
    Heart
    """
    points_n = grid_points_n(duration_s)
    phase_rad = breathing_phase(settings, seed, points_n)
    depth = 1.0 + 0.2 * np.tanh(relaxation_noise(seed, "breathing depth", 0.02, points_n))
    noise_bpm = settings.rsa_bpm_rms * math.sqrt(2.0) * depth * np.sin(phase_rad)
    noise_bpm += settings.mayer_bpm_rms * resonance_noise(
        seed, "mayer", settings.mayer_hz, settings.mayer_width_hz, points_n
    )
    noise_bpm += settings.pink_bpm_rms * pink_noise(seed, "pink", settings.mean_bpm / 120.0, points_n)
    rate_bpm = settings.mean_bpm + noise_bpm * _noise_gain(settings.run_noise_gain, runs_s, points_n)
    if evoked_bpm is not None:
        rate_bpm = rate_bpm + evoked_bpm
    rate_bpm = np.maximum(rate_bpm, 15.0)  # the integral must rise: no setting may stop time between beats
    return Heart(beat_times(rate_bpm, settings.beat_jitter_ms, seed), rate_bpm, phase_rad)

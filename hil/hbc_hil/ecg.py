"""What the electrodes see of a heart: the ECG waveform and the noise on it, rendered block by block.

Each beat is the sum of five Gaussians (P, Q, R, S, T) after McSharry et al. 2003, doi 10.1109/TBME.2003.808805, in
closed form. Departures: the dynamical model's slow leak is dropped, so wave heights are a*b^2 of the published
constants; times scale with the RR interval before the beat as in the authors' ECGSYN (widths and Q, S with its square
root, P and T with its power 3/4: Bazett's QT law); Q, R and S are shifted together by about 0.1 ms so that the R
peak lies on the beat (within 5 us, tested up to 110 bpm).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates, spline_filter1d

from hbc_hil.draws import draws
from hbc_hil.patient import LAW_RATE_HZ, Heart, resonance_noise

FloatArray = npt.NDArray[np.float64]

BLOCK_N = 16384  # samples rendered at a time, fixed: noise is keyed by block, so chunk length changes nothing

WAVES = ("P", "Q", "R", "S", "T")
THETA_RAD = np.deg2rad([-70.0, -15.0, 0.0, 15.0, 100.0])
SIZE_A = np.array([1.2, -5.0, 30.0, -7.5, 0.75])
WIDTH_B_RAD = np.array([0.25, 0.1, 0.1, 0.1, 0.4])
POSITION_POWER = np.array([0.75, 0.5, 0.5, 0.5, 0.75])
REACH_WIDTHS = 5.5  # a Gaussian cut here is 0.3 ppm of its height
EMG_BAND_HZ = 500.0


class EcgSource(Protocol):
    """Something that yields electrode voltage."""

    beats_s: FloatArray
    obscured_s: tuple[tuple[float, float], ...]

    def render(self, block_idx: int) -> FloatArray:
        """Return samples ``block_idx*BLOCK_N ... +BLOCK_N`` in mV, shape (BLOCK_N,)."""
        ...


@dataclass(frozen=True)
class EcgSettings:
    """Size of the ECG and of the noise on it.

    Parameters
    ----------
    r_mv : float
        Height of the R peak.
    breathing_share : float
        Relative change of a beat's height with breathing.
    wander_mv_rms : float
        Baseline wander: half its power follows breathing, half is slower.
    mains_hz, mains_mv : float
        Frequency and amplitude of mains hum.
    emg_mv_rms : float
        Muscle noise, white, counted over 0..500 Hz.
    """

    r_mv: float = 1.0
    breathing_share: float = 0.05
    wander_mv_rms: float = 0.05
    mains_hz: float = 50.0
    mains_mv: float = 0.01
    emg_mv_rms: float = 0.02


def _peak_shift_rad() -> float:
    """Return where the bare sum of Q, R and S peaks; subtracting it puts the R peak at 0."""
    theta, width = THETA_RAD[1:4], WIDTH_B_RAD[1:4]
    height = (SIZE_A * WIDTH_B_RAD**2)[1:4]
    at_rad = 0.0
    for _ in range(20):  # Newton on the slope
        u = (at_rad - theta) / width
        wave = height * np.exp(-0.5 * u * u)
        slope, curvature = -(wave * u / width).sum(), (wave * (u * u - 1.0) / width**2).sum()
        at_rad -= float(slope / curvature)
    return at_rad


PEAK_SHIFT_RAD = _peak_shift_rad()


def beat_waves(rr_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return centre, width and height of the five waves of beats.

    Parameters
    ----------
    rr_s : array of float (n,)
        RR interval before each beat.

    Returns
    -------
    centre_s, width_s : array of float (n, 5)
        Seconds relative to the R peak; standard deviation in seconds.
    height : array of float (n, 5)
        Relative to an R peak of 1.
    """
    theta = np.where(POSITION_POWER == 0.5, THETA_RAD - PEAK_SHIFT_RAD, THETA_RAD)
    centre_s = theta * rr_s[:, None] ** POSITION_POWER / (2.0 * math.pi)
    width_s = WIDTH_B_RAD * np.sqrt(rr_s)[:, None] / (2.0 * math.pi)
    height = np.broadcast_to(SIZE_A * WIDTH_B_RAD**2, centre_s.shape)
    at_peak = (height * np.exp(-0.5 * (centre_s / width_s) ** 2)).sum(axis=1, keepdims=True)
    return centre_s, width_s, height / at_peak


def add_waves(
    out_mv: FloatArray, first_idx: int, rate_hz: int, centre_s: FloatArray, width_s: FloatArray, height_mv: FloatArray
) -> None:
    """Add Gaussians to a block in place, each within a window of its own.

    Parameters
    ----------
    out_mv : array of float (n,)
        The block; its first sample is number `first_idx` of the world.
    centre_s, width_s, height_mv : array of float (m,)
        Absolute time, standard deviation and height of each wave.
    """
    reach_s = REACH_WIDTHS * width_s
    low = np.maximum(np.ceil((centre_s - reach_s) * rate_hz).astype(np.int64) - first_idx, 0)
    high = np.minimum(np.ceil((centre_s + reach_s) * rate_hz).astype(np.int64) - first_idx, out_mv.size)
    for start, stop, centre, width, height in zip(
        low.tolist(), high.tolist(), centre_s.tolist(), width_s.tolist(), height_mv.tolist(), strict=True
    ):
        if start < stop:
            u = np.arange(start + first_idx, stop + first_idx) / rate_hz
            u -= centre
            u *= u
            u *= -0.5 / (width * width)
            np.exp(u, out=u)
            u *= height
            out_mv[start:stop] += u


class PatientEcg:
    """ECG of a simulated heart.

    Parameters
    ----------
    settings : EcgSettings
    heart : Heart
    rate_hz : int
        Rate of the analog samples.
    seed : int
    """

    def __init__(self, settings: EcgSettings, heart: Heart, *, rate_hz: int, seed: int) -> None:
        self.beats_s = heart.beats_s
        self.obscured_s: tuple[tuple[float, float], ...] = ()
        self._settings = settings
        self._rate_hz = rate_hz
        self._seed = seed
        rr_s = np.diff(heart.beats_s, prepend=2.0 * heart.beats_s[0] - heart.beats_s[1])
        centre_s, width_s, height = beat_waves(rr_s)
        law_s = np.arange(heart.breathing_rad.size) / LAW_RATE_HZ
        breath = np.sin(np.interp(heart.beats_s, law_s, heart.breathing_rad))
        size_mv = settings.r_mv * (1.0 + settings.breathing_share * breath)
        self._centre_s = centre_s + heart.beats_s[:, None]
        self._width_s, self._height_mv = width_s, height * size_mv[:, None]
        self._wander = spline_filter1d(self._wander_mv(heart), mode="mirror")
        self._mains_rad = 2.0 * math.pi * float(draws(seed, "mains phase").random())

    def _wander_mv(self, heart: Heart) -> FloatArray:
        slow = resonance_noise(self._seed, "wander", 0.05, 0.08, heart.breathing_rad.size)
        return self._settings.wander_mv_rms * (math.sqrt(0.5) * slow + np.sin(heart.breathing_rad - 1.0))

    def render(self, block_idx: int) -> FloatArray:
        """Return one block in mV, shape (BLOCK_N,)."""
        first_idx = block_idx * BLOCK_N
        out_mv = self._noise_mv(block_idx)
        # No wave of a beat reaches further than 2 s.
        low = int(np.searchsorted(self.beats_s, first_idx / self._rate_hz - 2.0))
        high = int(np.searchsorted(self.beats_s, (first_idx + BLOCK_N) / self._rate_hz + 2.0))
        add_waves(
            out_mv,
            first_idx,
            self._rate_hz,
            self._centre_s[low:high].ravel(),
            self._width_s[low:high].ravel(),
            self._height_mv[low:high].ravel(),
        )
        return out_mv

    def _noise_mv(self, block_idx: int) -> FloatArray:
        settings, rate_hz = self._settings, self._rate_hz
        time_s = np.arange(block_idx * BLOCK_N, (block_idx + 1) * BLOCK_N) / rate_hz
        noise_mv: FloatArray = draws(self._seed, "emg", block_idx).standard_normal(BLOCK_N)
        noise_mv *= settings.emg_mv_rms * math.sqrt(rate_hz / 2.0 / EMG_BAND_HZ)
        if settings.mains_mv:
            noise_mv += settings.mains_mv * np.sin(2.0 * math.pi * settings.mains_hz * time_s + self._mains_rad)
        noise_mv += map_coordinates(
            self._wander, (time_s * LAW_RATE_HZ)[None, :], order=3, mode="mirror", prefilter=False
        )
        return noise_mv

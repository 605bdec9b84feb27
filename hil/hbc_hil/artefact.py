"""What a TMS pulse leaves in the ECG, at the electrodes.

Each pulse is a stroke of less than a millisecond followed by an exponential recovery of the electrode interface.
The stroke is far shorter than a sample, so every sample holds the *mean* over its own interval: the area, which is
what a 40 Hz low-pass passes on, is exact at any rate. The front end may rail on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.draws import draws

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RECHARGE_START_S = 0.005
RECHARGE_END_S = 0.060


@dataclass(frozen=True)
class ArtefactSettings:
    """Size and shape of the artefact.

    Parameters
    ----------
    amplitude_mv : float
        Height at 50 % of maximum stimulator output; it grows with intensity. An R wave is about 1 mV, artefacts of
        0.5 to 20 times that are seen. 0 = none.
    stroke_ms : float
        Length of the pulse itself.
    tail_ms : float
        Time constant of the recovery, usually 2..10 ms.
    recharge_mv_rms : float
        Noise of the capacitor bank recharging, 5..60 ms after the pulse. 0 = none.
    """

    amplitude_mv: float = 1.0
    stroke_ms: float = 0.3
    tail_ms: float = 3.0
    recharge_mv_rms: float = 0.0


class Artefact:
    """Adds the artefacts of all pulses to blocks of ECG.

    Parameters
    ----------
    settings : ArtefactSettings
    edges_ns : array of int64 (n,)
        Pulse times.
    intensity_pct : array of float (n,)
        Intensity of each pulse.
    polarity : array of float (n,)
        +1 or -1: the sign depends on how the coil faces the electrode leads.
    rate_hz : int
        Rate of the analog samples.
    seed : int
    """

    def __init__(
        self,
        settings: ArtefactSettings,
        edges_ns: IntArray,
        intensity_pct: FloatArray,
        polarity: FloatArray,
        *,
        rate_hz: int,
        seed: int,
    ) -> None:
        self._settings = settings
        self._pulses_s = edges_ns * 1e-9
        spread = 1.0 + 0.05 * draws(seed, "artefact size").standard_normal(edges_ns.size)
        self._heights_mv = settings.amplitude_mv * intensity_pct / 50.0 * polarity * spread
        self._rate_hz = rate_hz
        self._seed = seed
        self._reach_s = max(settings.stroke_ms * 1e-3 + 12.0 * settings.tail_ms * 1e-3, RECHARGE_END_S)

    def add(self, first_idx: int, ecg_mv: FloatArray) -> None:
        """Add the artefacts to `ecg_mv` (n,) in place; its first sample is number `first_idx` of the world."""
        settings = self._settings
        start_s = first_idx / self._rate_hz
        end_s = (first_idx + ecg_mv.size) / self._rate_hz
        low = int(np.searchsorted(self._pulses_s, start_s - self._reach_s))
        high = int(np.searchsorted(self._pulses_s, end_s + 1.0 / self._rate_hz))
        for pulse_n in range(low, high):
            if settings.amplitude_mv:
                self._add_stroke(pulse_n, first_idx, ecg_mv)
            if settings.recharge_mv_rms:
                self._add_recharge(pulse_n, first_idx, ecg_mv)

    def _span(self, from_s: float, to_s: float, first_idx: int, samples_n: int) -> tuple[int, int]:
        """Return the part of a time span that lies in this block, as sample numbers of the world."""
        low = max(int(np.ceil(from_s * self._rate_hz)), first_idx)
        return low, max(low, min(int(np.ceil(to_s * self._rate_hz)), first_idx + samples_n))

    def _area(self, after_s: FloatArray) -> FloatArray:
        """Integral of the unit artefact from the pulse until `after_s`."""
        stroke_s, tail_s = self._settings.stroke_ms * 1e-3, self._settings.tail_ms * 1e-3
        in_stroke = np.clip(after_s, 0.0, stroke_s)
        if not tail_s:
            return np.asarray(in_stroke)
        return np.asarray(in_stroke - tail_s * np.expm1(-np.maximum(after_s - stroke_s, 0.0) / tail_s))

    def _add_stroke(self, pulse_n: int, first_idx: int, ecg_mv: FloatArray) -> None:
        pulse_s = float(self._pulses_s[pulse_n])
        half_s = 0.5 / self._rate_hz
        low, high = self._span(pulse_s - half_s, pulse_s + self._reach_s, first_idx, ecg_mv.size)
        if low == high:
            return
        borders_s = (np.arange(low, high + 1) - 0.5) / self._rate_hz - pulse_s
        means = np.diff(self._area(borders_s)) * self._rate_hz
        ecg_mv[low - first_idx : high - first_idx] += self._heights_mv[pulse_n] * means

    def _add_recharge(self, pulse_n: int, first_idx: int, ecg_mv: FloatArray) -> None:
        pulse_s = float(self._pulses_s[pulse_n])
        whole_low = int(np.ceil((pulse_s + RECHARGE_START_S) * self._rate_hz))
        low, high = self._span(pulse_s + RECHARGE_START_S, pulse_s + RECHARGE_END_S, first_idx, ecg_mv.size)
        if low == high:
            return
        # Drawn from the start of the window, so that a block border inside it changes nothing.
        noise = draws(self._seed, "recharge", pulse_n).standard_normal(high - whole_low)[low - whole_low :]
        ecg_mv[low - first_idx : high - first_idx] += self._settings.recharge_mv_rms * noise

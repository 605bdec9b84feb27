"""The AD8232 front end in its cardiac-monitor circuit, from electrode millivolts to volts at the ADC pin.

Gain 1100 in all: 100 in the instrumentation amplifier and 11 in the Sallen-Key low-pass stage, so the gain of the
low-pass *is included*. A two-pole high-pass at 0.5 Hz and a two-pole low-pass at 40 Hz, both with Q = 0.707
(maximally flat); AD8232 data sheet rev. D, "Cardiac Monitor Configuration". The output sits at 1.65 V and stops at
0.05 and 3.25 V.

Departures from the chip, on purpose: only the output saturates (not the first stage), and there is no fast-restore
switch, so after a long overload the output recovers with the 0.5 Hz corner, slower than the real part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import sosfilt, sosfilt_zi

from hbc_hil.digital_front_end import DigitalSettings, seen_by_box
from hbc_hil.ecg import add_waves, beat_waves

FloatArray = npt.NDArray[np.float64]

VOLT_PER_LSB = 62.5e-6
FLAT_Q = math.sqrt(0.5)
LEAD_OFF_MV = 5.0  # input offset while an electrode hangs free; enough to rail the output for seconds


@dataclass(frozen=True)
class AfeSettings:
    """Values of the circuit; see the module's text for their source."""

    gain: float = 1100.0
    highpass_hz: float = 0.5
    highpass_q: float = FLAT_Q
    lowpass_hz: float = 40.0
    lowpass_q: float = FLAT_Q
    reference_v: float = 1.65
    rail_low_v: float = 0.05
    rail_high_v: float = 3.25


def _biquad(numerator: tuple[float, float, float], corner_hz: float, q: float, rate_hz: int) -> FloatArray:
    """Return one second-order section, bilinear and exact at `corner_hz`.

    `numerator` holds the coefficients of s^2, s and 1 with s in units of the corner.
    """
    k = math.tan(math.pi * corner_hz / rate_hz)
    s2, s1, s0 = numerator
    b = np.array([s2 + s1 * k + s0 * k * k, 2.0 * (s0 * k * k - s2), s2 - s1 * k + s0 * k * k])
    a = np.array([1.0 + k / q + k * k, 2.0 * (k * k - 1.0), 1.0 - k / q + k * k])
    return np.asarray(np.concatenate((b, a)) / a[0])


def sections(settings: AfeSettings, rate_hz: int) -> FloatArray:
    """Return the linear part as second-order sections, shape (2, 6), volts at the output per volt at the electrodes."""
    high = _biquad((1.0, 0.0, 0.0), settings.highpass_hz, settings.highpass_q, rate_hz)
    low = _biquad((0.0, 0.0, 1.0), settings.lowpass_hz, settings.lowpass_q, rate_hz)
    low[:3] *= settings.gain
    return np.stack((high, low))


class FrontEnd:
    """The front end with its filter state, for one stream of blocks.

    Parameters
    ----------
    settings : AfeSettings
    rate_hz : int
        Rate of the analog samples.
    """

    def __init__(self, settings: AfeSettings, rate_hz: int) -> None:
        self._settings = settings
        self._sections = sections(settings, rate_hz)
        self._state: FloatArray | None = None

    def settle(self, ecg_mv: FloatArray) -> None:
        """Start as if the circuit had been on for long: play the first block backwards up to its first sample."""
        self._state = None
        self.push(ecg_mv[::-1])

    def words(self, ecg_mv: FloatArray, lead_off: npt.NDArray[np.int8] | None = None) -> npt.NDArray[np.uint16]:
        """Return the output as the world's stream, units of :data:`VOLT_PER_LSB`, shape (n,); see :meth:`push`."""
        words: npt.NDArray[np.uint16] = np.rint(self.push(ecg_mv, lead_off) * (1.0 / VOLT_PER_LSB)).astype("<u2")
        return words

    def push(self, ecg_mv: FloatArray, lead_off: npt.NDArray[np.int8] | None = None) -> FloatArray:
        """Return the output in volts, shape (n,).

        Parameters
        ----------
        ecg_mv : array of float (n,)
            Voltage between the electrodes.
        lead_off : array of int8 (n,), optional
            +1 while LA (+IN, LO+) is off, -1 while RA (-IN, LO-) is off, 0 while both hold. The output then lies on
            a rail, and after reconnection the high-pass has to recover, as the circuit does.
        """
        settings = self._settings
        if lead_off is not None:
            ecg_mv = np.where(lead_off == 0, ecg_mv, LEAD_OFF_MV * lead_off)
        ecg_v = ecg_mv * 1e-3
        if self._state is None:
            # No step from zero to the first sample.
            self._state = np.asarray(sosfilt_zi(self._sections) * ecg_v[0])
        out_v, self._state = sosfilt(self._sections, ecg_v, zi=self._state)
        out_v += settings.reference_v
        if lead_off is not None:
            out_v = np.where(lead_off > 0, settings.rail_high_v, np.where(lead_off < 0, settings.rail_low_v, out_v))
        return np.asarray(np.clip(out_v, settings.rail_low_v, settings.rail_high_v))


def r_peak_delay_s(settings: AfeSettings | DigitalSettings, *, rr_s: float, rate_hz: int) -> float:
    """Measure how much later the output shows the R peak than the electrodes do.

    Clean beats are passed through the filters at the given RR interval until they are in steady state; the last peak
    is located by a parabola. The filters have no single delay: a wider QRS complex comes out earlier. With the default
    circuit the answer falls from 5.4 ms at an RR interval of 0.6 s to 4.6 ms at 1.3 s, 5.0 ms at 0.9 s.

    Parameters
    ----------
    settings : AfeSettings or DigitalSettings
        Of the latter the firmware's high-pass is part, which follows the electrodes' offset: 3.0 ms in all.
    rr_s : float
        RR interval of the clean ECG.
    rate_hz : int
        Rate of the analog samples.

    Returns
    -------
    float, seconds
    """
    beats_n = 12
    centre_s, width_s, height_mv = beat_waves(np.full(beats_n, rr_s))
    beats_s = rr_s * np.arange(1, beats_n + 1)
    ecg_mv = np.zeros(int((beats_s[-1] + rr_s) * rate_hz))
    add_waves(ecg_mv, 0, rate_hz, (centre_s + beats_s[:, None]).ravel(), width_s.ravel(), height_mv.ravel())
    if isinstance(settings, DigitalSettings):
        linear_v = seen_by_box(ecg_mv, settings, rate_hz)
    else:
        linear_v = sosfilt(sections(settings, rate_hz), ecg_mv)
    around_idx = int((beats_s[-1] - 0.1) * rate_hz)
    window = linear_v[around_idx : around_idx + int(0.25 * rate_hz)]
    at_idx = int(np.argmax(window))
    left, top, right = window[at_idx - 1 : at_idx + 2]
    vertex = 0.5 * (left - right) / (left - 2.0 * top + right)
    return float((around_idx + at_idx + vertex) / rate_hz - beats_s[-1])

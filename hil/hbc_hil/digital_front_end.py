"""The ADS1292R's way from the electrodes to a conversion, as far as it is a filter; the chip itself is simulated below.

Its decimation filter is a third-order sinc: three running means, each as long as one conversion lasts (data sheet
SBAS502C, "Digital Decimation Filter"). It shows everything 1.5 conversions late, 3.0 ms at 500 Hz. There is no
high-pass: the firmware follows the electrodes' offset and takes it off (``hbc_boards/ads1292r.py``).

The running means are trapezoids on the world's samples: 12 us later than the chip's own, which works at 128 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter, lfilter_zi

FloatArray = npt.NDArray[np.float64]
WordArray = npt.NDArray[np.uint16]

WORD_MV = 0.5e-3  # one unit of the world's stream; its middle is no voltage (machine_esp32/ads1292r.py)
WORD_MIDDLE = 32768
FOLLOWED_SAMPLES_N = 256  # the firmware's high-pass, at 500 Hz


@dataclass(frozen=True)
class DigitalSettings:
    """Conversions a second of a box with this front end; they must divide the world's rate."""

    rate_hz: int = 500


def sinc_taps(settings: DigitalSettings, rate_hz: int) -> FloatArray:
    """Return the filter as weights of the last samples, newest first; their sum is 1.

    Parameters
    ----------
    settings : DigitalSettings
    rate_hz : int
        Rate of the analog samples.
    """
    n = rate_hz // settings.rate_hz
    box = np.ones(n + 1)
    box[[0, -1]] = 0.5
    box /= n
    return np.asarray(np.convolve(np.convolve(box, box), box), np.float64)


def without_offset(ecg_mv: FloatArray, settings: DigitalSettings, rate_hz: int) -> FloatArray:
    """Return what the firmware's high-pass leaves of a signal at the world's rate, from rest at its first value."""
    share = 1.0 - (1.0 - 1.0 / FOLLOWED_SAMPLES_N) ** (settings.rate_hz / rate_hz)
    b, a = [share], [1.0, share - 1.0]
    followed, _ = lfilter(b, a, ecg_mv, zi=lfilter_zi(b, a) * ecg_mv[0])
    return np.asarray(ecg_mv - followed, np.float64)


class DigitalFrontEnd:
    """The filter with its state, for one stream of blocks.

    Parameters
    ----------
    settings : DigitalSettings
    rate_hz : int
        Rate of the analog samples.
    """

    def __init__(self, settings: DigitalSettings, rate_hz: int) -> None:
        self._taps = sinc_taps(settings, rate_hz)
        self._state: FloatArray | None = None

    def settle(self, ecg_mv: FloatArray) -> None:
        """Start as if the electrodes had been at their first voltage for long."""
        self._state = np.asarray(lfilter_zi(self._taps, [1.0]) * ecg_mv[0], np.float64)

    def words(self, ecg_mv: FloatArray, lead_off: npt.NDArray[np.int8] | None = None) -> WordArray:
        """Return the world's stream, shape (n,). A free electrode is the chip's matter: it hears of it by wire."""
        if self._state is None:
            self.settle(ecg_mv)
        out_mv, self._state = lfilter(self._taps, [1.0], ecg_mv, zi=self._state)
        words: WordArray = np.rint(np.clip(out_mv / WORD_MV + WORD_MIDDLE, 0, 65535)).astype("<u2")
        return words


def millivolts(words: WordArray) -> FloatArray:
    """Return what a stream of this front end stands for, in millivolts at the electrodes."""
    return (words.astype(np.float64) - WORD_MIDDLE) * WORD_MV


def seen_by_box(ecg_mv: FloatArray, settings: DigitalSettings, rate_hz: int) -> FloatArray:
    """Return a clean signal as it stands in the box's samples: filtered, without its offset."""
    front_end_mv = lfilter(sinc_taps(settings, rate_hz), [1.0], ecg_mv)
    return without_offset(np.asarray(front_end_mv, np.float64), settings, rate_hz)

"""Other R-peak detectors that PyPI offers, behind one signature: (ecg_mv, rate_hz) -> positions in samples.

Each is used as its own documentation says, defaults untouched, with the filter its authors put before it. They are
imported when called, so that a missing one is only absent: ``pip install -e '.[peers]'`` brings them all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Find = Callable[[FloatArray, float], Any]


@dataclass(frozen=True)
class Peer:
    """One detector: its name here and on PyPI, how it is called, and whether it is below 0.5 M samples/s (``slow``)."""

    name: str
    distribution: str
    function: Find
    slow: bool = False

    @property
    def version(self) -> str | None:
        """Installed version, None when absent."""
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return None

    def find(self, ecg_mv: FloatArray, rate_hz: float) -> FloatArray:
        """Positions in samples, increasing. Whatever the detector raises is raised."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their use of numpy and pandas is not ours to mend
            found = np.asarray(self.function(ecg_mv, rate_hz), dtype=np.float64)
        return np.unique(found[np.isfinite(found)])


def _hbc_native(ecg_mv: FloatArray, rate_hz: float) -> Any:
    from hbc_native import detect

    return detect(ecg_mv, rate_hz)


def _sleepecg(ecg_mv: FloatArray, rate_hz: float) -> Any:
    import sleepecg

    return sleepecg.detect_heartbeats(ecg_mv, rate_hz)


def _fast_qrs(ecg_mv: FloatArray, rate_hz: float) -> Any:
    from fast_qrs_detector import qrs_detector

    return qrs_detector(ecg_mv, round(rate_hz))


def _neurokit(ecg_mv: FloatArray, rate_hz: float) -> Any:
    import neurokit2

    clean = neurokit2.ecg_clean(ecg_mv, sampling_rate=round(rate_hz))
    return neurokit2.ecg_findpeaks(clean, sampling_rate=round(rate_hz))["ECG_R_Peaks"]


def _xqrs(ecg_mv: FloatArray, rate_hz: float) -> Any:
    from wfdb.processing import xqrs_detect

    return xqrs_detect(ecg_mv, fs=round(rate_hz), verbose=False)


def _gqrs(ecg_mv: FloatArray, rate_hz: float) -> Any:
    from wfdb.processing import gqrs_detect

    return gqrs_detect(ecg_mv, fs=round(rate_hz))


def _physio(ecg_mv: FloatArray, rate_hz: float) -> Any:
    import physio

    return physio.compute_ecg(ecg_mv, rate_hz, parameter_preset="human_ecg")[1]["peak_index"]


def _fast_nvg(ecg_mv: FloatArray, rate_hz: float) -> Any:
    from vg_beat_detectors import FastNVG

    return FastNVG(sampling_frequency=round(rate_hz)).find_peaks(ecg_mv)


def _anusam(ecg_mv: FloatArray, rate_hz: float) -> Any:
    from AnuSamAlgorithm import find_peak
    from scipy.signal import butter, filtfilt

    # Its manual asks for 0.5 to 40 Hz and leaves the filter to the user.
    numerator, denominator = butter(2, [0.5, 40.0], "band", fs=rate_hz)
    return find_peak(filtfilt(numerator, denominator, ecg_mv), rate_hz)


def _biosppy(ecg_mv: FloatArray, rate_hz: float, segmenter: str) -> Any:
    from biosppy.signals import ecg, tools

    # The filter of biosppy.signals.ecg.ecg(), which does not let one choose the segmenter.
    clean = tools.filter_signal(
        signal=ecg_mv, ftype="FIR", band="bandpass", order=int(1.5 * rate_hz), frequency=[0.67, 45],
        sampling_rate=rate_hz,
    )["signal"]  # fmt: skip
    return getattr(ecg, segmenter)(signal=clean, sampling_rate=rate_hz)["rpeaks"]


OURS = Peer("hbc_native", "hbc-box", _hbc_native)
SLEEPECG = Peer("sleepecg", "sleepecg", _sleepecg)
PEERS = (
    SLEEPECG,
    Peer("fast-qrs-detector", "fast-qrs-detector", _fast_qrs),
    Peer("neurokit2", "neurokit2", _neurokit),
    Peer("physio", "physio", _physio),
    Peer("AnuSamAlgorithm", "AnuSamAlgorithm", _anusam),
    Peer("biosppy, Hamilton", "biosppy", partial(_biosppy, segmenter="hamilton_segmenter"), slow=True),
    Peer("biosppy, Engelse-Zeelenberg", "biosppy", partial(_biosppy, segmenter="engzee_segmenter"), slow=True),
    Peer("vg-beat-detectors, FastNVG", "vg-beat-detectors", _fast_nvg, slow=True),
    Peer("wfdb, xqrs", "wfdb", _xqrs, slow=True),
    Peer("wfdb, gqrs", "wfdb", _gqrs, slow=True),
)
"""Those that lead in some respect and those that many use; wrappers of another one are left out."""


def installed() -> list[Peer]:
    """Peers that can be called here."""
    return [peer for peer in PEERS if peer.version is not None]


def absent() -> list[str]:
    """Names of the packages that ``pip install -e '.[peers]'`` would bring."""
    return sorted({peer.distribution for peer in PEERS if peer.version is None})

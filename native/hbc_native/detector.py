"""Python face of the streaming R-peak detector in ``native/src/hbc_rpeak.c``; no algorithm lives here."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hbc_native._rpeak import ffi, lib

RATE_MIN_HZ: int = lib.HBC_RPEAK_RATE_MIN_HZ
RATE_MAX_HZ: int = lib.HBC_RPEAK_RATE_MAX_HZ
LATENCY_S: float = lib.HBC_RPEAK_LATENCY_MS / 1000
LSB_PER_MV = 1000
"""Scale of :func:`detect`: 1 LSB is 1 microvolt."""

PEAK_DTYPE = np.dtype([("sample_idx", "<u4"), ("frac_q8", "u1"), ("quality", "u1")])
"""One R-peak; its position is ``sample_idx + frac_q8 / 256`` samples, quality 0..255."""

_C_PEAK_DTYPE = np.dtype([("sample_idx", "<u4"), ("frac_q8", "u1"), ("quality", "u1"), ("_pad", "<u2")])
_CHUNK_N = 1 << 24  # the C length is int32; a chunk also bounds the memory for peaks


class RPeakDetector:
    """Streaming R-peak detector for one ECG channel; see ``native/include/hbc_rpeak.h`` for what it promises.

    Parameters
    ----------
    rate_hz : float
        Sampling rate, 100..1000 Hz.  The filters use it rounded to whole hertz.

    Raises
    ------
    ValueError
        If the rate is outside 100..1000 Hz.

    References
    ----------
    Pan & Tompkins 1985, doi:10.1109/TBME.1985.325532.  Departures: docs/detector.md.
    """

    def __init__(self, rate_hz: float) -> None:
        self._state = ffi.new("hbc_rpeak *")
        whole_hz = round(rate_hz) if np.isfinite(rate_hz) else 0
        if lib.hbc_rpeak_init(self._state, min(max(whole_hz, 0), 1 << 30)) != lib.HBC_RPEAK_OK:
            raise ValueError(f"rate {rate_hz:g} Hz is outside {RATE_MIN_HZ}..{RATE_MAX_HZ} Hz")
        self.rate_hz = float(rate_hz)

    def push(self, block: NDArray[np.int16], blanked: ArrayLike | None = None) -> NDArray[np.void]:
        """Push samples, get the R-peaks that became due.

        Parameters
        ----------
        block : array of int16, shape (n,)
            ECG in LSB, any length.
        blanked : array of bool or uint8, shape (n,), optional
            True where the sample is not ECG; the last unblanked sample is used instead.

        Returns
        -------
        structured array of :data:`PEAK_DTYPE`, shape (peaks,)
            Indices count from the first sample ever pushed.

        Raises
        ------
        ValueError
            If the block is not a vector of int16, or the mask has another length.
        """
        samples = np.ascontiguousarray(block)
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise ValueError(f"block is {samples.dtype} of shape {samples.shape}, not int16 of shape (n,)")
        mask = None if blanked is None else np.ascontiguousarray(np.asarray(blanked) != 0).view(np.uint8)
        if mask is not None and mask.shape != samples.shape:
            raise ValueError(f"blanked has shape {mask.shape}, the block {samples.shape}")
        parts = [
            self._push_chunk(samples[i : i + _CHUNK_N], None if mask is None else mask[i : i + _CHUNK_N])
            for i in range(0, len(samples), _CHUNK_N)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0, PEAK_DTYPE)])

    def _push_chunk(self, samples: NDArray[np.int16], mask: NDArray[np.uint8] | None) -> NDArray[np.void]:
        room = len(samples) // 15 + 16
        peaks = np.empty(room, _C_PEAK_DTYPE)
        found_n: int = lib.hbc_rpeak_push_block(
            self._state,
            ffi.from_buffer("int16_t[]", samples),
            ffi.NULL if mask is None else ffi.from_buffer("uint8_t[]", mask),
            len(samples),
            ffi.from_buffer("hbc_rpeak_peak[]", peaks, require_writable=True),
            room,
        )
        out = np.empty(found_n, PEAK_DTYPE)
        if found_n:
            for name in PEAK_DTYPE.names or ():
                out[name] = peaks[name][:found_n]
        return out

    def state_words(self) -> NDArray[np.int32]:
        """Return a copy of the C state as int32 words (the device twin holds the same words)."""
        raw: Any = ffi.buffer(self._state)
        return np.frombuffer(bytes(raw), dtype="<i4").astype(np.int32)


def detect(ecg_mv: ArrayLike, rate_hz: float) -> NDArray[np.float64]:
    """Find the R-peaks of a recording.

    Parameters
    ----------
    ecg_mv : array of float, shape (n,), millivolts
        One ECG lead, either polarity.  NaN marks missing samples; they are blanked (last value held).
        An offset that would not fit into 32 mV is taken off; larger swings are scaled down by powers of two.
    rate_hz : float
        Sampling rate, 100..1000 Hz.

    Returns
    -------
    array of float64, shape (peaks,), samples
        R-peak positions, sub-sample, increasing in time of report.

    Raises
    ------
    ValueError
        If the rate is outside 100..1000 Hz or the signal is not a vector.
    """
    detector = RPeakDetector(rate_hz)
    ecg = np.asarray(ecg_mv, dtype=np.float64)
    if ecg.ndim != 1:
        raise ValueError(f"ECG has shape {ecg.shape}, not (n,)")
    lsb, missing = to_lsb(ecg)
    tail_n = int(rate_hz * LATENCY_S) + 1  # hold the last value until the last peak is due
    tail = np.full(tail_n, lsb[-1] if len(lsb) else 0, np.int16)
    parts = (detector.push(lsb, missing), detector.push(tail))
    positions = np.concatenate([part["sample_idx"] + part["frac_q8"] / 256 for part in parts])
    return np.sort(positions[positions <= max(len(ecg) - 1, 0)])


def to_lsb(ecg_mv: NDArray[np.float64]) -> tuple[NDArray[np.int16], NDArray[np.bool_] | None]:
    """Scale millivolts to int16, 1 LSB = 1 microvolt unless the swing needs less.

    Parameters
    ----------
    ecg_mv : array of float64, shape (n,), millivolts

    Returns
    -------
    lsb : array of int16, shape (n,)
        Zero where the input is not finite.
    missing : array of bool, shape (n,), or None when every sample is finite
    """
    peak_mv = float(np.abs(ecg_mv).max(initial=0.0))
    missing = None
    if not np.isfinite(peak_mv):
        missing = ~np.isfinite(ecg_mv)
        ecg_mv = np.where(missing, 0.0, ecg_mv)
        peak_mv = float(np.abs(ecg_mv).max(initial=0.0))
    scale = float(LSB_PER_MV)
    if peak_mv * scale > 32767:
        good_mv = ecg_mv if missing is None else ecg_mv[~missing]
        middle_mv = float(np.median(good_mv))
        # 99.9 % of the samples decide: a lone spike is clipped instead of shrinking the ECG.
        swing_mv = float(np.quantile(np.abs(good_mv - middle_mv), 0.999))
        ecg_mv = ecg_mv - middle_mv
        while swing_mv * scale > 32767:
            scale /= 2
    lsb = np.rint(ecg_mv * scale)
    return np.clip(lsb, -32768, 32767).astype(np.int16), missing

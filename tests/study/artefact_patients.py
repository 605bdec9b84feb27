"""Hearts of the artefact campaign: ECG at the electrodes before any artefact, and where its beats are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hbc_hil.draws import draws
from hbc_hil.ecg import BLOCK_N, EcgSettings, PatientEcg, add_waves
from hbc_hil.patient import Heart, PatientSettings, simulate_heart
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ANALOG_HZ = 2000


@dataclass(frozen=True, eq=False)  # hashed by identity, as the key of the cache below
class Patient:
    """A heart at the electrodes without artefact, at ANALOG_HZ."""

    name: str
    seed: int
    r_mv: float
    polarity: float  # of the artefact
    rr_s: float
    ecg_mv: FloatArray
    beats_s: FloatArray


# (mean heart rate, R wave in mV, sign of the artefact, muscle noise in mV, ectopic beats): 60 and 75 beats/min are
# multiples of the pulse and burst periods, the worst case for anything that averages over pulses.
PATIENTS = (
    (47.0, 1.0, 1.0, 0.02, 2),
    (60.0, 0.6, -1.0, 0.02, 0),
    (75.0, 0.8, -1.0, 0.03, 3),
    (108.0, 1.0, 1.0, 0.02, 0),
)


def patient(number: int, duration_s: float) -> Patient:
    """Draw one of PATIENTS; numbers beyond the list repeat it with other seeds."""
    mean_bpm, r_mv, polarity, emg_mv, ectopics_n = PATIENTS[number % len(PATIENTS)]
    seed = 900 + number
    heart = simulate_heart(PatientSettings(mean_bpm=mean_bpm), duration_s=duration_s, seed=seed)
    ectopic = _ectopic_beats(heart.beats_s, ectopics_n, seed)
    normal = replace(heart, beats_s=heart.beats_s[~ectopic])
    source = PatientEcg(EcgSettings(r_mv=r_mv, emg_mv_rms=emg_mv), normal, rate_hz=ANALOG_HZ, seed=seed)
    samples_n = int(duration_s * ANALOG_HZ)
    ecg_mv = np.concatenate([source.render(block_idx) for block_idx in range(-(-samples_n // BLOCK_N))])[:samples_n]
    beats_s = _early(heart, ectopic)
    add_ventricular(ecg_mv, 0, ANALOG_HZ, beats_s[ectopic], r_mv)
    inside = beats_s < duration_s
    return Patient(f"{mean_bpm:g} bpm", seed, r_mv, polarity, 60.0 / mean_bpm, ecg_mv, beats_s[inside])


def _ectopic_beats(beats_s: FloatArray, ectopics_n: int, seed: int) -> NDArray[np.bool_]:
    """Choose beats to come early; never the first ten, never neighbours."""
    chosen = np.zeros(beats_s.size, bool)
    if ectopics_n:
        spacing = (beats_s.size - 12) // ectopics_n
        offsets = draws(seed, "ectopic").integers(0, spacing - 2, ectopics_n)
        chosen[10 + spacing * np.arange(ectopics_n) + offsets] = True
    return chosen


def _early(heart: Heart, ectopic: NDArray[np.bool_]) -> FloatArray:
    """Beats with the ectopic ones at two thirds of their interval; the pause after them is compensatory."""
    before_s = np.diff(heart.beats_s, prepend=0.0)
    return np.asarray(heart.beats_s - np.where(ectopic, before_s / 3.0, 0.0))


def add_ventricular(out_mv: FloatArray, first_idx: int, rate_hz: float, at_s: FloatArray, r_mv: float) -> None:
    """Add ventricular beats to a stretch of ECG in place: wide, higher than the others, T wave the other way.

    Parameters
    ----------
    out_mv : array (samples,), mV
        Changed in place; its first sample has number ``first_idx`` at ``rate_hz``.
    at_s : array (beats,), seconds
        R-peaks; others than those in the stretch are allowed.
    """
    for offset_s, width_s, height in ((0.0, 0.028, 1.3), (0.09, 0.03, -0.3), (0.28, 0.06, -0.35)):
        size = np.ones(at_s.size)
        add_waves(out_mv, first_idx, rate_hz, at_s + offset_s, width_s * size, height * r_mv * size)

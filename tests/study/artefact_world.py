"""Hearts under TMS for the artefact campaign: what the box samples, when the pulses were, where the beats are.

The same patient, stimulator, artefact and front end as the simulator (hbc_hil), without the firmware: 300 s take half a
second. Everything follows from the seeds below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from hbc_hil.afe import LEAD_OFF_MV, AfeSettings, FrontEnd, r_peak_delay_s
from hbc_hil.artefact import Artefact, ArtefactSettings
from hbc_hil.draws import draws
from hbc_hil.ecg import BLOCK_N, EcgSettings, PatientEcg, add_waves
from hbc_hil.patient import Heart, PatientSettings, simulate_heart
from hbc_hil.stimulator import PATTERNS, StimulatorSettings, train_edges_ns
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ANALOG_HZ = 2000
RATE_HZ = 500
DECIMATE_N = ANALOG_HZ // RATE_HZ
FIRST_TRAIN_S = 8.0
ADC_MV = 0.805861  # one step at the pin, as on the box
ADC_NOISE_LSB = 3.0
BARE_LSB_PER_MV = 1000.0
QRS_S = 0.08  # a shorter stay off the rail shows no whole QRS complex
R_TIP_S = 0.01  # the top eighth of the R wave
CALIBRATION_PCT = 50.0  # at this intensity an artefact has its nominal height


@dataclass(frozen=True)
class Setting:
    """One artefact setting: a cell of the campaign.

    Parameters
    ----------
    pattern : str
        Name in hbc_hil.stimulator.PATTERNS: "dash" or "itbs".
    amplitude_r : float
        Height of the spike and of the start of its tail, in R waves, at the electrodes.
    tail_ms : float
        Time constant of the recovery.
    rail_s : float
        Overload after the first pulse of each train: this long the front end is on its rail whatever the electrodes do.
    recharge_r : float
        Noise 5..60 ms after each pulse, in R waves rms over 0..250 Hz.
    bare : bool
        No front end: no filter, no rail, 1 uV a step.  For amplifiers other than the box's.
    """

    pattern: str
    amplitude_r: float
    tail_ms: float
    rail_s: float = 0.0
    recharge_r: float = 0.0
    bare: bool = False


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


@dataclass(frozen=True)
class Recording:
    """What the box has of a patient under one setting, and the truth about it.

    Attributes
    ----------
    samples_lsb : int16 (n,)
    sample_us, edges_us : int64
        Instants of samples and pulses.
    beats_s : float (beats,)
        R-peaks as they come out of the front end.
    unseen : bool (beats,)
        The beat lies in a span on the rail, see _unseen.
    railed_s : float
        Time on the rail in all.
    """

    samples_lsb: NDArray[np.int16]
    sample_us: IntArray
    edges_us: IntArray
    beats_s: FloatArray
    unseen: NDArray[np.bool_]
    railed_s: float


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
    _add_ectopics(ecg_mv, beats_s[ectopic], r_mv)
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


def _add_ectopics(ecg_mv: FloatArray, at_s: FloatArray, r_mv: float) -> None:
    """Ventricular beats: wide, higher than the others, T wave the other way."""
    for offset_s, width_s, height in ((0.0, 0.028, 1.3), (0.09, 0.03, -0.3), (0.28, 0.06, -0.35)):
        size = np.full(at_s.size, 1.0)
        add_waves(ecg_mv, 0, ANALOG_HZ, at_s + offset_s, width_s * size, height * r_mv * size)


def pulse_edges_ns(pattern_name: str, duration_s: float, seed: int) -> tuple[IntArray, IntArray]:
    """All trigger edges, and the first of each train."""
    pattern = PATTERNS[pattern_name]
    onsets_s = np.arange(FIRST_TRAIN_S, duration_s - pattern.train_s, pattern.cycle_s)
    # A whole cycle against the sampling clock and the heart would be one phase only.
    onsets_s = onsets_s + draws(seed, "onset").uniform(0.0, 0.5, onsets_s.size)
    trains = [
        train_edges_ns(pattern, StimulatorSettings(), float(onset_s), seed=seed, train_n=train_n)
        for train_n, onset_s in enumerate(onsets_s)
    ]
    return np.concatenate(trains), np.array([train[0] for train in trains])


def record(who: Patient, setting: Setting) -> Recording:
    """Put the artefacts on the patient, pass the front end, sample and quantise."""
    edges_ns, firsts_ns = pulse_edges_ns(setting.pattern, who.ecg_mv.size / ANALOG_HZ, who.seed)
    analog_mv = who.ecg_mv + setting.amplitude_r * who.r_mv * _artefact_mv(
        who, setting.pattern, ArtefactSettings(amplitude_mv=1.0, tail_ms=setting.tail_ms)
    )
    if setting.recharge_r:
        recharge = ArtefactSettings(amplitude_mv=0.0, recharge_mv_rms=float(np.sqrt(ANALOG_HZ / RATE_HZ)))
        analog_mv += setting.recharge_r * who.r_mv * _artefact_mv(who, setting.pattern, recharge)
    overload = _overload(analog_mv.size, firsts_ns, setting.rail_s, who.polarity)
    samples_lsb, railed, delay_s = (_bare if setting.bare else _front_end)(who, analog_mv, overload)
    beats_s = who.beats_s + delay_s
    return Recording(
        samples_lsb=samples_lsb,
        sample_us=np.arange(samples_lsb.size) * (1_000_000 // RATE_HZ),
        edges_us=edges_ns // 1000,
        beats_s=beats_s,
        unseen=_unseen(beats_s, railed),
        railed_s=float(railed.sum() / RATE_HZ),
    )


@lru_cache(maxsize=64)
def _artefact_mv(who: Patient, pattern: str, settings: ArtefactSettings) -> FloatArray:
    """Artefacts alone, for one patient's pulses; they scale with their height, so one rendering serves many cells."""
    edges_ns, _ = pulse_edges_ns(pattern, who.ecg_mv.size / ANALOG_HZ, who.seed)
    out_mv = np.zeros(who.ecg_mv.size)
    artefact = Artefact(
        settings,
        edges_ns,
        np.full(edges_ns.size, CALIBRATION_PCT),
        np.full(edges_ns.size, who.polarity),
        rate_hz=ANALOG_HZ,
        seed=who.seed,
    )
    artefact.add(0, out_mv)
    return out_mv


def _overload(samples_n: int, firsts_ns: IntArray, rail_s: float, polarity: float) -> NDArray[np.int8]:
    """Which analog samples are overloaded, with the sign of the rail; as hbc_hil.afe wants a lead-off."""
    out = np.zeros(samples_n, np.int8)
    for first_s in firsts_ns * 1e-9:
        out[int(first_s * ANALOG_HZ) : int((first_s + rail_s) * ANALOG_HZ)] = int(polarity)
    return out


def _front_end(
    who: Patient, analog_mv: FloatArray, overload: NDArray[np.int8]
) -> tuple[NDArray[np.int16], NDArray[np.bool_], float]:
    settings = AfeSettings()
    front_end = FrontEnd(settings, ANALOG_HZ)
    front_end.settle(analog_mv[: 8 * ANALOG_HZ])
    out_v = front_end.push(analog_mv, overload)[::DECIMATE_N]
    railed = (out_v >= settings.rail_high_v) | (out_v <= settings.rail_low_v)
    noise_lsb = ADC_NOISE_LSB * draws(who.seed, "adc").standard_normal(out_v.size)
    code = np.clip(np.rint(out_v * 1e3 / ADC_MV + noise_lsb), 0, 4095)
    return (code - 2048).astype(np.int16), railed, r_peak_delay_s(settings, rr_s=who.rr_s, rate_hz=ANALOG_HZ)


def _bare(
    who: Patient, analog_mv: FloatArray, overload: NDArray[np.int8]
) -> tuple[NDArray[np.int16], NDArray[np.bool_], float]:
    # Mean of the four analog samples around each instant: the stroke's area must not depend on the phase.
    centred_mv = np.convolve(analog_mv, np.full(DECIMATE_N, 1.0 / DECIMATE_N), mode="same")[::DECIMATE_N]
    railed = overload[::DECIMATE_N] != 0
    centred_mv = np.where(railed, LEAD_OFF_MV * overload[::DECIMATE_N], centred_mv)
    return np.clip(np.rint(centred_mv * BARE_LSB_PER_MV), -32768, 32767).astype(np.int16), railed, 0.0


def _unseen(beats_s: FloatArray, railed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Beats inside spans on the rail: gaps too short for a QRS complex are bridged, the tip of the R wave is in."""
    at_s = np.flatnonzero(railed) / RATE_HZ
    if at_s.size == 0:
        return np.zeros(beats_s.size, bool)
    cuts = np.flatnonzero(np.diff(at_s) >= QRS_S)
    starts_s = at_s[np.concatenate(([0], cuts + 1))] - R_TIP_S
    ends_s = at_s[np.concatenate((cuts, [at_s.size - 1]))] + R_TIP_S
    span = np.searchsorted(starts_s, beats_s, side="right") - 1
    return np.asarray((span >= 0) & (beats_s <= ends_s[np.maximum(span, 0)]), np.bool_)

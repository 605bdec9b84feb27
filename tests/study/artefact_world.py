"""Hearts under TMS for the artefact campaign: what the box samples, when the pulses were, where the beats are.

The same patient, stimulator, artefact and front end as the simulator (hbc_hil), without the firmware: 300 s take half a
second. Everything follows from the seeds below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from artefact_patients import ANALOG_HZ, FloatArray, IntArray, Patient
from hbc_hil.afe import LEAD_OFF_MV, AfeSettings, FrontEnd, r_peak_delay_s
from hbc_hil.artefact import Artefact, ArtefactSettings
from hbc_hil.draws import draws
from hbc_hil.stimulator import PATTERNS, StimulatorSettings, train_edges_ns
from numpy.typing import NDArray

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
    edges_ns, _ = pulse_edges_ns(setting.pattern, who.ecg_mv.size / ANALOG_HZ, who.seed)
    samples_lsb, railed, delay_s = (_bare if setting.bare else _front_end)(who, setting)
    beats_s = who.beats_s + delay_s
    return Recording(
        samples_lsb=samples_lsb,
        sample_us=np.arange(samples_lsb.size) * (1_000_000 // RATE_HZ),
        edges_us=edges_ns // 1000,
        beats_s=beats_s,
        unseen=_unseen(beats_s, railed),
        railed_s=float(railed.sum() / RATE_HZ),
    )


def _parts(setting: Setting) -> list[tuple[float, ArtefactSettings]]:
    """The artefacts of a setting: how many R waves of which."""
    parts = []
    if setting.amplitude_r:
        parts.append((setting.amplitude_r, ArtefactSettings(amplitude_mv=1.0, tail_ms=setting.tail_ms)))
    if setting.recharge_r:
        recharge = ArtefactSettings(amplitude_mv=0.0, recharge_mv_rms=float(np.sqrt(ANALOG_HZ / RATE_HZ)))
        parts.append((setting.recharge_r, recharge))
    return parts


@lru_cache(maxsize=16)
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


@lru_cache(maxsize=16)
def _overload(who: Patient, pattern: str, rail_s: float) -> NDArray[np.int8]:
    """Which analog samples are overloaded, with the sign of the rail; as hbc_hil.afe wants a lead-off."""
    out = np.zeros(who.ecg_mv.size, np.int8)
    for first_s in pulse_edges_ns(pattern, who.ecg_mv.size / ANALOG_HZ, who.seed)[1] * 1e-9:
        out[int(first_s * ANALOG_HZ) : int((first_s + rail_s) * ANALOG_HZ)] = int(who.polarity)
    return out


# Up to its rails the front end is linear: the ECG and each artefact pass it once for all the cells they are in.
@lru_cache(maxsize=64)
def _filtered_v(who: Patient, pattern: str, rail_s: float, artefact: ArtefactSettings | None) -> FloatArray:
    """What the front end, without rails, makes of the ECG (None) or of an artefact alone; at RATE_HZ."""
    overload = _overload(who, pattern, rail_s)
    front_end = FrontEnd(AfeSettings(reference_v=0.0, rail_low_v=-np.inf, rail_high_v=np.inf), ANALOG_HZ)
    source_mv = who.ecg_mv if artefact is None else who.r_mv * _artefact_mv(who, pattern, artefact)
    front_end.settle(source_mv[: 8 * ANALOG_HZ])
    overloaded_mv = LEAD_OFF_MV * overload if artefact is None else 0.0
    return front_end.push(np.where(overload == 0, source_mv, overloaded_mv))[::DECIMATE_N]


@lru_cache(maxsize=4)
def _adc_noise_lsb(who: Patient) -> FloatArray:
    return ADC_NOISE_LSB * draws(who.seed, "adc").standard_normal(who.ecg_mv[::DECIMATE_N].size)


@lru_cache(maxsize=4)
def _delay_s(rr_s: float) -> float:
    return r_peak_delay_s(AfeSettings(), rr_s=rr_s, rate_hz=ANALOG_HZ)


def _front_end(who: Patient, setting: Setting) -> tuple[NDArray[np.int16], NDArray[np.bool_], float]:
    settings, where = AfeSettings(), (setting.pattern, setting.rail_s)
    out_v = settings.reference_v + _filtered_v(who, *where, None)
    for height_r, artefact in _parts(setting):
        out_v += height_r * _filtered_v(who, *where, artefact)
    overload = _overload(who, *where)[::DECIMATE_N]
    out_v[overload > 0], out_v[overload < 0] = settings.rail_high_v, settings.rail_low_v
    out_v = np.clip(out_v, settings.rail_low_v, settings.rail_high_v)
    railed = (out_v >= settings.rail_high_v) | (out_v <= settings.rail_low_v)
    code = np.clip(np.rint(out_v * 1e3 / ADC_MV + _adc_noise_lsb(who)), 0, 4095)
    return (code - 2048).astype(np.int16), railed, _delay_s(who.rr_s)


def _bare(who: Patient, setting: Setting) -> tuple[NDArray[np.int16], NDArray[np.bool_], float]:
    analog_mv = who.ecg_mv.copy()
    for height_r, artefact in _parts(setting):
        analog_mv += height_r * who.r_mv * _artefact_mv(who, setting.pattern, artefact)
    # Mean of the four analog samples around each instant: the stroke's area must not depend on the phase.
    centred_mv = np.convolve(analog_mv, np.full(DECIMATE_N, 1.0 / DECIMATE_N), mode="same")[::DECIMATE_N]
    overload = _overload(who, setting.pattern, setting.rail_s)[::DECIMATE_N]
    centred_mv = np.where(overload != 0, LEAD_OFF_MV * overload, centred_mv)
    return np.clip(np.rint(centred_mv * BARE_LSB_PER_MV), -32768, 32767).astype(np.int16), overload != 0, 0.0


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

"""Recordings on which oracle and C are compared: every part of the detector has one that it decides."""

import numpy as np
import rpeak_cases as cases
from numpy.typing import NDArray
from oracle_signal import Bands, Plan

Floats = NDArray[np.float64]
Marked = tuple[NDArray[np.int16], NDArray[np.uint8] | None]

RAILS_LSB = (-1500, 2500)
WIDE_BEAT: cases.Beat = ((-0.045, 0.018, 0.75), (0.0, 0.02, 1.0), (0.05, 0.012, -0.9), (0.30, 0.06, -0.5))
QRS: cases.Beat = cases.NARROW_BEAT[1:4]
BUMP: cases.Beat = ((0.0, 0.03, -1.0),)


def energy_of(shape: cases.Beat, rate_hz: int) -> int:
    """Largest coarse energy of one such complex of 1000 LSB."""
    ecg, _ = cases.synthetic_ecg(np.array([1.0]), rate_hz, beat=shape)
    return int(Bands(ecg.astype(np.int64), Plan(rate_hz)).coarse.max())


def ecg_of(rate_hz: int, until_s: float, rr_s: float = 0.77) -> Floats:
    """R waves of 1000 LSB."""
    return cases.synthetic_ecg(cases.regular_beats(until_s, rr_s), rate_hz)[0].astype(np.float64)


def sway(samples_n: int, rate_hz: int, rng: np.random.Generator) -> Floats:
    """Noise of unit size that fades towards 30 Hz, as of electrodes that move: the coarse band suffers more."""
    box_n = max(1, rate_hz // 30)
    box = np.ones(box_n) / box_n
    noise = np.convolve(np.convolve(rng.normal(0, 1, samples_n + 3 * box_n), box), np.convolve(box, box))
    return noise[box_n : box_n + samples_n] / noise.std()


def hurt_ecg(rate_hz: int, rng: np.random.Generator) -> Marked:
    """Heights up and down, white noise, both rails, flat, squares."""
    ecg = ecg_of(rate_hz, 15.0)
    parts = [
        ecg,
        ecg * 12,
        -ecg / 3 + rng.normal(0, 60, len(ecg)),
        rng.integers(-32768, 32768, 8 * rate_hz),
        cases.random_square_wave(10 * rate_hz, rng),
        np.full(6 * rate_hz, -32768),
        ecg,
        ecg / 4,
        np.zeros(4 * rate_hz),
        ecg / 40,
    ]
    return cases.to_int16(np.concatenate(parts)), None


def noise_of_several_sizes(rate_hz: int, rng: np.random.Generator) -> Marked:
    """Muscle and electrode motion, from nothing to more than the R wave and back."""
    ecg = ecg_of(rate_hz, 60.0)
    size = np.interp(np.arange(len(ecg)), np.linspace(0, len(ecg), 8), [0, 50, 150, 100, 300, 600, 200, 0])
    white, motion = rng.normal(0, 1, len(ecg)), sway(len(ecg), rate_hz, rng)
    return cases.to_int16(np.concatenate([ecg + size * motion, ecg + size * white, -ecg + 2 * size * motion])), None


def hum_of_several_sizes(rate_hz: int, rng: np.random.Generator) -> Marked:
    """50 and 60 Hz, a little off, about the size at which the state changes, then far above."""
    ecg = ecg_of(rate_hz, 50.0)
    time_s = np.arange(len(ecg)) / rate_hz
    size = np.repeat([0, 30, 60, 90, 120, 150, 200, 300, 600, 1500], len(ecg) // 10 + 1)[: len(ecg)]
    parts = [
        ecg + size * np.sin(2 * np.pi * mains_hz * time_s + phase)
        for mains_hz, phase in ((50.0, 0.3), (59.9, 1.0), (50.2, 2.0))
    ]
    hiss = rng.normal(0, 1, 3 * len(ecg)) * (5 + np.tile(size * np.linspace(0, 1, len(ecg)), 3))
    return cases.to_int16(np.concatenate(parts) + hiss), None


def heights_from_small_to_large(rate_hz: int, rng: np.random.Generator) -> Marked:
    """R waves from 60 LSB to full scale with noise in proportion: every shift and rounding on the way."""
    ecg = ecg_of(rate_hz, 90.0, rr_s=0.42)
    ecg += sway(len(ecg), rate_hz, rng) * np.linspace(0, 150, len(ecg))
    return cases.to_int16(ecg * np.geomspace(0.06, 33, len(ecg))), None


def odd_beats(rate_hz: int, rng: np.random.Generator) -> Marked:
    """Wide, biphasic, upside down and early beats, pauses, falling heights; the noise makes the early ones doubtful."""
    beats_s = np.cumsum(rng.choice([0.4, 0.5, 0.62, 0.8, 0.8, 0.8, 1.2, 2.4], 140)) + 0.3
    time_s = np.arange(int((beats_s[-1] + 1) * rate_hz)) / rate_hz
    ecg = np.zeros(len(time_s))
    height = 1000.0
    for beat_s in beats_s:
        near = slice(*np.searchsorted(time_s, (beat_s - 0.6, beat_s + 0.8)))
        shape = (cases.NARROW_BEAT, cases.BROAD_BEAT, WIDE_BEAT)[rng.choice(3, p=(0.6, 0.1, 0.3))]
        turn = rng.choice([1, -1], p=(0.8, 0.2)) * (-1 if beat_s > beats_s[70] else 1)
        ecg[near] += height * turn * rng.uniform(0.5, 1.2) * cases.beat_shape(time_s[near] - beat_s, shape)
        height = min(4000.0, max(100.0, height * rng.choice([0.3, 1.0, 1.2], p=(0.04, 0.76, 0.2))))
    noise = np.interp(time_s, np.linspace(0, time_s[-1], 9), [0, 30, 100, 60, 0, 150, 40, 80, 0])
    return cases.to_int16(ecg + noise * (sway(len(ecg), rate_hz, rng) + 0.5 * rng.normal(0, 1, len(ecg)))), None


def weak_beats(rate_hz: int, rng: np.random.Generator) -> Marked:
    """Weak and odd ones among steady beats: in noise, tiny, then in quiet ECG with pulses that spoil nothing."""
    beats_s = cases.regular_beats(90.0, 0.7)
    ecg = ecg_of(rate_hz, 90.0, rr_s=0.7)
    for nth in range(12, len(beats_s), 2):
        beat = slice(*(np.array([beats_s[nth] - 0.25, beats_s[nth] + 0.4]) * rate_hz).astype(int))
        shape = (cases.NARROW_BEAT, cases.BROAD_BEAT, WIDE_BEAT)[rng.choice(3, p=(0.6, 0.2, 0.2))]
        offset_s = np.arange(beat.start, beat.stop) / rate_hz - beats_s[nth]
        ecg[beat] = 1000 * rng.uniform(0.2, 0.7) * cases.beat_shape(offset_s, shape)
    size = np.repeat([60, 100, 80, 100, 5, 5, 5, 5, 5], len(ecg) // 9 + 1)[: len(ecg)]
    ecg += size * sway(len(ecg), rate_hz, rng)
    ecg[: len(ecg) // 9 * 4] *= np.repeat([1.0, 0.03], len(ecg) // 9 * 2)
    ecg[: len(ecg) // 9 * 4] += rng.normal(0, 0.3, len(ecg) // 9 * 4)
    mask = cases.pulse_mask(np.arange(45.0, 90.0, 0.093), len(ecg), rate_hz)
    return cases.to_int16(ecg), mask


def masked(rate_hz: int, rng: np.random.Generator) -> Marked:
    """Nothing but marks at first, then blanking, electrodes off for about a quarter of a second, unknown marks."""
    ecg = ecg_of(rate_hz, 40.0) + 400
    mask = cases.random_mask(len(ecg), rng, len(ecg) // 400)
    mask[: rate_hz // 3] = 1
    mask[rate_hz // 5 : rate_hz // 3] = 2
    for second in range(5, 35):
        off_n = int(rng.choice([rate_hz // 5, rate_hz // 4, rate_hz // 3, 0]))
        mask[second * rate_hz :][:off_n] = rng.choice([1, 2, 2, 2, 3])
    ecg[mask != 0] = rng.integers(-32768, 32768, int((mask != 0).sum()))
    return cases.to_int16(ecg), mask


def in_trains(rate_hz: int, rng: np.random.Generator) -> Marked:
    """Artefacts of each size after 10 Hz and after iTBS, recharge noise, beats and noise of several sizes between."""
    ecg = ecg_of(rate_hz, 66.0, rr_s=0.73)
    ecg[len(ecg) // 2 :] *= -1.3
    mask = np.zeros(len(ecg), np.uint8)
    heights_lsb = rng.permutation([0, 200, -600, 1000, -2000, 4000, -8000, 30000])
    for first_s, height_lsb in zip(np.arange(5.0, 65.0, 7.5), heights_lsb, strict=True):
        pulses_s = cases.train_pulses_s(first_s + 7.0, first_s=first_s, pulses_n=30, itbs=bool(rng.integers(2)))
        tail_s = rng.choice([0.003, 0.01, 0.03, 0.1])
        ecg += cases.artefacts(pulses_s, len(ecg), rate_hz, height_lsb, tail_s)
        recharging = cases.pulse_mask(pulses_s, len(ecg), rate_hz, -0.005, 0.06) != 0
        ecg[recharging] += rng.normal(0, rng.choice([0, 30, 300]), int(recharging.sum()))
        mask |= cases.pulse_mask(pulses_s, len(ecg), rate_hz)
    size = np.interp(np.arange(len(ecg)), np.linspace(0, len(ecg), 6), [5, 20, 100, 5, 400, 5])
    return cases.to_int16(ecg + size * sway(len(ecg), rate_hz, rng)), mask


def spoilt_trains(rate_hz: int, rng: np.random.Generator) -> Marked:
    """Rails short and long, electrodes off and unknown marks among pulses; a fall of the R wave; blanks of seconds."""
    ecg = ecg_of(rate_hz, 72.0, rr_s=0.68)
    ecg *= np.repeat([1.0, 0.3, 1.0, 0.15, 2.0, 0.25], len(ecg) // 6 + 1)[: len(ecg)]
    pulses_s = cases.train_pulses_s(36.0) + rng.uniform(0, 0.03, 120)
    pulses_s = np.append(pulses_s, cases.train_pulses_s(62.0, first_s=37.0, every_s=9.0, itbs=True, pulses_n=60))
    mask = cases.pulse_mask(pulses_s, len(ecg), rate_hz)
    ecg += cases.artefacts(pulses_s, len(ecg), rate_hz, 1500, 0.02)
    for pulse_s in pulses_s[rng.random(len(pulses_s)) < 0.08]:
        rail_n = int(rng.choice([0.01, 0.04, 0.06, 0.1, 0.3, 1.0]) * rate_hz)
        start = int(pulse_s * rate_hz)
        ecg[start : start + rail_n] = rng.choice([-9000, 9000])
        settle = ecg[start + rail_n :][: rate_hz // 2]
        settle += rng.choice([-1500, 1500]) * np.exp(-np.arange(len(settle)) / (0.2 * rate_hz))
    for start in rng.integers(5 * rate_hz, len(ecg), 15):
        mask[start : start + int(rng.choice([1, rate_hz // 20, rate_hz // 3]))] = rng.choice([2, 2, 3])
    for start_s in (19.0, 62.0):  # longer than the filter stays awake, the last with a pulse soon after
        mask[int(start_s * rate_hz) : int((start_s + 3.6) * rate_hz)] = 1
    mask[66 * rate_hz : 66 * rate_hz + rate_hz // 50] = 1
    return cases.to_int16(np.clip(ecg, -3000, 4000) + rng.normal(0, 8, len(ecg))), mask


def swaying_baseline(rate_hz: int, rng: np.random.Generator) -> Marked:
    """A slow swing that takes R waves, S waves and at last whole parts of a second beyond :data:`RAILS_LSB`."""
    ecg = ecg_of(rate_hz, 40.0, rr_s=0.61)
    swing = np.sin(np.arange(len(ecg)) / rate_hz) * np.linspace(500, 2800, len(ecg))
    return cases.to_int16(1.6 * ecg + swing), cases.random_mask(len(ecg), rng, len(ecg) // 300)

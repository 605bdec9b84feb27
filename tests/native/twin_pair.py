"""Runs one case through both detectors: the C (hbc_native) and its device twin under the real MicroPython."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hbc_native import PEAK_DTYPE, RPeakDetector
from hbc_native._rpeak import ffi
from numpy.typing import NDArray

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
TWIN = FIRMWARE / "hbc_fw" / "detector.py"
FILTER_TWIN = FIRMWARE / "hbc_fw" / "artefact.py"
RUNNER = Path(__file__).resolve().parent / "twin_runner.py"
BLOCK_N = 64
TIME_LIMIT_S = 300
STATE_WORD = ffi.offsetof("hbc_rpeak", "signal_state") // 4


@dataclass(frozen=True)
class Case:
    """A signal with its mask (0 = ECG, 1 = blanked, 2 = an electrode is off) and, unless the default, the rails."""

    rate_hz: int
    samples_lsb: NDArray[np.int16]
    mask: NDArray[np.uint8]
    rails_lsb: tuple[int, ...] = ()

    @classmethod
    def unmasked(cls, rate_hz: int, samples_lsb: NDArray[np.int16]) -> "Case":
        return cls(rate_hz, samples_lsb, np.zeros(len(samples_lsb), np.uint8))


@dataclass(frozen=True)
class Found:
    """What one detector made of a case."""

    peaks: NDArray[np.void]
    state_words: NDArray[np.int32]
    signal_states: NDArray[np.uint8]  # after every block of 64; empty when it was pushed in one go
    samples_per_s: int = 0


def record_lsb(path: Path, start_s: float = 0, end_s: float | None = None) -> tuple[int, NDArray[np.int16]]:
    """Rate in Hz and channel 0 of a WFDB record, in counts about its zero."""
    import wfdb  # only those who have the recordings need it

    head = wfdb.rdheader(str(path))
    end = None if end_s is None else int(end_s * head.fs)
    record = wfdb.rdrecord(str(path), channels=[0], physical=False, sampfrom=int(start_s * head.fs), sampto=end)
    return round(head.fs), (record.d_signal[:, 0] - head.baseline[0]).astype(np.int16)


def environment() -> dict[str, str]:
    """For a MicroPython that imports the firmware."""
    return {**os.environ, "MICROPYPATH": str(FIRMWARE)}


def run_twin(folder: Path, micropython: str, case: Case, first_idx: int = 0) -> Found:
    """Feed the twin under heap_lock in blocks of 64; its files go to the folder.

    Raises
    ------
    AssertionError
        MicroPython raised, or lost samples; the message carries what it printed.
    """
    (folder / "samples").write_bytes(case.samples_lsb.astype("<i2").tobytes())
    (folder / "mask").write_bytes(case.mask.tobytes())
    files = [str(folder / name) for name in ("samples", "mask", "out")]
    numbers = [str(number) for number in (case.rate_hz, first_idx, *case.rails_lsb)]
    done = subprocess.run(
        [micropython, str(RUNNER), *files, *numbers],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    samples_n, peaks_n, per_s = map(int, done.stdout.split())
    assert samples_n == len(case.samples_lsb)
    out = (folder / "out").read_bytes()
    states_at, words_at = peaks_n * PEAK_DTYPE.itemsize, peaks_n * PEAK_DTYPE.itemsize - (-samples_n // BLOCK_N)
    return Found(
        np.frombuffer(out[:states_at], PEAK_DTYPE),
        np.frombuffer(out[words_at:], "<i4"),
        np.frombuffer(out[states_at:words_at], np.uint8),
        per_s,
    )


def run_c(case: Case, block_n: int) -> Found:
    """Feed the C in blocks."""
    detector = RPeakDetector(case.rate_hz)
    if case.rails_lsb:
        detector.set_rails(*case.rails_lsb)
    peaks, states = [np.empty(0, PEAK_DTYPE)], []
    for start in range(0, len(case.samples_lsb), block_n):
        peaks.append(detector.push(case.samples_lsb[start : start + block_n], case.mask[start : start + block_n]))
        states.append(detector.state_words()[STATE_WORD])
    return Found(np.concatenate(peaks), detector.state_words(), np.array(states, np.uint8))


def assert_same(folder: Path, micropython: str, case: Case) -> Found:
    """Compare twin and C on one case: peaks, every word of the state, the signal state after every block.

    The C runs twice, in blocks of 64 and in one go, as the host does: the second may take another way through it.
    """
    twin, in_blocks = run_twin(folder, micropython, case), run_c(case, BLOCK_N)
    at_once = run_c(case, len(case.samples_lsb))
    for expected in (in_blocks, at_once):
        np.testing.assert_array_equal(twin.peaks, expected.peaks)
        np.testing.assert_array_equal(twin.state_words, expected.state_words)
    np.testing.assert_array_equal(twin.signal_states, in_blocks.signal_states)
    return twin

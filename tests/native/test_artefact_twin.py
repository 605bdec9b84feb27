"""The device twin of hbc_artefact, run by the real MicroPython, gives the same samples, flags and state as the C."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from artefact_lib import ECG, OFF, PULSE, Filter, stimulated
from numpy.typing import NDArray
from twin_pair import environment

RUNNER = Path(__file__).resolve().parent / "artefact_runner.py"
RATES_HZ = (100, 199, 250, 400, 500, 1000)


def hard_case(rate_hz: int) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Artefacts of all sizes, rails long and short, white noise, electrodes off, rest, bursts."""
    rng = np.random.default_rng(rate_hz)
    parts = [stimulated(rate_hz, height_r=height, tail_s=0.05, duration_s=9.0) for height in (0.5, -5.0, 40.0)]
    samples = np.concatenate([part.samples for part in parts])
    kinds = np.concatenate([part.kinds for part in parts])
    samples = np.clip(samples, -3000, 5000).astype(np.int16)
    samples[6 * rate_hz : 6 * rate_hz + rate_hz // 3] = 5000
    kinds[rng.random(len(kinds)) < 0.001] = OFF
    noise = rng.integers(-32768, 32768, 6 * rate_hz).astype(np.int16)
    bursts = np.where(np.arange(len(noise)) % max(rate_hz // 7, 1) < rate_hz // 90 + 1, PULSE, ECG).astype(np.uint8)
    bursts[2 * rate_hz : 4 * rate_hz] = ECG
    return np.concatenate([samples, noise]), np.concatenate([kinds, bursts])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_twin_agrees_in_every_sample_and_word(rate_hz: int, tmp_path: Path, micropython: str) -> None:
    samples, kinds = hard_case(rate_hz)
    wanted = Filter(tmp_path).run(samples, kinds, rate_hz)
    files = [tmp_path / name for name in ("samples", "kinds", "out")]
    files[0].write_bytes(samples.astype("<i2").tobytes())
    files[1].write_bytes(kinds.tobytes())
    command = [micropython, "-X", "heapsize=8M", str(RUNNER), *map(str, files), str(rate_hz)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    got, n = files[2].read_bytes(), len(samples)
    assert np.array_equal(np.frombuffer(got, "<i2", n), wanted.out_lsb)
    assert np.array_equal(np.frombuffer(got, np.uint8, n, 2 * n).astype(bool), wanted.held)
    assert got[3 * n :] == wanted.state
    assert 0.05 < wanted.held.mean() < 0.9

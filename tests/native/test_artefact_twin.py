"""The device twin of hbc_artefact, run by the real MicroPython, gives the same samples, flags and state as the C."""

import functools
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rpeak_cases as cases
from artefact_lib import ECG, OFF, PULSE, run_filter, stimulated
from hbc_native._rpeak import ffi
from numpy.typing import NDArray
from twin_pair import environment

RUNNER = Path(__file__).resolve().parent / "artefact_runner.py"
FIRST_WORD = ffi.offsetof("hbc_rpeak", "artefact") // 4
FIELDS = ("out_lsb", "since_n", "awake_n")
PLACES = [
    FIRST_WORD,
    *(FIRST_WORD + ffi.offsetof("hbc_artefact", field) // 4 for field in FIELDS),
    FIRST_WORD + ffi.sizeof("hbc_artefact") // 4,
]


Part = tuple[NDArray[np.int16], NDArray[np.uint8]]


def clipped_artefacts(rate_hz: int, rng: np.random.Generator) -> list[Part]:
    """Artefacts of all sizes, rails long and short, electrodes off."""
    parts = []
    for height_r in (0.5, -5.0, 40.0):
        made = stimulated(rate_hz, height_r=height_r, tail_s=0.05, duration_s=9.0)
        made.kinds[rng.random(len(made.kinds)) < 0.001] = OFF
        samples = np.clip(made.samples, -3000, 5000).astype(np.int16)
        samples[6 * rate_hz : 6 * rate_hz + rate_hz // 3] = 5000
        parts.append((samples, made.kinds))
    return parts


def ramp(rate_hz: int, sign: int) -> Part:
    """From rail to rail five times a second, steeper than the ECG: held, so the offset grows to its limit."""
    every_n = rate_hz // 5
    lag_n = np.arange(16 * rate_hz) % every_n
    samples = sign * (lag_n * (65535 // every_n) - 32768)
    return cases.to_int16(samples), np.where(lag_n < 2, PULSE, ECG).astype(np.uint8)


def noise_in_bursts(rate_hz: int, rng: np.random.Generator) -> list[Part]:
    """White noise under pulses seven times a second with a pause, then as far apart as a burst allows, and farther."""
    n = 6 * rate_hz
    often = np.where(np.arange(n) % max(rate_hz // 7, 1) < rate_hz // 90 + 1, PULSE, ECG).astype(np.uint8)
    often[2 * rate_hz : 4 * rate_hz] = ECG
    apart_n = (30 * rate_hz + 500) // 1000 + np.tile([0, 1, rate_hz // 4], 9)
    apart = np.zeros(n, np.uint8)
    apart[np.cumsum(apart_n)[np.cumsum(apart_n) < n]] = PULSE
    return [(rng.integers(-32768, 32768, n).astype(np.int16), kinds) for kinds in (often, apart)]


def endless_pulse(rate_hz: int) -> Part:
    """Of 4 s; 3 s after its start, when the filter comes to rest, a long rail is just over."""
    made = stimulated(rate_hz, height_r=0.5, tail_s=0.05, duration_s=5.0)
    samples = made.samples[: 5 * rate_hz].copy()
    samples[int(2.7 * rate_hz) : int(2.9 * rate_hz)] = 32767
    return samples, np.where(np.arange(len(samples)) < 4 * rate_hz, PULSE, ECG).astype(np.uint8)


LAST_PARTS = {100: functools.partial(ramp, sign=1), 130: functools.partial(ramp, sign=-1), 1000: endless_pulse}


def hard_case(rate_hz: int) -> Part:
    """All that is above, with an ECG at rest in between, so that what one leaves behind shows in the next.

    What shows only in the state comes last.
    """
    rng = np.random.default_rng(rate_hz)
    rest = stimulated(rate_hz, height_r=0.5, tail_s=0.05, duration_s=5.0, pulses_s=np.empty(0))
    resting = rest.samples, rest.kinds
    parts = [*clipped_artefacts(rate_hz, rng), resting, endless_pulse(rate_hz), *noise_in_bursts(rate_hz, rng)]
    parts += [resting, LAST_PARTS[rate_hz](rate_hz)]
    samples, kinds = zip(*parts, strict=True)
    return np.concatenate(samples), np.concatenate(kinds)


@pytest.mark.parametrize("rate_hz", LAST_PARTS)
def test_twin_agrees_in_every_sample_and_word(rate_hz: int, tmp_path: Path, micropython: str) -> None:
    samples, kinds = hard_case(rate_hz)
    wanted = run_filter(samples, kinds, rate_hz)
    files = [tmp_path / name for name in ("samples", "kinds", "out")]
    files[0].write_bytes(samples.astype("<i2").tobytes())
    files[1].write_bytes(kinds.tobytes())
    command = [micropython, "-X", "heapsize=8M", str(RUNNER), *map(str, [*files, rate_hz, *PLACES])]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    got, n = files[2].read_bytes(), len(samples)
    assert np.array_equal(np.frombuffer(got, "<i2", n), wanted.out_lsb)
    assert np.array_equal(np.frombuffer(got, np.uint8, n, 2 * n), wanted.kind)
    assert set(np.unique(wanted.kind)) == {0, 1, 2}
    assert got[3 * n :] == wanted.state
    assert 0.05 < wanted.held.mean() < 0.9

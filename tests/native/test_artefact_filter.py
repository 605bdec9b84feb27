"""hbc_artefact takes TMS artefacts out, leaves the heart in, and touches nothing where there are no pulses."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rpeak_cases as cases
from artefact_lib import ECG, FIRST_PULSE_S, OFF, PULSE, R_LSB, run_filter, stimulated
from hbc_native._rpeak import ffi, lib
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "native"
RATES_HZ = (100, 250, 360, 500, 1000)
KNOWN_S = 2.0  # twenty visits: learned by then
AWAKE_S = 3.0
FOLLOWING_S = 0.02


def without_pulses(samples: NDArray[np.int16], kinds: NDArray[np.uint8]) -> NDArray[np.int16]:
    """What sample and hold makes of it."""
    last = np.maximum.accumulate(np.where(kinds == ECG, np.arange(len(samples)), 0))
    return samples[last]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_without_pulses_the_output_is_the_input(rate_hz: int) -> None:
    rng = np.random.default_rng(rate_hz)
    samples = rng.integers(-32768, 32768, 8 * rate_hz).astype(np.int16)
    kinds = np.where(rng.random(len(samples)) < 0.02, OFF, ECG).astype(np.uint8)
    kinds[0] = ECG
    done = run_filter(samples, kinds, rate_hz)
    assert np.array_equal(done.out_lsb, without_pulses(samples, kinds))
    assert not done.held.any()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_three_seconds_after_the_last_pulse_the_output_is_the_input(rate_hz: int) -> None:
    case = stimulated(rate_hz, height_r=5.0, tail_s=0.05)
    kinds = case.kinds.copy()
    kinds[8 * rate_hz :] = ECG
    done = run_filter(case.samples, kinds, rate_hz)
    last_edge_idx = int(np.flatnonzero(np.diff(kinds.astype(int)) == PULSE)[-1]) + 1
    rested_idx = last_edge_idx + int(AWAKE_S * rate_hz)
    assert np.array_equal(done.out_lsb[rested_idx:], case.samples[rested_idx:])
    assert not done.held[rested_idx:].any()
    assert not np.array_equal(done.out_lsb[:rested_idx], case.samples[:rested_idx])


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(("height_r", "tail_s"), [(0.5, 0.02), (1.0, 0.1), (2.0, 0.05)])
def test_a_learned_tail_is_gone_and_the_heart_is_not(rate_hz: int, height_r: float, tail_s: float) -> None:
    case = stimulated(rate_hz, height_r=height_r, tail_s=tail_s)
    done = run_filter(case.samples, case.kinds, rate_hz)
    known = slice(int((FIRST_PULSE_S + KNOWN_S) * rate_hz), None)
    seen = ~(done.held | np.roll(done.held, 1))[known]
    wanted, got, given = (np.diff(x, prepend=x[0])[known][seen] for x in (case.clean, done.out_lsb, case.samples))
    left = np.sqrt(np.mean((got - wanted) ** 2) / np.mean((given - wanted) ** 2))
    assert np.mean(seen) > 0.6
    assert left < 0.35
    assert np.corrcoef(got, wanted)[0, 1] > 0.93
    at_s = np.arange(len(case.samples)) / rate_hz
    since_s = at_s - case.pulses_s[np.searchsorted(case.pulses_s, at_s, "right") - 1]
    # In the first milliseconds after a pulse the output only follows, where it used to be held and was not looked at.
    rested = (since_s > FOLLOWING_S)[known][seen]
    assert np.corrcoef(got[rested], wanted[rested])[0, 1] > 0.97


@pytest.mark.parametrize("rate_hz", RATES_HZ[1:])
def test_a_wave_that_rises_where_a_known_artefact_is_steep_keeps_most_of_its_height(rate_hz: int) -> None:
    """The output follows there; once it was held, and half of the wave lost."""
    case = stimulated(rate_hz, height_r=10.0, tail_s=0.03, duration_s=40.0)
    done = run_filter(case.samples, case.kinds, rate_hz)
    kept = []
    for beat_s in case.beats_s[(case.beats_s > FIRST_PULSE_S + KNOWN_S) & (case.beats_s < 39.0)]:
        pulse_s = case.pulses_s[np.argmin(np.abs(case.pulses_s + 0.018 - beat_s))]
        if abs(pulse_s + 0.018 - beat_s) < 0.008:
            before, top = int((pulse_s - 0.006) * rate_hz), int((beat_s + 0.001) * rate_hz)
            got, wanted = (x[top - 3 : top + 6].max() - x[before] for x in (done.out_lsb, case.clean))
            kept.append(got / wanted)
    assert len(kept) > 4
    assert 0.7 < np.median(kept) < 1.0


@pytest.mark.parametrize("rate_hz", RATES_HZ[1:])  # at 100 Hz a blank is one sample
def test_a_wave_that_rises_under_a_pulse_keeps_half_its_height(rate_hz: int) -> None:
    case = stimulated(rate_hz, height_r=-1.0, tail_s=0.005)  # on a peak of the same sign it would look like a rail
    done = run_filter(case.samples, case.kinds, rate_hz)
    rises = []
    for beat_s in case.beats_s[case.beats_s > FIRST_PULSE_S + KNOWN_S]:
        nearest_s = case.pulses_s[np.argmin(np.abs(case.pulses_s - beat_s))]
        if -0.018 < nearest_s - beat_s < -0.006:  # the blank lies on the upstroke
            before, after = int((nearest_s - 0.006) * rate_hz), int((nearest_s + 0.014) * rate_hz)
            rises.append(
                [x[after] - x[before] for x in (done.out_lsb, case.clean, without_pulses(case.samples, case.kinds))]
            )
    rise = np.array(rises)
    assert len(rise) >= 1
    assert np.all(rise[:, 0] > 0.5 * rise[:, 1])
    assert np.all(rise[:, 0] < 1.1 * rise[:, 1])
    assert np.all(rise[:, 1] > 0.3 * R_LSB)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_wave_after_the_first_pulse_is_not_taken_for_its_artefact(rate_hz: int) -> None:
    """At the second pulse it would be taken off where it is not: a wave upside down."""
    at_s = np.arange(4 * rate_hz) / rate_hz
    heights_lsb = ((0.5, 1.5 * R_LSB), (1.0, -1.5 * R_LSB), (2.12, R_LSB))  # the first two make the range of the input
    samples = sum(height_lsb * np.exp(-0.5 * ((at_s - top_s) / 0.015) ** 2) for top_s, height_lsb in heights_lsb)
    kinds = np.zeros(len(at_s), np.uint8)
    for pulse_s in (2.0, 2.25, 2.5):
        kinds[(at_s >= pulse_s) & (at_s < pulse_s + 0.012)] = PULSE
    done = run_filter(cases.to_int16(samples), kinds, rate_hz)
    under, after = (done.out_lsb[(at_s >= start_s) & (at_s < start_s + 0.2)] for start_s in (2.02, 2.27))
    assert np.ptp(under) > 0.8 * R_LSB
    assert np.ptp(after) < 0.1 * R_LSB


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_way_off_a_rail_is_no_known_step(rate_hz: int) -> None:
    """Off it for 4 ms, then steep: held again, but the artefact has no part in that."""
    case = stimulated(rate_hz, height_r=0.5, tail_s=0.01)
    samples = case.samples.copy()
    start, stop = int(6.05 * rate_hz), int(6.35 * rate_hz)
    samples[start:stop] = -2000
    samples[stop : stop + int(0.004 * rate_hz)] = -1800
    done = run_filter(samples, case.kinds, rate_hz)
    assert np.max(np.abs(np.diff(done.out_lsb[start - 2 : stop + int(0.02 * rate_hz)]))) < 0.5 * R_LSB


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_rail_is_held_and_its_step_dropped(rate_hz: int) -> None:
    case = stimulated(rate_hz, height_r=0.5, tail_s=0.01)
    samples = case.samples.copy()
    start, stop = int(6.05 * rate_hz), int(6.35 * rate_hz)
    samples[start:stop] = 2047
    done = run_filter(samples, case.kinds, rate_hz)
    settled = start + int(0.012 * rate_hz) + 1
    assert done.held[settled:stop].all()
    assert np.ptp(done.out_lsb[settled:stop]) == 0
    assert np.max(np.abs(np.diff(done.out_lsb[start - 2 : stop + 5]))) < 0.5 * R_LSB


def test_the_same_samples_give_the_same_output_twice() -> None:
    case = stimulated(500, height_r=5.0, tail_s=0.02)
    first, second = (run_filter(case.samples, case.kinds, 500) for _ in range(2))
    assert np.array_equal(first.out_lsb, second.out_lsb)
    assert np.array_equal(first.kind, second.kind)


def test_the_state_is_small() -> None:
    size = ffi.sizeof("hbc_artefact")
    print(f"hbc_artefact: {size} bytes")
    assert size <= 1228


def test_a_block_of_rest_is_the_same_as_single_samples() -> None:
    rng = np.random.default_rng(3)
    samples = np.ascontiguousarray(rng.integers(-32768, 32768, 2500).astype(np.int16))
    single, block = (ffi.new("hbc_artefact *") for _ in range(2))
    for state in (single, block):
        lib.hbc_artefact_init(state, 500)
    for sample in samples.tolist():
        lib.hbc_artefact_push(single, sample, ECG)
    for part in np.split(samples, [1, 700, 1203]):
        pointer = ffi.cast("int16_t *", part.ctypes.data)
        lib.hbc_artefact_rest(block, pointer, len(part))
    assert bytes(ffi.buffer(single)) == bytes(ffi.buffer(block))


def test_full_scale_meets_no_sanitizer(tmp_path: Path) -> None:
    gcc = shutil.which("gcc")
    assert gcc, "gcc is not installed; the filter cannot be built without it"
    harness = tmp_path / "harness"
    flags = ["-std=c99", "-O1", "-g", "-DHBC_RPEAK_CHECK", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
    source = str(HERE / "artefact_harness.c")
    subprocess.run([gcc, *flags, f"-I{NATIVE / 'include'}", source, "-o", str(harness)], check=True)
    done = subprocess.run([str(harness)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    words = done.stdout.replace(",", "").split()
    samples_n, held_n, offset_q4 = int(words[0]), int(words[2]), int(words[5])
    assert samples_n > 2_500_000
    assert held_n > 150_000
    assert offset_q4 > 1 << 20

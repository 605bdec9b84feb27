"""``hbc_rpeak_push_block`` of the host works in batches; ``hbc_rpeak_push`` is the definition. Same peaks, same state.

The extension is built with ``HBC_RPEAK_BATCH``; without it push_block is a loop over push and these tests are trivial.
Batches run while the artefact filter sleeps, from 3 s after a pulse on, so masks leave such pauses.
"""

from typing import Any

import numpy as np
import pytest
import rpeak_cases as cases
from hbc_native._rpeak import ffi, lib
from numpy.typing import NDArray

RATES_HZ = (100, 119, 120, 130, 239, 240, 250, 360, 480, 500, 719, 840, 950, 1000)
Samples = NDArray[np.int16]
Mask = NDArray[np.uint8]


def signals(rate_hz: int, rng: np.random.Generator) -> Samples:
    """A minute or more: ECG clean, noisy, tiny, huge, falling, with hum; noise; squares; rails; flat; a random walk."""
    n = 4 * rate_hz
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(8.0, 0.7), rate_hz)
    ecg_n = ecg.astype(np.float64)
    time_s = np.arange(len(ecg)) / rate_hz
    parts = [
        ecg,
        cases.to_int16(ecg_n + rng.normal(0, 150, len(ecg))),
        cases.to_int16(-0.06 * ecg_n),
        cases.to_int16(25 * ecg_n + 4000 * np.sin(2 * np.pi * 0.3 * time_s)),
        cases.to_int16(ecg_n / 5 + 300 * np.sin(2 * np.pi * 50 * time_s)),
        cases.random_square_wave(n, rng),
        cases.square_wave(n, max(1, rate_hz // 12)),
        rng.integers(-32768, 32768, n).astype(np.int16),
        np.full(n, 32767, np.int16),
        np.zeros(n, np.int16),
        cases.to_int16(np.cumsum(rng.normal(0, 400, n))),
    ]
    order = rng.permutation(len(parts))
    return np.concatenate([parts[i] for i in order])


def masks(samples_n: int, rate_hz: int, rng: np.random.Generator) -> dict[str, Mask | None]:
    """None, all zero, pulses now and then, dense, an electrode off, blanked from the start, trains, seconds blanked."""
    pulses = cases.random_mask(samples_n, rng, 30)
    dense = cases.random_mask(samples_n, rng, samples_n // 40) * rng.integers(1, 3, samples_n).astype(np.uint8)
    off = np.zeros(samples_n, np.uint8)
    off[samples_n // 3 : samples_n // 2] = lib.HBC_RPEAK_OFF
    late = pulses.copy()
    late[: int(rng.integers(1, 700))] = rng.integers(1, 3)
    trains = cases.pulse_mask(cases.train_pulses_s(samples_n / rate_hz, first_s=3.0, every_s=7.0), samples_n, rate_hz)
    long = np.zeros(samples_n, np.uint8)
    for start in range(2 * rate_hz, samples_n, 12 * rate_hz):  # longer than the filter stays awake; then a train
        long[start : start + 7 * rate_hz // 2] = lib.HBC_RPEAK_BLANKED
        long[start + 4 * rate_hz + rng.integers(0, rate_hz) :][: rate_hz // 50] = lib.HBC_RPEAK_BLANKED
    return {
        "none": None,
        "zero": np.zeros(samples_n, np.uint8),
        "pulses": pulses,
        "dense": dense,
        "off": off,
        "late": late,
        "trains": trains,
        "long": long,
    }


def block_lengths(kind: str, samples_n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Lengths that add up to samples_n; empty blocks are among them."""
    longest_n = {"whole": 0, "short": 70, "any": 3000}[kind]
    if longest_n == 0:
        return np.array([samples_n])
    ends = np.cumsum(rng.integers(0, longest_n, 4 * samples_n // longest_n + 100))
    ends = np.append(ends[ends < samples_n], samples_n)
    return np.diff(ends, prepend=0)


def new_state(rate_hz: int, rails_lsb: int, first_idx: int) -> Any:
    state = ffi.new("hbc_rpeak *")
    assert lib.hbc_rpeak_init(state, rate_hz) == lib.HBC_RPEAK_OK
    lib.hbc_rpeak_set_rails(state, -rails_lsb - 1, rails_lsb)
    state.samples_n = first_idx
    return state


def by_push(state: Any, samples: Samples, mask: Mask | None) -> bytes:
    peak, found = ffi.new("hbc_rpeak_peak *"), bytearray()
    flags = [0] * len(samples) if mask is None else mask.tolist()
    for sample, flag in zip(samples.tolist(), flags, strict=True):
        if lib.hbc_rpeak_push(state, sample, flag, peak):
            found += ffi.buffer(peak)
    return bytes(found)


def by_blocks(state: Any, samples: Samples, mask: Mask | None, lengths: NDArray[np.int64]) -> bytes:
    found, at = bytearray(), 0
    for n in lengths.tolist():
        room = n // 15 + 16
        peaks = ffi.new("hbc_rpeak_peak[]", room)
        block = ffi.from_buffer("int16_t[]", samples[at : at + n])
        flags = ffi.NULL if mask is None else ffi.from_buffer("uint8_t[]", mask[at : at + n])
        found_n = lib.hbc_rpeak_push_block(state, block, flags, n, peaks, room)
        found += ffi.buffer(peaks, found_n * ffi.sizeof("hbc_rpeak_peak"))
        at += n
    return bytes(found)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_blocks_of_any_length_find_the_same_and_leave_the_same_state(rate_hz: int) -> None:
    rng = np.random.default_rng(rate_hz)
    once = signals(rate_hz, rng)
    for name, mask in masks(len(once), rate_hz, rng).items():
        # Dense pulses hide most beats, which are not reported then: twice the length has as many as the others.
        samples, mask = (np.tile(once, 2), np.tile(mask, 2)) if name == "dense" and mask is not None else (once, mask)
        rails_lsb, first_idx = int(rng.choice([32767, 900])), int(rng.choice([0, 2**32 - 5000]))
        pushed = new_state(rate_hz, rails_lsb, first_idx)
        expected = by_push(pushed, samples, mask)
        assert len(expected) > 30 * ffi.sizeof("hbc_rpeak_peak"), name
        for kind in ("whole", "short", "any"):
            state = new_state(rate_hz, rails_lsb, first_idx)
            found = by_blocks(state, samples, mask, block_lengths(kind, len(samples), rng))
            assert found == expected, (name, kind)
            assert bytes(ffi.buffer(state)) == bytes(ffi.buffer(pushed)), (name, kind)


@pytest.mark.parametrize("rate_hz", [100, 250, 1000])
def test_a_block_that_ends_while_the_learning_buffer_is_played_out_leaves_the_rest_queued(rate_hz: int) -> None:
    samples, _ = cases.synthetic_ecg(cases.regular_beats(5.0, 0.4), rate_hz)
    queued = set()
    for end in range(2 * rate_hz - 20, 2 * rate_hz + 40):
        pushed, state = new_state(rate_hz, 32767, 0), new_state(rate_hz, 32767, 0)
        expected = by_push(pushed, samples[:end], None)
        assert by_blocks(state, samples[:end], None, np.array([end])) == expected
        assert bytes(ffi.buffer(state)) == bytes(ffi.buffer(pushed)), end
        queued.add(state.queue_n)
    assert {0, 1, 2} <= queued


@pytest.mark.parametrize("rate_hz", [100, 360, 1000])
def test_peaks_that_find_no_room_wait_in_the_queue(rate_hz: int) -> None:
    rng = np.random.default_rng(rate_hz)
    samples = signals(rate_hz, rng)
    in_blocks, one_by_one = new_state(rate_hz, 32767, 0), new_state(rate_hz, 32767, 0)
    peaks, waited_n = ffi.new("hbc_rpeak_peak[]", 64), 0
    for start in range(0, len(samples), 2 * rate_hz):
        block = ffi.from_buffer("int16_t[]", samples[start : start + 2 * rate_hz])
        room, expected_n = int(rng.integers(0, 6)), 0
        for i in range(len(block)):  # a block of one sample is never a batch
            expected_n += lib.hbc_rpeak_push_block(one_by_one, block + i, ffi.NULL, 1, peaks, expected_n < room)
        assert lib.hbc_rpeak_push_block(in_blocks, block, ffi.NULL, len(block), peaks, room) == expected_n
        assert bytes(ffi.buffer(in_blocks)) == bytes(ffi.buffer(one_by_one))
        waited_n += in_blocks.queue_n > 0
    assert waited_n > 3

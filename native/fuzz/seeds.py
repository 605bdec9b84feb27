# SPDX-License-Identifier: Apache-2.0
"""Seed inputs for the fuzz target: each operation of fuzz_rpeak.c at a few rates, and what hurts detectors."""

import struct
from pathlib import Path

RATES_HZ = (100, 119, 239, 360, 500, 1000)

BEATS, SPIKES = 6, 7
CONSTANT, RAMP, SQUARE, NOISE = 2, 3, 4, 5
UPSIDE_DOWN = 8
ALL_BLANKED, TRAIN_BLANKED, SOME_BLANKED = 16, 32, 48
ITBS, LEAD_OFF = 64, 128  # added to one of these
FALL, LONG_TAIL = 64, 128  # options of the artefact, beside its height in bits 3..5


def beats(height_lsb: int, rr_ms: int, count: int, how: int = 0) -> bytes:
    """ECG-like beats."""
    return struct.pack("<BHBB", BEATS | how, height_lsb, (rr_ms - 100) // 8, count)


def constant(level_lsb: int, samples_n: int, how: int = 0) -> bytes:
    """A flat piece, up to 4095 samples."""
    return struct.pack("<BHH", CONSTANT | how, level_lsb + 32768, samples_n)


def square(half_n: int, height_lsb: int, samples_n: int, how: int = 0) -> bytes:
    """A square wave with half periods of 1..256 samples."""
    return struct.pack("<BBHH", SQUARE | how, half_n - 1, height_lsb, samples_n)


def noise(shift: int, samples_n: int, how: int = 0) -> bytes:
    """White noise of 32768 >> shift."""
    return struct.pack("<BBH", NOISE | how, shift, samples_n)


def spikes(height_lsb: int, period_n: int, count: int, how: int = 0) -> bytes:
    """Lone samples."""
    return struct.pack("<BHBB", SPIKES | how, height_lsb + 32768, (period_n - 2) // 4, count)


def ramp(slope: int, samples_n: int, how: int = 0) -> bytes:
    """A slope in units of 16 LSB a sample."""
    return struct.pack("<BBH", RAMP | how, slope + 128, samples_n)


SIGNALS: dict[str, bytes] = {
    "ecg": beats(1000, 800, 20),
    "ecg-down": beats(1000, 700, 20, UPSIDE_DOWN),
    "ecg-falls": beats(20000, 700, 10) + beats(900, 700, 20),
    "ecg-rises": beats(300, 700, 10) + beats(20000, 700, 20),
    "ecg-blanked-train": beats(1000, 700, 20, TRAIN_BLANKED),
    "ecg-train-ecg": beats(1000, 700, 5) + beats(1000, 710, 6, TRAIN_BLANKED) + beats(1000, 700, 8),
    "ecg-itbs-ecg": beats(1000, 700, 5) + beats(1000, 730, 6, TRAIN_BLANKED | ITBS) + beats(1000, 700, 8),
    "ecg-train-rail": beats(1000, 700, 5)
    + beats(900, 720, 5, TRAIN_BLANKED)
    + constant(32767, 400, TRAIN_BLANKED)
    + beats(1000, 720, 5, TRAIN_BLANKED),
    "ecg-long-blank-pulse": beats(1000, 700, 4)
    + constant(0, 3500, ALL_BLANKED)
    + beats(1000, 700, 2)
    + beats(1000, 700, 2, TRAIN_BLANKED),
    "ecg-off-train": beats(1000, 700, 4)
    + beats(1000, 720, 4, TRAIN_BLANKED)
    + constant(0, 300, ALL_BLANKED | LEAD_OFF)
    + beats(1000, 720, 6, TRAIN_BLANKED),
    "ecg-pause": beats(1000, 800, 8) + constant(0, 4095) + beats(1000, 800, 8),
    "ecg-noise-ecg": beats(1000, 800, 8) + noise(3, 2000) + beats(1000, 800, 12),
    "ecg-rail-ecg": beats(1000, 800, 8) + constant(32767, 2000) + beats(1000, 800, 8),
    "starts-blanked": constant(5000, 900, ALL_BLANKED) + beats(1000, 800, 12),
    "starts-with-a-spike": spikes(32767, 1022, 2) + beats(300, 800, 15),
    "noise-blanked": noise(0, 4095, SOME_BLANKED) + noise(6, 4095),
    "square": square(12, 32767, 4000) + square(3, 32767, 4000) + square(40, 3000, 4000),
    "spikes": spikes(-32768, 400, 20) + spikes(900, 200, 20),
    "ramps": ramp(100, 600) + ramp(-100, 600) + ramp(1, 2000),
}


def write(folder: Path) -> int:
    """Write one file per signal and rate into a folder; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for nth, (name, signal) in enumerate(SIGNALS.items()):
        for rate_hz in RATES_HZ:
            options, lengths = (nth + rate_hz) % 8 + 8 * (nth % 8) + (FALL, LONG_TAIL, 0)[rate_hz % 3], nth
            head = struct.pack("<HBB", rate_hz - 100, options, lengths)
            (folder / f"{name}-{rate_hz}").write_bytes(head + signal)
    return len(SIGNALS) * len(RATES_HZ)

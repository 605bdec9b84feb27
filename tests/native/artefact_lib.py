"""hbc_artefact as Python sees it, and an ECG with TMS artefacts whose truth is known."""

from dataclasses import dataclass

import numpy as np
import rpeak_cases as cases
from hbc_native._rpeak import ffi, lib
from numpy.typing import NDArray

ECG, PULSE, OFF = 0, 1, 2
HELD = 1
R_LSB = 1000
PULSE_S, BLANK_BEFORE_S, BLANK_AFTER_S = 0.1, 0.004, 0.008
FIRST_PULSE_S = 4.0


@dataclass(frozen=True)
class Filtered:
    """Output in LSB and what it was (0, HELD or FOLLOWED), both (samples,); the state at the end."""

    out_lsb: NDArray[np.float64]
    kind: NDArray[np.uint8]
    state: bytes

    @property
    def held(self) -> NDArray[np.bool_]:
        """Where there was no ECG to be had, (samples,)."""
        return self.kind == HELD


def run_filter(samples: NDArray[np.int16], kinds: NDArray[np.uint8], rate_hz: int) -> Filtered:
    """Push all samples through a new filter, one by one."""
    state = ffi.new("hbc_artefact *")
    lib.hbc_artefact_init(state, rate_hz)
    out_lsb, kind_out = np.empty(len(samples)), np.empty(len(samples), np.uint8)
    for i, (sample, kind) in enumerate(zip(samples.tolist(), kinds.tolist(), strict=True)):
        kind_out[i] = lib.hbc_artefact_push(state, sample, kind)
        out_lsb[i] = state.out_lsb
    return Filtered(out_lsb, kind_out, bytes(ffi.buffer(state)))


@dataclass(frozen=True)
class Stimulated:
    """An ECG alone and with artefacts, in LSB; the kinds of its samples; pulses and beats in seconds."""

    clean: NDArray[np.float64]
    samples: NDArray[np.int16]
    kinds: NDArray[np.uint8]
    pulses_s: NDArray[np.float64]
    beats_s: NDArray[np.float64]


def stimulated(
    rate_hz: int,
    *,
    height_r: float,
    tail_s: float,
    duration_s: float = 16.0,
    pulses_s: NDArray[np.float64] | None = None,
    blank_after_s: float = BLANK_AFTER_S,
) -> Stimulated:
    """Beats every 0.83 s, so that no beat keeps its place between the pulses; 10 Hz unless pulses are given."""
    beats_s = cases.regular_beats(duration_s, 0.83)
    clean = cases.synthetic_ecg(beats_s, rate_hz)[0].astype(np.float64)
    clean *= R_LSB / clean.max()
    time_s = np.arange(len(clean)) / rate_hz
    if pulses_s is None:
        pulses_s = np.arange(FIRST_PULSE_S, duration_s, PULSE_S)
    kinds = np.zeros(len(clean), np.uint8)
    samples = clean.copy()
    for pulse_s in pulses_s:
        after_s = time_s - pulse_s
        kinds[(after_s >= -BLANK_BEFORE_S) & (after_s < blank_after_s)] = PULSE
        samples += height_r * R_LSB * np.where(after_s >= 0, np.exp(-np.maximum(after_s, 0) / tail_s), 0)
    return Stimulated(clean, cases.to_int16(samples), kinds, pulses_s, beats_s)

"""hbc_artefact built for the tests, and an ECG with artefacts whose truth is known."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rpeak_cases as cases
from cffi import FFI
from numpy.typing import NDArray

NATIVE = Path(__file__).resolve().parents[2] / "native"
ECG, PULSE, OFF = 0, 1, 2
R_LSB = 1000
PULSE_S, BLANK_BEFORE_S, BLANK_AFTER_S = 0.1, 0.004, 0.008
FIRST_PULSE_S = 4.0


@dataclass(frozen=True)
class Filtered:
    """Output in LSB and where it was held, both (samples,); the state at the end."""

    out_lsb: NDArray[np.float64]
    held: NDArray[np.bool_]
    state: bytes


class Filter:
    """The C module, built for this test, behind its own header."""

    def __init__(self, folder: Path) -> None:
        gcc = shutil.which("gcc")
        assert gcc, "gcc is not installed; the filter cannot be built without it"
        library = folder / "artefact.so"
        flags = ["-std=c99", "-O2", "-shared", "-fPIC", "-DHBC_RPEAK_CHECK", f"-I{NATIVE / 'include'}"]
        subprocess.run([gcc, *flags, str(NATIVE / "src" / "hbc_artefact.c"), "-o", str(library)], check=True)
        header = (NATIVE / "include" / "hbc_artefact.h").read_text(encoding="utf-8")
        self.ffi = FFI()
        self.ffi.cdef("/*" + header.partition("/* [cffi]")[2].partition("/* [/cffi] */")[0])
        self.lib: Any = self.ffi.dlopen(str(library))

    def run(self, samples: NDArray[np.int16], kinds: NDArray[np.uint8], rate_hz: int) -> Filtered:
        state = self.ffi.new("hbc_artefact *")
        self.lib.hbc_artefact_init(state, rate_hz)
        out_lsb, held = np.empty(len(samples)), np.empty(len(samples), np.bool_)
        for i, (sample, kind) in enumerate(zip(samples.tolist(), kinds.tolist(), strict=True)):
            held[i] = self.lib.hbc_artefact_push(state, sample, kind)
            out_lsb[i] = state.out_lsb
        return Filtered(out_lsb, held, bytes(self.ffi.buffer(state)))


@dataclass(frozen=True)
class Stimulated:
    """An ECG alone and with artefacts at 10 Hz, in LSB; the kinds of its samples; pulses and beats in seconds."""

    clean: NDArray[np.float64]
    samples: NDArray[np.int16]
    kinds: NDArray[np.uint8]
    pulses_s: NDArray[np.float64]
    beats_s: NDArray[np.float64]


def stimulated(rate_hz: int, *, height_r: float, tail_s: float, duration_s: float = 16.0) -> Stimulated:
    """Beats every 0.83 s, so that no beat keeps its place between the pulses."""
    beats_s = cases.regular_beats(duration_s, 0.83)
    clean = cases.synthetic_ecg(beats_s, rate_hz)[0].astype(np.float64)
    clean *= R_LSB / clean.max()
    time_s = np.arange(len(clean)) / rate_hz
    pulses_s = np.arange(FIRST_PULSE_S, duration_s, PULSE_S)
    kinds = np.zeros(len(clean), np.uint8)
    samples = clean.copy()
    for pulse_s in pulses_s:
        after_s = time_s - pulse_s
        kinds[(after_s >= -BLANK_BEFORE_S) & (after_s < BLANK_AFTER_S)] = PULSE
        samples += height_r * R_LSB * np.where(after_s >= 0, np.exp(-np.maximum(after_s, 0) / tail_s), 0)
    return Stimulated(clean, cases.to_int16(samples), kinds, pulses_s, beats_s)

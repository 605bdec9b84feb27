"""Heartbeats without stimulation, real and simulated, and responses put into them by warping beat time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from hbc_host.io.wfdb_record import quiet_wfdb

FloatArray = npt.NDArray[np.float64]

NORMAL_SYMBOLS = frozenset("NLRej")
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
NORMAL_SHARE_MIN = 0.97


@dataclass(frozen=True)
class TrueResponse:
    """What one train does to heart rate: seconds, largest fall in bpm, share lost from first to last train."""

    latency_s: float
    growth_s: float
    recovery_s: float
    dip_bpm: float
    habituation: float

    def change_bpm(self, time_s: FloatArray, onsets_s: FloatArray, train_s: float) -> FloatArray:
        """Heart-rate change at ``time_s`` (negative), trains added."""
        change = np.zeros_like(time_s)
        peak = 1.0 - np.exp(-train_s / self.growth_s)
        for number, onset_s in enumerate(onsets_s):
            size = self.dip_bpm * (1.0 - self.habituation * number / max(onsets_s.size - 1, 1))
            after_s = np.maximum(time_s - onset_s - self.latency_s, 0.0)
            on = (1.0 - np.exp(-np.minimum(after_s, train_s) / self.growth_s)) / peak
            change -= size * on * np.exp(-np.maximum(after_s - train_s, 0.0) / self.recovery_s)
        return change

    def mean_fall_bpm(self, onsets_s: FloatArray, train_s: float, cycle_s: float) -> float:
        """Mean over trains of the fall from the rate at onset to the lowest rate of the cycle."""
        since_s = np.arange(0.0, cycle_s, 0.01)
        falls = []
        for onset_s in onsets_s:
            change = self.change_bpm(onset_s + since_s, onsets_s, train_s)
            falls.append(change[0] - change.min())
        return float(np.mean(falls))


def draw_response(rng: np.random.Generator, dip_bpm: float) -> TrueResponse:
    """A response drawn as in the design notes: latency 0.5-3, growth 1-3, recovery 2-6 s, habituation 0-50 %."""
    return TrueResponse(
        float(rng.uniform(0.5, 3.0)),
        float(rng.uniform(1.0, 3.0)),
        float(rng.uniform(2.0, 6.0)),
        dip_bpm,
        float(rng.uniform(0.0, 0.5)),
    )


def warp(beats_s: FloatArray, response: TrueResponse, onsets_s: FloatArray, train_s: float) -> FloatArray:
    """Beat times after the response is added to the instantaneous rate (integral pulse frequency modulation)."""
    step_s = 0.02
    time_s = np.arange(beats_s[0], beats_s[-1], step_s)
    phase = np.interp(time_s, beats_s, np.arange(beats_s.size, dtype=np.float64))
    added = np.cumsum(response.change_bpm(time_s, onsets_s, train_s)) * step_s / 60.0
    phase = np.maximum.accumulate(phase + added)
    return np.interp(np.arange(0.0, np.floor(phase[-1]) + 0.5), phase, time_s)


def data_folder(given: Path | None = None) -> Path:
    """Where the MIT-BIH records are looked for; they are not part of this repository."""
    repository = Path(__file__).resolve().parents[2]
    return given or Path(os.environ.get("HBC_SHARED", repository.parent / "shared")) / "data" / "mitdb"


def real_windows(folder: Path, duration_s: float, normal_min: float = NORMAL_SHARE_MIN) -> list[tuple[str, FloatArray]]:
    """Windows of annotated beats with at least this share of normal beats (97 %), stepping by half a window."""
    found = []
    for header in sorted(folder.glob("*.hea")):
        with quiet_wfdb() as wfdb:
            notes = wfdb.rdann(str(header.with_suffix("")), "atr")
        is_beat = np.array([symbol in BEAT_SYMBOLS for symbol in notes.symbol])
        is_normal = np.array([symbol in NORMAL_SYMBOLS for symbol in notes.symbol])[is_beat]
        beats_s = notes.sample[is_beat] / float(notes.fs)
        start_s = 5.0
        while start_s + duration_s < beats_s[-1]:
            inside = (beats_s >= start_s) & (beats_s < start_s + duration_s)
            if is_normal[inside].mean() >= normal_min and np.diff(beats_s[inside]).max() < 3.0:
                found.append((header.stem, beats_s[inside] - start_s))
            start_s += duration_s / 2.0
    return found


STEP_S = 0.04


@dataclass(frozen=True)
class Heart:
    """Background (b) of the design notes: mean rate; 1/f noise, breathing and Mayer wave in bpm (rms, peak, peak)."""

    mean_bpm: float
    slow_bpm: float
    breath_bpm: float
    breath_hz: float
    mayer_bpm: float


def draw_heart(rng: np.random.Generator) -> Heart:
    """A heart at rest as in the design notes."""
    low = (50.0, 1.0, 1.0, 0.2, 0.5)
    high = (85.0, 3.0, 4.0, 0.3, 3.0)
    return Heart(*(float(value) for value in rng.uniform(low, high)))


def _band(rng: np.random.Generator, count: int, centre_hz: float, width_hz: float) -> FloatArray:
    """Sinusoid of unit amplitude whose frequency wanders around its centre."""
    wander = np.convolve(rng.standard_normal(count), np.ones(250) / 250.0**0.5, mode="same")
    frequency = centre_hz + width_hz * wander
    return np.asarray(np.sin(2.0 * np.pi * (np.cumsum(frequency) * STEP_S + rng.uniform())))


def variation_bpm(rng: np.random.Generator, heart: Heart, count: int) -> FloatArray:
    """Deviation from the mean rate every 40 ms: 1/f up to the beat Nyquist frequency, breathing, Mayer wave."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, STEP_S)
    spectrum[0] = 0.0
    spectrum[1:] /= np.sqrt(frequency[1:])
    spectrum[frequency > heart.mean_bpm / 120.0] = 0.0
    slow = np.fft.irfft(spectrum, count)
    return np.asarray(
        heart.slow_bpm * slow / slow.std()
        + heart.breath_bpm * _band(rng, count, heart.breath_hz, 0.02)
        + heart.mayer_bpm * _band(rng, count, 0.1, 0.01)
    )


def beats_of(rng: np.random.Generator, rate_bpm: FloatArray) -> FloatArray:
    """Beat times of a rate given every 40 ms, with 4 ms of noise in each."""
    phase = np.cumsum(np.maximum(rate_bpm, 20.0)) * STEP_S / 60.0
    beats_s = np.interp(np.arange(1.0, np.floor(phase[-1])), phase, np.arange(rate_bpm.size) * STEP_S)
    return np.asarray(beats_s + rng.normal(0.0, 0.004, beats_s.size))


def simulated_beats(rng: np.random.Generator, duration_s: float) -> FloatArray:
    """Beats of a heart drawn at random, without any response."""
    count = int(duration_s / STEP_S) + 250
    heart = draw_heart(rng)
    return beats_of(rng, heart.mean_bpm + variation_bpm(rng, heart, count))

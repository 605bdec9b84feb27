"""Worlds in which no train slows the heart, and in which something else may look as if it did.

Each world is a pure function of random numbers and a protocol. Rest is 160 s; 15 Dash or 20 iTBS trains follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from backgrounds import STEP_S, Heart, TrueResponse, beats_of, draw_heart, variation_bpm, warp
from hbc_host.trains import Protocol

FloatArray = npt.NDArray[np.float64]

REST_S = 160.0
TRAINS_N = {"dash": 15, "itbs": 20}


@dataclass(frozen=True)
class Recording:
    """What the estimator is given: beat times, train onsets, train length, spans without trustworthy beats."""

    beats_s: FloatArray
    onsets_s: FloatArray
    train_s: float
    gaps_s: tuple[tuple[float, float], ...] = ()


World = Callable[[np.random.Generator, Protocol], Recording]
Added = Callable[[FloatArray, FloatArray], FloatArray]


def regular_onsets(protocol: Protocol, first_s: float = REST_S) -> FloatArray:
    """Train onsets of the protocol."""
    return np.asarray(first_s + protocol.cycle_s * np.arange(TRAINS_N[protocol.name]))


def recording(
    rng: np.random.Generator,
    protocol: Protocol,
    *,
    heart: Heart | None = None,
    level: float = 1.0,
    run_level: float = 1.0,
    run_heart: Heart | None = None,
    added: Added | None = None,
    onsets_s: FloatArray | None = None,
) -> Recording:
    """A simulated heart; ``level`` scales its variation, ``run_level`` again from the first train on.

    ``run_heart`` takes over at the first train; ``added(time_s, onsets_s)`` is a further change of rate in bpm.
    """
    onsets = regular_onsets(protocol) if onsets_s is None else onsets_s
    heart = draw_heart(rng) if heart is None else heart
    time_s = np.arange(0.0, onsets[-1] + protocol.cycle_s + 10.0, STEP_S)
    in_run = time_s >= onsets[0]
    variation = level * variation_bpm(rng, heart, time_s.size)
    if run_heart is not None:
        variation = np.where(in_run, level * variation_bpm(rng, run_heart, time_s.size), variation)
    rate = heart.mean_bpm + np.where(in_run, run_level, 1.0) * variation
    if added is not None:
        rate = rate + added(time_s, onsets)
    beats_s = beats_of(rng, rate)
    return Recording(beats_s[beats_s < onsets[-1] + protocol.cycle_s], onsets, protocol.train_s)


def real_world(windows: list[FloatArray]) -> World:
    """A window of a real recording without stimulation, trains starting anywhere within one cycle."""

    def world(rng: np.random.Generator, protocol: Protocol) -> Recording:
        beats_s = windows[int(rng.integers(len(windows)))]
        onsets_s = regular_onsets(protocol, REST_S + rng.uniform(0.0, protocol.cycle_s))
        return Recording(beats_s[beats_s < onsets_s[-1] + protocol.cycle_s], onsets_s, protocol.train_s)

    return world


def with_level(level: float, run_level: float = 1.0) -> World:
    """Less or more variation than usual, and less or more in the run than at rest."""
    return lambda rng, protocol: recording(rng, protocol, level=level, run_level=run_level)


def stale_rest(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """Rest was recorded in another state: other breathing, other Mayer wave, other slow noise."""
    heart = draw_heart(rng)
    return recording(rng, protocol, heart=heart, run_heart=replace(draw_heart(rng), mean_bpm=heart.mean_bpm))


def mayer_at_f0(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """A spontaneous wave of 1-3 bpm that stays within about 0.002 Hz of the cycle frequency, at rest too."""
    size_bpm, phase = rng.uniform(1.0, 3.0), rng.uniform(0.0, 2.0 * np.pi)

    def wave(time_s: FloatArray, onsets_s: FloatArray) -> FloatArray:
        # A phase that walks sqrt(2 * 2 pi * half width) per root second makes a line of this half width.
        walk = np.cumsum(rng.normal(0.0, np.sqrt(4.0 * np.pi * 0.001 * STEP_S), time_s.size))
        return np.asarray(size_bpm * np.sin(2.0 * np.pi * time_s / protocol.cycle_s + walk + phase))

    return recording(rng, protocol, heart=replace(draw_heart(rng), mayer_bpm=0.5), added=wave)


def breathing_locked(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """During the run every train is met by the same breath: 1, 2, 3 ... breaths a cycle, 0.06 to 0.35 Hz.

    At rest the person breathes freely at a rate of their own; amplitude 1-5 bpm in both.
    """
    choices = [n for n in range(1, 9) if 0.06 <= n / protocol.cycle_s <= 0.35]
    breaths_n = choices[int(rng.integers(len(choices)))]
    size_bpm, phase = rng.uniform(1.0, 5.0), rng.uniform(0.0, 2.0 * np.pi)

    def breath(time_s: FloatArray, onsets_s: FloatArray) -> FloatArray:
        wander = np.convolve(rng.standard_normal(time_s.size), np.ones(250) / 250.0**0.5, mode="same")
        free = 2.0 * np.pi * np.cumsum(rng.uniform(0.2, 0.3) + 0.02 * wander) * STEP_S
        cycle = np.interp(time_s, onsets_s, np.arange(onsets_s.size))
        cycle += np.maximum(time_s - onsets_s[-1], 0.0) / protocol.cycle_s
        locked = 2.0 * np.pi * breaths_n * cycle + phase + 0.3 * wander
        return np.asarray(size_bpm * np.sin(np.where(time_s < onsets_s[0], free, locked)))

    return recording(rng, protocol, heart=replace(draw_heart(rng), breath_bpm=0.5), added=breath)


def speech_locked(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """A word after every train: the rate rises by 1-4 bpm while it is spoken, and falls below as long afterwards."""
    start_s, length_s = protocol.train_s + rng.uniform(0.3, 2.0), rng.uniform(1.0, 2.5)
    size_bpm, back = rng.uniform(1.0, 4.0), rng.uniform(0.0, 0.7)
    up = TrueResponse(start_s, 1.0, 1.5, -size_bpm, 0.0)
    down = TrueResponse(start_s + length_s + 1.0, 1.0, 2.0, back * size_bpm, 0.0)
    return recording(rng, protocol, added=lambda time_s, onsets_s: sum_of((up, down), time_s, onsets_s, length_s))


def sum_of(parts: tuple[TrueResponse, ...], time_s: FloatArray, onsets_s: FloatArray, train_s: float) -> FloatArray:
    """Changes of rate added up, bpm."""
    return np.asarray(sum(part.change_bpm(time_s, onsets_s, train_s) for part in parts))


def ectopic(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """Four premature beats a minute, each with a compensatory pause."""
    found = recording(rng, protocol)
    beats_s = found.beats_s.copy()
    count = rng.poisson(4.0 / 60.0 * (beats_s[-1] - beats_s[0]))
    at = rng.choice(np.arange(2, beats_s.size - 2), count, replace=False)
    beats_s[at] -= rng.uniform(0.2, 0.4, count) * (beats_s[at] - beats_s[at - 1])
    return replace(found, beats_s=beats_s)


def missed(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """3 % of the beats are not seen."""
    found = recording(rng, protocol)
    return replace(found, beats_s=found.beats_s[rng.random(found.beats_s.size) > 0.03])


def extra(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """2 % extra beats, anywhere between two true ones."""
    found = recording(rng, protocol)
    before = np.flatnonzero(rng.random(found.beats_s.size - 1) < 0.02)
    part = rng.uniform(0.15, 0.85, before.size)
    false_s = (1.0 - part) * found.beats_s[before] + part * found.beats_s[before + 1]
    return replace(found, beats_s=np.sort(np.append(found.beats_s, false_s)))


def jittered(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """Pauses that vary by +-30 % of the cycle less the train."""
    trains_n, pause_s = TRAINS_N[protocol.name], protocol.cycle_s - protocol.train_s
    cycles_s = protocol.cycle_s + 0.3 * pause_s * rng.uniform(-1.0, 1.0, trains_n - 1)
    return recording(rng, protocol, onsets_s=REST_S + np.append(0.0, np.cumsum(cycles_s)))


def arousal(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """The heart jumps up by 4-12 bpm at the first train and settles within 20-60 s."""
    size_bpm, settle_s = rng.uniform(4.0, 12.0), rng.uniform(20.0, 60.0)

    def added(time_s: FloatArray, onsets_s: FloatArray) -> FloatArray:
        after_s = np.maximum(time_s - onsets_s[0], 0.0)
        return np.asarray(size_bpm * (1.0 - np.exp(-after_s / 2.0)) * np.exp(-after_s / settle_s))

    return recording(rng, protocol, added=added)


def drift(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """The rate drifts by up to 15 bpm over the recording, bending once."""
    slope, bend = rng.uniform(-10.0, 10.0), rng.uniform(-5.0, 5.0)

    def added(time_s: FloatArray, onsets_s: FloatArray) -> FloatArray:
        part = time_s / time_s[-1] - 0.5
        return np.asarray(slope * part + bend * 4.0 * part**2)

    return recording(rng, protocol, added=added)


def gaps(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """30 % of the recording is lost, in stretches of 3 to 15 s."""
    found = recording(rng, protocol)
    lost = np.zeros(int(found.beats_s[-1]) + 1, dtype=np.bool_)
    while lost.mean() < 0.3:
        start = int(rng.integers(lost.size))
        lost[start : start + int(rng.integers(3, 16))] = True
    edges = np.flatnonzero(np.diff(np.concatenate(([0], lost.astype(np.int8), [0]))))
    spans = tuple((float(start), float(end)) for start, end in edges.reshape(-1, 2))
    kept = ~lost[np.minimum(found.beats_s.astype(np.intp), lost.size - 1)]
    return replace(found, beats_s=found.beats_s[kept], gaps_s=spans)


def wrong_train(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """Trains are said to be 20 % longer or shorter than they are."""
    return replace(recording(rng, protocol), train_s=protocol.train_s * (1.2 if rng.random() < 0.5 else 0.8))


def response_of(rng: np.random.Generator, size_bpm: float) -> TrueResponse:
    """Time course as in the power study, without habituation."""
    return TrueResponse(rng.uniform(0.5, 3.0), rng.uniform(1.0, 3.0), rng.uniform(2.0, 6.0), size_bpm, 0.0)


def speeding(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """Every train speeds the heart up by 1-6 bpm."""
    found, response = recording(rng, protocol), response_of(rng, -rng.uniform(1.0, 6.0))
    return replace(found, beats_s=warp(found.beats_s, response, found.onsets_s, found.train_s))


def biphasic(rng: np.random.Generator, protocol: Protocol) -> Recording:
    """Up by 1-6 bpm during every train, then down by as much."""
    found = recording(rng, protocol)
    up = replace(response_of(rng, -rng.uniform(1.0, 6.0)), recovery_s=rng.uniform(1.0, 3.0))
    down = replace(up, latency_s=up.latency_s + found.train_s + 1.0, dip_bpm=-up.dip_bpm)
    beats_s = warp(found.beats_s, up, found.onsets_s, found.train_s)
    return replace(found, beats_s=warp(beats_s, down, found.onsets_s, found.train_s))


WORLDS: dict[str, World] = {
    "quiet": with_level(0.4),
    "typical": with_level(1.0),
    "high variability": with_level(2.5),
    "noise halves in the run": with_level(1.0, 0.5),
    "noise doubles in the run": with_level(1.0, 2.0),
    "stale rest": stale_rest,
    "Mayer wave at f0": mayer_at_f0,
    "breathing locked": breathing_locked,
    "speech locked": speech_locked,
    "ectopic 4/min": ectopic,
    "3 % missed": missed,
    "2 % extra": extra,
    "jittered cycles": jittered,
    "arousal at start": arousal,
    "drift": drift,
    "30 % in gaps": gaps,
    "train 20 % wrong": wrong_train,
    "speeding": speeding,
    "biphasic": biphasic,
}

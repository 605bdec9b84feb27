"""A rhythm on the cycle frequency asks for caution, none or another does not; the noise behind it is found again."""

from __future__ import annotations

import numpy as np
import pytest
from hbc_host import design as build
from hbc_host import noise
from hbc_host.beats import classify_beats
from hbc_host.coupling import estimate_coupling
from hbc_host.peaks import NullNoise, null_noise
from hbc_host.stretches import prepare

ONSETS_S = 160.0 + 10.0 * np.arange(20)


def beats(rhythm_hz: float, size_bpm: float, seed: int = 1) -> np.ndarray:
    """A heart at 70 bpm with slow noise and a rhythm whose phase wanders, over rest and 20 cycles of 10 s."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(0.0, 370.0, 0.05)
    slow = np.convolve(rng.standard_normal(time_s.size), np.exp(-np.arange(400) / 60.0))[: time_s.size]
    walk = np.cumsum(rng.normal(0.0, 0.02, time_s.size))
    rate = 70.0 + 2.0 * slow / slow.std() + size_bpm * np.sin(2.0 * np.pi * rhythm_hz * time_s + walk)
    phase = np.cumsum(rate) * 0.05 / 60.0
    return np.interp(np.arange(1.0, np.floor(phase[-1])), phase, time_s)


def noise_of(beats_s: np.ndarray, gaps_s: tuple[tuple[float, float], ...] = ()) -> NullNoise:
    design = build.design_run(classify_beats(beats_s, gaps_s), ONSETS_S, 2.0)
    run, rest = prepare(design, None)
    signals = run.block.scaled(build.signals(design, build.hypotheses([np.ones(ONSETS_S.size)], 0.0, design.cycle_s)))
    return null_noise(design, run, rest, run.row, signals.mean(axis=0))


def test_only_a_rhythm_on_the_cycle_frequency_asks_for_caution() -> None:
    none = [noise_of(beats(0.1, 0.0, seed)).caution for seed in range(4)]
    elsewhere = [noise_of(beats(0.125, 3.0, seed)).caution for seed in range(4)]
    on_it = [noise_of(beats(0.1, 3.0, seed)).caution for seed in range(4)]
    # Chance makes a small peak now and then.
    assert np.median(none) < 1.05
    assert np.median(elsewhere) < 1.05
    assert min(on_it) > 1.1
    assert max(on_it) < 2.5


def test_gaps_ask_for_caution() -> None:
    beats_s = beats(0.125, 3.0)
    kept = beats_s[(beats_s < 200.0) | (beats_s > 250.0)]
    assert noise_of(beats_s).caution < 1.05
    assert 1.1 < noise_of(kept, ((200.0, 250.0),)).caution < 1.4


def test_a_rhythm_on_the_cycle_frequency_is_not_coupling() -> None:
    found = [estimate_coupling(beats(0.1, 3.0, seed), ONSETS_S, train_s=2.0).verdict for seed in range(8)]
    assert found.count("coupled") <= 2


def test_a_known_filter_is_found_again_from_two_stretches() -> None:
    true = np.array([1.0, -1.2, 0.6])
    rows = [3.0 * noise.surrogates(true, 1, samples_n, stream)[0] for samples_n, stream in ((400, 5), (250, 6))]
    filter_, variance = noise.burg(rows, 2)
    assert filter_ == pytest.approx(true, abs=0.1)
    assert variance == pytest.approx(9.0, rel=0.15)


def test_a_narrow_rhythm_stands_out_more_than_by_yule_walker() -> None:
    rng = np.random.default_rng(7)
    row = np.sin(0.6 * np.arange(100)) + 0.1 * rng.standard_normal(100)
    wave = np.exp(-0.6j * np.arange(13))
    sharp, variance = noise.burg([row], 12)
    blunt, energy = noise.levinson(noise.autocovariance(row[None, :], 12) / row.size)
    assert variance / abs(sharp @ wave) ** 2 > 3.0 * energy[0] / abs(blunt[0] @ wave) ** 2


def test_silence_has_a_filter() -> None:
    filter_, variance = noise.burg([np.zeros(50)], 4)
    assert np.isfinite(filter_).all()
    assert variance > 0.0

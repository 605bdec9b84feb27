"""T2circ, harmonic F and RR slope agree with their textbook forms and with known truth."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hbc_host.errors import InputError, NoTrainsError
from hbc_host.secondary import cycle_vectors, harmonic_f, secondary_metrics, t2circ
from scipy import stats

ONSETS_S = 60.0 + 16.0 * np.arange(15)


def beats_of(rate_bpm: np.ndarray, step_s: float = 0.01) -> np.ndarray:
    phase = np.cumsum(rate_bpm) * step_s / 60.0
    return np.interp(np.arange(1.0, phase[-1]), phase, np.arange(rate_bpm.size) * step_s)


def noisy_beats(seed: int, dip_bpm: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time_s = np.arange(0.0, 320.0, 0.01)
    rate_bpm = np.full(time_s.size, 64.0)
    for onset_s in ONSETS_S:
        rate_bpm -= dip_bpm * np.exp(-0.5 * ((time_s - onset_s - 5.0) / 2.0) ** 2)
    beats_s = beats_of(rate_bpm)
    return np.sort(beats_s + rng.normal(0.0, 0.012, beats_s.size))


def test_t2circ_is_hotelling_of_circular_scatter() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal(12) + 1j * rng.standard_normal(12) + 0.7
    n, mean = vectors.size, vectors.mean()
    statistic = (n - 1) * abs(mean) ** 2 / np.sum(np.abs(vectors - mean) ** 2)
    p_value, amplitude = t2circ(vectors)
    assert p_value == pytest.approx(stats.f.sf(n * statistic, 2, 2 * n - 2))
    assert amplitude == pytest.approx(abs(mean))


def test_t2circ_p_values_are_uniform_for_independent_vectors() -> None:
    rng = np.random.default_rng(5)
    draws = rng.standard_normal((4000, 10)) + 1j * rng.standard_normal((4000, 10))
    p_values = [t2circ(row)[0] for row in draws]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.012)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_t2circ_does_not_change_when_all_phases_turn_or_all_sizes_grow() -> None:
    rng = np.random.default_rng(6)
    vectors = rng.standard_normal(8) + 1j * rng.standard_normal(8) + 1.0
    turned = 3.0 * vectors * np.exp(1j)
    assert t2circ(turned)[0] == pytest.approx(t2circ(vectors)[0])
    assert t2circ(turned)[1] == pytest.approx(3.0 * t2circ(vectors)[1])


def test_a_cycle_vector_is_amplitude_and_phase_of_its_oscillation() -> None:
    at = 2.0 * np.pi * (np.arange(160) + 0.5) / 160
    rows = np.stack((5.0 + 7.0 * np.cos(at), 3.0 * np.sin(at), np.cos(2.0 * at)))
    assert np.abs(cycle_vectors(rows)) == pytest.approx([7.0, 3.0, 0.0], abs=1e-9)
    assert np.angle(cycle_vectors(rows)[1]) == pytest.approx(-np.pi / 2.0)


def test_harmonic_f_is_uniform_in_white_noise_and_small_for_a_line() -> None:
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((2000, 240))
    p_values = [harmonic_f(row, 15) for row in noise]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.015)
    line = np.cos(2.0 * np.pi * 15 * np.arange(240) / 240 + 1.0)
    assert harmonic_f(noise[0] + line, 15) < 1e-4
    # A wide peak is no line: a rhythm that drifts over the run.
    wandering = np.cos(2.0 * np.pi * 15 * np.arange(240) / 240 + 6.0 * np.linspace(-1.0, 1.0, 240) ** 2)
    assert harmonic_f(line, 15) < harmonic_f(wandering, 15)


def test_silence_is_no_evidence() -> None:
    assert t2circ(np.zeros(5, dtype=complex)) == (1.0, 0.0)
    assert harmonic_f(np.zeros(100), 10) == 1.0


def test_a_response_is_found_with_its_size_and_no_response_is_not() -> None:
    found = secondary_metrics(noisy_beats(1, 3.0), ONSETS_S, train_s=5.0)
    assert found.t2circ_p < 0.001
    assert found.harmonic_p < 0.001
    # First harmonic of a Gaussian dip of 3 bpm and 2 s at 64 bpm: 2/16 * 3 * 5.01 s * exp(-0.31) bpm, 14.6 ms/bpm.
    assert found.t2circ_ms == pytest.approx(2.0 / 16.0 * 3.0 * 5.01 * math.exp(-0.308) * 14.6, rel=0.15)
    assert found.cycles_n == 15
    assert found.reasons == ()
    p_values = [secondary_metrics(noisy_beats(seed), ONSETS_S, train_s=5.0) for seed in range(40)]
    assert np.mean([item.t2circ_p < 0.05 for item in p_values]) < 0.2
    assert np.mean([item.harmonic_p < 0.05 for item in p_values]) < 0.2


def test_slowing_and_speeding_give_the_same_p_values() -> None:
    slow, fast = (secondary_metrics(noisy_beats(2, dip), ONSETS_S, train_s=5.0) for dip in (3.0, -3.0))
    assert slow.t2circ_p < 0.001
    assert fast.t2circ_p < 0.001


def test_the_slope_is_positive_when_the_heart_slows() -> None:
    time_s = np.arange(0.0, 320.0, 0.01)
    # Intervals grow from 1000 ms by 2 ms per second after the first onset.
    interval_s = 1.0 + 0.002 * np.clip(time_s - 60.0, 0.0, 60.0)
    found = secondary_metrics(beats_of(60.0 / interval_s), ONSETS_S, train_s=5.0)
    assert found.rr_slope_ms_per_s == pytest.approx(2.0, abs=0.02)


def test_what_is_missing_is_said_and_leaves_the_rest() -> None:
    beats_s = noisy_beats(3)
    few = secondary_metrics(beats_s, ONSETS_S[:3], train_s=5.0)
    assert math.isnan(few.t2circ_p)
    assert few.reasons == ("3 cycles, T2circ and harmonic F need 4",)
    assert math.isfinite(few.rr_slope_ms_per_s)
    jittered = secondary_metrics(beats_s, ONSETS_S + np.where(np.arange(15) % 2, 2.0, 0.0), train_s=5.0)
    assert math.isnan(jittered.harmonic_p)
    assert "no one cycle frequency" in jittered.reasons[0]
    gap = secondary_metrics(beats_s, ONSETS_S, train_s=5.0, gaps_s=[(62.0, 200.0)])
    assert "% of the run is excluded" in gap.reasons[0]
    assert "the slope needs 10" in gap.reasons[1]
    assert math.isnan(gap.rr_slope_ms_per_s)
    nothing = secondary_metrics(beats_s[:1], ONSETS_S, train_s=5.0)
    assert "100 % of the run is excluded" in nothing.reasons[0]


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(NoTrainsError):
        secondary_metrics(noisy_beats(1), [], train_s=5.0)
    with pytest.raises(InputError, match="do not increase"):
        secondary_metrics(noisy_beats(1)[::-1], ONSETS_S, train_s=5.0)


@pytest.mark.parametrize(("name", "amplitude_ms"), [("5CM-L", 24.0), ("5CM-R", 44.0), ("BF3-R", 51.0)])
def test_the_sample_has_a_rhythm_in_its_second_half_only(shared_data: Path, name: str, amplitude_ms: float) -> None:
    import hbc_native

    path = shared_data / "ncg-sample" / f"{name}-MA.txt"
    if not path.is_file():
        pytest.skip("ncg-sample is absent: put it into the data folder of HBC_SHARED")
    beats_s = np.asarray(hbc_native.detect(np.loadtxt(path) / 1000.0, 130.0)) / 130.0
    late = secondary_metrics(beats_s, 16.0 * np.arange(8, 16), train_s=5.0)
    early = secondary_metrics(beats_s, 16.0 * np.arange(8), train_s=5.0)
    assert late.t2circ_p < 0.05
    assert early.t2circ_p > 0.2
    assert late.t2circ_ms == pytest.approx(amplitude_ms, rel=0.25)

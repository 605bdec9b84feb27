"""The simulated heart: its rate law, its spectrum, its response to trains, its waveform."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hbc_hil.draws import draws
from hbc_hil.ecg import BLOCK_N, EcgSettings, PatientEcg
from hbc_hil.evoked import dose, evoked_bpm, largest_falls_bpm, responses_of_run
from hbc_hil.patient import LAW_RATE_HZ, PatientSettings, pink_noise, relaxation_noise, resonance_noise, simulate_heart
from hbc_hil.scenario import SiteScenario
from scipy.signal import welch

QUIET = PatientSettings(rsa_bpm_rms=0.0, mayer_bpm_rms=0.0, pink_bpm_rms=0.0, beat_jitter_ms=0.0)
CLEAN = EcgSettings(breathing_share=0.0, wander_mv_rms=0.0, mains_mv=0.0, emg_mv_rms=0.0)
HOUR_S = 3600.0


def band_rms(rate_bpm: np.ndarray, low_hz: float, high_hz: float) -> float:
    frequency_hz, power = welch(rate_bpm, LAW_RATE_HZ, nperseg=8192)
    inside = (frequency_hz >= low_hz) & (frequency_hz < high_hz)
    return float(np.sqrt(power[inside].sum() * frequency_hz[1]))


def test_draws_depend_on_seed_stream_and_index_only() -> None:
    first = draws(7, "emg", 3).standard_normal(5)
    draws(7, "emg", 4).standard_normal(100)
    assert np.array_equal(first, draws(7, "emg", 3).standard_normal(5))
    for other in (draws(8, "emg", 3), draws(7, "mayer", 3), draws(7, "emg", 4)):
        assert not np.isclose(first, other.standard_normal(5)).any()
    with pytest.raises(ValueError, match="outside 0"):
        draws(7, "emg", -1)


def test_without_fluctuations_the_heart_is_a_metronome() -> None:
    heart = simulate_heart(replace(QUIET, mean_bpm=72.0), duration_s=100.0, seed=1)
    assert np.diff(heart.beats_s) == pytest.approx(60.0 / 72.0, abs=1e-9)
    assert heart.beats_s[-1] > 100.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mean_heart_rate_and_variability_are_those_of_a_resting_adult(seed: int) -> None:
    rr_s = np.diff(simulate_heart(PatientSettings(), duration_s=HOUR_S, seed=seed).beats_s)
    assert 60.0 / rr_s.mean() == pytest.approx(66.0, abs=1.0)
    assert 0.025 < rr_s.std() < 0.055
    assert rr_s.min() > 0.6


def test_each_fluctuation_has_its_stated_strength_in_its_band() -> None:
    rsa = simulate_heart(replace(QUIET, rsa_bpm_rms=2.0), duration_s=HOUR_S, seed=4).rate_bpm
    assert band_rms(rsa, 0.18, 0.32) == pytest.approx(2.0, rel=0.1)
    assert band_rms(rsa, 0.0, 0.15) < 0.2
    mayer = simulate_heart(replace(QUIET, mayer_bpm_rms=1.0), duration_s=HOUR_S, seed=4).rate_bpm
    assert band_rms(mayer, 0.05, 0.15) == pytest.approx(1.0, rel=0.2)


def test_unit_processes_have_unit_variance() -> None:
    points_n = 400_000
    assert relaxation_noise(5, "a", 0.05, points_n).std() == pytest.approx(1.0, rel=0.06)
    mayer = resonance_noise(5, "b", 0.1, 0.02, points_n)
    assert mayer.std() == pytest.approx(1.0, rel=0.06)
    # Half of a resonance's power lies between its half-power points.
    assert band_rms(mayer, 0.09, 0.11) ** 2 == pytest.approx(0.5, abs=0.08)


def test_pink_noise_falls_as_one_over_f_up_to_the_beat_nyquist_without_a_gap() -> None:
    noise = pink_noise(6, "pink", 0.55, 20 * LAW_RATE_HZ * 3600)
    frequency_hz, power = welch(noise, LAW_RATE_HZ, nperseg=16384)
    bands_hz = 0.004 * 2.0 ** np.arange(8)  # octaves up to 0.5 Hz hold equal power in 1/f noise
    octaves = [power[(frequency_hz >= low) & (frequency_hz < 2 * low)].sum() * frequency_hz[1] for low in bands_hz]
    assert max(octaves) / min(octaves) < 1.6
    assert np.polyfit(np.log(bands_hz), np.log(octaves), 1)[0] == pytest.approx(0.0, abs=0.12)


def test_a_longer_world_starts_with_the_beats_of_a_shorter_one() -> None:
    short = simulate_heart(PatientSettings(), duration_s=60.0, seed=9).beats_s
    long = simulate_heart(PatientSettings(), duration_s=600.0, seed=9).beats_s
    assert np.array_equal(short, long[: short.size])


def test_fluctuations_can_grow_during_runs() -> None:
    settings = replace(PatientSettings(), run_noise_gain=2.0)
    heart = simulate_heart(settings, duration_s=1200.0, seed=3, runs_s=[(600.0, 1200.0)])
    plain = simulate_heart(PatientSettings(), duration_s=1200.0, seed=3)
    ratio = (heart.rate_bpm - 66.0) / (plain.rate_bpm - 66.0)
    assert ratio[: 600 * LAW_RATE_HZ] == pytest.approx(1.0)
    assert ratio[610 * LAW_RATE_HZ : 1190 * LAW_RATE_HZ] == pytest.approx(2.0)


def test_timing_noise_of_beats_has_its_stated_size() -> None:
    noisy = simulate_heart(replace(QUIET, beat_jitter_ms=4.0), duration_s=HOUR_S, seed=2).beats_s
    steady = simulate_heart(QUIET, duration_s=HOUR_S, seed=2).beats_s
    assert (noisy - steady).std() == pytest.approx(4e-3, rel=0.05)


def test_dose_is_half_at_threshold_and_saturates() -> None:
    site = SiteScenario("BF3-L", threshold_pct=38.0, plateau_bpm=6.0)
    assert dose(site, 38.0) == pytest.approx(0.5)
    assert dose(site, 62.0) > 0.999
    assert dose(site, 20.0) < 0.001


def test_a_single_full_dose_train_falls_by_the_plateau() -> None:
    site = SiteScenario("BF3-L", threshold_pct=30.0, plateau_bpm=6.0, latency_s=0.8)
    responses = responses_of_run(site, [10.0], [60.0], 5.0)
    time_s = np.arange(0.0, 60.0, 0.01)
    change_bpm = evoked_bpm(time_s, responses)
    assert change_bpm.min() == pytest.approx(-6.0, abs=0.01)
    assert time_s[change_bpm.argmin()] == pytest.approx(10.0 + 0.8 + 5.0, abs=0.011)
    assert np.all(change_bpm[time_s < 10.8] == 0.0)


def test_overlapping_responses_add_and_habituation_shrinks_them() -> None:
    site = SiteScenario("BF3-L", plateau_bpm=5.0, threshold_pct=20.0, habituation=0.4)
    onsets_s = [float(10 * n) for n in range(20)]
    responses = responses_of_run(site, onsets_s, [60.0] * 20, 2.0)
    time_s = np.arange(0.0, 250.0, 0.05)
    together = evoked_bpm(time_s, responses)
    assert together == pytest.approx(np.sum([evoked_bpm(time_s, [one]) for one in responses], axis=0))
    assert responses[0].fall_bpm == pytest.approx(5.0, rel=1e-6)
    assert responses[-1].fall_bpm == pytest.approx(5.0 * (1.0 - 0.4 * (1.0 - np.exp(-19 / 5))), rel=1e-6)


def test_truth_is_the_largest_fall_from_onset_in_the_noiseless_rate() -> None:
    site = SiteScenario("BF3-L", plateau_bpm=6.0, threshold_pct=40.0)
    onsets_s, intensities_pct = [16.0 * n for n in range(1, 16)], [20.0 + 3.0 * n for n in range(15)]
    responses = responses_of_run(site, onsets_s, intensities_pct, 5.0)
    falls_bpm = largest_falls_bpm(responses, 16.0 * 16)
    # Directly, train by train and term by term.
    for train_n in (0, 6, 8, 14):
        onset_s = onsets_s[train_n]
        rates = []
        for now_s in np.arange(onset_s, onset_s + 16.0, 0.005):
            rate_bpm = 66.0
            for response in responses[: train_n + 1]:
                after_s = now_s - response.onset_s - site.latency_s
                if after_s > 0:
                    grown = (1 - np.exp(-min(after_s, 5.0) / site.growth_s)) / (1 - np.exp(-5.0 / site.growth_s))
                    rate_bpm -= response.fall_bpm * grown * np.exp(-max(after_s - 5.0, 0.0) / site.recovery_s)
            rates.append(rate_bpm)
        assert falls_bpm[train_n] == pytest.approx(rates[0] - min(rates), abs=0.01)


def test_arousal_speeds_the_heart_up_and_fades_over_trains() -> None:
    site = SiteScenario("vertex", arousal_bpm=4.0)
    responses = responses_of_run(site, [0.0, 16.0], [40.0, 40.0], 5.0)
    change_bpm = evoked_bpm(np.arange(0.0, 32.0, 0.01), responses)
    assert change_bpm.max() == pytest.approx(4.0, abs=0.01)
    assert change_bpm[1600:].max() == pytest.approx(4.0 * np.exp(-1 / 3), abs=0.02)
    assert change_bpm.min() >= 0.0


@pytest.mark.parametrize("mean_bpm", [45.0, 66.0, 110.0])
def test_the_r_peak_of_the_waveform_is_exactly_the_beat(mean_bpm: float) -> None:
    rate_hz = 8000
    heart = simulate_heart(replace(PatientSettings(), mean_bpm=mean_bpm), duration_s=20.0, seed=11)
    source = PatientEcg(CLEAN, heart, rate_hz=rate_hz, seed=11)
    ecg_mv = np.concatenate([source.render(block_idx) for block_idx in range(9)])
    beats_s = heart.beats_s[(heart.beats_s > 0.5) & (heart.beats_s < 9 * BLOCK_N / rate_hz - 0.5)]
    for beat_s in beats_s:
        around = np.arange(round((beat_s - 0.2) * rate_hz), round((beat_s + 0.2) * rate_hz))
        at_idx = around[ecg_mv[around].argmax()]
        left, top, right = ecg_mv[at_idx - 1 : at_idx + 2]
        peak_s = (at_idx + 0.5 * (left - right) / (left - 2 * top + right)) / rate_hz
        assert peak_s == pytest.approx(beat_s, abs=5e-6)
        assert top == pytest.approx(1.0, abs=1e-3)


def test_the_qt_interval_follows_the_rr_interval() -> None:
    ends_s = []
    for mean_bpm in (50.0, 100.0):
        heart = simulate_heart(replace(QUIET, mean_bpm=mean_bpm), duration_s=6.0, seed=1)
        ecg_mv = PatientEcg(CLEAN, heart, rate_hz=4000, seed=1).render(0)
        after = round(heart.beats_s[2] * 4000) + np.arange(500, 1800)
        ends_s.append(ecg_mv[after].argmax() / 4000 + 0.125)
    assert ends_s[0] / ends_s[1] == pytest.approx(2.0**0.75, rel=0.02)


def test_noise_on_the_ecg_has_its_stated_size() -> None:
    heart = simulate_heart(PatientSettings(), duration_s=200.0, seed=5)
    only = EcgSettings(r_mv=0.0, wander_mv_rms=0.0, mains_mv=0.0, emg_mv_rms=0.02)
    for rate_hz in (2000, 8000):
        source = PatientEcg(only, heart, rate_hz=rate_hz, seed=5)
        frequency_hz, power = welch(np.concatenate([source.render(n) for n in range(8)]), rate_hz, nperseg=4096)
        assert np.sqrt(power[frequency_hz < 500].sum() * frequency_hz[1]) == pytest.approx(0.02, rel=0.05)
    hum = PatientEcg(replace(only, emg_mv_rms=0.0, mains_mv=0.3), heart, rate_hz=4000, seed=5).render(3)
    spectrum = np.abs(np.fft.rfft(hum[:16000])) / 8000
    assert spectrum[200] == pytest.approx(0.3, rel=1e-6)
    wander = PatientEcg(replace(only, emg_mv_rms=0.0, wander_mv_rms=0.1), heart, rate_hz=4000, seed=5)
    assert np.concatenate([wander.render(n) for n in range(45)]).std() == pytest.approx(0.1, rel=0.3)

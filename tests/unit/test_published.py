"""The published score has the values that its description implies, and knows when it has none."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hbc_host import published
from hbc_host.errors import InputError, NoTrainsError, TooFewBeatsError
from hbc_host.published import RATE_HZ, published_score, wavelet_power
from scipy import signal

DASH_ONSETS_S = 16.0 * np.arange(1, 16)

# Mean log power per cycle, 0 = rest, that the published scripts give on two recordings.
PUBLISHED = {
    "5CM-L": (8.69, 8.15, 6.83, 5.62, 4.93, 4.95, 5.72, 5.77, 5.57, 5.90, 6.46, 7.02, 7.72, 8.46, 9.05, 9.38),
    "5CM-R": (8.78, 8.71, 8.39, 7.80, 6.41, 5.49, 7.56, 8.47, 8.91, 9.22, 9.43, 9.50, 9.51, 9.61, 9.86, 10.15),
}


def beats_with_sine(amplitude_bpm: float, frequency_hz: float, duration_s: float = 320.0) -> np.ndarray:
    time_s = np.arange(0.0, duration_s, 0.002)
    phase = np.cumsum(66.0 + amplitude_bpm * np.sin(2.0 * np.pi * frequency_hz * time_s)) * 0.002 / 60.0
    return np.interp(np.arange(1.0, phase[-1]), phase, time_s)


def zero_phase_beats(ecg: np.ndarray, rate_hz: float) -> np.ndarray:
    """Beat times by the detector that the published description names; for these tests only."""
    band = signal.butter(4, (5.0, 49.0), "bandpass", fs=rate_hz, output="sos")
    filtered = signal.sosfiltfilt(band, ecg)
    peaks_idx, _ = signal.find_peaks(filtered, prominence=4.0 * filtered.std(), wlen=int(0.25 * rate_hz))
    return peaks_idx / rate_hz


def sample_ecg(folder: Path, name: str) -> np.ndarray:
    path = folder / "ncg-sample" / f"{name}-MA.txt"
    if not path.is_file():
        pytest.skip("ncg-sample is absent: put it into the data folder of HBC_SHARED")
    return np.loadtxt(path)


def all_cycles(beats_s: np.ndarray) -> np.ndarray:
    score = published_score(beats_s, DASH_ONSETS_S, train_s=5.0)
    return np.concatenate(([score.rest_log_power], score.log_power))


@pytest.mark.parametrize(("amplitude_bpm", "cycle_s"), [(1.55, 16.0), (1.97, 10.0)])
def test_the_threshold_is_a_different_rhythm_in_each_protocol(amplitude_bpm: float, cycle_s: float) -> None:
    time_s = np.arange(round(20 * cycle_s * RATE_HZ)) / RATE_HZ
    power = wavelet_power(66.0 + amplitude_bpm * np.sin(2.0 * np.pi * time_s / cycle_s), cycle_s)
    assert np.log(power).mean() == pytest.approx(9.56, abs=0.01)


@pytest.mark.parametrize(("amplitude_bpm", "cycle_s", "loss"), [(1.55, 16.0, 0.05), (1.97, 10.0, 0.10)])
def test_beats_and_smoothing_cost_little_at_the_cycle_frequency(
    amplitude_bpm: float, cycle_s: float, loss: float
) -> None:
    onsets_s = cycle_s * np.arange(1, 16)
    score = published_score(beats_with_sine(amplitude_bpm, 1.0 / cycle_s), onsets_s, train_s=2.0)
    assert np.all(np.abs(score.log_power - (9.56 - loss)) < 0.03)


def test_doubling_the_rhythm_adds_the_log_of_four() -> None:
    one, two = (published_score(beats_with_sine(a, 1 / 16), DASH_ONSETS_S, train_s=5.0) for a in (1.0, 2.0))
    assert two.mean_log_power - one.mean_log_power == pytest.approx(math.log(4.0), abs=0.01)


def test_the_score_knows_neither_phase_nor_direction_of_the_rhythm() -> None:
    rhythm = [published_score(beats_with_sine(a, 1 / 16), DASH_ONSETS_S, train_s=5.0) for a in (2.0, -2.0)]
    assert rhythm[0].mean_log_power == pytest.approx(rhythm[1].mean_log_power, abs=0.05)
    later = published_score(beats_with_sine(2.0, 1 / 16) + 5.0, DASH_ONSETS_S, train_s=5.0)
    assert later.log_power[3:-3] == pytest.approx(rhythm[0].log_power[3:-3], abs=0.05)


def test_a_response_smears_over_the_cycles_before_it() -> None:
    time_s = np.arange(0.0, 300.0, 0.002)
    rhythm = np.where(time_s > 144.0, 3.0, 0.0) * np.sin(2.0 * np.pi * time_s / 16.0)
    phase = np.cumsum(66.0 + rhythm) * 0.002 / 60.0
    power = all_cycles(np.interp(np.arange(1.0, phase[-1]), phase, time_s))
    assert np.all(np.diff(power[4:10]) > 0.5)
    assert power[7] > published.THRESHOLD - 2.5


def test_mirrored_cycles_beyond_the_wavelet_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    rate_bpm = 66.0 + rng.standard_normal(18 * 2080).cumsum() * 0.02
    few = wavelet_power(rate_bpm, 16.0)
    monkeypatch.setattr(published, "MIRRORED_N", 12)
    assert wavelet_power(rate_bpm, 16.0) == pytest.approx(few, rel=1e-6)


def test_the_threshold_is_given_for_the_cycle_that_it_was_made_for_only() -> None:
    beats_s = beats_with_sine(3.0, 1 / 16)
    assert published_score(beats_s, DASH_ONSETS_S, train_s=5.0).above_n == 15
    assert published_score(beats_s, 10.0 * np.arange(2, 22), train_s=2.0).above_n is None


def test_spikes_are_bridged_as_a_general_peak_finder_would() -> None:
    rng = np.random.default_rng(4)
    beats_s = np.cumsum(rng.normal(0.9, 0.02, 320))
    beats_s = np.sort(np.concatenate((beats_s, [beats_s[80] + 0.2, beats_s[200] + 0.3])))
    rate_bpm = published.step_series(beats_s, 0.0, 17, 16.0)
    bridged, found_n = published.bridge_spikes(rate_bpm)
    z = np.abs((rate_bpm - rate_bpm.mean()) / rate_bpm.std())
    _, found = signal.find_peaks(z, prominence=4.0, wlen=650)
    expected = rate_bpm.copy()
    for left, right in zip(found["left_bases"], found["right_bases"], strict=True):
        expected[left : right + 1] = np.linspace(rate_bpm[left], rate_bpm[right], right - left + 1)
    assert found_n == len(found["left_bases"]) >= 2
    assert bridged == pytest.approx(expected)
    assert bridged.max() < 90.0 < rate_bpm.max()


def test_a_heart_that_varies_too_much_is_unusable_and_says_by_how_much() -> None:
    score = published_score(beats_with_sine(25.0, 1 / 60), DASH_ONSETS_S, train_s=5.0)
    assert not score.usable
    assert math.isnan(score.mean_log_power)
    assert np.isnan(score.log_power).all()
    assert score.above_n is None
    assert "SD" in score.reasons[0]
    assert "12" in score.reasons[0]


def test_without_beats_before_the_first_train_there_is_no_rest_cycle() -> None:
    beats_s = beats_with_sine(2.0, 1 / 16)
    score = published_score(beats_s[beats_s > 16.0], DASH_ONSETS_S, train_s=5.0)
    assert math.isnan(score.rest_log_power)
    assert np.isfinite(score.log_power).all()


def test_long_rest_and_what_comes_after_do_not_enter() -> None:
    beats_s = beats_with_sine(2.0, 1 / 16, 900.0)
    whole = published_score(beats_s, 320.0 + DASH_ONSETS_S, train_s=5.0)
    cut = beats_s[(beats_s > 318.0) & (beats_s < 320.0 + 18.5 * 16.0)]
    assert whole.log_power == pytest.approx(published_score(cut, 320.0 + DASH_ONSETS_S, train_s=5.0).log_power)


def test_onsets_off_the_cycle_are_scored_with_a_warning() -> None:
    onsets_s = DASH_ONSETS_S + np.where(np.arange(15) % 2, 2.0, 0.0)
    score = published_score(beats_with_sine(2.0, 1 / 16), onsets_s, train_s=5.0, cycle_s=16.0)
    assert score.usable
    assert np.isfinite(score.log_power).all()
    assert "2.0 s off a fixed cycle of 16 s" in score.reasons[0]


def test_a_cycle_that_is_no_whole_number_of_samples_is_no_problem() -> None:
    cycle_s = 9.973
    beats_s = beats_with_sine(1.97, 1.0 / cycle_s)
    score = published_score(beats_s, cycle_s * np.arange(1, 21), train_s=2.0)
    assert score.mean_log_power == pytest.approx(9.44, abs=0.05)


def test_what_cannot_be_scored_is_refused_with_the_next_step() -> None:
    beats_s = beats_with_sine(1.0, 1 / 16)
    with pytest.raises(TooFewBeatsError, match="9 beats, at least 10"):
        published_score(beats_s[:9], DASH_ONSETS_S, train_s=5.0)
    with pytest.raises(NoTrainsError):
        published_score(beats_s, [], train_s=5.0)
    with pytest.raises(InputError, match="one train has no cycle"):
        published_score(beats_s, [20.0], train_s=5.0)
    with pytest.raises(InputError, match="not finite, increasing"):
        published_score(beats_s[::-1], DASH_ONSETS_S, train_s=5.0)
    with pytest.raises(InputError, match="outside 1 to 1200 s"):
        published_score(beats_s, DASH_ONSETS_S, train_s=5.0, cycle_s=0.5)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_described_beats_give_the_published_values(shared_data: Path, name: str) -> None:
    found = all_cycles(zero_phase_beats(sample_ecg(shared_data, name), 130.0))
    error = np.abs(found - PUBLISHED[name])
    # Cycle 3 has a false beat and the kernel smears how it is bridged; the ends depend on how they are continued.
    assert np.all(error[5:15] < 0.1)
    assert np.all(error[:5] < 0.45)
    assert error[15] < 0.15
    assert np.mean(error) < 0.15


@pytest.mark.parametrize("name", ["5CM-L", "5CM-R", "BF3-L", "BF3-R"])
def test_the_beats_of_our_detector_give_nearly_the_same_score(shared_data: Path, name: str) -> None:
    import hbc_native

    ecg = sample_ecg(shared_data, name)
    ours_s = np.asarray(hbc_native.detect(ecg / 1000.0, 130.0)) / 130.0
    difference = np.abs(all_cycles(ours_s) - all_cycles(zero_phase_beats(ecg, 130.0)))
    assert np.median(difference) < 0.05
    assert difference.max() < 0.2

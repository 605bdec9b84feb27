"""What the detector promises in its header, one test a promise."""

import numpy as np
import pytest
import rpeak_cases as cases
from hbc_native import PEAK_DTYPE, RPeakDetector, detect
from numpy.typing import NDArray


def positions_s(peaks: NDArray[np.void], rate_hz: float) -> NDArray[np.float64]:
    return (peaks["sample_idx"] + peaks["frac_q8"] / 256) / rate_hz


def find_s(samples: NDArray[np.int16], rate_hz: float) -> NDArray[np.float64]:
    return positions_s(RPeakDetector(rate_hz).push(samples), rate_hz)


@pytest.mark.parametrize("rate_hz", [130, 250, 360, 500, 1000])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("beat", [cases.NARROW_BEAT, cases.BROAD_BEAT])
def test_peak_time_is_the_peak_not_the_detection(rate_hz: int, sign: int, beat: cases.Beat) -> None:
    rr_s = np.random.default_rng(rate_hz).uniform(0.6, 1.1, 100)
    samples, _ = cases.synthetic_ecg(np.cumsum(rr_s), rate_hz, beat=beat)
    true_s = np.cumsum(rr_s) + cases.apex_s(beat)
    found_s = find_s((sign * samples).astype(np.int16), rate_hz)
    assert len(found_s) == len(true_s)  # all of them: nothing is lost to learning
    error_ms = 1000 * (found_s - true_s)
    assert abs(error_ms.mean()) < 0.1
    assert error_ms.std() < 0.25


@pytest.mark.parametrize("rate_hz", [130, 500])
def test_peak_time_survives_noise(rate_hz: int) -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(120.0), rate_hz)
    noisy = cases.to_int16(samples + np.random.default_rng(5).normal(0, 30, len(samples)))  # 30 dB below the R wave
    error_ms = 1000 * (find_s(noisy, rate_hz) - true_s)
    assert abs(error_ms.mean()) < 0.2
    assert error_ms.std() < 1.5


@pytest.mark.parametrize("rate_hz", range(100, 1001, 45))
def test_latency_is_within_300_ms(rate_hz: int) -> None:
    """In blocks of 4 ms: a peak is out at most 300 ms after it happened, once the learning time is over."""
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(20.0, 0.6), rate_hz)
    detector = RPeakDetector(rate_hz)
    latency_s = []
    block_n = max(1, rate_hz // 250)
    for i in range(0, len(samples), block_n):
        for peak in detector.push(samples[i : i + block_n]):
            at_s = (peak["sample_idx"] + peak["frac_q8"] / 256) / rate_hz
            if at_s > 2.0:
                latency_s.append((i + block_n - 1) / rate_hz - at_s)  # of the newest sample in the block
    assert len(latency_s) == np.count_nonzero(true_s > 2.0)
    assert max(latency_s) <= 0.300
    assert min(latency_s) > 0.2


def test_any_split_into_blocks_gives_the_same_peaks() -> None:
    rng = np.random.default_rng(2)
    samples = cases.to_int16(rng.normal(0, 800, 20000) + cases.synthetic_ecg(cases.regular_beats(40), 500)[0][:20000])
    mask = cases.random_mask(len(samples), rng, 50)
    whole = RPeakDetector(500).push(samples, mask)
    detector, parts, at = RPeakDetector(500), [], 0
    while at < len(samples):
        n = int(rng.integers(0, 200))
        parts.append(detector.push(samples[at : at + n], mask[at : at + n].astype(bool)))
        at += n
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.dtype == PEAK_DTYPE


def test_a_sample_without_an_electrode_is_the_last_ecg() -> None:
    """So is one of an unknown kind."""
    rng = np.random.default_rng(9)
    samples, _ = cases.synthetic_ecg(cases.regular_beats(30.0), 500)
    mask = cases.random_mask(len(samples), rng, 60, (2, 3))
    mask[0] = 0
    held = samples[np.maximum.accumulate(np.where(mask == 0, np.arange(len(samples)), 0))]
    spoiled = np.where(mask, rng.integers(-32768, 32768, len(samples)), samples).astype(np.int16)
    np.testing.assert_array_equal(RPeakDetector(500).push(spoiled, mask), RPeakDetector(500).push(held))


def test_a_blanked_start_shifts_nothing() -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(20.0), 500)
    mask = (np.arange(len(samples)) < 333).astype(np.uint8)
    found_s = positions_s(RPeakDetector(500).push(samples, mask), 500)
    expected_s = true_s[true_s > 333 / 500]
    np.testing.assert_allclose(found_s, expected_s, atol=0.001)


@pytest.mark.parametrize("height_lsb", [60, 300, 1500, 20000])
def test_any_usual_height_is_found_from_the_first_beat(height_lsb: int) -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(30.0), 500, height_lsb=height_lsb)
    np.testing.assert_allclose(find_s(samples, 500), true_s, atol=0.002)


@pytest.mark.parametrize("bpm", [25, 40, 75, 120, 180, 220])
def test_any_usual_rate_is_found_without_counting_t_waves(bpm: int) -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(40.0, 60 / bpm), 500)
    np.testing.assert_allclose(find_s(samples, 500), true_s, atol=0.003)


@pytest.mark.parametrize("hum_hz", [50, 60])
def test_mains_hum_of_the_size_of_the_r_wave_costs_no_beat(hum_hz: int) -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(40.0), 500)
    hum = 1000 * np.sin(2 * np.pi * hum_hz * np.arange(len(samples)) / 500)
    missed, false = cases.unmatched(find_s(cases.to_int16(samples + hum), 500), true_s, 0.05)
    assert len(missed) == len(false) == 0


@pytest.mark.parametrize("factor", [1 / 20, 1 / 5, 1 / 2, 2, 5, 20])
def test_an_amplitude_jump_is_followed_within_four_seconds(factor: float) -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(60.0), 500, height_lsb=1000 if factor > 1 else 10000)
    jump = np.where(np.arange(len(samples)) < 15000, 1.0, factor)
    found_s = find_s(cases.to_int16(samples * jump), 500)
    missed, false = cases.unmatched(found_s, true_s, 0.05)
    assert all((30 <= at_s < 34) for at_s in missed)
    assert all(abs(at_s - 30) < 0.3 for at_s in false)  # the step itself may look like a beat


@pytest.mark.parametrize("level_lsb", [300, 3000, 10000])
@pytest.mark.parametrize("start_s", [0.0, 20.0])
def test_noise_does_not_silence_it_for_ever(level_lsb: int, start_s: float) -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(60.0), 500)
    noisy = samples.astype(np.float64)
    start = int(start_s * 500)
    noisy[start : start + 5000] += np.random.default_rng(4).normal(0, level_lsb, 5000)
    missed, false = cases.unmatched(find_s(cases.to_int16(noisy), 500), true_s, 0.05)
    clean_again_s = start_s + 10 + 5
    assert not np.any(missed > clean_again_s)
    assert not np.any(false > clean_again_s)
    assert not np.any(missed < start_s)


@pytest.mark.parametrize("level_lsb", [-32768, 0, 32767])
def test_five_seconds_at_the_rail_or_flat_cost_three_seconds_more_at_most(level_lsb: int) -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(60.0), 500)
    samples[10000:12500] = level_lsb
    missed, false = cases.unmatched(find_s(samples, 500), true_s, 0.05)
    assert all(20 <= at_s < 28 for at_s in missed)
    assert len(false) <= 3


def test_a_spike_in_the_learning_time_costs_one_beat_at_most() -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(30.0), 500)
    samples[500:540] = 32767
    missed, _ = cases.unmatched(find_s(samples, 500), true_s, 0.05)
    assert len(missed) <= 1


@pytest.mark.parametrize("samples", [np.zeros(50000), np.full(50000, -32768), np.arange(50000) % 3])
def test_silence_and_quantisation_noise_hold_no_beats(samples: NDArray[np.float64]) -> None:
    assert len(RPeakDetector(500).push(samples.astype(np.int16))) == 0


def test_quality_is_high_for_clean_beats_and_low_in_noise() -> None:
    samples, _ = cases.synthetic_ecg(cases.regular_beats(30.0), 500)
    clean = RPeakDetector(500).push(samples)["quality"]
    noise = RPeakDetector(500).push(np.random.default_rng(0).normal(0, 300, 30000).astype(np.int16))["quality"]
    assert clean.min() > 200
    assert np.median(noise) < 150


def test_detect_takes_millivolts_offsets_and_nan() -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(40.0), 250)
    ecg_mv = samples / 1000
    np.testing.assert_allclose(detect(ecg_mv, 250.0) / 250, true_s, atol=0.001)
    np.testing.assert_allclose(detect(ecg_mv + 300.0, 250.0) / 250, true_s, atol=0.001)
    np.testing.assert_allclose(detect(200 * ecg_mv, 250.0) / 250, true_s, atol=0.001)
    gap = slice(int((true_s[10] + 0.2) * 250), int((true_s[10] + 0.3) * 250))
    ecg_mv[gap] = np.nan
    np.testing.assert_allclose(detect(ecg_mv, 250.0) / 250, true_s, atol=0.001)


def test_detect_reports_the_last_beat_and_nothing_outside() -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(10.0), 250, tail_s=0.1)
    found = detect(samples / 1000, 250.0)
    np.testing.assert_allclose(found / 250, true_s, atol=0.002)


@pytest.mark.parametrize("ecg_mv", [np.zeros(0), np.zeros(1), np.full(1000, np.nan), np.full(1000, np.inf)])
def test_detect_of_nothing_is_nothing(ecg_mv: NDArray[np.float64]) -> None:
    found = detect(ecg_mv, 500.0)
    assert found.dtype == np.float64
    assert len(found) == 0


@pytest.mark.parametrize("rate_hz", [0, 50, 99.4, 1000.6, 1e12, float("nan"), float("inf"), -500])
def test_a_wrong_rate_is_refused_with_value_and_limit(rate_hz: float) -> None:
    with pytest.raises(ValueError, match=r"rate .* Hz is outside 100\.\.1000 Hz"):
        RPeakDetector(rate_hz)


def test_wrong_arrays_are_refused() -> None:
    detector = RPeakDetector(500)
    with pytest.raises(ValueError, match="float64"):
        detector.push(np.zeros(5))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\(4,\)"):
        detector.push(np.zeros(5, np.int16), np.zeros(4))
    with pytest.raises(ValueError, match="shape"):
        detect(np.zeros((5, 2)), 500.0)

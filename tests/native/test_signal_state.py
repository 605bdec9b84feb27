"""What stands beside the beats: polarity, signal state; and the ways to say that samples are no ECG."""

import numpy as np
import pytest
import rpeak_cases as cases
from hbc_native import SIGNAL_STATES, RPeakDetector, detect_beats
from numpy.typing import NDArray

RATES_HZ = (130, 250, 360, 500, 1000)


def states_of(samples: NDArray[np.int16], rate_hz: int, mask: NDArray[np.uint8] | None = None) -> list[str]:
    """State after each second, of a detector that is fed second by second."""
    detector = RPeakDetector(rate_hz)
    states = []
    for start in range(0, len(samples) - rate_hz + 1, rate_hz):
        second = slice(start, start + rate_hz)
        detector.push(samples[second], None if mask is None else mask[second])
        states.append(detector.signal_state)
    return states


def clean_ecg(rate_hz: int, duration_s: float = 40.0) -> NDArray[np.float64]:
    samples, _ = cases.synthetic_ecg(cases.regular_beats(duration_s), rate_hz)
    noise = np.random.default_rng(rate_hz).normal(0, 5, len(samples))
    return samples + noise


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("beat", [cases.NARROW_BEAT, cases.BROAD_BEAT])
def test_polarity_is_that_of_the_r_wave(rate_hz: int, sign: int, beat: cases.Beat) -> None:
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(30.0), rate_hz, beat=beat)
    found = detect_beats(sign * samples / 1000, rate_hz)
    assert len(found.peaks_idx) == len(true_s)
    assert set(found.polarity[4:].tolist()) == {sign}


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_clean_ecg_is_good_in_every_second(rate_hz: int) -> None:
    assert set(states_of(cases.to_int16(clean_ecg(rate_hz)), rate_hz)) == {"good"}


@pytest.mark.parametrize("rate_hz", [250, 500, 1000])
@pytest.mark.parametrize("hum_hz", [50, 60])
def test_hum_of_a_quarter_of_the_r_wave_is_called_hum_and_a_hundredth_is_not(rate_hz: int, hum_hz: float) -> None:
    ecg = clean_ecg(rate_hz)
    wave = np.sin(2 * np.pi * hum_hz * np.arange(len(ecg)) / rate_hz + 0.4)
    for height_lsb, expected in ((250, "hum"), (10, "good")):
        states = states_of(cases.to_int16(ecg + height_lsb * wave), rate_hz)
        assert states[4:] == [expected] * len(states[4:])


def test_muscle_noise_is_noisy_not_hum() -> None:
    ecg = clean_ecg(500, 60.0)
    ecg[15000:] += np.random.default_rng(8).normal(0, 500, len(ecg) - 15000)
    states = states_of(cases.to_int16(ecg), 500)
    assert set(states[:30]) == {"good"}
    assert states[33:].count("noisy") >= 0.9 * len(states[33:])
    assert "hum" not in states


def test_noise_is_over_when_it_is_over() -> None:
    ecg = clean_ecg(500, 60.0)
    ecg[10000:15000] += np.random.default_rng(8).normal(0, 500, 5000)
    states = states_of(cases.to_int16(ecg), 500)
    assert "noisy" in states[20:31]
    assert set(states[38:]) == {"good"}


@pytest.mark.parametrize("rails", [None, (-2047, 2047)])
def test_saturation_is_seen_at_the_rails_and_only_there(rails: tuple[int, int] | None) -> None:
    low, high = rails or (-32768, 32767)
    ecg = np.clip(clean_ecg(500), low + 1, high - 1)
    ecg[10000:10040] = high  # 80 ms
    ecg[12000:12010] = low  # 20 ms: a sixteenth of a second is 62
    detector = RPeakDetector(500)
    if rails is not None:
        detector.set_rails(*rails)
    states = []
    for start in range(0, 15000, 500):
        detector.push(cases.to_int16(ecg[start : start + 500]))
        states.append(detector.signal_state)
    assert [at for at, state in enumerate(states) if state == "saturated"] == [20]


@pytest.mark.parametrize("level_lsb", [-300, 0, 12345])
def test_a_constant_is_flat(level_lsb: int) -> None:
    assert set(states_of(np.full(10000, level_lsb, np.int16), 500)) == {"flat"}


def test_lead_off_is_said_from_the_start_and_in_between() -> None:
    samples = cases.to_int16(clean_ecg(500))
    mask = np.zeros(len(samples), np.uint8)
    mask[:1500] = 2
    mask[10000:11000] = 2
    states = states_of(samples, 500, mask)
    assert states[:3] == ["lead_off"] * 3
    assert states[20:22] == ["lead_off"] * 2
    assert "lead_off" not in states[4:20] + states[23:]


def test_detect_beats_tells_one_state_a_second() -> None:
    ecg_mv = clean_ecg(360, 30.0) / 1000
    ecg_mv[3600:7200] = ecg_mv[3600]
    found = detect_beats(ecg_mv, 360.0)
    assert len(found.states) == int(np.ceil(len(ecg_mv) / 360))
    flat = [at for at, state in enumerate(found.states) if SIGNAL_STATES[state] == "flat"]
    assert flat == list(range(10, 20))


def test_blank_is_the_mask_said_in_advance() -> None:
    rng = np.random.default_rng(3)
    samples = cases.to_int16(clean_ecg(500) + rng.normal(0, 30, len(clean_ecg(500))))
    spans = [(900, 40), (920, 60), (4096, 1), (7000, 300)]
    mask = np.zeros(len(samples), np.uint8)
    for start_idx, length_n in spans:
        mask[start_idx : start_idx + length_n] = 1
    samples[mask != 0] = 32767
    told, masked = RPeakDetector(500), RPeakDetector(500)
    for start_idx, length_n in spans:
        told.blank(start_idx, length_n)
    blocks = range(0, len(samples), 77)
    found = np.concatenate([told.push(samples[at : at + 77]) for at in blocks])
    np.testing.assert_array_equal(found, masked.push(samples, mask))
    np.testing.assert_array_equal(told.state_words(), masked.state_words())


def test_a_blank_that_comes_too_late_is_refused() -> None:
    detector = RPeakDetector(500)
    detector.push(np.zeros(100, np.int16))
    with pytest.raises(ValueError, match="from sample 99, but 100 samples were already pushed"):
        detector.blank(99, 10)
    with pytest.raises(ValueError, match="-1 samples"):
        detector.blank(200, -1)


@pytest.mark.parametrize("bpm", [38, 42, 47, 52, 60])
@pytest.mark.parametrize("first_s", [0.1, 0.5, 0.9, 1.3])
def test_a_slow_heart_starts_without_counting_t_waves(bpm: int, first_s: float) -> None:
    """One R wave in the two seconds of learning is not taken for a switch-on artefact."""
    tall_t: cases.Beat = (*cases.NARROW_BEAT[:-1], (0.32, 0.05, 0.35))
    samples, true_s = cases.synthetic_ecg(cases.regular_beats(25.0, 60 / bpm, first_s), 500, beat=tall_t)
    found = detect_beats(samples / 1000, 500.0)
    np.testing.assert_allclose(found.peaks_idx / 500, true_s, atol=0.003)

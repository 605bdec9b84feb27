"""The front end against the theory of its circuit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hbc_hil.afe import AfeSettings, FrontEnd, r_peak_delay_s, sections
from scipy.signal import freqs, sosfreqz

NOMINAL = AfeSettings()
RATE_HZ = 4000


def gain_at(frequency_hz: float, rate_hz: int = RATE_HZ) -> float:
    _, response = sosfreqz(sections(NOMINAL, rate_hz), [frequency_hz], fs=rate_hz)
    return float(np.abs(response[0]))


def test_mid_band_gain_is_1100_and_both_corners_are_3_db_down() -> None:
    assert gain_at(4.5) == pytest.approx(1100.0, rel=2e-3)
    assert gain_at(0.5) == pytest.approx(1100.0 / np.sqrt(2.0), rel=1e-3)
    assert gain_at(40.0) == pytest.approx(1100.0 / np.sqrt(2.0), rel=1e-3)


def test_the_digital_filter_follows_the_analog_circuit() -> None:
    low, high = 2 * np.pi * 0.5, 2 * np.pi * 40.0
    q = np.sqrt(0.5)
    numerator = 1100.0 * high**2 * np.array([1.0, 0.0, 0.0])
    denominator = np.polymul([1.0, low / q, low**2], [1.0, high / q, high**2])
    frequency_hz = np.geomspace(0.05, 200.0, 60)
    _, analog = freqs(numerator, denominator, 2 * np.pi * frequency_hz)
    _, digital = sosfreqz(sections(NOMINAL, RATE_HZ), frequency_hz, fs=RATE_HZ)
    assert np.abs(digital / analog - 1.0).max() < 0.02


def test_a_measured_sine_comes_out_with_the_stated_gain_around_the_reference() -> None:
    time_s = np.arange(20 * RATE_HZ) / RATE_HZ
    out_v = FrontEnd(NOMINAL, RATE_HZ).push(0.5 * np.sin(2 * np.pi * 5.0 * time_s))[-4 * RATE_HZ :]
    assert out_v.mean() == pytest.approx(1.65, abs=1e-4)
    assert np.ptp(out_v) / 2 == pytest.approx(0.5e-3 * 1100, rel=3e-3)


def test_electrode_offset_is_blocked_from_the_first_sample() -> None:
    out_v = FrontEnd(NOMINAL, RATE_HZ).push(np.full(RATE_HZ, 250.0))
    assert out_v == pytest.approx(1.65, abs=1e-6)


def test_the_output_saturates_at_its_rails() -> None:
    time_s = np.arange(10 * RATE_HZ) / RATE_HZ
    out_v = FrontEnd(NOMINAL, RATE_HZ).push(8.0 * np.sin(2 * np.pi * 5.0 * time_s))
    assert out_v.max() == 3.25
    assert out_v.min() == 0.05


def test_the_r_peak_delay_is_about_5_ms_and_the_same_at_every_rate() -> None:
    delays_s = [r_peak_delay_s(NOMINAL, rr_s=0.9, rate_hz=rate_hz) for rate_hz in (2000, 4000, 8000, 20_000)]
    assert delays_s == pytest.approx([delays_s[-1]] * 4, abs=20e-6)
    assert 4e-3 < delays_s[0] < 7e-3


def test_the_r_peak_delay_hardly_depends_on_heart_rate() -> None:
    delays_s = [r_peak_delay_s(NOMINAL, rr_s=rr_s, rate_hz=RATE_HZ) for rr_s in (0.6, 0.8, 1.0, 1.3)]
    assert np.ptp(delays_s[1:3]) < 0.3e-3  # 60..75 bpm
    assert np.ptp(delays_s) < 1e-3


def test_a_faster_low_pass_delays_less() -> None:
    fast = replace(NOMINAL, lowpass_hz=150.0)
    assert r_peak_delay_s(fast, rr_s=0.9, rate_hz=RATE_HZ) < 0.5 * r_peak_delay_s(NOMINAL, rr_s=0.9, rate_hz=RATE_HZ)


def test_a_settled_front_end_starts_without_a_transient() -> None:
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    ecg_mv = 200.0 + 0.3 * np.cos(2 * np.pi * 1.0 * time_s)
    front_end = FrontEnd(NOMINAL, RATE_HZ)
    front_end.settle(ecg_mv[: 4 * RATE_HZ])
    out_v = front_end.push(ecg_mv)
    assert out_v[:RATE_HZ].max() == pytest.approx(out_v[-RATE_HZ:].max(), abs=0.06)
    assert np.abs(np.diff(out_v[:100])).max() < 2e-3


def test_filter_state_survives_block_borders() -> None:
    ecg_mv = np.random.default_rng(1).standard_normal(5000)
    whole = FrontEnd(NOMINAL, RATE_HZ).push(ecg_mv)
    front_end = FrontEnd(NOMINAL, RATE_HZ)
    parts = [front_end.push(part) for part in np.array_split(ecg_mv, 7)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_a_lost_lead_rails_the_output_and_recovery_takes_time() -> None:
    time_s = np.arange(30 * RATE_HZ) / RATE_HZ
    lead_off = np.zeros(time_s.size, dtype=np.int8)
    lead_off[(time_s >= 10.0) & (time_s < 15.0)] = 1
    lead_off[(time_s >= 20.0) & (time_s < 25.0)] = -1
    out_v = FrontEnd(NOMINAL, RATE_HZ).push(np.zeros(time_s.size), lead_off)
    assert np.all(out_v[lead_off > 0] == 3.25)
    assert np.all(out_v[lead_off < 0] == 0.05)
    assert out_v[round(15.2 * RATE_HZ)] < 0.5  # the high-pass swings the other way
    assert out_v[round(19.5 * RATE_HZ)] == pytest.approx(1.65, abs=0.05)

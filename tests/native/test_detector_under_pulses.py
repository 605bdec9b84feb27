"""TMS pulses: beats next to them are kept, artefacts are no beats, and without pulses nothing is different."""

import itertools

import numpy as np
import pytest
import rpeak_cases as cases
from artefact_campaign import PATTERN_NAMES, QUICK
from artefact_patients import PATIENTS, patient
from artefact_tally import detect_with_mask, pooled, tally
from artefact_world import Setting, record
from hbc_native import RPeakDetector
from hbc_native._rpeak import ffi
from numpy.typing import NDArray
from oracle_cases import BUMP, QRS, energy_of

RATES_HZ = (130, 250, 500, 1000)
BLANK_MS = 8
NEAR_MS = 10.0
Floats = NDArray[np.float64]


def found_s(samples: Floats, rate_hz: int, mask: NDArray[np.uint8] | None) -> Floats:
    peaks = RPeakDetector(rate_hz).push(cases.to_int16(samples), mask)
    return np.asarray(np.sort(peaks["sample_idx"] + peaks["frac_q8"] / 256) / rate_hz)


def words(detector: RPeakDetector, name: str) -> NDArray[np.int32]:
    """A member of the C state."""
    member = dict(ffi.typeof("hbc_rpeak").fields)[name]
    return detector.state_words()[member.offset // 4 :][: ffi.sizeof(member.type) // 4]


def test_the_corners_of_the_campaign_reach_its_goal() -> None:
    """Four hearts behind the box's front end: 99.5 % of the beats, those under the pulses too, and no artefacts."""
    hearts = [patient(number, 160.0) for number in range(len(PATIENTS))]
    near_ms = []
    for pattern, values in itertools.product(PATTERN_NAMES, QUICK):
        setting = Setting(pattern, *values)
        recordings = [record(heart, setting) for heart in hearts]
        seen = pooled(tally(recording, detect_with_mask(recording, BLANK_MS)) for recording in recordings)
        assert seen.worse_pct >= 99.5, setting
        near_ms.append(seen.near_ms)
    assert sum(map(len, near_ms)) > 500
    assert np.std(np.concatenate(near_ms)) < NEAR_MS


def test_beats_under_a_burst_are_told_from_recharge_noise() -> None:
    """Settings that fell short until the shape decided near pulses, on hearts that were looked at: 99.4 then."""
    hearts = [patient(number, 160.0) for number in range(2 * len(PATIENTS))]
    settings = [Setting("itbs", *values, 0.2) for values in ((5.0, 10.0, 0.1), (5.0, 10.0, 0.0), (2.0, 20.0, 0.1))]
    recordings = (record(heart, setting) for heart, setting in itertools.product(hearts, settings))
    seen = pooled(tally(recording, detect_with_mask(recording, BLANK_MS)) for recording in recordings)
    assert seen.hits_n > 4000
    assert seen.worse_pct >= 99.6


def counted_near_pulses(shape: cases.Beat, rate_hz: int) -> float:
    """Share of complexes of half a QRS's energy that count, 70 ms after pulses with noise as recharging makes it."""
    rng = np.random.default_rng(0)
    ecg, true_s = cases.synthetic_ecg(cases.regular_beats(240.0, 1.1), rate_hz)
    pulses_s = np.arange(15.0, 235.0, 0.2617)
    extra_s = pulses_s[np.searchsorted(pulses_s, true_s[20:-3:4] + 0.55)] + 0.07
    extra, _ = cases.synthetic_ecg(
        extra_s, rate_hz, height_lsb=500 * energy_of(QRS, rate_hz) / energy_of(shape, rate_hz), beat=shape
    )
    total = ecg + rng.normal(0, 8, len(ecg))
    total[: len(extra)] += extra[: len(total)]
    at_s = np.arange(len(total)) / rate_hz
    since_s = at_s - pulses_s[np.clip(np.searchsorted(pulses_s, at_s, "right") - 1, 0, None)]
    box_n = round(0.008 * rate_hz)
    noise = rng.normal(0, 100 * np.sqrt(rate_hz / 360 / box_n), len(total))
    total += np.where((since_s > 0.005) & (since_s < 0.1), np.convolve(noise, np.ones(box_n), "same"), 0)
    seen_s = found_s(total, rate_hz, cases.pulse_mask(pulses_s, len(total), rate_hz))
    missed, _ = cases.unmatched(seen_s, true_s, 0.06)
    assert len(missed) == 0
    return float(np.mean(np.abs(np.subtract.outer(extra_s, seen_s)).min(axis=1) < 0.06))


def test_near_pulses_a_bump_needs_more_energy_than_a_qrs() -> None:
    rate_hz = 360
    assert counted_near_pulses(QRS, rate_hz) >= 0.85
    assert counted_near_pulses(BUMP, rate_hz) <= 0.25


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(("height_r", "tail_s"), [(0.5, 0.02), (1.0, 0.005), (2.0, 0.005), (-2.0, 0.1)])
def test_beats_among_pulses_are_found_and_pulses_are_not(rate_hz: int, height_r: float, tail_s: float) -> None:
    """Trains of 10 Hz without a front end, that is sharper than they can be on the box."""
    rng = np.random.default_rng(rate_hz)
    ecg, true_s = cases.synthetic_ecg(np.cumsum(rng.normal(0.83, 0.03, 84)), rate_hz)
    pulses_s = cases.train_pulses_s(len(ecg) / rate_hz, first_s=6.0)
    ecg_n = ecg + cases.artefacts(pulses_s, len(ecg), rate_hz, 1000 * height_r, tail_s) + rng.normal(0, 8, len(ecg))
    near = np.min(np.abs(np.subtract.outer(true_s, pulses_s)), axis=1) < 0.03
    missed, false = cases.unmatched(
        found_s(ecg_n, rate_hz, cases.pulse_mask(pulses_s, len(ecg), rate_hz)), true_s, 0.05
    )
    assert np.count_nonzero(near) > 10
    assert len(missed) <= 1
    assert len(false) <= 3
    assert np.all(false < 6.0 + 2 * 8.0)  # while the artefact is learned
    if abs(height_r) > 1:
        missed, false = cases.unmatched(found_s(ecg_n, rate_hz, None), true_s, 0.05)
        assert len(missed) + len(false) > 10  # the pulses do hurt


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("itbs", [False, True])
def test_a_heart_that_stops_in_a_train_has_no_beats_there(rate_hz: int, itbs: bool) -> None:
    beats_s = cases.regular_beats(60.0)
    beats_s = beats_s[(beats_s < 38.0) | (beats_s > 41.2)]
    ecg, _ = cases.synthetic_ecg(beats_s, rate_hz)
    pulses_s = cases.train_pulses_s(len(ecg) / rate_hz, first_s=6.0, itbs=itbs)
    artefacts = cases.artefacts(pulses_s, len(ecg), rate_hz, 2000, 0.005)
    ecg_n = ecg + artefacts + np.random.default_rng(1).normal(0, 8, len(ecg))
    for mask, least_n, most_n in ((cases.pulse_mask(pulses_s, len(ecg), rate_hz), 0, 0), (None, 3, 30)):
        at_s = found_s(ecg_n, rate_hz, mask)
        assert least_n <= np.count_nonzero((at_s > 38.0) & (at_s < 41.0)) <= most_n


def test_a_heart_that_stops_in_a_long_train_shows_as_a_pause() -> None:
    """While the output only follows, no time passes for search-back and giving way, else they fill the pause."""
    rate_hz, stop_s, go_s = 500, 60.3, 72.3
    pulses_s = (np.arange(40.0, 80.0, 0.2)[:, None] + np.array([0.0, 0.02, 0.04])).ravel()
    invented_n, longest_s = 0, []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        beats_s = np.cumsum(rng.normal(0.83, 0.03, 110))
        beats_s = beats_s[(beats_s < stop_s) | (beats_s > go_s)]
        ecg, _ = cases.synthetic_ecg(beats_s, rate_hz)
        noise = rng.normal(0, 8, len(ecg))
        after = (np.arange(len(ecg)) > 40 * rate_hz) & (np.arange(len(ecg)) < 80 * rate_hz)
        noise[after] += 200 * np.convolve(rng.normal(0, 0.5, len(ecg)), np.ones(4), "same")[after]
        pulses = cases.artefacts(pulses_s, len(ecg), rate_hz, 5000, 0.01) * (1 + 0.05 * rng.normal())
        at_s = found_s(ecg + pulses + noise, rate_hz, cases.pulse_mask(pulses_s, len(ecg), rate_hz))
        inside_s = at_s[(at_s > stop_s + 0.3) & (at_s < go_s - 0.1)]
        invented_n += len(inside_s)
        ends_s = np.concatenate([[beats_s[beats_s < stop_s].max()], inside_s, [beats_s[beats_s > go_s].min()]])
        longest_s.append(float(np.diff(ends_s).max()))
    assert invented_n <= 30  # 54 if it did
    assert min(longest_s) > 3.9


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_time_on_a_rail_is_no_pause_of_the_heart(rate_hz: int) -> None:
    """Search-back would take a T wave where R waves are hidden for longer than it waits."""
    tall_t: cases.Beat = (*cases.NARROW_BEAT[:-1], (0.3, 0.035, 0.45))
    ecg, true_s = cases.synthetic_ecg(cases.regular_beats(60.0), rate_hz, beat=tall_t)
    pulses_s = cases.train_pulses_s(60.0, first_s=10.0)
    on_rail = np.zeros(len(ecg), np.bool_)
    for first_s in pulses_s[::30]:
        on_rail[int((first_s + 0.004) * rate_hz) : int((first_s + 1.6) * rate_hz)] = True
    samples = np.where(on_rail, 4000.0, ecg)
    hidden = on_rail[(true_s * rate_hz).astype(int)]
    at_s = found_s(samples, rate_hz, cases.pulse_mask(pulses_s, len(ecg), rate_hz))
    missed, false = cases.unmatched(at_s, true_s[~hidden], 0.05)
    assert np.count_nonzero(hidden) > 10
    assert len(false) == 0
    assert len(missed) <= 2


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_time_hidden_before_a_beat_is_not_waited_for_again_after_it(rate_hz: int) -> None:
    """Two small beats follow the first after 12 s on a rail; search-back is due after 1.56 intervals as ever."""
    hidden_s = (30.0, 42.0)
    beats_s = cases.regular_beats(60.0, 1.0)
    first = int(np.searchsorted(beats_s, hidden_s[1] + 0.2))
    lsb, true_s = cases.synthetic_ecg(beats_s, rate_hz)
    ecg = lsb.astype(np.float64)
    for at_s in beats_s[first + 1 : first + 3]:
        around = slice(int((at_s - 0.3) * rate_hz), int((at_s + 0.4) * rate_hz))
        ecg[around] *= 0.3
    at_s = np.arange(len(ecg)) / rate_hz
    ecg[(at_s > hidden_s[0] + 0.005) & (at_s < hidden_s[1])] = 4000.0
    pulses_s = np.arange(hidden_s[0], hidden_s[1], 0.1)
    found = found_s(ecg, rate_hz, cases.pulse_mask(pulses_s, len(ecg), rate_hz))
    small_s = true_s[first + 1 : first + 3]
    assert np.abs(np.subtract.outer(small_s, found)).min() < 0.05


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_until_the_first_pulse_nothing_is_different(rate_hz: int) -> None:
    rng = np.random.default_rng(rate_hz)
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(40.0), rate_hz)
    samples = cases.to_int16(
        ecg + np.where(np.arange(len(ecg)) % (10 * rate_hz) < 5 * rate_hz, 20, 300) * rng.normal(size=len(ecg))
    )
    mask = np.where(rng.random(len(ecg)) < 0.001, 2, 0).astype(np.uint8)
    plain, pulsed = RPeakDetector(rate_hz), RPeakDetector(rate_hz)
    first = 20 * rate_hz
    pulses = mask.copy()
    pulses[first :: rate_hz // 10] = 1
    np.testing.assert_array_equal(
        plain.push(samples[:first], mask[:first]), pulsed.push(samples[:first], pulses[:first])
    )
    np.testing.assert_array_equal(plain.state_words(), pulsed.state_words())
    assert not words(plain, "near").any()
    assert words(plain, "spoilt")[0] == 0
    late = plain.push(samples[first:], mask[first:]), pulsed.push(samples[first:], pulses[first:])
    assert not np.array_equal(*late)
    assert words(pulsed, "near").any()

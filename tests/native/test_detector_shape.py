"""In noise a candidate must look like the beats before it, in clean ECG it need not: signals whose truth is known."""

import numpy as np
import pytest
import rpeak_cases as cases
from hbc_native import RPeakDetector
from numpy.typing import NDArray
from oracle_cases import BUMP, QRS, WIDE_BEAT, energy_of

RATES_HZ = (130, 250, 360, 500, 1000)
WITHIN_S = 0.06
PVCS = {"wide": WIDE_BEAT, "wide and down": tuple((at_s, width_s, -height) for at_s, width_s, height in WIDE_BEAT)}


def found_s(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    peaks = RPeakDetector(rate_hz).push(cases.to_int16(samples))
    return np.asarray(np.sort(peaks["sample_idx"] + peaks["frac_q8"] / 256) / rate_hz)


def counted_and_missed(shape: cases.Beat, rate_hz: int) -> tuple[float, int]:
    """Share of complexes halfway between two beats that count, and how many beats are missed for them.

    Each has 0.85 of the energy of a QRS. The noise is white, so that the coarse band decides, and begins after 15 s.
    """
    ecg, true_s = cases.synthetic_ecg(cases.regular_beats(180.0, 1.1), rate_hz)
    extra_s = true_s[30::4] + 0.55
    height_lsb = 850 * energy_of(QRS, rate_hz) / energy_of(shape, rate_hz)
    extra, _ = cases.synthetic_ecg(extra_s, rate_hz, height_lsb=height_lsb, beat=shape)
    noise = 270 * np.sqrt(rate_hz / 360) * np.random.default_rng(8).normal(0, 1, len(ecg))
    noise[: 15 * rate_hz] = 0
    noise[: len(extra)] += extra[: len(noise)]
    at_s = found_s(ecg + noise, rate_hz)
    missed, _ = cases.unmatched(at_s, true_s, WITHIN_S)
    gaps_s = np.abs(np.subtract.outer(extra_s, at_s)).min(axis=1)
    return float(np.mean(gaps_s <= WITHIN_S)), len(missed)


def test_in_noise_a_bump_needs_more_energy_than_a_qrs() -> None:
    qrs, qrs_missed = np.array([counted_and_missed(QRS, rate_hz) for rate_hz in RATES_HZ]).T
    bump, bump_missed = np.array([counted_and_missed(BUMP, rate_hz) for rate_hz in RATES_HZ]).T
    print(f"counted: QRS {qrs.round(2)}, bump {bump.round(2)}; beats missed {qrs_missed}, {bump_missed}")
    assert qrs.mean() >= 0.7
    assert bump.mean() <= 0.4
    assert np.all(qrs - bump >= 0.2)
    assert max(*qrs_missed, *bump_missed) <= 4


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("name", PVCS)
def test_in_clean_ecg_early_wide_beats_count(name: str, rate_hz: int) -> None:
    """Every fifth beat comes at two thirds of the interval, a pause follows; a little noise, as every ECG has."""
    beat = np.arange(150)
    early = beat % 5 == 4
    beats_s = 0.3 + 0.83 * (beat - early / 3)
    ecg, true_s = cases.synthetic_ecg(beats_s[~early], rate_hz)
    wide, _ = cases.synthetic_ecg(beats_s[early], rate_hz, beat=PVCS[name])
    total = np.random.default_rng(3).normal(0, 8, max(len(ecg), len(wide)))
    total[: len(ecg)] += ecg
    total[: len(wide)] += wide
    missed, false = cases.unmatched(found_s(total, rate_hz), np.sort(np.append(true_s, beats_s[early])), 0.1)
    assert len(missed) == len(false) == 0

"""The line between the clocks, and the bound that comes with it."""

from __future__ import annotations

import math
import random
import re

import pytest
from hbc_host.clocksync import Ping, clock_words, fit_clock
from hbc_host.errors import InputError

ORIGIN_S = 81_234.5


def host_of(device_us: float, drift_ppm: float) -> float:
    return ORIGIN_S + device_us * 1e-6 * (1 + drift_ppm * 1e-6)


def pings_of(drift_ppm: float, *, seconds: int = 300, slow_s: float = 0.0, seed: int = 1) -> list[Ping]:
    """A ping every 0.97 s with 1 to 5 ms there and back again, each way at random; one in four is held up."""
    rng = random.Random(seed)
    pings = []
    for n in range(int(seconds / 0.97)):
        received_us = 5_000_000 + n * 970_000
        there_s, back_s = rng.uniform(0.0005, 0.0025), rng.uniform(0.0005, 0.0025)
        back_s += slow_s if rng.random() < 0.25 else 0.0
        middle_us, busy_us = received_us + 100, 200
        sent_s = host_of(received_us, drift_ppm) - there_s
        pings.append(Ping(sent_s, middle_us, busy_us, host_of(received_us + busy_us, drift_ppm) + back_s))
    return pings


@pytest.mark.parametrize("drift_ppm", [0.0, 40.0, -120.0])
@pytest.mark.parametrize("slow_s", [0.0, 0.2])
def test_the_line_is_true_within_its_own_bound(drift_ppm: float, slow_s: float) -> None:
    pings = pings_of(drift_ppm, slow_s=slow_s)
    fit = fit_clock(pings)
    errors_us = [abs(fit.to_host_s(ping.device_us) - host_of(ping.device_us, drift_ppm)) * 1e6 for ping in pings]
    assert max(errors_us) <= fit.max_error_us < 2500
    assert fit.drift_ppm == pytest.approx(drift_ppm, abs=8.0)
    assert 25 <= fit.pings_n <= 32


def test_one_way_delay_stays_within_the_bound() -> None:
    """All of the delay on the way back: the middle is wrong by half the round trip, which is what the bound says."""
    pings = [Ping(host_of(t, 0.0), t, 0, host_of(t, 0.0) + 0.004) for t in range(0, 60_000_000, 970_000)]
    fit = fit_clock(pings)
    assert (fit.to_host_s(30_000_000) - host_of(30_000_000, 0.0)) * 1e6 == pytest.approx(2000, abs=1)
    assert fit.max_error_us == pytest.approx(2000, abs=1)


def test_a_single_ping_gives_an_offset_without_drift() -> None:
    fit = fit_clock([Ping(10.0, 5_000_000, 0, 10.002)])
    assert (fit.drift_ppm, fit.pings_n) == (0.0, 1)
    assert fit.to_host_s(5_000_000) == pytest.approx(10.001)
    assert fit.max_error_us == pytest.approx(1000)


def test_impossible_pings_are_ignored_and_none_is_an_error() -> None:
    impossible = [Ping(10.0, 1, 0, 9.0), Ping(10.0, 1, 0, math.nan)]
    good = pings_of(0.0, seconds=60)
    assert fit_clock([*impossible, *good]) == fit_clock(good)
    with pytest.raises(InputError, match="none of 2 clock pings can be used"):
        fit_clock(impossible)


def test_days_of_uptime_cost_no_precision() -> None:
    base_us = 30 * 86_400 * 1_000_000
    pings = [Ping(1e6 + n * 0.97, base_us + n * 970_000, 0, 1e6 + n * 0.97 + 0.001) for n in range(300)]
    fit = fit_clock(pings)
    assert abs(fit.drift_ppm) < 1e-3
    assert fit.max_error_us == pytest.approx(500, abs=1)


@pytest.mark.parametrize("drift_ppm", [0.0, 40.0, -120.0])
@pytest.mark.parametrize("seconds", [30, 300, 1500])
def test_the_drift_is_right_within_its_bound_and_longer_is_better(drift_ppm: float, seconds: int) -> None:
    fits = [fit_clock(pings_of(drift_ppm, seconds=seconds, seed=seed)) for seed in range(10)]
    assert all(abs(fit.drift_ppm - drift_ppm) <= fit.drift_error_ppm for fit in fits)
    assert max(fit.drift_error_ppm for fit in fits) < 5000 / (seconds - 10) + 1.0


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 0.05, 30.0])
def test_a_host_clock_that_leaps_is_noticed_and_the_longest_stretch_used(step_s: float) -> None:
    """After 200 of 300 s, as when the computer slept: its monotonic clock stood still, the box went on."""
    pings = pings_of(20.0)
    stepped = [
        ping._replace(sent_s=ping.sent_s + step_s, arrived_s=ping.arrived_s + step_s) if n > 206 else ping
        for n, ping in enumerate(pings)
    ]
    fit = fit_clock(stepped)
    assert fit.steps_n == 1
    assert abs(fit.drift_ppm - 20.0) <= fit.drift_error_ppm < 60.0
    early_us = 50_000_000
    assert abs(fit.to_host_s(early_us) - host_of(early_us, 20.0)) * 1e6 <= fit.max_error_us < 2500


def test_the_words_carry_the_bounds() -> None:
    words = clock_words(pings_of(40.0))
    assert re.fullmatch(r"this computer's clock .*: \+\d+\.\d ± \d+\.\d ppm, known to \d\.\d ms from \d+ pings", words)
    assert "ppm" not in clock_words([Ping(10.0, 5_000_000, 0, 10.002)])

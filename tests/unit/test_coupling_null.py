"""Validity first: without a response the verdict is "coupled" in about 5 % of runs, on real hearts and simulated ones.

A small version of ``make study``. Seeds are fixed, so the counts are too.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from backgrounds import real_windows
from power_bound import bound
from recordings import duration_s, make_run

RUNS_N = 40
#: With a true rate of 5 % more than 6 of 40 happen in 0.3 % of series.
POSITIVE_MAX_N = 6


@pytest.fixture(scope="module")
def records(shared_data: Path) -> Path:
    folder = shared_data / "mitdb"
    if not folder.is_dir():
        pytest.skip("MIT-BIH records are absent: put them into data/mitdb of HBC_SHARED")
    return folder


@pytest.mark.parametrize("protocol", ["dash", "itbs"])
def test_simulated_hearts_without_response_are_rarely_called_coupled(protocol: str) -> None:
    results = [make_run("sim", protocol, 0.0, seed, []).estimate() for seed in range(RUNS_N)]
    assert sum(result.verdict == "coupled" for result in results) <= POSITIVE_MAX_N


@pytest.mark.parametrize("protocol", ["dash", "itbs"])
def test_real_hearts_without_stimulation_are_rarely_called_coupled(records: Path, protocol: str) -> None:
    windows = real_windows(records, duration_s(protocol))
    assert len(windows) >= 40
    results = [make_run("real", protocol, 0.0, seed, windows).estimate() for seed in range(RUNS_N)]
    assert sum(result.verdict == "coupled" for result in results) <= POSITIVE_MAX_N


@pytest.mark.parametrize("protocol", ["dash", "itbs"])
def test_a_dip_of_three_bpm_in_real_hearts_is_mostly_found_and_sized(records: Path, protocol: str) -> None:
    windows = real_windows(records, duration_s(protocol))
    runs = [make_run("real", protocol, 3.0, seed, windows) for seed in range(20)]
    results = [run.estimate() for run in runs]
    assert sum(result.verdict == "coupled" for result in results) >= 16
    errors_bpm = [result.effect_bpm - run.truth_bpm for result, run in zip(results, runs, strict=True)]
    assert abs(sum(errors_bpm) / len(runs)) < 0.6


def test_what_can_be_found_at_most_grows_with_the_dip(records: Path) -> None:
    windows = real_windows(records, duration_s("dash"))
    line = bound("dash", [0.1, 2.0, 20.0], range(8), windows)
    low, middle, high = (float(share) for share in re.findall(r"bpm ([\d.]+)", line))
    assert 0.05 < low < middle < high
    assert high > 0.99


def test_a_part_changed_for_comparison_is_as_before_afterwards(records: Path) -> None:
    import power_losses
    from hbc_host import blocks, evidence, weighing

    windows = real_windows(records, duration_s("dash"))
    runs = [(windows[10][1], make_run("real", "dash", 2.0, 10, windows))]
    before = (evidence.TEST_ORDER, blocks.SCALE_WIDTH_BEATS, evidence._filters, weighing.null_noise)
    p = {
        name: float(power_losses.p_values(change, runs, oracle=False)[0])
        for name, change in power_losses.CHANGES.items()
    }
    assert (evidence.TEST_ORDER, blocks.SCALE_WIDTH_BEATS, evidence._filters, weighing.null_noise) == before
    assert p["as it is"] == make_run("real", "dash", 2.0, 10, windows).estimate().p_value
    # Rest is either used or not in this run, so one of the two changes nothing.
    unchanged = [name for name, value in p.items() if value == p["as it is"] and name != "as it is"]
    assert len(unchanged) <= 4, unchanged


def test_one_cut_off_for_all_hearts_hides_that_the_restless_pay_for_it() -> None:
    import power_stages

    def runs(record: str, values: list[float], p_value: float) -> list[power_stages.Scores]:
        return [power_stages.Scores(record, 0.0, 0.0, value, p_value, p_value, False) for value in values]

    calm = runs("112", [0.001 * number for number in range(90)], 0.5)
    restless = runs("230", [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 0.5)
    found = {2.0: runs("230", [6.0, 0.0], 0.01)}
    rows = power_stages.table(calm + restless, found).splitlines()
    common = next(row for row in rows if "shape unknown, one cut-off" in row)
    assert common.endswith("| 0.050 | 0.500 | 0.000 | 0.500 |")
    each = next(row for row in rows if "cut-off per record" in row)
    assert each.endswith("| 0.060 | 0.100 | 0.056 | 0.500 |")
    own = next(row for row in rows if "with caution" in row)
    assert own.endswith("| 0.000 | 0.000 | 0.000 | 1.000 |")


def test_a_large_dip_in_a_calm_heart_is_called_at_every_stage(records: Path) -> None:
    import power_stages

    windows = [item for item in real_windows(records, duration_s("dash")) if item[0] == "112"][:1]
    (found,) = power_stages.collect("real", "dash", 3.0, [1], windows)
    limits = power_stages.CutOffs(3.0, 5.0, {"112": 5.0})
    assert found.called(limits) == [True] * len(power_stages.STAGES)
    (null,) = power_stages.collect("real", "dash", 0.0, [1], windows)
    assert not any(null.called(limits))


def test_the_best_test_is_told_the_size_and_its_cut_off_the_record() -> None:
    import numpy as np
    from power_best import Fitted, power

    # One shape of standard error 1: ln N(x; 2, 1) - ln N(x; 0, 1) = 2 x - 2.
    assert Fitted("", np.array([3.0]), np.array([1.0])).log_ratio(2.0) == pytest.approx(4.0)
    calm = [Fitted("112", np.array([0.01 * number]), np.array([1.0])) for number in range(100)]
    restless = [Fitted("230", np.array([0.1 * number]), np.array([1.0])) for number in range(100)]
    runs = [Fitted("112", np.array([2.0]), np.array([1.0])), Fitted("230", np.array([9.2]), np.array([1.0]))]
    # 5 % of all lie above 8.9 (9.5 of the restless), 5 % of the calm above 0.94.
    assert power(calm + restless, runs, 2.0) == (0.5, 0.5)
    assert power(calm + restless, runs[:1], 2.0) == (0.0, 1.0)

"""Every check of `hbc hil run` passes on good data and fails on data with exactly that fault in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hbc_hil.bench import checks_box, checks_edges
from hbc_hil.bench.checks_edges import EdgeCounts, pair_edges
from hbc_hil.bench.clockfit import predicted_ns, ratio_ppm, relate
from hbc_hil.bench.finding import FAIL, NOT_MEASURED, PASS, Finding, at_most, not_measured, number, passed
from hbc_hil.bench.wire_faults import WireFaults, account, pulses_of
from hbc_hil.errors import GeneratorError
from hbc_hil.score import BeatScore

COMMANDED_NS = np.cumsum(np.full(50, 100e6)) + 1e9
REPORTED_NS = np.floor(COMMANDED_NS / 12.5) * 12.5
ONE_LIST = np.zeros(50, np.int64)
COUNTS = EdgeCounts(on_pin_n=50, unsure_n=0, numbered_n=50, lost_n=0, runts_n=0, held_off_n=0, arrived_n=50)
IDX = np.arange(5000)
NONE_MISSED = np.zeros(5000, bool)


def verdicts(found: Finding | Sequence[Finding]) -> dict[str, str]:
    return {f.check: f.verdict for f in ([found] if isinstance(found, Finding) else found)}


def failed(found: Finding | Sequence[Finding]) -> set[str]:
    return {check for check, verdict in verdicts(found).items() if verdict == FAIL}


def accounts(counts: EdgeCounts = COUNTS, reported_ns: np.ndarray = REPORTED_NS, **limits: int) -> list[Finding]:
    pairs = pair_edges(COMMANDED_NS, reported_ns, 20e3)
    limits = {"told_missed_max_n": 0, "in_transit_max_n": 0} | limits
    return checks_edges.edge_accounts(counts, pairs, **limits)


def test_edges_that_are_all_there_pass() -> None:
    assert failed(accounts()) == set()
    assert set(verdicts(accounts())) == {"edges silent", "edges extra", "edges overrun", "edges in transit"}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"numbered_n": 49, "arrived_n": 49}, "edges silent"),
        ({"numbered_n": 51, "arrived_n": 51}, "edges silent"),
        ({"numbered_n": 49, "arrived_n": 49, "lost_n": 1}, "edges overrun"),
        ({"arrived_n": 48}, "edges in transit"),
    ],
)
def test_each_way_of_losing_an_edge_fails_its_own_check(change: dict[str, int], check: str) -> None:
    assert failed(accounts(dataclasses.replace(COUNTS, **change))) == {check}


def test_an_edge_that_nobody_commanded_fails() -> None:
    assert failed(accounts(reported_ns=np.sort(np.append(REPORTED_NS, 2.55e9)))) == {"edges extra"}


def test_losses_that_are_told_pass_where_they_are_allowed() -> None:
    told = dataclasses.replace(COUNTS, numbered_n=40, lost_n=10, arrived_n=30)
    assert failed(accounts(told, told_missed_max_n=10, in_transit_max_n=10)) == set()
    assert failed(accounts(told, told_missed_max_n=9, in_transit_max_n=9)) == {"edges overrun", "edges in transit"}


def test_an_edge_while_the_box_starts_may_be_seen_or_not_but_no_more() -> None:
    for numbered_n, good in ((50, True), (51, True), (52, False), (49, False)):
        counts = dataclasses.replace(COUNTS, unsure_n=1, numbered_n=numbered_n, arrived_n=numbered_n)
        assert ("edges silent" not in failed(accounts(counts))) is good


def test_the_filters_of_the_box_must_count_what_they_take() -> None:
    counts = dataclasses.replace(COUNTS, runts_n=3, held_off_n=4, lost_n=1)
    assert failed(checks_edges.edge_filter(counts, runts_n=3, held_off_n=5)) == set()
    assert failed(checks_edges.edge_filter(counts, runts_n=2, held_off_n=6)) == {"runts", "held off"}


def test_pairing_is_one_to_one_and_survives_holes_and_ghosts() -> None:
    reported = np.sort(np.concatenate((np.delete(REPORTED_NS, [3, 17]), [1.55e9, 1.55e9 + 10])))
    pairs = pair_edges(COMMANDED_NS, reported, 20e3)
    assert pairs.missed_i.tolist() == [3, 17]
    assert len(pairs.extra_i) == 2
    assert np.all(np.abs(COMMANDED_NS[pairs.commanded_i] - reported[pairs.reported_i]) <= 12.5)
    close = pair_edges(np.array([0.0, 100.0]), np.array([60.0, 130.0]), 200.0)
    assert (close.commanded_i.tolist(), close.reported_i.tolist()) == ([1], [1]), "the nearest two belong together"
    assert (close.missed_i.tolist(), close.extra_i.tolist()) == ([0], [0])


@pytest.mark.parametrize(("error_ns", "which"), [(30.0, {"interval p99", "interval max"}), (20.0, set())])
def test_one_edge_off_by_more_than_two_ticks_fails_the_interval(error_ns: float, which: set[str]) -> None:
    reported = COMMANDED_NS.copy()
    reported[20] += error_ns
    assert failed(checks_edges.interval_error(COMMANDED_NS, reported, ONE_LIST, limit_ns=25.0)) == which


def test_intervals_are_not_taken_across_lists_and_none_at_all_fails() -> None:
    lists = np.arange(50) // 25
    shifted = COMMANDED_NS + np.where(lists, 1e6, 0.0)
    assert failed(checks_edges.interval_error(COMMANDED_NS, shifted, lists, limit_ns=25.0)) == set()
    assert len(failed(checks_edges.interval_error(COMMANDED_NS, shifted, ONE_LIST, limit_ns=25.0))) >= 1
    nothing = np.empty(0)
    assert len(failed(checks_edges.interval_error(nothing, nothing, ONE_LIST[:0], limit_ns=25.0))) == 3


def test_edges_must_lie_within_the_stated_half_bracket_and_that_within_the_limit() -> None:
    def found(shift_ns: float, half_ns: float) -> set[str]:
        return failed(
            checks_edges.against_sample_clock(
                COMMANDED_NS, COMMANDED_NS + shift_ns, bracket_half_ns=half_ns, limit_us=10.0, slack_ns=1.0
            )
        )

    assert found(2400.0, 2500.0) == set()
    assert found(-2600.0, 2500.0) == {"edge vs samples"}
    assert found(2600.0, 12_000.0) == {"half-bracket"}


def test_soft_stamps_must_keep_to_what_the_box_states() -> None:
    late_ns = np.linspace(0.0, 100e3, 50)

    def found(error_ns: np.ndarray, stated_ns: float, limit_us: float = 500.0) -> set[str]:
        return failed(
            checks_edges.soft_jitter(
                COMMANDED_NS, COMMANDED_NS + error_ns, stated_ns=stated_ns, slack_ns=1e3, limit_us=limit_us
            )
        )

    assert found(late_ns, 100e3) == set()
    assert found(late_ns, 5e3) == {"soft late"}, "a box that flatters itself"
    assert found(late_ns - 50e3, 100e3) == {"soft early"}
    assert found(late_ns, 600e3) == {"soft stated"}
    assert found(late_ns, 100e3, limit_us=95.0) == {"soft spread", "soft stated"}


def test_polarity_and_drift() -> None:
    assert checks_edges.polarity(np.ones(5, np.int64), 1).verdict == PASS
    assert checks_edges.polarity(np.array([1, 1, 0]), 1).verdict == FAIL
    assert checks_edges.drift(40.05, 40.0, limit_ppm=0.1).verdict == PASS
    assert checks_edges.drift(-40.0, 40.0, limit_ppm=0.1).verdict == FAIL
    assert checks_edges.drift(70.0, None, limit_ppm=100.0).verdict == PASS
    assert checks_edges.drift(-170.0, None, limit_ppm=100.0).verdict == FAIL


def sample_checks(**change: object) -> set[str]:
    given: dict[str, object] = {
        "idx": IDX, "residual_us": np.full(5000, 50), "missed": NONE_MISSED, "until_idx": 4900, "told_lost_n": 0,
        "in_transit": False, "missed_share_max": 0.0, "jitter_max_us": 100.0,
    }  # fmt: skip
    given |= change
    idx, residual_us, missed = (given.pop(name) for name in ("idx", "residual_us", "missed"))
    return failed(checks_box.samples(idx, residual_us, missed, **given))  # type: ignore[arg-type]


def test_every_missing_sample_must_be_marked_or_counted() -> None:
    assert sample_checks() == set()
    marked = NONE_MISSED.copy()
    marked[7] = True
    assert sample_checks(missed=marked, told_lost_n=1, missed_share_max=0.01) == set()
    assert sample_checks(missed=marked, told_lost_n=1) == {"samples missed"}
    assert sample_checks(missed=marked, missed_share_max=0.01) == {"samples silent"}
    hole = {"idx": np.delete(IDX, slice(100, 125)), "residual_us": np.full(4975, 50), "missed": NONE_MISSED[25:]}
    assert sample_checks(**hole, missed_share_max=0.01) == {"samples silent"}
    assert sample_checks(**hole, missed_share_max=0.01, told_lost_n=25) == set()
    assert sample_checks(**hole, missed_share_max=0.01, in_transit=True) == set(), "the line lost it, not the box"
    assert sample_checks(residual_us=np.tile([0, 400], 2500)) == {"sampling jitter"}
    assert "sampling jitter" in sample_checks(idx=IDX[:0], residual_us=IDX[:0], missed=NONE_MISSED[:0])


def test_the_sample_rate_is_judged_on_the_other_clock() -> None:
    at_s = IDX / 500.0
    assert checks_box.sample_rate(IDX, at_s, rate_hz=500.0, limit_ppm=1.0).verdict == PASS
    assert checks_box.sample_rate(IDX, at_s * (1 + 5e-6), rate_hz=500.0, limit_ppm=1.0).verdict == FAIL
    assert checks_box.sample_rate(IDX[:5], at_s[:5], rate_hz=500.0, limit_ppm=1.0).verdict == FAIL


def test_a_shift_of_the_samples_in_time_shows_in_the_voltage() -> None:
    rate_hz = 4000.0
    grid_s = np.arange(0, 20 * rate_hz) / rate_hz
    volts = 1.65 + 0.8 * np.exp(-(((grid_s % 0.8) - 0.4) ** 2) / (2 * 0.01**2))
    at_s = 0.01 + np.arange(9500) / 500.0

    def found(shift_s: float = 0.0, gain: float = 1.02) -> list[Finding]:
        lsb = np.rint(np.interp(at_s + shift_s, grid_s, volts) * gain / 806e-6).astype(np.int64) - 2048
        return checks_box.sample_instants(
            lsb, at_s, volts, rate_hz, lsb_v=806e-6, limit_us=20.0, gain_error_pct=3.0
        )  # fmt: skip

    assert failed(found()) == set()
    assert failed(found(shift_s=50e-6)) == {"sample instants"}
    assert found(shift_s=50e-6)[0].value == pytest.approx(50.0, abs=8.0)
    for gain in (-1.0, 0.5, 0.96, 1.04, 2.0):
        assert failed(found(gain=gain)) == {"sample gain"}, gain
    assert found(gain=1.04)[1].value == pytest.approx(4.0, abs=0.2)


def test_beats_line_and_latency() -> None:
    good = BeatScore(se=1.0, ppv=1.0, rms_ms=0.3, bias_ms=0.0, truth_n=50, found_n=50)
    for change, check in (({"rms_ms": 2.1}, "R-peak rms"), ({"se": 0.9}, "beats found"), ({"ppv": 0.9}, "beats true")):
        score = dataclasses.replace(good, **change)
        assert failed(checks_box.beats(score, rms_ms=2.0, share_min=0.99)) == {check}
    assert failed(checks_box.beats(good, rms_ms=2.0, share_min=0.99)) == set()
    none = BeatScore(float("nan"), float("nan"), float("nan"), float("nan"), 0, 0)
    assert len(failed(checks_box.beats(none, rms_ms=2.0, share_min=0.99))) == 3, "no beat is no success"
    assert checks_box.throughput(28_000, 10.0, baud=115200, share_max=0.9).verdict == PASS
    assert checks_box.throughput(114_000, 10.0, baud=115200, share_max=0.9).verdict == FAIL
    assert failed(checks_box.frames(0, 0, lost_max_n=0)) == set()
    assert failed(checks_box.frames(1, 2, lost_max_n=0)) == {"frames lost", "frames bad"}
    happened = np.arange(100) * 0.1
    assert failed(checks_box.latency(happened + 0.02, happened, limit_ms=50.0)) == set()
    late = happened + np.where(np.arange(100) > 95, 0.2, 0.02)
    assert failed(checks_box.latency(late, happened, limit_ms=50.0)) == {"latency p99"}


def lead_checks(leads: list[int]) -> set[str]:
    status_s = np.arange(len(leads)) + 0.5
    return failed(checks_box.lead_off([(3.0, 6.0, 2)], status_s, np.array(leads), limit_s=1.2))


def test_lead_off_must_be_told_soon_by_name_and_taken_back() -> None:
    assert lead_checks([0, 0, 0, 2, 2, 2, 0, 0, 0]) == set()
    assert lead_checks([0, 0, 0, 0, 0, 2, 0, 0, 0]) == {"lead-off told"}
    assert lead_checks([0, 0, 0, 1, 1, 1, 0, 0, 0]) == {"lead-off told"}, "the other electrode"
    assert lead_checks([0, 0, 0, 2, 2, 2, 2, 2, 0]) == {"lead-off over"}
    assert lead_checks([0, 2, 0, 2, 2, 2, 0, 0, 0]) == {"lead-off early"}
    assert "lead-off over" in lead_checks([0, 0, 0, 2, 2, 2])


def test_restarts_wraps_and_anchor() -> None:
    assert failed(checks_box.restarts([0.7, 0.8], boots_n=3, expected_n=3, limit_s=3.0)) == set()
    assert failed(checks_box.restarts([0.7, 4.0], boots_n=3, expected_n=3, limit_s=3.0)) == {"recovery"}
    assert failed(checks_box.restarts([], boots_n=1, expected_n=2, limit_s=3.0)) == {"boots", "recovery"}
    near = 2**30 - 5_000_000
    assert failed(checks_box.wraps(near, 60_000_000, ticks_min_n=1, capture_min_n=1)) == set()
    assert failed(checks_box.wraps(0, 50_000_000, ticks_min_n=1, capture_min_n=1)) == {
        "ticks_us wraps",
        "capture wraps",
    }
    assert checks_box.anchor(np.array([-400, 900]), limit_us=1.0).verdict == PASS
    assert checks_box.anchor(np.array([-1400, 900]), limit_us=1.0).verdict == FAIL
    assert checks_box.anchor(np.empty(0, np.int64), limit_us=1.0).verdict == FAIL


def test_a_number_that_could_not_be_taken_never_passes_and_nothing_checked_is_no_success() -> None:
    assert at_most("x", "", float("nan"), 1.0).verdict == FAIL
    assert not passed([])
    assert not passed([not_measured("x", "why")])
    assert passed([at_most("x", "", 0.0, 1.0), not_measured("y", "why")])
    assert not passed([at_most("x", "", 0.0, 1.0), at_most("y", "", 2.0, 1.0)])
    assert [number(x) for x in (3.0, 0.12345, 123456.7, float("inf"))] == ["3", "0.123", "123457", "inf"]
    assert not_measured("x", "why").verdict == NOT_MEASURED


# --- wire faults -----------------------------------------------------------------------------------------------------


def test_wire_faults_are_what_they_say() -> None:
    edges = np.array([1_000_000_000, 2_000_000_000])
    plain = pulses_of(edges, 50.0, WireFaults())
    assert plain.tolist() == [[1_000_000_000, 1_000_050_000], [2_000_000_000, 2_000_050_000]]
    bounced = pulses_of(edges[:1], 50.0, WireFaults(bounces_n=2, bounce_us=40.0))
    assert (bounced - 1_000_000_000).tolist() == [[0, 20_000], [40_000, 60_000], [80_000, 130_000]]
    runts = pulses_of(edges, 50.0, WireFaults(runt_every=2, runt_after_us=300.0, runt_width_us=1.0))
    assert (runts[2] - 2_000_000_000).tolist() == [300_000, 301_000]
    stuck = pulses_of(edges, 50.0, WireFaults(stuck_s=((0.9, 1.5),)))
    assert stuck.tolist() == [[900_000_000, 1_500_000_000], [2_000_000_000, 2_000_050_000]]


@pytest.mark.parametrize(
    ("min_width_us", "hold_off_us", "reported", "runts_n", "held_off_n"),
    [
        (0, 0, [0, 1, 2, 3], 0, 0),
        (10, 0, [0, 2, 3], 1, 0),
        (0, 300, [0, 3], 0, 2),
        (10, 150, [0, 2, 3], 1, 0),
        (10, 201, [0, 3], 1, 1),
    ],
)
def test_what_a_box_has_to_make_of_pulses(
    min_width_us: int, hold_off_us: int, reported: list[int], runts_n: int, held_off_n: int
) -> None:
    pulses = np.array([[0, 50_000], [100_000, 101_000], [200_000, 250_000], [900_000, 950_000]])
    found = account(pulses, min_width_us=min_width_us, hold_off_us=hold_off_us)
    assert np.flatnonzero(found.reported).tolist() == reported
    assert (found.runts_n, found.held_off_n) == (runts_n, held_off_n)


# --- two clocks ------------------------------------------------------------------------------------------------------


def two_boards(ppm: float, wild: Callable[[np.ndarray], None] | None = None) -> tuple[np.ndarray, ...]:
    lists = np.repeat(np.arange(6), 40)
    gone_us = np.tile(np.arange(40) * 50_000.0, 6)
    before_us = np.arange(6) * 5e6 + 1e6
    after_us = before_us + 130.0
    start_us = before_us + np.array([40.0, 90.0, 60.0, 75.0, 50.0, 85.0])
    found_ns = ((start_us[lists] + gone_us) * (1 + ppm * 1e-6) + 777_000.0) * 1e3
    if wild is not None:
        wild(found_ns)
    return lists, gone_us, found_ns, before_us, after_us


@pytest.mark.parametrize("ppm", [-63.0, 0.0, 40.0])
def test_two_clocks_are_related_by_the_edges_within_lists(ppm: float) -> None:
    lists, gone_us, found_ns, before_us, after_us = two_boards(ppm)
    clocks = relate(lists, gone_us, found_ns, before_us, after_us, slack_us=5.0)
    assert clocks.ppm == pytest.approx(ppm, abs=1e-6)
    assert clocks.starts_outside_n == 0
    assert np.abs(found_ns - predicted_ns(lists, gone_us, found_ns, clocks.ppm)).max() < 1e-2
    there_ns = (2e6 * (1 + ppm * 1e-6) + 777_000.0) * 1e3
    assert abs(clocks.to_box_ns(np.array([2e6]))[0] - there_ns) < 130e3


def test_a_wild_edge_does_not_bend_the_line_but_shows() -> None:
    def wild(found_ns: np.ndarray) -> None:
        found_ns[70] += 5e6

    lists, gone_us, found_ns, before_us, after_us = two_boards(20.0, wild)
    clocks = relate(lists, gone_us, found_ns, before_us, after_us, slack_us=5.0)
    assert clocks.ppm == pytest.approx(20.0, abs=1e-6)
    error = np.abs(found_ns - predicted_ns(lists, gone_us, found_ns, clocks.ppm))
    assert np.flatnonzero(error > 1e3).tolist() == [70]


def test_a_list_that_began_when_the_log_says_it_cannot_have_is_found() -> None:
    lists, gone_us, found_ns, before_us, after_us = two_boards(0.0)
    found_ns[lists == 3] += 2e6
    assert relate(lists, gone_us, found_ns, before_us, after_us, slack_us=5.0).starts_outside_n >= 1


def test_single_edges_relate_no_clocks() -> None:
    with pytest.raises(GeneratorError, match="two edges"):
        ratio_ppm(np.arange(3), np.zeros(3), np.arange(3) * 1e9)

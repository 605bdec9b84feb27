"""Edges become trains, trains become runs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hbc_host.errors import HbcError, InputError
from hbc_host.trains import PROTOCOLS, Train, find_runs, find_trains, nominal_onsets, parse_protocol
from hypothesis import given
from hypothesis import strategies as st


def itbs_edges_s(onset_s: float) -> np.ndarray:
    """Thirty pulses: ten bursts at 5 Hz of three at 50 Hz."""
    return (onset_s + np.arange(10)[:, None] * 0.2 + np.arange(3)[None, :] * 0.02).ravel()


def test_a_train_starts_at_the_first_edge_after_a_pause_of_one_second() -> None:
    edges_s = np.concatenate([itbs_edges_s(10.0), itbs_edges_s(20.0)])
    trains = find_trains(edges_s[::-1])
    assert [(train.onset_s, train.pulses_n) for train in trains] == [(10.0, 30), (20.0, 30)]
    assert trains[0].end_s == pytest.approx(11.84)
    assert len(find_trains([0.0, 1.0])) == 2
    assert len(find_trains([0.0, 0.999])) == 1


def test_no_edges_make_no_trains_and_no_runs() -> None:
    assert find_trains([]) == []
    assert find_runs([]) == []


@given(st.lists(st.floats(0.0, 1e4), max_size=60))
def test_every_edge_belongs_to_exactly_one_train(edges_s: list[float]) -> None:
    trains = find_trains(edges_s)
    assert sum(train.pulses_n for train in trains) == len(edges_s)
    for before, after in itertools.pairwise(trains):
        assert after.onset_s - before.end_s >= 1.0


def test_a_pause_of_forty_seconds_separates_runs_but_a_ten_hertz_pause_does_not() -> None:
    trains = [Train(at, at + 4.0, 40) for at in (0.0, 30.0, 60.0, 124.0, 154.0)]
    assert [len(run) for run in find_runs(trains)] == [3, 2]


def test_an_edge_time_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(InputError, match="not a finite number"):
        find_trains([0.0, float("nan")])


def test_protocols_have_the_published_cycles() -> None:
    assert {name: protocol.cycle_s for name, protocol in PROTOCOLS.items()} == {
        "dash": 16.0,
        "itbs": 10.0,
        "10hz": 30.0,
    }
    assert parse_protocol(" Dash ") is PROTOCOLS["dash"]
    assert parse_protocol("3.5/12").cycle_s == 15.5


@pytest.mark.parametrize("text", ["", "tbs", "5", "5/", "a/b", "nan/8", "0/8", "5/-1", "5/0.2", "5/8/9", "700/8"])
def test_a_protocol_that_makes_no_sense_is_refused_by_name(text: str) -> None:
    with pytest.raises(HbcError, match="protocol"):
        parse_protocol(text)


def test_nominal_onsets_are_those_of_whole_trains_of_the_protocol() -> None:
    assert nominal_onsets(PROTOCOLS["dash"], 16.0, 297.0).tolist() == [16.0 + 16.0 * n for n in range(15)]
    assert nominal_onsets(PROTOCOLS["10hz"], 5.0, 39.0).tolist() == [5.0, 35.0]
    assert nominal_onsets(PROTOCOLS["10hz"], 5.0, 38.9).tolist() == [5.0]
    assert nominal_onsets(PROTOCOLS["10hz"], 50.0, 39.0).size == 0

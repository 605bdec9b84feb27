"""Event log, sampler and outbox keep their promises at the edges of their rings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[..., dict[str, Any]]


def test_the_event_log_holds_the_last_events_and_knows_what_it_overwrote(check: Check) -> None:
    seen = check("check_outbox", "event_log")
    assert seen["overwritten_n"] > 20
    assert seen["events_n"] > 300


def test_the_sampler_times_marks_and_counts_every_grid_point(check: Check) -> None:
    seen = check("check_sampler")
    assert seen["missed_n"] > 100
    assert seen["saturated_n"] > 20
    assert seen["dropped_n"] >= 75


def test_the_outbox_sends_in_order_of_urgency_and_each_thing_once(check: Check) -> None:
    assert check("check_outbox", "outbox")["frames_n"] > 25


def test_requests_are_answered_or_counted_as_bad_and_the_next_one_is_heard(check: Check) -> None:
    assert check("check_commands")["bad_n"] > 10


def test_a_storm_of_edges_blanks_every_sample_that_it_touches(check: Check) -> None:
    assert check("check_blanking_storm")["storms_n"] > 150

"""A session's steps follow the triggers that arrive, and whatever differs from the plan is said at once."""

from __future__ import annotations

from typing import Any

import pytest
from hbc_host.guided import guided_run, guided_sites
from hbc_host.live import problems
from hbc_host.live.follow import Follow
from hbc_host.live.state_now import state_of
from hbc_host.live.steps_now import SiteDone, TrainDone
from hbc_host.live.words_now import COMMANDS, hear_note, take_command
from hbc_host.session_model import HostNote
from hbc_wire import messages
from hypothesis import given, settings
from hypothesis import strategies as st
from support import values_of
from support_live import BETWEEN_S, CYCLE_S, PULSES_N, REST_S, BoxSays, a_visit

CYCLE_US = round(CYCLE_S * 1e6)


def begun(**changed: Any) -> tuple[Follow, BoxSays]:
    """A session whose first site was said to be ready, one second after the box spoke."""
    follow = Follow(a_visit(**changed))
    box = BoxSays(follow)
    box.wait(1.0)
    assert do(follow, "ready")
    return follow, box


def do(follow: Follow, word: str, **fields: Any) -> bool:
    return take_command(follow, word, fields)[0]


def state(follow: Follow) -> dict[str, Any]:
    return state_of(follow)


def codes(follow: Follow) -> set[str]:
    return set(follow.problems.standing) - {problems.UNSIGNED_PROTOCOL}


def run_site(box: BoxSays, trains_n: int = 4) -> None:
    """Rest is over: give trains as planned, and wait for the last cycle to end."""
    for _ in range(trains_n):
        onset_us = box.train()
        box.until(onset_us + CYCLE_US)


def edges_of(follow: Follow) -> Any:
    import numpy as np

    return np.array([message["at_s"] for message in follow.said if message["kind"] == "pulse"])


def host_notes(follow: Follow) -> tuple[HostNote, ...]:
    return tuple(HostNote(event, 0.0, None, fields) for event, fields in follow.noted)


def test_a_session_as_planned_goes_from_phase_to_phase_without_a_problem() -> None:
    follow = Follow(a_visit())
    assert state(follow)["phase"] == "no_box"
    box = BoxSays(follow)
    box.wait(1.0)
    assert (state(follow)["phase"], state(follow)["site"], state(follow)["rest_left_s"]) == ("waiting", "BF3-L", REST_S)
    assert do(follow, "ready")
    assert state(follow)["phase"] == "rest"
    box.wait(4.0)
    assert state(follow)["rest_left_s"] == pytest.approx(6.0, abs=0.06)
    box.wait(6.1)
    onset_us = box.train(5)
    now = state(follow)
    assert (now["phase"], now["train_k"], now["intensity_mso_pct"], now["pulses_delivered_n"]) == (
        "rest",
        1,
        30.0,
        5,
    ), "half of ten pulses make a train with the next look at the clock"
    box.until(onset_us + 600_000)
    assert state(follow)["phase"] == "stimulating"
    box.edges(onset_us + 500_000 + k * 100_000 for k in range(1, 5))
    box.edges([onset_us + 1_000_000])
    box.until(onset_us + CYCLE_US - 500_000)
    now = state(follow)
    assert (now["phase"], now["train_k"], now["intensity_mso_pct"]) == ("pause", 2, 40.0)
    assert now["next_train_s"] == pytest.approx(0.5, abs=0.06)
    box.until(onset_us + CYCLE_US)
    run_site(box, 3)
    now = state(follow)
    assert (now["phase"], now["site"], now["train_k"]) == ("move_coil", "5CM-L", 1)
    assert do(follow, "ready")
    box.wait(BETWEEN_S)
    run_site(box)
    now = state(follow)
    assert (now["phase"], now["pulses_delivered_n"], now["pulses_planned_n"]) == ("finished", 80, 80)
    assert codes(follow) == set()
    assert [one for one in follow.done if isinstance(one, TrainDone)] == [
        TrainDone(site, n) for site in (0, 1) for n in (1, 2, 3, 4)
    ]
    assert [one for one in follow.done if isinstance(one, SiteDone)] == [SiteDone(0, False), SiteDone(1, True)]


def test_time_alone_never_advances_a_step() -> None:
    follow, box = begun()
    box.wait(REST_S + 10 * CYCLE_S)
    assert (state(follow)["train_k"], state(follow)["phase"], state(follow)["rest_left_s"]) == (1, "rest", 0.0)
    assert codes(follow) == {problems.NO_TRIGGERS}


@pytest.mark.parametrize(
    ("pulses_n", "period_us", "wanted"),
    [
        (9, 100_000, {problems.MISSING_PULSES}),
        (12, 100_000, {problems.EXTRA_PULSES}),
        (10, 130_000, {problems.WRONG_TRAIN_LENGTH}),
        (14, 100_000, {problems.EXTRA_PULSES, problems.WRONG_TRAIN_LENGTH}),
    ],
)
def test_a_train_that_is_not_as_planned_is_said_when_it_ends_and_taken_back_by_the_next_good_one(
    pulses_n: int, period_us: int, wanted: set[str]
) -> None:
    follow, box = begun()
    box.wait(REST_S)
    onset_us = box.train(pulses_n, period_us)
    box.wait(1.2)
    assert codes(follow) == wanted
    box.until(onset_us + CYCLE_US)
    box.train()
    box.wait(1.2)
    assert codes(follow) == set()
    begins = [fields["code"] for event, fields in follow.noted if event == "problem" and fields["began"]]
    ends = [fields["code"] for event, fields in follow.noted if event == "problem" and not fields["began"]]
    assert set(ends) == wanted == set(begins) - {problems.UNSIGNED_PROTOCOL}, "both stand in the log"


def test_a_train_before_the_rest_is_over_is_said_and_counts() -> None:
    follow, box = begun()
    box.wait(REST_S - 4.0)
    box.train()
    box.wait(1.2)
    assert codes(follow) == {problems.EARLY_TRAIN}
    assert "4 s before" in follow.problems.standing[problems.EARLY_TRAIN].text
    assert state(follow)["train_k"] == 2


def test_a_train_while_nobody_said_ready_begins_the_site_and_single_pulses_do_not() -> None:
    follow = Follow(a_visit())
    box = BoxSays(follow)
    for _ in range(8):  # somebody looks for the motor threshold
        box.wait(5.0)
        box.edges([box.now_us])
    assert state(follow)["phase"] == "waiting"
    box.wait(5.0)
    onset_us = box.train()
    box.wait(1.2)
    assert (state(follow)["phase"], state(follow)["train_k"]) == ("pause", 2)
    assert problems.EARLY_TRAIN in codes(follow)
    [site] = guided_sites(host_notes(follow))
    assert site.begins_s == pytest.approx(onset_us * 1e-6), "the first pulse belongs to it"


def test_stray_pulses_between_trains_shift_no_step() -> None:
    follow, box = begun()
    box.wait(REST_S)
    onset_us = box.train()
    box.until(onset_us + 2_500_000)
    box.edges([box.now_us])
    box.until(onset_us + CYCLE_US)
    box.train()
    box.wait(1.2)
    assert state(follow)["train_k"] == 3


def test_a_pause_long_enough_for_a_train_that_left_no_trigger_is_said() -> None:
    follow, box = begun()
    box.wait(REST_S)
    onset_us = box.train()
    box.until(onset_us + 2 * CYCLE_US - 500_000)
    assert codes(follow) == {problems.NO_TRIGGERS}, "overdue by 3.5 s"
    box.until(onset_us + 2 * CYCLE_US)
    box.train()
    box.wait(1.2)
    assert codes(follow) == {problems.MISSED_TRAIN}


def test_trains_beyond_the_plan_belong_to_the_site_that_was_left_and_are_said() -> None:
    follow, box = begun()
    box.wait(REST_S)
    run_site(box, 5)
    assert problems.EXTRA_TRAINS in codes(follow)
    assert state(follow)["phase"] == "move_coil", "the next site has not begun"
    assert do(follow, "ready")
    assert codes(follow) == set()


def test_catch_trains_are_waited_through_and_never_counted() -> None:
    trains = {
        "kind": "custom", "train_s": 1.0, "pause_s": 3.0, "pulses_n": PULSES_N, "trains_n": 8, "catch_trains_n": 2,
    }  # fmt: skip
    follow, box = begun(trains=trains, intensity={"unit": "%MSO", "steps": [50.0]})
    run = follow.runs[0]
    assert [train.pulses_n for train in run.trains].count(0) == 2
    box.wait(REST_S)
    start_us = box.now_us
    for train in run.trains:
        box.until(start_us + round((train.onset_s - run.trains[0].onset_s) * 1e6))
        if train.pulses_n:
            box.train()
    box.until(start_us + round((run.end_s - run.trains[0].onset_s) * 1e6) + 100_000)
    assert codes(follow) == set()
    assert follow.site is not None
    assert follow.site.is_over
    found = guided_run(guided_sites(host_notes(follow))[0], edges_of(follow))
    assert len(found.trains) == 6
    assert found.notes == ()


def test_passing_a_signed_cap_is_said_with_the_pulse_that_passes_it_and_stands_until_the_end() -> None:
    caps = {"pulses_a_session": 35, "pulses_a_day": 1000, "train_s": 1.5, "source": "a test"}
    follow = Follow(a_visit())
    follow.visit = follow.visit.model_copy(
        update={"protocol": follow.visit.protocol.model_copy(update={"caps": _caps(caps)})}
    )
    box = BoxSays(follow)
    box.wait(1.0)
    do(follow, "ready")
    box.wait(REST_S)
    run_site(box, 3)
    assert codes(follow) == set()
    box.train(6)
    box.wait(0.1)
    assert problems.OVER_CAP in codes(follow), "the 36th pulse"
    box.train(8, 250_000)
    box.wait(0.1)
    assert "longer than 1.5 s" in follow.problems.standing[problems.OVER_CAP].text, "while it is still given"
    box.wait(20.0)
    assert problems.OVER_CAP in codes(follow)


def test_no_site_begins_after_more_pulses_than_the_clinic_allows_whoever_acknowledges_it() -> None:
    follow, box = begun()
    follow.visit = follow.visit.model_copy(
        update={"protocol": follow.visit.protocol.model_copy(update={"caps": _caps({"pulses_a_session": 39})})}
    )
    box.wait(REST_S)
    run_site(box)
    assert problems.OVER_CAP in codes(follow)
    assert do(follow, "acknowledge", alarm=problems.OVER_CAP, by="A")
    done, why = take_command(follow, "ready", {})
    assert not done
    assert why == "more pulses than the clinic allows: no further site, end the session"
    assert len(follow.sites) == 1


def _caps(given: dict[str, Any]) -> Any:
    from hbc_host.clinic.protocol_file import Caps

    return Caps(**given)


def test_pulses_of_earlier_today_count_for_the_cap_of_the_day() -> None:
    follow = Follow(a_visit(pulses_before_n=900))
    box = BoxSays(follow)
    box.wait(1.0)
    do(follow, "ready")
    box.wait(REST_S)
    follow.visit = follow.visit.model_copy(update={"pulses_before_n": 995})
    box.train()
    box.wait(0.1)
    assert "1000 pulses today" in follow.problems.standing[problems.OVER_CAP].text


def test_another_site_than_the_next_one_is_begun_and_said() -> None:
    follow = Follow(a_visit())
    box = BoxSays(follow)
    box.wait(1.0)
    assert do(follow, "ready", site="5CM-L")
    assert codes(follow) == {problems.WRONG_ORDER}
    box.wait(BETWEEN_S)
    run_site(box)
    assert state(follow)["site"] == "BF3-L", "which is still to come"
    assert not do(follow, "ready", site="5CM-L"), "it was begun already"


def test_an_intensity_that_the_operator_notes_is_compared_and_used_by_the_analysis() -> None:
    follow, box = begun()
    box.wait(REST_S)
    assert do(follow, "intensity", mso_pct=45.0, by="A")
    assert codes(follow) == {problems.WRONG_INTENSITY}
    assert state(follow)["noted_mso_pct"] == 45.0
    run_site(box)
    assert codes(follow) == set()
    found = guided_run(guided_sites(host_notes(follow))[0], edges_of(follow))
    assert found.intensities_pct.tolist() == [45.0, 40.0, 50.0, 60.0]


def test_edges_that_come_late_and_out_of_order_give_the_same_trains() -> None:
    follow, box = begun()
    box.wait(REST_S)
    onset_us = box.now_us
    times = [onset_us + k * 100_000 for k in range(PULSES_N)]
    box.edges(times[:3])
    box.edge_n += 4  # four are lost on the way
    box.edges(times[7:])
    box.wait(1.5)
    assert codes(follow) == {problems.MISSING_PULSES}
    for k in (5, 3, 6, 4):
        values = values_of(messages.TriggerEdge, edge_n=k, edge_us=times[k], level=1)
        box.say(messages.TriggerEdge, *values)
        box.say(messages.TriggerEdge, *values)  # and once more
    box.wait(0.1)
    assert follow.site is not None
    [train] = follow.site.trains
    assert (train.pulses_n, follow.pulses_n) == (PULSES_N, PULSES_N)


def test_a_box_that_restarts_in_mid_run_loses_no_train_of_the_count() -> None:
    follow, box = begun()
    box.wait(REST_S)
    onset_us = box.train()
    box.until(onset_us + CYCLE_US)
    onset_us = box.train()
    box.until(onset_us + 2_000_000)
    box.restart()
    box.wait(2.0)
    assert problems.BOX_RESTARTED in codes(follow)
    assert state(follow)["train_k"] == 3
    box.train()
    box.wait(1.2)
    assert (state(follow)["train_k"], state(follow)["pulses_delivered_n"]) == (4, 30)


def test_a_lost_electrode_and_a_silent_box_are_problems_that_end() -> None:
    follow, box = begun()
    box.say(messages.Status, *values_of(messages.Status, status_us=box.now_us, leads=messages.LEAD_LA_OFF))
    assert codes(follow) == {problems.LEAD_OFF}
    box.say(messages.Status, *values_of(messages.Status, status_us=box.now_us))
    follow.silence()
    assert codes(follow) == {problems.NO_BOX}
    assert state(follow)["phase"] == "no_box"
    assert not do(follow, "ready")
    box.wait(0.1)
    assert (codes(follow), state(follow)["phase"]) == (set(), "rest")


@pytest.mark.parametrize("word", sorted(COMMANDS))
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"by": 3, "alarm": [], "text": {}},
        {"value": float("nan")},
        {"value": True, "site": "BF3-L"},
        {"mso_pct": 1e9},
    ],
)
def test_words_with_impossible_values_are_refused_or_harmless(word: str, fields: dict[str, Any]) -> None:
    follow, box = begun()
    box.wait(1.0)
    ok, text = take_command(follow, word, fields)
    assert isinstance(text, str)
    assert text
    if not ok:
        assert all(event in ("problem", "site_begins") for event, _ in follow.noted)


def test_leaving_a_site_and_ending_early_are_noted() -> None:
    follow, box = begun()
    box.wait(REST_S)
    box.train()
    box.wait(1.2)
    assert do(follow, "skip_site")
    assert (state(follow)["phase"], state(follow)["site"]) == ("move_coil", "5CM-L")
    assert do(follow, "end", by="A", why="tired")
    assert state(follow)["phase"] == "finished"
    assert [event for event, _ in follow.noted if event in ("site_ends", "stopped")] == ["site_ends", "stopped"]
    assert not do(follow, "ready")


# -- trains of all kinds -----------------------------------------------------------------------------------------------

given_trains = st.lists(
    st.tuples(st.integers(1, 16), st.sampled_from([50_000, 100_000, 150_000]), st.integers(1_200_000, 7_000_000)),
    max_size=5,
)


@settings(max_examples=20, deadline=None)
@given(trains=given_trains)
def test_whatever_is_given_the_count_is_that_of_the_analysis_and_a_rebuilt_session_stands_where_it_stood(
    trains: list[tuple[int, int, int]],
) -> None:
    follow, box = begun()
    box.wait(REST_S)
    for pulses_n, period_us, pause_us in trains:
        box.train(pulses_n, period_us)
        box.until(box.now_us + period_us + pause_us)
    box.wait(1.2)
    assert follow.pulses_n == sum(pulses_n for pulses_n, _, _ in trains)
    [site, *_] = guided_sites(host_notes(follow))
    found = guided_run(site, edges_of(follow))
    first = follow.sites[0]
    assert list(found.trains) == first.trains[: len(found.trains)]
    assert state(follow)["pulses_delivered_n"] == follow.pulses_n
    again = Follow(follow.visit)
    hear = BoxSays(again)
    hear.wait(1.0)
    for event, fields in follow.noted:
        if event == "site_begins" and fields["site_idx"] == 0:
            hear_note(again, event, fields)
    hear.wait(REST_S)
    for pulses_n, period_us, pause_us in trains:
        hear.train(pulses_n, period_us)
        hear.until(hear.now_us + period_us + pause_us)
    hear.wait(1.2)
    assert state(again) == state(follow)


def test_notes_that_are_no_notes_of_ours_make_no_site() -> None:
    bad: list[dict[str, Any]] = [
        {}, {"site": 3, "begins_us": 1, "trains": []}, {"site": "A", "begins_us": "1", "trains": [[1, 2]]},
        {"site": "A", "begins_us": 1, "trains": [[1]]}, {"site": "A", "begins_us": 1, "trains": [[float("inf"), 2]]},
        {"site": "A", "begins_us": 1, "trains": [[50.0, -3]]}, {"site": "A", "begins_us": 1, "trains": []},
    ]  # fmt: skip
    notes = [HostNote("site_begins", 0.0, None, fields) for fields in bad]
    notes += [HostNote("site_ends", 0.0, None, {"site": "A"}), HostNote("intensity", 0.0, None, {"site": "A"})]
    assert guided_sites(notes) == []
    follow = Follow(a_visit())
    for note in notes:
        hear_note(follow, note.event, note.fields)
    assert follow.sites == {}


def test_a_box_that_restarts_does_not_turn_back_the_observation_of_a_patient() -> None:
    follow, box = begun()
    assert do(follow, "adverse_event", what="syncope", severity="mild", text="", by="A")
    box.wait(30.0)
    box.restart()
    box.wait(5.0)
    assert state(follow)["observation"]["elapsed_s"] == pytest.approx(35.0, abs=0.2)


def test_the_observation_of_a_patient_goes_on_while_the_box_is_away_and_after_it_comes_back_with_a_new_clock() -> None:
    follow, box = begun()
    assert do(follow, "adverse_event", what="syncope", severity="mild", text="", by="A")
    box.wait(10.0)
    follow.silence()
    follow.away_s = 300.0  # as the engine says, by the computer's clock
    assert state(follow)["observation"]["elapsed_s"] == pytest.approx(310.0, abs=0.2)
    box.restart()
    follow.away_s = 0.0
    box.wait(5.0)
    assert state(follow)["observation"]["elapsed_s"] == pytest.approx(315.0, abs=0.2)


def away(follow: Follow, away_s: float) -> None:
    """As the engine says it, by the computer's clock."""
    follow.silence()
    follow.away_s = away_s


def event(follow: Follow) -> dict[str, Any]:
    assert do(follow, "adverse_event", what="syncope", severity="mild", text="", by="A")
    return follow.noted[-1].fields


def elapsed_s(follow: Follow) -> float:
    return float(state(follow)["observation"]["elapsed_s"])


def clock_leaps(box: BoxSays, seconds: float) -> None:
    """The box went on without being heard; the first it says is no ECG."""
    box.now_us += round(seconds * 1e6)
    box.say(messages.Status, *values_of(messages.Status, status_us=box.now_us))


def test_an_observation_that_begins_while_the_box_is_away_begins_at_nothing_and_stays_right_when_it_is_back() -> None:
    follow, box = begun()
    away(follow, 300.0)
    assert event(follow)["at_us"] == follow.now_us + 300_000_000
    assert elapsed_s(follow) == pytest.approx(0.0, abs=0.2)
    away(follow, 310.0)
    assert elapsed_s(follow) == pytest.approx(10.0, abs=0.2)
    clock_leaps(box, 310.0)
    assert elapsed_s(follow) == pytest.approx(10.0, abs=0.2), "heard again, and no ECG yet"
    box.wait(5.0)
    assert elapsed_s(follow) == pytest.approx(15.0, abs=0.2)


def test_an_observation_that_begins_while_the_box_is_away_stays_right_when_it_comes_back_with_a_new_clock() -> None:
    follow, box = begun()
    away(follow, 300.0)
    event(follow)
    away(follow, 310.0)
    box.restart()
    box.now_us = 20_000_000
    box.wait(5.0)
    assert elapsed_s(follow) == pytest.approx(15.0, abs=0.2)


@pytest.mark.parametrize("uptime_s", [0.0, 20.0, 290.0])
def test_what_a_restarted_box_counted_before_it_was_heard_is_not_counted_twice(uptime_s: float) -> None:
    follow, box = begun()
    event(follow)
    box.wait(10.0)
    away(follow, 300.0)
    box.restart()
    box.now_us = round(uptime_s * 1e6)
    box.wait(5.0)
    assert elapsed_s(follow) == pytest.approx(315.0, abs=0.2)


def test_a_computer_that_slept_while_the_box_was_away_does_not_end_an_observation_early() -> None:
    follow, box = begun()
    away(follow, 4.0)  # of 600 s: its clock stood still while it slept
    event(follow)
    away(follow, 10.0)
    clock_leaps(box, 606.0)
    box.wait(1.0)
    assert elapsed_s(follow) == pytest.approx(7.0, abs=0.2)


def test_an_observation_that_begins_before_the_first_box_is_heard_does_not_take_its_clock_for_its_own() -> None:
    follow = Follow(a_visit())
    event(follow)
    box = BoxSays(follow)
    box.now_us = 3_600_000_000
    box.wait(5.0)
    assert elapsed_s(follow) == pytest.approx(5.0, abs=0.2)


def test_an_observation_that_stands_in_the_log_alone_never_ends_before_the_one_that_was_heard() -> None:
    follow, box = begun()
    away(follow, 300.0)
    note = event(follow)
    again, hear = begun()
    hear_note(again, "adverse_event", note)
    assert elapsed_s(again) == 0.0, "of which the log knows nothing yet"
    for one in (box, hear):
        clock_leaps(one, 310.0)
        one.wait(5.0)
    assert elapsed_s(follow) == pytest.approx(5.0, abs=0.2), "in doubt it lasts longer"
    assert elapsed_s(again) == pytest.approx(elapsed_s(follow), abs=0.01)


def test_a_rating_while_the_coil_is_moved_is_of_the_site_that_is_over() -> None:
    follow, box = begun()
    box.wait(REST_S)
    run_site(box)
    assert (state(follow)["phase"], state(follow)["site"]) == ("move_coil", "5CM-L")
    assert do(follow, "rating", site="", value=6)
    [note] = [fields for event, fields in follow.noted if event == "rating"]
    assert note["site"] == "BF3-L"
    fresh = Follow(a_visit())
    assert take_command(fresh, "rating", {"value": 6}) == (False, "no site has begun")

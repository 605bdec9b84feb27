"""Too fast: the clinic's upper limit is watched, and neither extra beats nor counted T waves pass it by themselves."""

from __future__ import annotations

import pytest
from hbc_host.alarm_criteria import AlarmCriteria, criteria_of, parse_criteria
from hbc_host.alarms import FAST, SLOW, AlarmMonitor
from hbc_host.clinic.protocol_file import Alarms
from support_alarms import kinds, play, steady

ONLY_FAST = AlarmCriteria(fall_bpm=None, fall_pct=None, below_bpm=None, pause_s=None, above_bpm=130.0)


def test_a_heart_above_the_limit_raises_an_alarm_with_its_numbers_and_the_end_is_said() -> None:
    beats = steady(80, 0.5, 40.0)
    beats += steady(150, beats[-1] + 0.4, 60.0)
    beats += steady(80, beats[-1] + 0.75, 90.0)
    alarms = play(AlarmMonitor(ONLY_FAST), beats, 90.0)
    assert kinds(alarms) == [(FAST, True), (FAST, False)]
    at_s, raised = alarms[0]
    assert (raised.limit, raised.unit) == (130.0, "bpm")
    assert raised.measured is not None
    assert 130.0 < raised.measured <= 150.0, "the mean of the last seven intervals"
    assert "upper limit 130" in raised.text
    seventh_s = next(beat for beat in beats if beat > 40.0) + 6 * 0.4
    assert raised.met_us * 1e-6 == pytest.approx(seventh_s, abs=0.9), "seven fast intervals"
    assert at_s - raised.met_us * 1e-6 == pytest.approx(0.3, abs=0.06), "the detector's own delay"


def test_extra_beats_and_t_waves_counted_now_and_then_are_no_tachycardia() -> None:
    beats = steady(75, 0.5, 120.0)
    t_waves = [beat + 0.3 for beat in beats[::4]]
    ectopic = [beat + 0.45 for beat in beats[1::9]]
    assert play(AlarmMonitor(ONLY_FAST), sorted([*beats, *t_waves, *ectopic]), 120.0) == []


def test_nobody_watches_it_unless_the_clinic_has_set_it() -> None:
    assert play(AlarmMonitor(AlarmCriteria()), steady(180, 0.5, 60.0), 60.0) == []
    assert parse_criteria("above=130") == AlarmCriteria(above_bpm=130.0)


def test_the_signed_table_is_what_is_watched() -> None:
    table = Alarms(fall_bpm=12.0, fall_pct=15.0, lowest_bpm=45.0, highest_bpm=140.0, pause_s=2.5)
    assert criteria_of(table) == AlarmCriteria(12.0, 15.0, 45.0, 2.5, 140.0)
    assert criteria_of(Alarms()) is None, "an empty table watches nothing"


def test_a_fall_says_what_was_measured_against_which_limit() -> None:
    beats = steady(80, 0.5, 70.0)
    beats += steady(60, beats[-1] + 1.0, 90.0)
    [(_, raised)] = play(AlarmMonitor(AlarmCriteria()), beats, 90.0)
    assert raised.kind == SLOW
    assert raised.limit == pytest.approx(65.0, abs=0.5)
    assert raised.measured is not None
    assert raised.measured <= raised.limit

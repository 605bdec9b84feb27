"""Alarms: what must raise one, what must not, and how soon."""

from __future__ import annotations

import math
import random
import threading
import time

import pytest
from hbc_host.alarm_watch import AlarmWatch
from hbc_host.alarms import NOT_VISIBLE, PAUSE, SLOW, Alarm, AlarmCriteria, AlarmMonitor, parse_criteria
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.errors import InputError
from hbc_host.protocol import frame
from hbc_wire import messages
from support import hello_values, values_of
from support_alarms import kinds, make, play, steady

WAIT_S = 120.0  # other work may hold this computer up


def test_a_pause_is_said_within_half_a_second_of_its_limit_and_its_end_is_said_too() -> None:
    beats = steady(70, 0.5, 30.0)
    after = steady(70, beats[-1] + 5.0, 60.0)
    alarms = play(AlarmMonitor(AlarmCriteria()), beats + after, 60.0)
    assert kinds(alarms) == [(PAUSE, True), (PAUSE, False)]
    at_s, alarm = alarms[0]
    assert alarm.met_us == round((beats[-1] + 3.0) * 1e6)
    assert 0.3 <= at_s - alarm.met_us * 1e-6 <= 0.36
    assert "no heart beat for 3 s: stop stimulating" in alarm.text


def test_the_published_syncope_from_80_to_60_is_said_with_the_beat_that_shows_it() -> None:
    fast = steady(80, 0.5, 90.0)
    slow = steady(60, fast[-1] + 1.0, 110.0)
    alarms = play(AlarmMonitor(AlarmCriteria()), fast + slow, 110.0)
    assert kinds(alarms)[0] == (SLOW, True)
    at_s, alarm = alarms[0]
    fifth_slow_s = slow[4]  # five of the last seven intervals are long: their mean is 64 bpm
    assert alarm.met_us == pytest.approx(fifth_slow_s * 1e6, abs=1)
    assert at_s - alarm.met_us * 1e-6 == pytest.approx(0.3)
    assert "fell from 80 to 65 bpm, limit 15 less" in alarm.text


def test_an_absolute_limit_is_watched_only_when_the_clinic_gives_one() -> None:
    beats = steady(44, 0.5, 60.0)
    assert play(AlarmMonitor(AlarmCriteria()), beats, 60.0) == []
    [(_, alarm)] = play(AlarmMonitor(AlarmCriteria(below_bpm=45.0)), beats, 60.0)
    assert "heart rate 44 bpm, limit 45" in alarm.text


@pytest.mark.parametrize("seed", range(8))
def test_ectopic_and_missed_beats_and_breathing_raise_nothing(seed: int) -> None:
    """Breathing of 6 bpm; every tenth beat early with a compensatory pause; one of a hundred not found."""
    draw = random.Random(seed)
    beats, at_s = [], 0.5
    while at_s < 300.0:
        period_s = 60.0 / (70.0 + 6.0 * math.sin(2 * math.pi * 0.25 * at_s) + draw.gauss(0.0, 1.0))
        early = draw.random() < 0.1
        beats.append(at_s - (0.3 * period_s if early else 0.0))
        at_s += period_s
    found = [at for at in beats if draw.random() > 0.01]
    assert play(AlarmMonitor(AlarmCriteria()), found, 300.0) == []


def test_a_lead_that_is_off_is_not_a_pause() -> None:
    beats = steady(70, 0.5, 20.0)
    off = [(20.0 + k, make(messages.Status, status_us=(20 + k) * 1_000_000, leads=1)) for k in range(10)]
    on = [(30.0, make(messages.Status, status_us=30_000_000))]
    later = steady(70, 31.0, 45.0)
    alarms = play(AlarmMonitor(AlarmCriteria()), beats + later, 45.0, off + on)
    assert kinds(alarms) == [(NOT_VISIBLE, True), (NOT_VISIBLE, False)]
    assert "heart not visible (an electrode is off)" in alarms[0][1].text


def test_a_flat_line_is_a_pause_and_noise_without_beats_is_not_visible() -> None:
    beats = steady(70, 0.5, 20.0)
    for state, kind in ((4, PAUSE), (1, NOT_VISIBLE), (2, NOT_VISIBLE)):
        health = [(20.5, make(messages.Health, health_us=20_500_000, signal_state=state))]
        alarms = play(AlarmMonitor(AlarmCriteria()), beats, 30.0, health)
        assert kinds(alarms) == [(kind, True)], state
    health = [(20.5, make(messages.Health, health_us=20_500_000, signal_state=1))]
    assert play(AlarmMonitor(AlarmCriteria()), steady(70, 0.5, 30.0), 30.0, health) == [], "beats are seen in the noise"


def test_a_hole_in_the_data_is_no_pause_and_events_fetched_later_change_nothing() -> None:
    beats = steady(70, 0.5, 20.0) + steady(70, 30.0, 50.0)
    old = [(45.0, make(messages.RPeak, peak_n=3, peak_us=1_000_000))]
    monitor = AlarmMonitor(AlarmCriteria())
    assert play(monitor, beats, 50.0, old, without_s=(20.0, 30.0)) == []


def test_a_restart_of_the_box_begins_anew() -> None:
    monitor = AlarmMonitor(AlarmCriteria())
    play(monitor, steady(80, 0.5, 60.0), 60.0)
    assert monitor.baseline_bpm == pytest.approx(80.0)
    monitor.take(messages.Hello.make(*hello_values(boot_n=8)))
    assert monitor.baseline_bpm is None
    assert play(monitor, steady(55, 0.5, 60.0), 60.0) == []


def test_the_baseline_is_given_up_after_three_minutes_so_that_a_second_fall_is_seen() -> None:
    beats = steady(80, 0.5, 60.0)
    beats += steady(60, beats[-1] + 1.0, 400.0)
    beats += steady(44, beats[-1] + 1.36, 430.0)
    alarms = play(AlarmMonitor(AlarmCriteria()), beats, 430.0)
    assert kinds(alarms) == [(SLOW, True), (SLOW, False), (SLOW, True)]
    assert "fell from 60 to 48" in alarms[2][1].text


@pytest.mark.parametrize(
    ("text", "criteria"),
    [
        ("", AlarmCriteria()),
        ("below=45", AlarmCriteria(below_bpm=45.0)),
        ("fall=0,fall-pct=0,pause=4.5", AlarmCriteria(None, None, None, 4.5)),
        ("off", None),
    ],
)
def test_criteria_are_read(text: str, criteria: AlarmCriteria | None) -> None:
    assert parse_criteria(text) == criteria


@pytest.mark.parametrize("text", ["below", "belo=3", "pause=-1", "pause=nan", "pause=inf", "fall=x"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is none of below=N, fall=N"):
        parse_criteria(text)


def test_the_watch_speaks_from_its_own_thread_and_hands_out_notes() -> None:
    said = threading.Event()
    heard: list[tuple[str, Alarm]] = []

    def speak(alarm: Alarm) -> None:
        heard.append((threading.current_thread().name, alarm))
        said.set()

    blocks = b"".join(
        frame(messages.EcgBlock, k, *values_of(messages.EcgBlock, first_idx=k * 25, first_us=k * 50_000,
                                               ecg_lsb=[0] * 25, residual_us=[0] * 25))
        for k in range(130)
    )  # fmt: skip
    with AlarmWatch(AlarmCriteria(), speak) as watch:
        watch.tap(Chunk(FROM_BOX, time.monotonic(), frame(messages.Hello, 0, *hello_values()) + blocks))
        assert said.wait(WAIT_S), "6.5 s without a beat"
        [note] = watch.notes()
    assert heard[0][0] == "hbc-alarms"
    assert heard[0][1].kind == PAUSE
    assert b'"kind": "pause"' in note.data


def test_silence_of_the_box_is_said() -> None:
    said = threading.Event()
    heard: list[Alarm] = []

    def speak(alarm: Alarm) -> None:
        heard.append(alarm)
        said.set()

    with AlarmWatch(AlarmCriteria(), speak) as watch:
        watch.tap(Chunk(FROM_BOX, time.monotonic(), frame(messages.Hello, 0, *hello_values())))
        assert said.wait(WAIT_S)
    assert heard[0].kind == NOT_VISIBLE
    assert "no data from the box" in heard[0].text


def test_noise_that_clears_without_a_beat_is_a_pause_after_all() -> None:
    health = [
        (20.5, make(messages.Health, health_us=20_500_000, signal_state=messages.SIGNAL_HUM)),
        (26.5, make(messages.Health, health_us=26_500_000, signal_state=messages.SIGNAL_GOOD)),
    ]
    alarms = play(AlarmMonitor(AlarmCriteria()), steady(70, 0.5, 20.0), 40.0, health)
    began = [(alarm.kind, at_s) for at_s, alarm in alarms if alarm.began]
    assert [kind for kind, _ in began] == [NOT_VISIBLE, PAUSE]
    assert began[1][1] < 26.5 + 3.0 + 0.5


def test_what_was_on_when_the_box_began_anew_is_said_to_be_over() -> None:
    monitor = AlarmMonitor(AlarmCriteria())
    play(monitor, steady(70, 0.5, 20.0), 30.0)
    over = monitor.take(messages.Hello.make(*hello_values(boot_n=8)))
    assert [(alarm.kind, alarm.began) for alarm in over] == [(PAUSE, False)]


def test_bytes_without_ecg_do_not_hide_that_nobody_watches() -> None:
    said = threading.Event()
    heard: list[Alarm] = []

    def speak(alarm: Alarm) -> None:
        heard.append(alarm)
        said.set()

    with AlarmWatch(AlarmCriteria(), speak) as watch:
        watch.tap(Chunk(FROM_BOX, time.monotonic(), frame(messages.Hello, 0, *hello_values())))
        until_s = time.monotonic() + WAIT_S
        while not said.wait(0.05) and time.monotonic() < until_s:
            watch.tap(Chunk(FROM_BOX, time.monotonic(), b"rst:0x10 (RTCWDT_RTC_RESET)\r\n"))
    assert [alarm.kind for alarm in heard[:1]] == [NOT_VISIBLE]


def test_a_voice_that_fails_does_not_end_the_watch() -> None:
    spoken_n = 0

    def speak(_: Alarm) -> None:
        nonlocal spoken_n
        spoken_n += 1
        raise BrokenPipeError("the terminal is gone")

    def block(k: int) -> bytes:
        values = values_of(
            messages.EcgBlock, first_idx=k * 25, first_us=k * 50_000, ecg_lsb=[0] * 25, residual_us=[0] * 25
        )
        return frame(messages.EcgBlock, k, *values)

    with AlarmWatch(AlarmCriteria(), speak) as watch:
        watch.tap(Chunk(FROM_BOX, time.monotonic(), frame(messages.Hello, 0, *hello_values())))
        watch.tap(Chunk(FROM_BOX, time.monotonic(), b"".join(block(k) for k in range(130))))
        off = frame(messages.Status, 0, *values_of(messages.Status, status_us=6_600_000, leads=1))
        watch.tap(Chunk(FROM_BOX, time.monotonic(), off))
        until_s = time.monotonic() + WAIT_S
        while spoken_n < 2 and time.monotonic() < until_s:
            time.sleep(0.05)
        notes = watch.notes()
    assert spoken_n >= 2
    assert len(notes) >= 2


def test_a_heart_that_fell_and_then_passes_the_absolute_limit_raises_again() -> None:
    """The fall may be acknowledged by then; the limit is another reason to stop."""
    beats = steady(80, 0.5, 60.0)
    beats += steady(60, beats[-1] + 1.0, 80.0)
    beats += steady(38, beats[-1] + 60 / 38, 110.0)
    beats += steady(80, beats[-1] + 0.75, 140.0)
    alarms = play(AlarmMonitor(AlarmCriteria(below_bpm=40.0)), beats, 140.0)
    assert kinds(alarms) == [(SLOW, True), (SLOW, True), (SLOW, False)]
    assert "fell from 80" in alarms[0][1].text
    assert "limit 40: stop stimulating" in alarms[1][1].text
    at_once = steady(80, 0.5, 60.0) + steady(30, 62.0, 90.0)
    found = play(AlarmMonitor(AlarmCriteria(below_bpm=70.0, pause_s=None)), at_once, 90.0)
    assert kinds(found) == [(SLOW, True)], "both by the same beat are one"


def test_a_watch_that_failed_and_watches_again_says_that_too() -> None:
    monitor = AlarmMonitor(AlarmCriteria())
    play(monitor, steady(70, 0.5, 20.0), 20.0)
    [began] = monitor.failed("KeyError()")
    assert (began.kind, began.began) == (NOT_VISIBLE, True)
    assert "the alarm watch failed: KeyError()" in began.text
    assert monitor.failed("KeyError()") == [], "once, not with every block"
    blocks = [
        make(messages.EcgBlock, first_idx=k * 25, first_us=k * 50_000, ecg_lsb=(0,) * 25) for k in range(400, 520)
    ]
    found = [(0.0, alarm) for block in blocks for alarm in monitor.take(block)]
    assert (NOT_VISIBLE, False) in kinds(found)

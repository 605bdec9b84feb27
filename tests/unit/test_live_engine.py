"""The engine: alarms and problems reach page and log at once, what people say is kept, and nothing stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hbc_host.alarms import NOT_VISIBLE, SLOW, Alarm
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.live import disk_now, problems
from hbc_host.live.disk_now import DiskNow
from hbc_host.live.engine import Engine
from hbc_host.live.feed import Feed
from hbc_host.live.feed_client import FeedClient
from hbc_host.live.follow import SILENT_S, Follow
from hbc_host.live.over import closed_words
from hbc_host.live.rebuild import rebuild
from hbc_host.live.teller import WAITING_MAX_N, Teller
from hbc_host.live.words_now import take_command
from hbc_host.parts import note, note_of
from hbc_host.protocol import frame
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.recording import Recording
from hbc_wire import messages
from support import box_frames, hello_values, values_of
from support_live import a_visit

WAIT_S = 120.0  # this computer may be busy


@dataclass
class Running:
    """An engine with a client at its feed, and the notes that a recorder took."""

    engine: Engine
    follow: Follow
    client: FeedClient
    notes: list[dict[str, Any]] = field(default_factory=list)
    seq: int = 0

    def say(self, message: Any, *values: Any) -> None:
        self.seq += 1
        self.engine.tap(Chunk(FROM_BOX, time.monotonic(), frame(message, self.seq, *values)))

    def until(self, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first state like this; ECG is sent meanwhile, so that the box is there."""
        limit_s = time.monotonic() + WAIT_S
        while time.monotonic() < limit_s:
            self.say(messages.Hello, *hello_values())
            self.say(messages.EcgBlock, *values_of(messages.EcgBlock, first_us=1_000_000))
            message = self.client.receive(0.05)
            self.take_notes()
            if message is not None and message["kind"] == "state" and what(message):
                return message
        raise AssertionError("it does not come to that")

    def take_notes(self) -> list[dict[str, Any]]:
        self.notes += [note_of(chunk) for chunk in self.engine.notes()]
        return self.notes

    def noted(self, event: str) -> list[dict[str, Any]]:
        limit_s = time.monotonic() + WAIT_S
        while not (found := [one for one in self.take_notes() if one["event"] == event]):
            assert time.monotonic() < limit_s, f"no {event} in the log"
            time.sleep(0.01)
        return found


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    follow = Follow(a_visit())
    with (
        Feed(folder) as feed,
        FeedClient(folder) as client,
        Engine(follow, folder, feed, clock=time.monotonic, stop=lambda: False) as engine,
    ):
        yield Running(engine, follow, client)


def test_an_alarm_is_told_with_its_numbers_and_seen_and_acknowledged_by_name(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        text = "heart rate fell from 80 to 60 bpm"
        session.engine.alarm(Alarm(SLOW, True, 12_345_678, text, 60.2, 65.0, "bpm"))
        [told] = session.until(lambda state: bool(state["alarms"]))["alarms"]
        assert (told["kind"], told["text"], told["measured"], told["limit"]) == (SLOW, text, 60.2, 65.0)
        session.client.send("acknowledge", alarm=told["id"], by="A. Jansen")
        state = session.until(lambda state: bool(state["alarms"][0]["acknowledged_by"]))
        assert state["alarms"][0]["acknowledged_by"] == "A. Jansen"
        assert session.noted("acknowledged") == [{"event": "acknowledged", "alarm": told["id"], "by": "A. Jansen"}]
        session.engine.alarm(Alarm(SLOW, False, 22_345_678, "over: slow"))
        assert session.until(lambda state: state["alarms"][0]["over"])["alarms"][0]["id"] == told["id"]


def test_a_heart_that_cannot_be_seen_is_a_problem_and_no_alarm(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.engine.alarm(Alarm(NOT_VISIBLE, True, 1, "heart not visible (an electrode is off)"))
        state = session.until(lambda state: "heart_not_visible" in [one["code"] for one in state["problems"]])
        assert state["alarms"] == []
        session.client.send("acknowledge", alarm="heart_not_visible", by="A")
        session.noted("acknowledged")
        session.engine.alarm(Alarm(NOT_VISIBLE, False, 2, "over"))
        session.until(lambda state: "heart_not_visible" not in [one["code"] for one in state["problems"]])


def test_the_time_without_a_box_is_counted_by_the_clock_of_the_computer(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        assert session.follow.away_s == 0.0
        limit_s = time.monotonic() + WAIT_S
        while session.follow.away_s < SILENT_S + 0.2:
            assert time.monotonic() < limit_s
            time.sleep(0.02)
        assert not session.follow.connected
        session.until(lambda state: state["phase"] == "waiting")


def test_a_terminal_that_is_frozen_holds_nobody_up_and_what_it_missed_is_the_newest() -> None:
    frozen, told = threading.Event(), []

    def tell(line: str) -> None:
        frozen.wait(WAIT_S)
        told.append(line)

    with Teller(tell) as teller:
        began_s = time.monotonic()
        for n in range(WAITING_MAX_N + 500):
            teller.say(f"line {n}")
        assert time.monotonic() - began_s < WAIT_S / 2, "nobody waited"
        frozen.set()
    assert told[:2] == ["line 0", "line 1"]
    assert WAITING_MAX_N <= len(told) <= WAITING_MAX_N + 1


def test_a_terminal_that_takes_long_for_a_full_queue_still_gets_all_of_it_and_the_thread_ends() -> None:
    frozen, told = threading.Event(), []

    def tell(line: str) -> None:
        frozen.wait(WAIT_S)
        told.append(line)

    teller = Teller(tell)
    with teller:
        for n in range(WAITING_MAX_N + 1):
            teller.say(f"line {n}")
        threading.Timer(0.3, frozen.set).start()  # when the end is waiting for room already
    assert len(told) >= WAITING_MAX_N
    teller._thread.join(WAIT_S)
    assert not teller._thread.is_alive()


def test_an_adverse_event_is_kept_and_starts_the_observation(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        session.client.send("adverse_event", what="syncope", severity="severe", text="pale", by="A")
        state = session.until(lambda state: state["observation"] is not None)
        assert state["observation"]["what"] == "syncope"
        [note] = session.noted("adverse_event")
        assert (note["severity"], note["text"], note["by"]) == ("severe", "pale", "A")
        session.client.send("observation_over", by="B")
        session.until(lambda state: state["observation"] is None)
        assert session.noted("observation_over")[0]["by"] == "B"


def test_silence_of_the_box_is_said_and_its_return_too(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        limit_s = time.monotonic() + WAIT_S
        while time.monotonic() < limit_s:
            message = session.client.receive(0.5)
            if message is not None and message["kind"] == "state" and message["phase"] == "no_box":
                break
        else:
            raise AssertionError("nobody says that the box is gone")
        session.until(lambda state: state["phase"] == "waiting")


def test_a_fault_in_the_engine_ends_neither_the_session_nor_its_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        session.follow.alarms = None  # type: ignore[assignment]  # as a bug would leave it
        session.engine.alarm(Alarm(SLOW, True, 1, "slow"))
        limit_s = time.monotonic() + WAIT_S
        while "engine failed" not in caplog.text:
            assert time.monotonic() < limit_s
            time.sleep(0.01)
        session.follow.alarms = type(Follow(a_visit()).alarms)()
        session.client.send("remark", text="still here")
        assert session.noted("remark")[0]["text"] == "still here"


def test_too_little_room_on_the_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = DiskNow(tmp_path)
    disk.look()
    assert disk.left_s is not None
    assert disk.left_s > 0
    monkeypatch.setattr(disk_now, "ENOUGH_S", float("inf"))
    full = DiskNow(tmp_path)
    full.look()
    assert "on the disk" in full.trouble
    gone = DiskNow(tmp_path / "gone")
    gone.look()
    assert gone.trouble == "", "not known is not full"
    assert "cannot be looked at" in gone.unknown


def test_a_log_that_ends_in_the_middle_is_taken_up_where_it_stood(tmp_path: Path) -> None:
    sent = box_frames(60.0)
    data = b"".join(one.data for one in sent)
    stood = []
    for cut in (len(data) // 2, len(data) // 2 - 7, len(data)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        log = LogWriter(folder / LOG_NAME)
        log.append(Chunk(FROM_BOX, 1.0, data[:cut]))
        log.close()
        follow = rebuild(folder, a_visit(trains={"kind": "dash", "trains_n": 4}, caps={}))
        stood.append((len(follow.sites[0].trains), follow.pulses_n, follow.connected))
    assert stood[0] == stood[1] == (2, 100, False)
    assert stood[2][0] == 4


@pytest.mark.parametrize("boot_n", [7, 8])
def test_a_session_taken_up_again_knows_how_long_a_patient_was_observed_while_the_box_was_away(
    tmp_path: Path, boot_n: int
) -> None:
    visit = a_visit()
    follow = Follow(visit)
    log = LogWriter(tmp_path / LOG_NAME)

    def hear(host_s: float, message: Any, **values: Any) -> None:
        hello = hello_values(boot_n=values["boot_n"]) if message is messages.Hello else values_of(message, **values)
        log.append(Chunk(FROM_BOX, host_s, frame(message, 0, *hello)))
        follow.take(message.make(*hello), 0, host_s)

    hear(1000.0, messages.Hello, boot_n=7)
    hear(1000.0, messages.EcgBlock, first_us=60_000_000)
    follow.silence()
    follow.away_s = 300.0
    assert take_command(follow, "adverse_event", {"what": "syncope", "severity": "mild"})[0]
    log.append(note(1300.0, "adverse_event", **follow.noted[-1].fields))
    follow.away_s = 310.0
    hear(1310.0, messages.Hello, boot_n=boot_n)
    for second in range(2):
        first_us = 370_000_000 if boot_n == 7 else 20_000_000
        hear(1310.0 + second, messages.EcgBlock, first_us=first_us + second * 1_000_000)
    log.close()
    assert follow.observed_s == pytest.approx(11.0, abs=0.2)
    assert rebuild(tmp_path, visit).observed_s == pytest.approx(follow.observed_s, abs=0.01)


def crashed(folder: Path, *alarms: Alarm) -> Follow:
    """What is rebuilt after a crash while these alarms stood."""
    folder.mkdir()
    log = LogWriter(folder / LOG_NAME)
    log.append(Chunk(FROM_BOX, 1.0, b"".join(one.data for one in box_frames(5.0))))
    for alarm in alarms:
        log.append(note(2.0, "alarm", kind=alarm.kind, began=True, met_us=alarm.met_us, text=alarm.text))
    log.close()
    return rebuild(folder, a_visit(trains={"kind": "dash", "trains_n": 4}, caps={}))


def test_alarms_that_stood_at_a_crash_do_not_stand_for_ever(tmp_path: Path) -> None:
    follow = crashed(tmp_path / "s", Alarm(SLOW, True, 3_000_000, "slow"), Alarm(NOT_VISIBLE, True, 4_000_000, "gone"))
    assert "heart_not_visible" not in follow.problems.standing
    [alarm] = follow.alarms.fields()
    assert (alarm["over"], alarm["acknowledged_by"]) == (True, ""), "over, and still to be acknowledged"
    ends = [fields["kind"] for event, fields in follow.noted if event == "alarm" and not fields["began"]]
    assert ends == [NOT_VISIBLE, SLOW], "the log says so, too"


def test_what_is_said_after_the_recording_closed_is_refused_and_not_lost_unseen(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        session.engine.alarm(Alarm(SLOW, True, 12_345_678, "slow"))
        [alarm] = session.until(lambda state: bool(state["alarms"]))["alarms"]
        session.engine.closed()
        session.client.send("adverse_event", what="syncope", severity="severe", text="pale", by="A")
        told = done_of(session)
        assert (told["ok"], told["text"]) == (False, closed_words(a_visit()))
        session.client.send("acknowledge", alarm=alarm["id"], by="A")
        assert not done_of(session)["ok"], "the log does not have it"
        session.until(lambda state: bool(state["alarms"][0]["acknowledged_by"]))
        assert "adverse_event" not in [one["event"] for one in session.take_notes()]


def test_a_recording_that_broke_off_is_not_over_and_its_alarm_stays(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        session.engine.alarm(Alarm(SLOW, True, 12_345_678, "slow"))
        session.until(lambda state: bool(state["alarms"]))
        session.engine.closed()
        for _ in range(2):
            state = session.until(lambda state: True)
            assert (state["over_why"], len(state["alarms"])) == ("", 1)
        session.engine.over()
        session.until(lambda state: state["over_why"] == closed_words(a_visit()))


def test_what_was_heard_before_the_recording_closed_is_written_down_however_busy_the_computer(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        for n in range(300):
            session.engine.alarm(Alarm(SLOW, n % 2 == 0, 12_345_678 + n, "slow"))
        session.engine.alarm(Alarm(NOT_VISIBLE, True, 13_000_000, "gone"))
        session.engine.closed()
        assert "heart_not_visible" in [one["code"] for one in session.take_notes() if one["event"] == "problem"]


def test_a_recording_that_is_closed_misses_no_box(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        session.engine.closed()
        time.sleep(2 * SILENT_S)
        assert session.follow.connected
        assert problems.NO_BOX not in session.follow.problems.standing


def done_of(session: Running) -> dict[str, Any]:
    limit_s = time.monotonic() + WAIT_S
    while time.monotonic() < limit_s:
        message = session.client.receive(0.05)
        if message is not None and message["kind"] == "done":
            return message
    raise AssertionError("no answer")


def test_each_command_is_answered_and_costs_no_frame_of_the_box_whatever_it_holds(tmp_path: Path) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")
        for fields in ({"value": 10**400, "site": "BF3-L"}, {"value": float("1e308"), "site": "BF3-L"}):
            session.client.send("rating", **fields)
            assert not done_of(session)["ok"]
        session.client.send("remark", text="half \ud83d")
        assert not done_of(session)["ok"]
        session.follow.runs = None  # type: ignore[assignment]  # as a bug would leave it
        decoder = session.engine._ear._decoder
        session.client.send("ready")
        assert done_of(session)["text"] == "that failed: write it down on paper"
        session.follow.runs = session.follow.visit.plan.runs
        assert session.engine._ear._decoder is decoder


def test_a_fault_in_what_the_box_says_keeps_no_alarm_from_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as session:
        session.until(lambda state: state["phase"] == "waiting")

        def fail(*_: Any) -> None:
            raise KeyError("a bug")

        monkeypatch.setattr(session.follow, "take", fail)
        session.engine.alarm(Alarm(SLOW, True, 12_345_678, "slow"))
        assert session.until(lambda state: bool(state["alarms"]))["alarms"][0]["kind"] == SLOW


def test_what_people_say_while_the_box_is_looked_for_is_in_the_log_at_once(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / LOG_NAME)
    said = [note(1.0, "remark", text="pale")]
    nothing: Any = None
    recording = Recording(
        nothing, SimpleNamespace(log=log), nothing, lambda: False, time.monotonic, print, False, lambda: said, None,
        nothing, nothing,
    )  # type: ignore[arg-type]  # fmt: skip
    assert recording._waits()
    assert b"pale" in (tmp_path / LOG_NAME).read_bytes()
    log.close()

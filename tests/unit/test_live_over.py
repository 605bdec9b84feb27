"""The end of a session and silence of the box: how long is waited, what is refused then, which time is counted."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hbc_host.app import words
from hbc_host.app.commands import parse_fields
from hbc_host.app.desk import Desk
from hbc_host.app.hub import SILENT_S, Hub
from hbc_host.app.state import LiveState
from hbc_host.app.view import cells, over_words
from hbc_host.app.words import Words
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.cli import app
from hbc_host.live import over
from hbc_host.live.feed import Feed
from hbc_host.live.feed_client import FeedClient
from hbc_host.live.follow import Follow
from hbc_host.live.gate import StoreGate
from hbc_host.live.over import ALONE_S, LastWait, closed_words
from hbc_host.live.rebuild import rebuild
from hbc_host.live.silence import AWAY_S, Silence
from hbc_host.live.words_now import take_command
from hbc_host.parts import note
from hbc_host.protocol import frame
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.report import session_words
from hbc_host.store import records
from hbc_host.store.database import open_store, shown_url, usual_place
from hbc_host.store.records import find_patient
from hbc_host.store.sessions import keep_visit
from hbc_host.store.whereabouts import store_option
from hbc_wire import messages
from support import hello_values, values_of
from support_clinic import put_store
from support_live import a_visit
from typer.testing import CliRunner

EN = Words("en")
NO_PRACTICE = a_visit().model_copy(update={"practice": False})
OVER = closed_words(NO_PRACTICE)


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(over.time, "monotonic", lambda: self.now_s)


def finished() -> Follow:
    follow = Follow(a_visit())
    for idx in range(len(follow.runs)):
        follow.begin_site(idx, idx)
        follow.end_site(idx)
    assert follow.is_finished
    return follow


def test_a_finished_session_counts_down_to_its_end_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wait, follow = Clock(monkeypatch), LastWait(600.0), finished()
    assert not wait.look(follow, 1)
    assert wait.news(follow) == "all sites are done: press E to end the session, or it ends by itself in 10 min"
    clock.now_s += 599.0
    assert not wait.look(follow, 1)
    assert wait.fields("") == {"over_why": "", "ends_in_s": 1.0}
    assert wait.news(follow) == ""
    clock.now_s += 1.0
    assert wait.look(follow, 1)
    assert wait.fields("over") == {"over_why": "over", "ends_in_s": None}


def test_nobody_is_waited_for_when_nobody_is_there_and_an_observation_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, wait, follow = Clock(monkeypatch), LastWait(600.0), finished()
    take_command(follow, "adverse_event", {"what": "syncope", "severity": "mild", "by": "A"})
    assert not wait.look(follow, 1)
    assert wait.fields("")["ends_in_s"] is None
    assert "waits for the end of the observation" in wait.news(follow)
    clock.now_s += 10_000.0
    assert not wait.look(follow, 1)
    assert not wait.look(follow, 0)
    assert wait.fields("")["ends_in_s"] == ALONE_S
    clock.now_s += ALONE_S
    assert wait.look(follow, 0)


def test_a_session_under_way_ends_by_nothing_but_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wait, follow = Clock(monkeypatch), LastWait(1.0), Follow(a_visit())
    clock.now_s += 3600.0
    assert not wait.look(follow, 0)
    assert (wait.fields(""), wait.news(follow)) == ({"over_why": "", "ends_in_s": None}, "")
    take_command(follow, "end", {"by": "A", "why": "x"})
    assert wait.look(follow, 1)


def test_words_that_come_after_the_end_are_each_refused_with_its_reason_those_that_waited_too(tmp_path: Path) -> None:
    with Feed(tmp_path) as feed, FeedClient(tmp_path) as client:
        client.send("remark", text="waits")
        limit_s = time.monotonic() + 120.0
        while feed.commands.empty():
            assert time.monotonic() < limit_s
            time.sleep(0.01)
        feed.refuse(OVER)
        client.send("remark", text="comes later")
        answers = [client.receive(120.0), client.receive(120.0)]
    assert answers == [{"kind": "done", "do": "remark", "ok": False, "text": OVER}] * 2


def on_a_terminal(command: str, answers: bytes, **environment: str) -> tuple[int, str]:
    """A line typed into a shell of a pseudo-terminal, where `hbc` is this program."""
    leader, follower = pty.openpty()
    line = command.replace("hbc", f"{shlex.quote(sys.executable)} -m hbc_host.cli", 1)
    known = {key: value for key, value in os.environ.items() if not key.startswith("HBC_")} | environment
    path = os.pathsep.join(one for one in sys.path if one)
    with subprocess.Popen(
        line, shell=True, stdin=follower, stdout=follower, stderr=follower, env=known | {"PYTHONPATH": path}
    ) as process:
        os.close(follower)
        os.write(leader, answers)
        said = b""
        with contextlib.suppress(OSError):  # the other end is closed: it is over
            while found := os.read(leader, 4096):
                said += found
    os.close(leader)
    return process.returncode, said.decode()


@pytest.mark.parametrize("place", ["of a clinic/store.sqlite", None])
def test_the_command_that_the_page_names_for_an_adverse_event_works_as_it_stands(
    place: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed into another terminal, which knows nothing of the session's store; it asks for the rest."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("HBC_STORE", raising=False)
    store = Path(usual_place()) if place is None else tmp_path / place
    store.parent.mkdir(parents=True)
    put_store(store)
    with open_store(str(store)) as session:
        patient = records.add_patient(session, NO_PRACTICE.pseudonym, records.PatientFacts(), who="me")
        keep_visit(session, patient, NO_PRACTICE, tmp_path, who="me")
    gate = StoreGate(None if place is None else str(store))
    gate.pulses_today(NO_PRACTICE)
    words = gate.closed_words(NO_PRACTICE)
    assert ("--store" in words) == (place is not None)
    command = words.partition(": write adverse events with: ")[2]
    code, said = on_a_terminal(command, b"sync\nmild\non the stairs\n", XDG_DATA_HOME=str(tmp_path / "data"))
    assert code == 0, said
    with open_store(str(store)) as session:
        (event,) = find_patient(session, NO_PRACTICE.pseudonym).events
        assert (event.kind, event.severity, event.text) == ("syncope", "mild", "on the stairs")
        assert event.visit_id is not None


def test_without_a_terminal_the_command_says_what_is_missing(tmp_path: Path) -> None:
    put_store(tmp_path / "store.sqlite")
    with open_store(str(tmp_path / "store.sqlite")) as session:
        records.add_patient(session, "P-1", records.PatientFacts(), who="me")
    done = CliRunner().invoke(app, ["patient", "event", "P-1", "--store", str(tmp_path / "store.sqlite")])
    assert done.exit_code == 2
    assert "KIND must be given: one of headache" in done.output


def test_a_session_that_no_store_knows_names_no_command(tmp_path: Path) -> None:
    gate = StoreGate(str(tmp_path / "none.sqlite"))
    gate.pulses_today(NO_PRACTICE)
    assert gate.closed_words(NO_PRACTICE).endswith("write adverse events down on paper.")


@pytest.mark.parametrize("secret", ["ann:secret@server/hbc", "ann@server/hbc?password=secret"])
def test_a_password_of_the_store_never_stands_on_a_page_and_what_stands_there_is_an_address(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the password, for which the server's own ways (PGPASSWORD, a file) are asked; no *** to log in with."""
    monkeypatch.delenv("HBC_STORE", raising=False)
    assert store_option(f"postgresql://{secret}") == ["--store", "postgresql+psycopg://ann@server/hbc"]
    assert "secret" not in shown_url(f"postgresql+psycopg://{secret}")


def test_no_store_is_named_that_other_terminals_have_from_their_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An option would go before HBC_STORE, which has the password; the usual store is named where that is another."""
    monkeypatch.setenv("HBC_STORE", "postgresql://clinic:secret@server/hbc")
    assert store_option(None) == []
    assert store_option(str(tmp_path / "a.sqlite")) == ["--store", str(tmp_path / "a.sqlite")]
    assert store_option(usual_place()) == ["--store", str(Path(usual_place()).resolve())]
    monkeypatch.delenv("HBC_STORE")
    assert store_option(usual_place()) == store_option(None) == []


@pytest.mark.parametrize("key", list("ravnoise0x"))
def test_in_a_terminal_keys_that_write_are_refused_after_the_end_and_say_why(key: str) -> None:
    desk = Desk(EN)
    assert desk.key(key, LiveState(), OVER) is None
    assert desk.form is None
    assert desk.prompt == OVER


def test_in_a_terminal_the_keys_rate_from_0_to_10_and_x_is_10() -> None:
    desk = Desk(EN)
    rated = [desk.key(key, LiveState()) for key in "0123456789xX"]
    assert rated == [("rating", {"site": "", "value": value}) for value in (*range(11), 10)]
    assert all(parse_fields(*one) == one for one in rated if one is not None)


def test_page_store_and_report_have_the_same_adverse_events() -> None:
    codes = [kind.replace(" ", "_") for kind in records.EVENT_KINDS]
    assert list(words.EVENTS) == codes
    assert tuple(session_words.EVENT_WORD) == records.EVENT_KINDS
    assert {"headache", "scalp_pain", "nausea", "dizziness", "syncope", "twitching", "hearing_change", "seizure"} <= {
        *codes
    }


def test_in_a_terminal_a_form_that_is_open_at_the_end_is_refused_and_the_cards_still_come() -> None:
    desk, live = Desk(EN), LiveState()
    for key in "nhello":
        desk.key(key, live)
    assert desk.key("\r", live, OVER) is None
    assert desk.prompt == OVER
    desk.key("c", live, OVER)
    assert desk.shows_cards
    desk.key("q", live, OVER)
    assert desk.wants_out


def test_a_session_that_is_over_says_so_though_its_last_word_did_not_come() -> None:
    live = LiveState()
    live.take({"kind": "state", "phase": "finished", "now_s": 1.0})
    assert over_words(live, EN, "live") == "", "it waits for its end, and takes words"
    assert over_words(live, EN, "over").startswith("The session is over")
    live.take({"kind": "state", "phase": "pause", "now_s": 1.0, "over_why": OVER})
    assert over_words(live, EN, "live") == OVER


@pytest.mark.parametrize(("why", "feed"), [(OVER, "over"), ("", "lost")])
def test_a_session_that_somebody_broke_off_is_over_and_one_that_was_killed_is_lost(
    tmp_path: Path, why: str, feed: str
) -> None:
    hub = Hub(tmp_path, "en")
    hub.take({"kind": "state", "phase": "pause", "now_s": 1.0, "next_train_s": 3.0, "over_why": why})
    hub._heard_s -= SILENT_S
    hub.refresh()
    assert hub.feed == feed
    said = cells(hub.live, EN, hub.feed)
    assert ("has ended" in said["phase"].text, "next train" in said["next"].text) == (bool(why), not why)


def test_a_page_that_asks_after_the_end_or_is_not_answered_before_it_gets_the_reason(tmp_path: Path) -> None:
    hub = Hub(tmp_path, "nl")
    browser = hub.join()
    hub.take({"kind": "state", "phase": "finished", "now_s": 1.0, "over_why": OVER})

    def answers() -> list[tuple[bool, str]]:
        waiting = [browser.queue.get_nowait() for _ in range(browser.queue.qsize())]
        return [(one["ok"], one["text"]) for one in waiting if one["kind"] == "done"]

    hub.ask(browser, "adverse_event", {"what": "syncope", "severity": "mild", "text": "", "by": "A"})
    why = f"De sessie is afgelopen: noteer ongewenste voorvallen met: {OVER.rpartition(': ')[2]}"
    assert answers() == [(False, why)]
    hub._asked = [browser]
    hub._lost()
    assert answers() == [(False, why)]


def test_the_page_of_a_demonstration_says_when_it_presses_r_itself_and_no_other_time() -> None:
    live = LiveState()
    live.take({"kind": "practice", "site": "BF3-L", "ready_in_s": 4.6})
    for phase, site, shown in (("waiting", "BF3-L", True), ("waiting", "5CM-L", False), ("rest", "BF3-L", False)):
        live.take({"kind": "state", "phase": phase, "site": site, "now_s": 1.0, "rest_left_s": 9.0})
        text = cells(live, EN, "live")["next"].text
        assert ("R is pressed by the demonstration in 5 s" in text) == shown, phase


def test_silence_is_counted_from_its_first_moment_and_bytes_that_move_no_clock_do_not_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [50.0]
    monkeypatch.setattr("hbc_host.live.silence.time.monotonic", lambda: now_s[0])
    silence = Silence(lambda: now_s[0] - 7.0)
    assert silence.silent_s == float("inf")
    assert silence.away_s is None
    silence.heard(went_on=True)
    now_s[0] += AWAY_S / 2
    assert silence.away_s is None, "between two blocks"
    now_s[0] += 0.9
    assert silence.away_s == pytest.approx(0.9 + AWAY_S / 2)
    silence.heard(went_on=False)
    now_s[0] += 0.4
    assert silence.away_s == pytest.approx(1.3 + AWAY_S / 2), "its clock still stands"
    silence.heard(went_on=True)
    assert silence.silent_s == 0.0


def test_a_box_that_restarts_within_a_second_costs_an_observation_no_time_also_when_the_log_is_heard_again(
    tmp_path: Path,
) -> None:
    visit = a_visit()
    log = LogWriter(tmp_path / LOG_NAME)
    said = [
        (1000.0, messages.Hello, hello_values(boot_n=7)),
        (1000.0, messages.EcgBlock, values_of(messages.EcgBlock, first_us=60_000_000)),
        (1001.2, messages.Hello, hello_values(boot_n=8)),
        (1001.3, messages.EcgBlock, values_of(messages.EcgBlock, first_us=100_000)),
    ]
    for host_s, message, values in said[:2]:
        log.append(Chunk(FROM_BOX, host_s, frame(message, 0, *values)))
    event = {"what": "syncope", "severity": "mild", "text": "", "by": "A", "at_us": 60_050_000}
    log.append(note(1000.0, "adverse_event", **event))
    for host_s, message, values in said[2:]:
        log.append(Chunk(FROM_BOX, host_s, frame(message, 0, *values)))
    log.close()
    assert 1.1 < rebuild(tmp_path, visit).observed_s < 1.35, "in doubt it lasts longer"

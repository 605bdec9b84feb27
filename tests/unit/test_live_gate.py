"""Before a session everything is asked that must be in order; after it the store has what the triggers counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hbc_host import cli_store
from hbc_host.app import words
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.cli import app
from hbc_host.clinic.screening import TOPICS
from hbc_host.clinic.visit import VISIT_NAME, Visit, write_visit
from hbc_host.errors import InputError, SessionError, StoreError
from hbc_host.live import ending, words_now
from hbc_host.live.conduct import meta_of
from hbc_host.live.ending import visit_end
from hbc_host.live.gate import StoreGate, check_before, find_folder, load_to_run
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.report.of_folder import course_in_store
from hbc_host.report.session_words import EVENT_WORD, SEVERITY_WORD
from hbc_host.session import load_session
from hbc_host.session_model import HostNote
from hbc_host.store import records, roles
from hbc_host.store.database import open_store
from hbc_host.store.endings import RunDelivered, VisitEnd
from hbc_host.store.records import PatientFacts, add_patient
from hbc_host.store.roles import give_role, login
from hbc_host.store.sessions import find_visit, keep_visit
from support import box_frames
from support_live import a_visit


def laid_down(folder: Path, **changed: Any) -> Visit:
    visit = a_visit(**changed)
    write_visit(folder, visit)
    return visit


def in_store(tmp_path: Path, folder: Path, visit: Visit) -> str:
    store = str(tmp_path / "store.sqlite")
    with open_store(store) as session:
        patient = add_patient(session, visit.pseudonym, PatientFacts(), who="test")
        keep_visit(session, patient, visit, folder, who="test")
    return store


def test_an_unsigned_protocol_is_refused_unless_it_is_said(tmp_path: Path) -> None:
    visit = laid_down(tmp_path / "s")
    with pytest.raises(SessionError, match="unsigned; have it signed"):
        check_before(tmp_path / "s", visit, unsigned=False, resume=False)
    check_before(tmp_path / "s", visit, unsigned=True, resume=False)


def test_the_command_refuses_in_one_line_and_begins_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "store.sqlite"))
    laid_down(tmp_path / "s")
    with pytest.raises(SystemExit) as ended:
        app(["session", "run", str(tmp_path / "s"), "--port", "/dev/null", "--no-page"], prog_name="hbc")
    assert ended.value.code == 2
    assert "the protocol of" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [VISIT_NAME]


def test_pulses_of_the_day_that_came_to_be_known_since_count_for_the_caps(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    visit = laid_down(folder, caps={"pulses_a_day": 100, "source": "a test"})
    check_before(folder, visit, unsigned=True, resume=False)
    more = visit.model_copy(update={"pulses_before_n": 21})
    with pytest.raises(SessionError, match="pulses today: 101 planned, the clinic allows 100"):
        check_before(folder, more, unsigned=True, resume=False)


def test_a_visit_whose_stop_was_overridden_by_hand_only_is_refused(tmp_path: Path) -> None:
    laid_down(tmp_path / "s")
    path = tmp_path / "s" / VISIT_NAME
    facts = json.loads(path.read_text())
    answers = dict.fromkeys(TOPICS, False) | {"pacemaker": True}
    facts["screening"] = {"on": "2026-01-02", "answers": answers, "stops": ["pacemaker"]}
    path.write_text(json.dumps(facts))
    with pytest.raises(SessionError, match="physician"):
        load_to_run(tmp_path / "s", StoreGate(str(tmp_path / "store.sqlite")))


def test_what_is_recorded_is_never_run_again_and_what_is_not_cannot_be_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    visit = laid_down(folder)
    with pytest.raises(SessionError, match="holds no interrupted session; begin it with"):
        check_before(folder, visit, unsigned=True, resume=True)
    log = LogWriter(folder / LOG_NAME)
    log.append(Chunk(FROM_BOX, 1.0, b"\0"))
    log.close()
    with pytest.raises(SessionError, match="take it up with: hbc session resume"):
        check_before(folder, visit, unsigned=True, resume=False)
    check_before(folder, visit, unsigned=True, resume=True)
    (folder / "manifest.json").write_text(json.dumps({"files": [], "ended": "stopped"}))
    with pytest.raises(SessionError, match="is over; its report"):
        check_before(folder, visit, unsigned=True, resume=True)


def test_a_visit_is_found_by_its_folder_or_in_the_store(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    visit = laid_down(folder)
    gate = StoreGate(in_store(tmp_path, folder, visit))
    assert find_folder(str(folder), gate) == folder
    assert find_folder(visit.uid, gate) == folder
    with pytest.raises(SessionError, match="is no folder, and no visit of the store"):
        find_folder("P-99/7", gate)


def test_a_visit_that_the_store_does_not_know_runs_without_it(tmp_path: Path) -> None:
    visit = laid_down(tmp_path / "s")
    gate = StoreGate(str(tmp_path / "none.sqlite"))
    assert gate.pulses_today(visit) == 0
    gate.begin(visit)
    assert gate.finish(visit, VisitEnd(datetime.now(UTC), False, ())) is False
    assert not (tmp_path / "none.sqlite").exists(), "nobody asked for a store"


def test_the_store_learns_what_the_triggers_counted_and_what_people_said(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    visit = laid_down(folder, trains={"kind": "dash", "trains_n": 4}, caps={})
    store = in_store(tmp_path, folder, visit)
    record_a_site(folder, visit)
    gate = StoreGate(store)
    gate.pulses_today(visit)
    gate.begin(visit)
    session = load_session(folder)
    end = visit_end(session, visit, None, command="hbc report s", ended="stopped")
    assert end.delivered == (RunDelivered("BF3-L", ((30.0, 50), (45.0, 50), (50.0, 50))),)
    assert end.stopped, "one site of two, and a train short"
    assert [(site, value) for site, value, _ in end.ratings] == [("BF3-L", 3.0)]
    [event] = end.events
    assert (event.kind, event.severity, event.text) == ("other", "severe", "tooth ache: left")
    assert gate.finish(visit, end)
    with open_store(store) as kept:
        row = find_visit(kept, visit.uid)
        assert (row.status, row.pulses_delivered_n) == ("stopped", 150)
    with pytest.raises(InputError, match="has ended"):
        gate.begin(visit)
    more = visit_end(session, visit, None, command="hbc report s", ended="stopped", pulses_n=190)
    assert gate.finish(visit, more), "40 pulses in trains beyond the plan, or before the box restarted"
    with open_store(store) as kept:
        assert find_visit(kept, visit.uid).pulses_delivered_n == 190, "the day's cap counts every pulse"


def record_a_site(folder: Path, visit: Visit) -> None:
    """What a session of three trains leaves, without its program: labels, bytes, notes."""
    from hbc_host.parts import note
    from hbc_host.session import META_NAME

    (folder / META_NAME).write_text(meta_of(visit, "test").to_json())
    sent = box_frames(50.0)
    planned = [[train.intensity_mso_pct, train.pulses_n] for train in visit.plan.runs[0].trains]
    log = LogWriter(folder / LOG_NAME)
    half = len(sent) // 2
    for one in sent[:half]:
        log.append(Chunk(FROM_BOX, one.at_us * 1e-6, one.data))
    log.append(note(20.0, "site_begins", site="BF3-L", site_idx=0, begins_us=1_000_000, trains=planned))
    log.append(note(20.0, "intensity", site="BF3-L", train=1, mso_pct=45.0))
    log.append(note(20.0, "rating", site="BF3-L", value=3.0))
    log.append(note(20.0, "adverse_event", what="tooth ache", severity="severe", text="left", by="A"))
    for one in sent[half:]:
        log.append(Chunk(FROM_BOX, one.at_us * 1e-6, one.data))
    log.close()


def test_a_login_that_may_not_make_sessions_runs_none_and_one_that_sees_no_patients_gets_no_course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "s"
    visit = laid_down(folder)
    store = in_store(tmp_path, folder, visit)
    assert course_in_store(visit, store) is not None
    with open_store(store) as session:
        give_role(session, login(), "supervisor", by=login())
        give_role(session, "ann", "analyst", by=login())
    load_to_run(folder, StoreGate(store))
    monkeypatch.setattr(roles, "login", lambda: "ann")
    with pytest.raises(StoreError, match="ann is analyst and may not add to patients and make sessions"):
        load_to_run(folder, StoreGate(store))
    with pytest.raises(SessionError, match="ann is analyst and may not see patients"):
        find_folder(visit.uid, StoreGate(store))
    with pytest.raises(StoreError, match="may not see patients"):
        course_in_store(visit, store)


def test_the_key_of_the_store_is_asked_for_before_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid_down(tmp_path / "s")
    asked: list[str | None] = []

    def ask(place: str | None) -> None:
        asked.append(place)
        raise StoreError("asked")

    monkeypatch.setattr(cli_store, "ask_key_if_needed", ask)
    for given in (["session", "run", str(tmp_path / "s"), "--port", "/dev/null"], ["report", str(tmp_path / "s")]):
        with pytest.raises(SystemExit):
            app([*given, "--store", "x.sqlite"], prog_name="hbc")
    assert asked == ["x.sqlite", "x.sqlite"]


def test_what_pages_call_an_event_and_its_severity_is_what_store_and_report_call_it() -> None:
    assert tuple(words.SEVERITIES) == words_now.SEVERITIES == records.SEVERITIES == tuple(SEVERITY_WORD)
    assert tuple(code.replace("_", " ") for code in words.EVENTS) == records.EVENT_KINDS == tuple(EVENT_WORD)
    said = HostNote("adverse_event", 1.0, 1.0, {"what": "hearing_change", "severity": "severe", "text": "tinnitus"})
    session: Any = SimpleNamespace(meta=SimpleNamespace(created=datetime.now(UTC)), start_s=0.0)
    event = ending._event(session, said)
    assert (event.kind, event.severity, event.text) == ("hearing change", "severe", "tinnitus")


def test_a_recording_begins_when_it_does_and_not_when_its_visit_was_laid_down() -> None:
    assert (datetime.now(UTC) - meta_of(a_visit(), "test").created).total_seconds() < 60.0

"""Every command that reads a session takes it by its folder, and by the name that other commands print."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.cli import app
from hbc_host.cli_store import folder_given
from hbc_host.errors import InputError, StoreError
from hbc_host.manifest import write_manifest
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.session import META_NAME
from hbc_host.store import keys, records, roles
from hbc_host.store.database import open_store
from hbc_host.store.sessions import VisitFacts, add_visit
from hbc_host.store.whereabouts import may_be_visit, session_folder
from support import a_meta, box_frames, stream_of
from support_clinic import put_store
from typer.testing import CliRunner

COMMANDS = {
    "replay": ("replay", "{}"),
    "analyze": ("analyze", "{}", "--protocol", "dash"),
    "detect": ("detect", "{}"),
    "verify": ("session", "verify", "{}"),
    "report": ("report", "{}", "--protocol", "dash"),
    "repair": ("session", "repair", "{}", "--out", "whole"),
    "export": ("export", "rr", "{}", "given"),
}


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """P-1's second visit, recorded in a folder somewhere else than where the commands run."""
    folder, here = tmp_path / "recordings" / "x", tmp_path / "here"
    folder.mkdir(parents=True)
    here.mkdir()
    (folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    data = stream_of(box_frames(40.0))
    writer = LogWriter(folder / LOG_NAME)
    writer.append(Chunk(FROM_BOX, 100.0, data))
    writer.close()
    write_manifest(folder, ended="stopped", reason="test")
    put_store(tmp_path / "store.sqlite")
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.chdir(here)
    with open_store() as session:
        patient = records.add_patient(session, "P-1", records.PatientFacts(), who="me")
        add_visit(session, patient, VisitFacts(datetime(2026, 3, 1, tzinfo=UTC)), who="me")
        add_visit(session, patient, VisitFacts(datetime(2026, 3, 2, tzinfo=UTC), folder=str(folder)), who="me")
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_does_the_same_with_the_visit_as_with_its_folder(name: str, recorded: Path) -> None:
    by_folder = run(*(word.format(recorded) for word in COMMANDS[name]))
    for made in ("whole", "given"):
        shutil.rmtree(made, ignore_errors=True)
    by_visit = run(*(word.format("P-1/2") for word in COMMANDS[name]))
    assert (by_visit.exit_code, by_folder.exit_code) == (0, 0), by_visit.output + by_folder.output
    assert by_visit.output == by_folder.output
    assert by_visit.output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_the_folder_that_one_stands_in(
    name: str, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    words = [{"whole": str(made), "given": str(made)}.get(word, word) for word in COMMANDS[name]]
    by_folder = run(*(word.format(recorded) for word in words))
    shutil.rmtree(made, ignore_errors=True)
    monkeypatch.chdir(recorded)
    by_dot = run(*(word.format(".") for word in words))
    assert (by_dot.exit_code, by_folder.exit_code) == (0, 0), by_dot.output + by_folder.output


def test_a_report_of_the_folder_that_one_stands_in_names_it(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(recorded)
    assert run("report", ".", "--protocol", "dash").exit_code == 0
    assert f">{recorded.name}<" in Path("report.html").read_text("utf-8")


def test_a_report_by_visit_stands_in_the_session_folder(recorded: Path) -> None:
    done = run("report", "P-1/2", "--protocol", "dash")
    assert done.exit_code == 0, done.output
    assert f"report: {recorded / 'report.html'}" in done.output
    assert (recorded / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("name", COMMANDS)
def test_a_visit_that_is_not_there_is_an_error_in_plain_words(name: str, recorded: Path) -> None:
    done = run(*(word.format("P-1/7") for word in COMMANDS[name]))
    assert done.exit_code == 2
    assert "P-1/7 is no folder, and no visit of the store (the store has no visit P-1/7; see hbc session list" in (
        " ".join(done.output.split())
    )


def test_another_store_is_named_by_its_option_and_looking_makes_none(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "none.sqlite"))
    with pytest.raises(InputError, match=r"there is no store .*none\.sqlite; another one: --store"):
        session_folder("P-1/2")
    assert not (tmp_path / "none.sqlite").exists()
    assert session_folder("P-1/2", str(tmp_path / "store.sqlite")) == recorded
    done = run("session", "verify", "P-1/2", "--store", tmp_path / "store.sqlite")
    assert (done.exit_code, "whole: every file is as it was" in done.output) == (0, True), done.output


def test_the_latest_visit_goes_by_the_patient_alone(recorded: Path) -> None:
    assert session_folder("P-1") == recorded


def test_a_folder_goes_before_a_visit_of_the_same_name(recorded: Path) -> None:
    Path("P-1/2").mkdir(parents=True)
    assert session_folder("P-1/2") == Path("P-1/2")
    assert recorded.is_dir()


def test_a_word_that_is_neither_is_left_to_the_command(recorded: Path) -> None:
    for word in ("P-9", "ecg.txt", "a/b/2", "../x", "a b/1"):
        assert session_folder(word) == Path(word)
    done = run("session", "verify", "P-9")
    assert done.exit_code == 2
    assert done.output.startswith("error: no recording at P-9")
    assert not may_be_visit("ecg.txt")
    assert not may_be_visit(recorded)


def test_a_record_that_goes_by_its_header_is_no_visit(recorded: Path) -> None:
    """`hbc detect P-1` beside P-1.hea reads that record, not the patient's latest session."""
    Path("P-1.hea").write_text("P-1 1 500 0\n", "utf-8")
    assert session_folder("P-1") == Path("P-1")
    assert session_folder("P-1/2") == recorded


@pytest.mark.parametrize("folder", ["", "rel/x"])
def test_a_visit_without_a_folder_of_its_own_is_never_the_folder_that_one_stands_in(
    folder: str, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by its number, nor as the patient's latest, nor by its id: that session is somebody else's."""
    with open_store() as session:
        patient = records.find_patient(session, "P-1")
        facts = VisitFacts(datetime(2026, 3, 3, tzinfo=UTC), folder=folder)
        uid = add_visit(session, patient, facts, who="me").uid
    (recorded / "rel" / "x").mkdir(parents=True)
    monkeypatch.chdir(recorded)
    told = "was not recorded yet" if not folder else "rel/x as folder of visit .*, which is not absolute"
    for words in ("P-1/3", "P-1", uid):
        with pytest.raises(InputError, match=rf"{told}; give the folder"):
            session_folder(words)
    done = run("replay", "P-1/3")
    assert (done.exit_code, done.output.count("\n")) == (2, 1)


def test_looking_a_visit_up_leaves_the_tables_of_an_older_store_as_they_are(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may share it, and a file name misspelt is no reason to convert their data."""
    place = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(place)) as raw:
        raw.executescript((Path(__file__).parents[1] / "data" / "store-0002.sql").read_text("utf-8"))
        raw.execute("update visit set folder = ?", (str(recorded),))
        raw.commit()
    monkeypatch.setenv("HBC_STORE", str(place))
    before = place.read_bytes()
    assert session_folder("P-1/1") == recorded
    assert run("replay", "P-1/1").exit_code == 0
    assert run("detect", "ecg").exit_code == 2
    assert place.read_bytes() == before
    with closing(sqlite3.connect(place)) as raw, raw:
        raw.execute("alter table visit rename column uid to other")
        raw.execute("update alembic_version set version_num = '0001'")
    with pytest.raises(StoreError, match=r"\(0001, this one has \d+\); older ones .* by: hbc session list"):
        session_folder("P-1/1")


def test_the_key_of_a_store_is_asked_for_a_visit_and_not_for_a_word_misspelt(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlcipher3")
    place, key = tmp_path / "locked.sqlite", "5" * 64  # random bits, not words: nothing to stretch
    monkeypatch.setenv("HBC_STORE", str(place))
    with monkeypatch.context() as given:
        given.setenv(keys.KEY_VARIABLE, key)
        with open_store() as session:
            patient = records.add_patient(session, "P-1", records.PatientFacts(), who="me")
            add_visit(session, patient, VisitFacts(datetime(2026, 3, 2, tzinfo=UTC), folder=str(recorded)), who="me")
    asked: list[str] = []
    monkeypatch.setattr("typer.prompt", lambda text, **_: asked.append(text) or key)
    monkeypatch.setattr(keys, "_typed", [])
    leader, follower = os.openpty()
    with open(leader, "rb"), open(follower) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        for word in ("ecg", "foo", "P-1"):
            assert folder_given(Path(word)) == Path(word)
        assert asked == []
        assert folder_given(Path("P-1/1")) == recorded
        assert asked == [f"key of the store {place}"]
        assert folder_given(Path("P-1")) == recorded, "with a key that is known, the patient alone will do"


def test_a_recording_that_was_moved_is_said_to_be_gone(recorded: Path) -> None:
    recorded.rename(recorded.with_name("y"))
    with pytest.raises(InputError, match=r"visit P-1/2 was recorded in .*x, which is not there; was it moved\?"):
        session_folder("P-1/2")


def test_who_may_not_see_patients_is_told_so(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store() as session:
        roles.give_role(session, "eva", "supervisor", by="eva")
        roles.give_role(session, "ann", "analyst", by="eva")
    monkeypatch.setattr(roles, "login", lambda: "ann")
    with pytest.raises(StoreError, match=r"P-1/2 is no folder, and no visit of the store \(login ann is analyst"):
        session_folder("P-1/2")
    assert recorded.is_dir()

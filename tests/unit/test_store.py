"""The store of patients: pseudonyms only, impossible values refused, every change in an audit that shows tampering."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hbc_host import cli_analyze
from hbc_host.cli_patient import app
from hbc_host.errors import InputError, StoreError
from hbc_host.session import META_NAME
from hbc_host.store import records, sessions
from hbc_host.store.audit import first_broken_idx
from hbc_host.store.database import MIGRATIONS, newest_revision, open_store
from hbc_host.store.exports import export_patient
from hbc_host.store.models import Base, Patient
from hbc_host.store.records import PatientFacts
from hbc_host.store.sessions import VisitFacts
from sqlalchemy import create_engine
from sqlalchemy.exc import StatementError
from support import a_meta
from typer.testing import CliRunner


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "folder" / "store.sqlite"
    monkeypatch.setenv("HBC_STORE", str(path))
    return path


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def with_patient() -> None:
    with open_store() as session:
        records.add_patient(session, "P-1", PatientFacts(diagnosis="depression"), who="me")


def test_the_tables_made_by_migrations_are_those_of_the_models(place: Path) -> None:
    with open_store():
        pass
    engine = create_engine(f"sqlite:///{place}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_only_the_user_may_read_the_store(place: Path) -> None:
    with_patient()
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700


def test_a_fault_in_the_middle_leaves_nothing_behind(place: Path) -> None:
    def fail() -> None:
        with open_store() as session:
            records.add_patient(session, "P-1", PatientFacts(), who="me")
            raise RuntimeError("power failed")

    with pytest.raises(RuntimeError, match="power"):
        fail()
    with open_store() as session:
        assert records.all_patients(session) == []


def test_what_was_put_in_comes_out(place: Path) -> None:
    with_patient()
    at = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    with open_store() as session:
        patient = records.find_patient(session, "P-1")
        records.add_score(session, patient, "phq9", date(2026, 3, 1), 20, 0, who="me")
        records.add_event(session, patient, "syncope", "severe", "fainted, feet up", at, who="me")
        sessions.add_visit(
            session, patient, VisitFacts(at, "/r/1", 3, "AJ", mt_mso_pct=52.0, state={"sleep_h": "6"}), who="me"
        )
    with open_store() as session:
        document = export_patient(records.find_patient(session, "P-1"))
    assert document["scores"] == [
        {"on": "2026-03-01", "scale": "PHQ-9", "total": 20.0, "treatment_n": 0, "series_n": 1}
    ]
    assert document["events"][0]["at"] == "2026-03-01T09:30:00+00:00"
    assert document["visits"][0]["mt_mso_pct"] == 52.0
    assert document["visits"][0]["state"] == {"sleep_h": "6"}


@pytest.mark.parametrize("name", ["Jan Jansen", "", "-P", "x" * 33, "P\n1", "../x"])
def test_what_could_be_a_name_is_no_pseudonym(place: Path, name: str) -> None:
    with open_store() as session, pytest.raises(InputError, match="no pseudonym"):
        records.add_patient(session, name, PatientFacts(), who="me")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (PatientFacts(diagnosis="sad"), "diagnosis 'sad'"),
        (PatientFacts(sex="w"), "sex 'w'"),
        (PatientFacts(birth_year=1700), "birth year 1700"),
    ],
)
def test_impossible_facts_are_refused(place: Path, facts: PatientFacts, said: str) -> None:
    with open_store() as session, pytest.raises(InputError, match=said):
        records.add_patient(session, "P-1", facts, who="me")


def test_impossible_totals_and_a_second_one_on_the_day_are_refused(place: Path) -> None:
    with_patient()
    with open_store() as session:
        patient = records.find_patient(session, "P-1")
        with pytest.raises(InputError, match="outside 0 to 27"):
            records.add_score(session, patient, "PHQ-9", date(2026, 3, 1), 28, None, who="me")
        records.add_score(session, patient, "PHQ-9", date(2026, 3, 1), 20, None, who="me")
        with pytest.raises(InputError, match="already"):
            records.add_score(session, patient, "phq9", date(2026, 3, 1), 19, None, who="me")
        records.add_score(session, patient, "phq9", date(2026, 3, 1), 19, 3, who="me", replace=True)
    with open_store() as session:
        assert [one.total for one in records.totals(records.find_patient(session, "P-1"), "PHQ-9")] == [19]


def test_a_recording_belongs_to_one_patient_only(place: Path) -> None:
    with_patient()
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with open_store() as session:
        sessions.add_visit(session, records.find_patient(session, "P-1"), VisitFacts(at, "/r/1"), who="me")
        other = records.add_patient(session, "P-2", PatientFacts(), who="me")
        with pytest.raises(InputError, match="a visit of P-1 already"):
            sessions.add_visit(session, other, VisitFacts(at, "/r/1"), who="me")


def test_a_deleted_patient_is_gone_from_the_file_and_the_number_is_not_used_again(place: Path) -> None:
    with open_store() as session:
        records.add_patient(session, "P-1", PatientFacts(medication="lithium-carbonate"), who="me")
    assert b"lithium-carbonate" in place.read_bytes()
    with open_store() as session:
        patient = records.find_patient(session, "P-1")
        records.add_score(session, patient, "PHQ-9", date(2026, 3, 1), 20, None, who="me")
        records.delete_patient(session, patient, who="me")
    assert b"lithium-carbonate" not in place.read_bytes()
    with open_store() as session:
        assert records.add_patient(session, "P-2", PatientFacts(), who="me").number == 2
        assert session.connection().exec_driver_sql("select count(*) from score").scalar() == 0


@pytest.mark.parametrize(
    "tampering",
    [
        "update audit set who = 'somebody' where id = 2",
        "update audit set at = '2020-01-01 00:00:00' where id = 2",
        "delete from audit where id = 2",
        "update audit set what = 'patient 7 added' where id = 1",
    ],
)
def test_tampering_with_the_audit_shows(place: Path, tampering: str) -> None:
    with open_store() as session:
        for name in ("P-1", "P-2", "P-3"):
            records.add_patient(session, name, PatientFacts(), who="me")
        assert first_broken_idx(session) is None
    assert run("audit").exit_code == 0
    with sqlite3.connect(place) as connection:
        connection.execute(tampering)
    connection.close()
    with open_store() as session:
        assert first_broken_idx(session) is not None
    refused = run("audit")
    assert refused.exit_code == 2
    assert "the audit was altered" in refused.stderr


def test_the_audit_holds_no_value_and_its_last_hash_stands_for_all_of_it(place: Path) -> None:
    with_patient()
    before = json.loads(run("audit", "--json", "-").stdout)["last_sha256"]
    assert run("score", "P-1", "PHQ-9", 17, "--on", "2026-03-01").exit_code == 0
    document = json.loads(run("audit", "--json", "-").stdout)
    assert document["last_sha256"] != before
    assert [entry[3] for entry in document["entries"]] == ["patient 1 added", "score added to patient 1"]


def test_a_time_without_a_zone_is_refused(place: Path) -> None:
    with open_store() as session:
        session.add(Patient(pseudonym="P-9", number=9, added=datetime(2026, 3, 1)))
        with pytest.raises(StatementError, match="without a time zone"):
            session.flush()
        session.rollback()


def test_a_file_that_is_no_store_and_one_of_a_later_version_are_refused(place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(b"junk" * 1000)
    with pytest.raises(StoreError, match="not a database"), open_store():
        pass
    place.unlink()
    with_patient()
    with sqlite3.connect(place) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match="later version"), open_store():
        pass


def test_the_newest_revision_is_the_one_that_the_migrations_lead_to() -> None:
    assert newest_revision() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


def test_a_password_never_shows_in_an_error() -> None:
    with pytest.raises(StoreError) as refused, open_store("nosuch://user:secret@host/base"):
        pass
    assert "secret" not in str(refused.value)


def test_a_backup_is_a_store_and_never_overwrites(place: Path, tmp_path: Path) -> None:
    with_patient()
    copy = tmp_path / "copy.sqlite"
    assert run("backup", copy).exit_code == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "P-1" in run("list", "--store", copy).stdout
    assert "nothing is ever overwritten" in run("backup", copy).stderr


def test_the_course_of_a_patient_through_the_commands(place: Path, tmp_path: Path) -> None:
    assert run("add", "P-014", "--diagnosis", "depression").exit_code == 0
    for total, day, treatment in ((20, "2026-01-05", 0), (15, "2026-01-20", 10), (4, "2026-02-20", 20)):
        assert run("score", "P-014", "PHQ-9", total, "--on", day, "--treatment", treatment).exit_code == 0
    assert run("event", "P-014", "headache", "--severity", "mild").exit_code == 0
    shown = run("show", "P-014", "--json", "-")
    course = json.loads(shown.stdout)["courses"][0]
    assert course == {
        "series": 1, "scale": "PHQ-9", "first": 20.0, "last": 4.0, "change_pct": -80.0, "response": True,
        "remission": True, "early": True,
    }  # fmt: skip
    assert "response yes, remission yes" in shown.stderr
    strict = run("show", "P-014", "--early-percent", "30")
    assert "improved by 30 % at treatment 10: no" in strict.stdout
    target = tmp_path / "out.json"
    assert run("export", "P-014", target).exit_code == 0
    assert json.loads(target.read_text())["pseudonym"] == "P-014"
    declined = CliRunner().invoke(app, ["delete", "P-014"], input="n\n")
    assert "P-014 was not deleted" in declined.stderr
    assert run("show", "P-014").exit_code == 0
    assert run("delete", "P-014", "--yes").exit_code == 0
    assert "no patient P-014" in run("show", "P-014").stderr


def test_a_visit_that_is_there_already_is_refused_before_anything_is_analysed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / META_NAME).write_text(a_meta().to_json())
    with open_store(str(place)) as session:
        patient = records.add_patient(session, "P-1", PatientFacts(), who="me")
        facts = VisitFacts(datetime(2026, 3, 1, 9, 0, tzinfo=UTC), str(folder))
        sessions.add_visit(session, patient, facts, who="me")
    monkeypatch.setattr(cli_analyze, "analyze_folder", lambda *_: pytest.fail("analysed before it was refused"))
    store = ["--store", str(place)]
    for words, reason in (
        (["P-1", str(folder)], "a visit of P-1 already"),
        (["P-9", str(folder)], "P-9"),
        (["P-1", str(folder), "--mt", "140"], "not above 0 and up to 100"),
    ):
        refused = CliRunner().invoke(app, ["visit", *words, *store])
        assert refused.exit_code == 2
        assert reason in refused.stderr

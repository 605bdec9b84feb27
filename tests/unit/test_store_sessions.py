"""Sessions in the store: planned, run, finished; the pulses of a day; a store of before becomes one of now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from hbc_host.errors import InputError, StoreError
from hbc_host.store import database, records
from hbc_host.store.audit import first_broken_idx
from hbc_host.store.database import open_store
from hbc_host.store.encrypt import back_up
from hbc_host.store.endings import BoxFacts, EventFacts, RunDelivered, VisitEnd, finish_visit
from hbc_host.store.exports import export_patient, export_pseudonymised
from hbc_host.store.models import Base, Patient
from hbc_host.store.session_models import FINISHED, RUNNING, STOPPED
from hbc_host.store.sessions import begin_visit, find_visit, keep_visit, pulses_today
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from support_clinic import NOW, a_visit, all_no, put_store

END = NOW + timedelta(minutes=40)
DELIVERED = VisitEnd(
    at=END,
    stopped=False,
    delivered=(RunDelivered("BF3-L", ((30.0, 50), (32.0, 49))), RunDelivered("5CM-L", ((30.0, 50), (61.0, 50)))),
    box=BoxFacts("a1b2", "ESP32 generic", "0.1.0"),
    ratings=(("BF3-L", 3.0, END),),
    events=(EventFacts(END, "headache", "mild", "left side", "AJ"),),
    notes=("remark: coil moved once",),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store.sqlite"
    monkeypatch.setenv("HBC_STORE", str(path))
    return path


@pytest.fixture
def store(place: Path) -> Iterator[Session]:
    put_store(place)
    with open_store() as session:
        records.add_patient(session, "P-1", records.PatientFacts(medication="lithium", birth_year=1984), who="me")
        yield session


def patient(session: Session) -> Patient:
    return records.find_patient(session, "P-1")


def planned(session: Session, folder: Path, n: int = 1, **changed: Any) -> str:
    visit = a_visit(folder, visit_n=n, **changed)
    keep_visit(session, patient(session), visit, folder / str(n), who="AJ")
    return visit.uid


def test_a_planned_visit_is_kept_whole(store: Session, tmp_path: Path) -> None:
    uid = planned(store, tmp_path, treatment_n=3)
    document = export_patient(patient(store))
    visit = document["visits"][0]
    assert (visit["status"], visit["pulses_planned_n"], visit["pulses_delivered_n"]) == ("planned", 3000, None)
    assert (visit["supervisor"], visit["protocol_signed_by"], visit["treatment_n"]) == ("BdV", "A. Jansen", 3)
    assert (visit["mt_mso_pct"], visit["mt_method"]) == (50.0, "visible twitch")
    assert len(visit["runs"]) == 4
    assert [step["intensity_mso_pct"] for step in visit["runs"][0]["steps"]][:3] == [30.0, 32.0, 34.0]
    assert document["screenings"][0]["stops"] == []
    assert find_visit(store, uid) is find_visit(store, "P-1/1") is find_visit(store, "P-1")
    for words in ("P-1/2", "P-1/x", "P-2", "f" * 32):
        with pytest.raises(InputError, match="has no visit"):
            find_visit(store, words)


def test_the_same_threshold_and_screening_at_two_visits_stay_one(store: Session, tmp_path: Path) -> None:
    planned(store, tmp_path, 1)
    planned(store, tmp_path, 2)
    planned(store, tmp_path, 3, screening=all_no(syncope=True))
    assert len(patient(store).thresholds) == 1
    assert [row.flags for row in patient(store).screenings] == [[], ["syncope"]]


def test_a_finished_visit_has_what_was_delivered_step_by_step(store: Session, tmp_path: Path) -> None:
    uid = planned(store, tmp_path)
    begin_visit(store, uid, who="AJ", now=NOW)
    row = finish_visit(store, uid, DELIVERED, who="AJ")
    assert (row.status, row.pulses_delivered_n, row.ended_at) == (FINISHED, 199, END)
    runs = {run.site: run for run in row.runs}
    assert [(s.intensity_mso_pct, s.trains_n, s.pulses_n) for s in runs["BF3-L"].steps][:3] == [
        (30.0, 1, 50), (32.0, 1, 49), (34.0, 0, 0),
    ]  # fmt: skip
    # An intensity that nobody planned is a step of its own, not forced into another.
    extra = runs["5CM-L"].steps[-1]
    assert (extra.intensity_mso_pct, extra.trains_planned_n, extra.trains_n) == (61.0, 0, 1)
    assert row.box is not None
    assert row.box.unique_id == "a1b2"
    assert [event.kind for event in row.events] == ["headache"]
    assert [rating.value for rating in row.ratings] == [3.0]
    assert first_broken_idx(store) is None


def test_finishing_again_after_a_resume_replaces_and_doubles_nothing(store: Session, tmp_path: Path) -> None:
    uid = planned(store, tmp_path)
    finish_visit(store, uid, replace(DELIVERED, stopped=True), who="AJ")
    assert find_visit(store, uid).status == STOPPED
    row = finish_visit(store, uid, DELIVERED, who="AJ")
    assert row.pulses_delivered_n == 199
    assert len(row.ratings) == 1
    assert len(patient(store).events) == 1
    with pytest.raises(InputError, match="has ended"):
        begin_visit(store, uid, who="AJ", now=NOW)


def test_events_go_by_where_they_come_from_and_not_by_their_words_when_a_session_is_finished_again(
    store: Session, tmp_path: Path
) -> None:
    uid = planned(store, tmp_path)
    logged = EventFacts(END, "headache", "mild", "left side", "AJ")
    finish_visit(store, uid, replace(DELIVERED, stopped=True, events=(logged, logged)), who="AJ")
    # By hand, the same words at the same instant: it is another event, and nobody may delete it.
    records.add_event(store, patient(store), "headache", "mild", "left side", END, who="AJ", visit_n=1)
    # Taken up again, the log is read whole: other clocks, and a word that a later version spells in another way.
    later = replace(logged, at=END + timedelta(minutes=2), text="left")
    finish_visit(store, uid, replace(DELIVERED, events=(later,)), who="AJ")
    store.refresh(patient(store), ["events"])
    found = sorted((event.origin, event.text) for event in patient(store).events)
    assert found == [("hand", "left side"), ("session", "left")]
    assert [event["origin"] for event in export_patient(patient(store))["events"]] == ["hand", "session"]


def old_store(place: Path) -> None:
    """A store that the program of before wrote, from its dump."""
    with closing(sqlite3.connect(place)) as connection:
        connection.executescript((Path(__file__).parents[1] / "data" / "store-0002.sql").read_text("utf-8"))
    place.chmod(0o600)


def test_a_store_without_origins_is_read_whole_and_loses_no_event_when_its_session_goes_on(place: Path) -> None:
    old_store(place)
    with closing(sqlite3.connect(place)) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [("0002",)]
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        before_n = {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in tables}
    with open_store() as session:
        assert [(event.kind, event.origin) for event in patient(session).events] == [("headache", ""), ("syncope", "")]
        assert first_broken_idx(session) is None
        visit = find_visit(session, "P-1/1")
        assert (visit.status, visit.pulses_delivered_n, len(visit.runs)) == (STOPPED, 99, 4)
    with closing(sqlite3.connect(place)) as connection:
        after_n = {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in tables}
        assert connection.execute("select version_num from alembic_version").fetchall() == [("0003",)]
    assert after_n == before_n
    with open_store() as session:
        finish_visit(session, "0123456789abcdef0123456789abcdef", DELIVERED, who="AJ")
        # Whose the old ones are nobody knows: one that may be double is better than one that is gone.
        found = [(event.kind, event.origin) for event in patient(session).events]
        assert sorted(found) == [("headache", ""), ("headache", "session"), ("syncope", "")]


def test_an_old_store_that_was_backed_up_is_brought_up_to_date_in_the_copy_alone(place: Path, tmp_path: Path) -> None:
    old_store(place)
    copy = tmp_path / "copy.sqlite"
    back_up(str(place), copy)
    with open_store(str(copy)) as session:
        assert len(patient(session).events) == 2
    with closing(sqlite3.connect(place)) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [("0002",)]


def test_what_cannot_have_happened_is_refused(store: Session, tmp_path: Path) -> None:
    uid = planned(store, tmp_path)
    for bad, said in (
        (replace(DELIVERED, delivered=(RunDelivered("Pz", ((30.0, 50),)),)), "Pz is no site"),
        (replace(DELIVERED, ratings=(("BF3-L", 11.0, None),)), "outside 0 to 10"),
        (replace(DELIVERED, events=(EventFacts(END, "boredom", "mild"),)), "kind 'boredom'"),
    ):
        with pytest.raises(InputError, match=said):
            finish_visit(store, uid, bad, who="AJ")


def test_the_day_counts_what_was_given_what_may_have_been_given_and_what_was_given_elsewhere(
    store: Session, tmp_path: Path
) -> None:
    owner = patient(store)
    uid = planned(store, tmp_path)
    assert pulses_today(owner, NOW, zone=UTC) == 0  # never began
    begin_visit(store, uid, who="AJ", now=NOW)
    assert pulses_today(owner, NOW, zone=UTC) == 3000  # cut off: all of it may have been given
    assert pulses_today(owner, NOW, zone=UTC, without_uid=uid) == 0
    finish_visit(store, uid, DELIVERED, who="AJ")
    assert pulses_today(owner, NOW, zone=UTC) == 199
    assert pulses_today(owner, NOW, zone=UTC, elsewhere_n=600) == 799
    keep_visit(store, owner, a_visit(tmp_path, visit_n=2), tmp_path / "2", who="AJ", pulses_elsewhere_n=600)
    assert pulses_today(owner, NOW, zone=UTC) == 799
    assert pulses_today(owner, NOW + timedelta(days=1), zone=UTC) == 0
    practice = planned(store, tmp_path, 3, practice=True)
    begin_visit(store, practice, who="AJ", now=NOW)
    assert find_visit(store, practice).status == RUNNING
    assert pulses_today(owner, NOW, zone=UTC) == 799
    find_visit(store, practice).pulses_elsewhere_n = 900  # what was told of the day holds, though the visit is practice
    assert pulses_today(owner, NOW, zone=UTC) == 1099


def test_pulses_count_for_the_day_of_the_session_and_not_of_its_planning(store: Session, tmp_path: Path) -> None:
    uid, next_day = planned(store, tmp_path), NOW + timedelta(days=1)
    begin_visit(store, uid, who="AJ", now=next_day)
    begin_visit(store, uid, who="AJ", now=next_day + timedelta(days=1))  # resumed: it began when it began
    counts = [pulses_today(patient(store), NOW + timedelta(days=n), zone=UTC) for n in range(3)]
    assert counts == [0, 3000, 0]


def test_a_taken_number_or_folder_is_refused(store: Session, tmp_path: Path) -> None:
    planned(store, tmp_path)
    with pytest.raises(InputError, match="visit 1 of P-1 is there already"):
        keep_visit(store, patient(store), a_visit(tmp_path), tmp_path / "9", who="AJ")
    with pytest.raises(InputError, match="is a visit of P-1 already"):
        keep_visit(store, patient(store), a_visit(tmp_path, visit_n=2), tmp_path / "1", who="AJ")


def test_deleting_a_patient_leaves_nothing_of_the_sessions(store: Session, tmp_path: Path) -> None:
    uid = planned(store, tmp_path)
    finish_visit(store, uid, DELIVERED, who="AJ")
    records.delete_patient(store, patient(store), who="me")
    names = {"visit", "run", "step", "rating", "motor_threshold", "screening", "adverse_event", "score"}
    counts = {
        name: store.connection().exec_driver_sql(f'select count(*) from "{name}"').scalar()
        for name in names & set(Base.metadata.tables)
    }
    assert counts == dict.fromkeys(names, 0)


def test_an_analyst_gets_codes_days_and_numbers_but_no_name_text_or_date(store: Session, tmp_path: Path) -> None:
    uid = planned(store, tmp_path)
    result = {"command": f"hbc report {tmp_path}/P-1", "sites": [{"site": "BF3-L", "effect_bpm": 2.5, "note": "P-1"}]}
    finish_visit(store, uid, replace(DELIVERED, result=result), who="AJ")
    document = export_pseudonymised(store, [patient(store)])
    text = repr(document)
    said = (
        "P-1'",
        "'AJ'",
        "BdV",
        "'CM'",
        "lithium",
        "2026",
        "left side",
        "coil moved",
        str(tmp_path),
        "1984",
        "twitch",
    )
    for secret in said:
        assert secret not in text
    row = document["patients"][0]
    assert row["birth_decade"] == 1980
    assert row["visits"][0]["sites"] == [{"site": "BF3-L", "effect_bpm": 2.5}]
    assert row["visits"][0]["pulses_delivered_n"] == 199
    assert row["visits"][0]["day"] == 1  # the screening was the day before
    assert row["code"] == export_pseudonymised(store, [patient(store)])["patients"][0]["code"]


def make_first_store(path: Path) -> None:
    """A store of revision 0001, with data in it."""
    engine = create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("pragma foreign_keys = on")
        old.execute("insert into patient values (1, 'P-1', 1, '2026-01-01 00:00:00', 'ocd', '', null, '', '', '')")
        old.execute("insert into score values (1, 1, '2026-01-05', 'PHQ-9', 20, 0)")
        old.execute(
            "insert into adverse_event values (1, 1, '2026-01-06 10:00:00', 'headache', 'mild', 'left side', 'AJ')"
        )
        for n, mt in ((7, "null"), (3, "52.0")):
            old.execute(
                f"insert into visit values ({n}, 1, '2026-01-0{n} 09:00:00', {n}, '/r/{n}', 'AJ', 'BdV', 'CM', {mt}, "
                """'twitch', '{"sleep_h": "6"}', '{"sites": []}')"""
            )


def test_a_store_of_the_first_version_keeps_all_it_had(place: Path) -> None:
    make_first_store(place)
    with open_store() as session:
        document = export_patient(patient(session))
        late = find_visit(session, "P-1")
        assert len(late.uid) == 32
    assert [(v["visit_n"], v["folder"], v["status"], v["series_n"]) for v in document["visits"]] == [
        (1, "/r/3", "finished", 1), (2, "/r/7", "finished", 1),
    ]  # fmt: skip
    assert (document["visits"][0]["mt_mso_pct"], document["visits"][1]["mt_mso_pct"]) == (52.0, None)
    assert document["thresholds"] == [{"on": "2026-01-03", "mso_pct": 52.0, "method": "twitch", "by": ""}]
    assert document["visits"][0]["state"] == {"sleep_h": "6"}
    assert document["scores"][0]["total"] == 20.0
    assert document["events"][0]["text"] == "left side"
    with open_store() as session:  # and goes on as a store of now
        records.add_event(
            session, patient(session), "dizziness", "mild", "", datetime(2026, 1, 7, tzinfo=UTC), who="AJ", visit_n=2
        )
    with open_store() as session:
        assert [event.kind for event in find_visit(session, "P-1/2").events] == ["dizziness"]
        records.delete_patient(session, patient(session), who="me")


def test_a_migrated_store_still_refuses_two_visits_of_one_folder_at_one_time(place: Path) -> None:
    make_first_store(place)
    with open_store():
        pass
    with closing(sqlite3.connect(place)) as raw:
        columns = [row[1] for row in raw.execute("pragma table_info(visit)")]
        values = ", ".join({"id": "99", "uid": "'x'"}.get(name, f'"{name}"') for name in columns)
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            raw.execute(f"insert into visit select {values} from visit where id = 3")


def test_a_conversion_that_fails_in_the_middle_leaves_the_store_as_it_was(place: Path) -> None:
    make_first_store(place)
    with closing(sqlite3.connect(place)) as raw, raw:
        raw.execute("create table rating (mine)")  # in the way of one of the last steps
        before = list(raw.iterdump())
    with pytest.raises(StoreError, match="rating already exists"), open_store():
        pass
    with closing(sqlite3.connect(place)) as raw, raw:
        assert list(raw.iterdump()) == before
        raw.execute("drop table rating")
    with open_store() as session:
        assert len(patient(session).visits) == 2

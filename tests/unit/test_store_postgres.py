"""The store on a PostgreSQL server: the same promises as in a file. A private server is started where there is one."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from hbc_host.cli_patient import app
from hbc_host.errors import InputError, StoreError
from hbc_host.store import database, records, roles
from hbc_host.store.audit import first_broken_idx
from hbc_host.store.database import open_store, store_url
from hbc_host.store.endings import BoxFacts, EventFacts, RunDelivered, VisitEnd, finish_visit
from hbc_host.store.exports import export_patient, export_pseudonymised
from hbc_host.store.models import Base
from hbc_host.store.sessions import begin_visit, find_visit, keep_visit, pulses_today
from sqlalchemy import create_engine, text
from support_clinic import NOW, a_visit
from typer.testing import CliRunner

pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed: pip install 'hbc-box[postgres]'")


def binaries() -> Path | None:
    """Folder of the server's programs: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


def somebody_else() -> str | None:
    """The server refuses to run as root; under root it runs as a user without rights."""
    if os.getuid() != 0:
        return getpass.getuser()
    return next((entry.pw_name for entry in pwd.getpwall() if entry.pw_name in ("postgres", "nobody")), None)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    place, user = binaries(), somebody_else()
    if place is None or user is None:
        pytest.skip("no PostgreSQL server programs, or no user to run them as: apt install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="hbc-pg-"))
    entry = pwd.getpwnam(user)
    as_user: dict[str, Any] = {"user": user, "group": entry.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    if as_user:
        os.chown(folder, entry.pw_uid, entry.pw_gid)

    def call(program: str, *words: str) -> None:
        done = subprocess.run(
            [str(place / program), *words], cwd=folder, timeout=300, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **as_user,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    data = str(folder / "data")
    call("initdb", "-D", data, "-U", "hbc", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    call("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "-t", "240", "start")
    try:
        yield f"postgresql://hbc@/postgres?host={folder}"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def url(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database."""
    engine = create_engine(store_url(server))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    monkeypatch.setenv("HBC_STORE", server)
    return server


def test_the_tables_made_by_migrations_are_those_of_the_models(url: str) -> None:
    with open_store():
        pass
    engine = create_engine(store_url(url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_a_course_of_treatment_is_kept_run_exported_and_deleted(url: str, tmp_path: Path) -> None:
    with open_store() as session:
        patient = records.add_patient(session, "P-1", records.PatientFacts(medication="lithium"), who="me")
        records.add_score(session, patient, "PHQ-9", date(2026, 3, 1), 20, 0, who="me")
        visit = a_visit(tmp_path, treatment_n=1)
        keep_visit(session, patient, visit, tmp_path / "1", who="AJ", pulses_elsewhere_n=600)
        records.set_retention(session, patient, date(2026, 3, 1), who="me")
    end = VisitEnd(
        at=NOW + timedelta(minutes=40),
        stopped=True,
        delivered=(RunDelivered("BF3-L", ((30.0, 50), (32.0, 49))),),
        result={"sites": [{"site": "BF3-L", "effect_bpm": 2.5}]},
        box=BoxFacts("a1b2", "ESP32 generic", "0.1.0"),
        ratings=(("BF3-L", 3.0, NOW),),
        events=(EventFacts(NOW, "headache", "mild", "left side", "AJ"),),
        notes=("remark: é, ü, ✓",),
    )
    with open_store() as session:
        begin_visit(session, visit.uid, who="AJ", now=NOW)
        finish_visit(session, visit.uid, replace(end, stopped=False), who="AJ")
        finish_visit(session, visit.uid, end, who="AJ")
    with open_store() as session:
        patient = records.find_patient(session, "P-1")
        document = export_patient(patient)
        assert document["visits"][0]["status"] == "stopped"
        assert document["visits"][0]["pulses_delivered_n"] == 99
        assert document["visits"][0]["notes"] == ["remark: é, ü, ✓"]
        assert document["visits"][0]["at"] == NOW.isoformat()
        assert pulses_today(patient, NOW, zone=UTC) == 699
        assert [one.pseudonym for one in records.past_retention(session, date(2026, 3, 2))] == ["P-1"]
        assert "lithium" not in repr(export_pseudonymised(session, [patient]))
        assert find_visit(session, "P-1/1").uid == visit.uid
        assert first_broken_idx(session) is None
        records.delete_patient(session, patient, who="me")
        assert session.connection().execute(text("SELECT count(*) FROM step")).scalar() == 0
    with open_store() as session:
        assert records.add_patient(session, "P-2", records.PatientFacts(), who="me").number == 2


def test_a_fault_in_the_middle_leaves_nothing_behind(url: str) -> None:
    def fail() -> None:
        with open_store() as session:
            records.add_patient(session, "P-1", records.PatientFacts(), who="me")
            raise RuntimeError("power failed")

    with pytest.raises(RuntimeError, match="power"):
        fail()
    with open_store() as session:
        assert records.all_patients(session) == []


def test_workplaces_that_write_at_once_keep_one_unbroken_audit(url: str) -> None:
    with open_store() as session:
        for n in range(4):
            records.add_patient(session, f"P-{n}", records.PatientFacts(), who="me")

    def work(n: int) -> None:
        for k in range(4):
            with open_store() as session:
                patient = records.find_patient(session, f"P-{n}")
                at = datetime(2026, 3, 1, 9, k, tzinfo=UTC)
                records.add_event(session, patient, "headache", "mild", "", at, who=f"desk {n}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with open_store() as session:
        assert first_broken_idx(session) is None
        assert sum(len(patient.events) for patient in records.all_patients(session)) == 16


def test_a_store_of_the_first_version_keeps_all_it_had(url: str) -> None:
    engine = create_engine(store_url(url))
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("insert into patient values (1, 'P-1', 1, '2026-01-01', 'ocd', '', null, '', '', '')"))
        connection.execute(
            text(
                "insert into visit values (5, 1, '2026-01-03 09:00', 2, '/r/1', 'AJ', 'BdV', 'CM', 52.0, 'twitch', "
                "'{}', '{}')"
            )
        )
    engine.dispose()
    with open_store() as session:
        visit = find_visit(session, "P-1/1")
        assert (visit.mt_mso_pct, visit.mt_method, visit.folder, visit.notes) == (52.0, "twitch", "/r/1", [])


def test_roles_and_commands_work_over_the_url_and_a_backup_is_the_servers(url: str, tmp_path: Path) -> None:
    def run(*words: object) -> Any:
        return CliRunner().invoke(app, [str(word) for word in words])

    assert run("add", "P-1").exit_code == 0
    assert "P-1" in run("list").stdout
    assert "its database server has backup" in run("backup", tmp_path / "x").stderr
    with open_store() as session:
        roles.give_role(session, "eva", "supervisor", by="eva")
    assert "may not see patients" in run("list").stderr


def test_a_server_that_is_away_or_refuses_is_told_without_the_password(server: str) -> None:
    with pytest.raises(StoreError) as refused, open_store(server.replace("hbc@", "hbc:secret@") + "/nowhere"):
        pass
    assert "secret" not in str(refused.value)
    with pytest.raises(InputError), open_store(server) as session:
        records.find_patient(session, "nobody")

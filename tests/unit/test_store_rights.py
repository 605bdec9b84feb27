"""Who can read the store, who may do what with it, and until when: encryption, roles, retention."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hbc_host.cli_patient import app
from hbc_host.errors import InputError, StoreError
from hbc_host.store import keys, records, roles
from hbc_host.store.database import open_store
from support_clinic import put_store
from typer.testing import CliRunner

SECRETS = (b"PSEUDO-7731", b"lithium-carbonate", b"patient 1 added", b"CREATE TABLE")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "folder" / "store.sqlite"
    monkeypatch.setenv("HBC_STORE", str(path))
    for name in (keys.KEY_VARIABLE, keys.KEY_FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    yield path
    keys._typed.clear()


def run(*words: object, **more: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], **more)


def fill(place: Path) -> None:
    if keys.given_key() is None:  # else it is the command that makes it, encrypted
        put_store(place)
    assert run("add", "PSEUDO-7731", "--medication", "lithium-carbonate").exit_code == 0


def another_process() -> None:
    """What was typed or made here is not known there."""
    keys._typed.clear()


def readable(path: Path) -> list[bytes]:
    return [secret for secret in SECRETS if secret in path.read_bytes()]


def test_an_encrypted_store_shows_nothing_and_opens_with_its_key_only(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlcipher3")
    fill(place)
    assert readable(place) == list(SECRETS)
    key_file = tmp_path / "hbc.key"
    done = run("encrypt", "--key-file", key_file)
    assert done.exit_code == 0, done.stderr
    assert readable(place) == []
    assert place.read_bytes()[:16] != keys.PLAIN_HEADER
    assert place.stat().st_mode & 0o777 == key_file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in place.parent.iterdir()) == ["store.sqlite"]
    another_process()
    without = run("list")
    assert (without.exit_code, without.stdout) == (2, "")
    assert "is encrypted, or is not a database" in without.stderr
    monkeypatch.setenv(keys.KEY_VARIABLE, "not the right key")
    assert "the key does not open" in run("list").stderr
    monkeypatch.setenv(keys.KEY_FILE_VARIABLE, str(key_file))  # goes before the other variable
    assert "PSEUDO-7731" in run("list").stdout
    assert run("score", "PSEUDO-7731", "PHQ-9", 20).exit_code == 0
    assert readable(place) == []
    assert "each follows from the one before" in run("audit").stdout


def test_backup_and_export_of_an_encrypted_store_work_and_the_backup_is_encrypted(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlcipher3")
    monkeypatch.setenv(keys.KEY_VARIABLE, "5" * 64)  # random bits, not words: nothing to stretch
    fill(place)  # a new store is encrypted from its first byte
    assert readable(place) == []
    copy = tmp_path / "copy.sqlite"
    done = run("backup", copy)
    assert done.exit_code == 0, done.stderr
    assert readable(copy) == []
    assert "PSEUDO-7731" in run("list", "--store", copy).stdout
    target = tmp_path / "out.json"
    assert run("export", "PSEUDO-7731", target).exit_code == 0
    assert json.loads(target.read_text())["medication"] == "lithium-carbonate"
    monkeypatch.setenv(keys.KEY_VARIABLE, "6" * 64)
    assert "the key does not open" in run("list", "--store", copy).stderr


def test_the_key_can_be_changed_and_the_old_one_is_of_no_use(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlcipher3")
    monkeypatch.setenv(keys.KEY_VARIABLE, "it's the 'first' key")
    fill(place)
    assert "encrypted already" in run("encrypt").stderr
    done = run("encrypt", "--change", "--key-file", tmp_path / "new.key")
    assert done.exit_code == 0, done.stderr
    another_process()
    assert "the key does not open" in run("list").stderr
    monkeypatch.setenv(keys.KEY_FILE_VARIABLE, str(tmp_path / "new.key"))
    assert "PSEUDO-7731" in run("list").stdout


def test_a_key_on_a_plain_store_is_refused_rather_than_silently_ignored(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place)
    monkeypatch.setenv(keys.KEY_VARIABLE, "correct horse battery")
    refused = run("list")
    assert refused.exit_code == 2
    assert "is not encrypted; encrypt it with: hbc patient encrypt" in refused.stderr


def test_a_key_file_that_others_may_read_or_that_is_too_short_is_refused(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file = tmp_path / "k"
    key_file.write_text("a key that is long\n")
    key_file.chmod(0o644)
    monkeypatch.setenv(keys.KEY_FILE_VARIABLE, str(key_file))
    assert "chmod 600" in run("list").stderr
    key_file.chmod(0o600)
    key_file.write_text("short\n")
    assert "at least 12" in run("list").stderr
    key_file.unlink()
    assert "is its disk there" in run("list").stderr


def as_role(role: str) -> None:
    """The login of this process gets another role, from somebody who stays supervisor."""
    with open_store() as session:
        roles.give_role(session, "eva", "supervisor", by="eva")
        roles.give_role(session, roles.login(), role, by="eva")


def test_without_roles_everybody_may_do_everything_and_the_first_role_is_a_supervisors(place: Path) -> None:
    with open_store() as session:
        for action in roles.ACTIONS:
            roles.require(session, action, "anybody")
        with pytest.raises(InputError, match="somebody must be supervisor"):
            roles.give_role(session, "jan", "operator", by="me")


def test_each_role_may_do_what_it_is_for_and_no_more(place: Path) -> None:
    with open_store() as session:
        for login, role in (("eva", "supervisor"), ("jan", "operator"), ("ann", "analyst")):
            roles.give_role(session, login, role, by="eva")
        allowed = {login: {action for action in roles.ACTIONS if may(session, action, login)} for login in
                   ("eva", "jan", "ann", "stranger")}  # fmt: skip
    assert allowed["eva"] == set(roles.ACTIONS)
    assert allowed["jan"] == {"read", "write", "audit", "backup"}
    assert allowed["ann"] == {"pseudonymised"}
    assert allowed["stranger"] == set()


def may(session: Any, action: str, login: str) -> bool:
    try:
        roles.require(session, action, login)
    except StoreError:
        return False
    return True


def test_the_commands_ask_for_the_role_of_the_login(place: Path, tmp_path: Path) -> None:
    fill(place)
    as_role("operator")
    assert run("score", "PSEUDO-7731", "PHQ-9", 20, "--on", "2026-03-01").exit_code == 0
    for words, said in (
        (("delete", "PSEUDO-7731", "--yes", "--by", "eva"), "delete a patient"),  # a name given does not count
        (("score", "PSEUDO-7731", "PHQ-9", 2, "--on", "2026-03-01", "--replace"), "correct a score"),
        (("role", "jan", "supervisor"), "give roles"),
        (("keep", "PSEUDO-7731", "--until", "2046-01-01"), "set until when"),
        (("encrypt", "--key-file", tmp_path / "k"), "encrypt the store"),
        (("export", "PSEUDO-7731", tmp_path / "o.json"), "export a patient's data"),
    ):
        refused = run(*words)
        assert refused.exit_code == 2, words
        assert f"login {roles.login()} is operator and may not {said}" in refused.stderr
        assert "ask eva" in refused.stderr
    as_role("analyst")
    assert "may not see patients" in run("list").stderr
    target = tmp_path / "all.json"
    assert run("export", "all", target, "--pseudonymised").exit_code == 0
    assert "PSEUDO" not in target.read_text()
    as_role("supervisor")
    assert run("delete", "PSEUDO-7731", "--yes").exit_code == 0
    assert "eva: supervisor" in run("role").stdout


def test_the_last_supervisor_stays(place: Path) -> None:
    with open_store() as session:
        roles.give_role(session, "eva", "supervisor", by="eva")
        roles.give_role(session, "jan", "operator", by="eva")
        with pytest.raises(InputError, match="somebody must be supervisor"):
            roles.give_role(session, "eva", "none", by="eva")
        roles.give_role(session, "jan", "none", by="eva")
        roles.give_role(session, "eva", "none", by="eva")
        assert roles.all_roles(session) == {}


def test_data_past_their_date_are_listed_and_nothing_goes_by_itself(place: Path) -> None:
    fill(place)
    assert run("add", "P-2").exit_code == 0
    assert run("keep", "PSEUDO-7731", "--until", "2026-03-01").exit_code == 0
    assert "nobody is past" in run("due", "--on", "2026-03-01").stdout
    late = run("due", "--on", "2026-03-02", "--json", "-")
    assert json.loads(late.stdout)["due"] == [{"patient": "PSEUDO-7731", "until": "2026-03-01", "folders": []}]
    assert "1 patient without a date" in late.stderr
    assert "hbc patient delete PSEUDO-7731" in late.stderr
    assert "PSEUDO-7731" in run("list").stdout
    assert run("keep", "PSEUDO-7731", "--until", "none").exit_code == 0
    assert "2 patients without a date" in run("due").stdout


def test_an_earlier_total_does_not_become_the_baseline_unasked(place: Path) -> None:
    fill(place)
    with open_store() as session:
        patient = records.find_patient(session, "PSEUDO-7731")
        first = date(2026, 3, 1)
        records.add_score(session, patient, "PHQ-9", first, 20, 0, who="me")
        with pytest.raises(InputError, match=r"before the PHQ-9 baseline of 2026-03-01 \(20\)"):
            records.add_score(session, patient, "PHQ-9", first - timedelta(days=365), 9, 0, who="me")
        records.add_score(session, patient, "PHQ-9", first - timedelta(days=9), 22, 0, who="me", baseline=True)
        assert records.totals(patient, "PHQ-9")[0].total == 22
        # A later course has a baseline of its own.
        records.add_score(session, patient, "PHQ-9", first + timedelta(days=365), 18, 0, who="me", series_n=2)
        assert [one.total for one in records.totals(patient, "PHQ-9", 2)] == [18]


def test_one_total_is_told_once_and_one_is_no_plural(place: Path) -> None:
    fill(place)
    assert run("score", "PSEUDO-7731", "PHQ-9", 20, "--on", "2026-03-01").exit_code == 0
    shown = run("show", "PSEUDO-7731").stdout
    assert "PHQ-9: 20 on 2026-03-01, no later total yet" in shown
    assert shown.count("20 on 2026-03-01") == 1
    declined = CliRunner().invoke(app, ["delete", "PSEUDO-7731"], input="n\n")
    assert "with 0 visits and 1 score?" in declined.stdout

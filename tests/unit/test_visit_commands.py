"""``hbc session new``, ``list``, ``show``: by options, by a file of answers, and question by question on a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import hbc_host.cli  # noqa: F401 - registers the commands
import pytest
from hbc_host.cli_session import app
from hbc_host.cli_visit_ask import SKULL_QUESTIONS
from hbc_host.clinic.answers import PEOPLE as PEOPLE_QUESTIONS
from hbc_host.clinic.screening import STATE_QUESTIONS, TOPICS
from hbc_host.clinic.visit import load_visit
from hbc_host.i18n import translator
from hbc_host.lock import FolderLock
from hbc_host.store import records, roles
from hbc_host.store.database import open_store
from hbc_host.store.endings import RunDelivered, VisitEnd, finish_visit
from hbc_host.store.sessions import begin_visit, find_visit
from support_clinic import put_store, signed_protocol
from typer.testing import CliRunner

PEOPLE = ("--operator", "AJ", "--supervisor", "BdV", "--second-person", "CM")
THRESHOLD = ("--mt", "50", "--mt-method", "visible twitch")
SKULL = ("--head-cm", "57", "--tragus-cm", "36", "--nasion-inion-cm", "36")
STATE = tuple(
    word
    for name in STATE_QUESTIONS
    for word in ("--state", f"{name}={'6' if name == 'sleep_h' else 'yes' if name == 'ear_protection' else 'no'}")
)
ALL = (*PEOPLE, *THRESHOLD, *SKULL, *STATE, "--screening", "all=no")


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a signed protocol and a store that knows P-1."""
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("HBC_SESSIONS", str(tmp_path / "data" / "sessions"))
    put_store(tmp_path / "store.sqlite")
    signed_protocol(tmp_path)
    with open_store() as session:
        records.add_patient(session, "P-1", records.PatientFacts(approval="METC 2026-11"), who="me")
    return tmp_path


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def new(clinic: Path, *words: object) -> Any:
    return run("new", "P-1", "--protocol", clinic / "ramp.toml", *words)


def test_a_session_is_laid_down_by_options_and_found_again(clinic: Path) -> None:
    made = new(clinic, *ALL, "--treatment", 3, "--screening", "syncope=yes", "--lang", "nl", "--json", "-")
    assert made.exit_code == 0, made.stderr
    document = json.loads(made.stdout)
    folder = Path(document["folder"])
    today = datetime.now().astimezone().date()
    assert folder == clinic / "data" / "sessions" / "P-1" / f"1-{today}"
    assert (clinic / "data").stat().st_mode & 0o777 == folder.stat().st_mode & 0o777 == 0o700
    visit = load_visit(folder)
    assert (visit.language, visit.approval, visit.treatment_n) == ("nl", "METC 2026-11", 3)
    assert visit.screening is not None
    assert visit.screening.flags == ("syncope",)
    beam = next(site for site in visit.sites if site.name == "BF3-L")
    assert (beam.measures["x_cm"], beam.measures["y_cm"]) == (6.59, 9.5)
    assert "FLAGS, the physician must know: syncope" in made.stderr
    assert "next: hbc session run P-1/1 --port PORT\n" in made.stderr
    assert "P-1/1  visit 1" in run("list", "P-1").stdout
    for words in (folder, "P-1/1", "P-1"):
        shown = run("show", words)
        assert shown.exit_code == 0, shown.stderr
        assert "3000 pulses" in shown.stdout
        assert "planned" in shown.stdout
    with open_store() as session:
        assert find_visit(session, visit.uid).folder == str(folder)


def test_a_script_learns_everything_that_is_missing_at_once(clinic: Path) -> None:
    refused = new(clinic)
    assert refused.exit_code == 2
    for name in ("--operator", "--second-person", "--mt PCT", "--mt-method", "--head-cm", "pacemaker", "sleep_h"):
        assert name in refused.stderr
    assert not (clinic / "data").exists()
    assert "no session yet" in run("list").stdout


def test_answers_in_a_file_do_the_same_and_options_go_before_them(clinic: Path) -> None:
    answers = clinic / "answers.toml"
    answers.write_text(
        'operator = "AJ"\nsupervisor = "BdV"\nsecond_person = "CM"\nsites = ["5CM-L", "BF3-R"]\n'
        '[motor_threshold]\nmso_pct = 50\nmethod = "visible twitch"\non = 2026-03-01\n'
        "[skull]\nhead_cm = 57\ntragus_cm = 36\nnasion_inion_cm = 36\n"
        '[site."5CM-L"]\nrule = "neuronavigated"\nside = "left"\nspace = "MNI152"\nsource = "fMRI, sgACC"\n'
        '[site."5CM-L".measures]\nx_mm = -38\ny_mm = 44\nz_mm = 26\nefield_v_m = 80\ncoil_cortex_mm = 17\n'
        "[screening.answers]\n" + "".join(f"{topic} = false\n" for topic in TOPICS) +
        "[state]\n" + "".join(f"{name} = {6 if name == 'sleep_h' else 'false'}\n" for name in STATE_QUESTIONS)
    )  # fmt: skip
    made = new(clinic, "--answers", answers, "--operator", "EK", "--json", "-")
    assert made.exit_code == 0, made.stderr
    visit = load_visit(json.loads(made.stdout)["folder"])
    assert visit.operator == "EK"
    target = next(site for site in visit.sites if site.name == "5CM-L")
    assert (target.rule, target.measures["efield_v_m"]) == ("neuronavigated", 80)
    assert "anterior_cm" not in target.measures  # the rule of its name does not hold any more
    assert visit.motor_threshold is not None
    assert visit.motor_threshold.on == date(2026, 3, 1)
    assert "EAR PROTECTION is not in place" in made.stderr
    answers.write_text("[screening.answers]\nmood = true\n")
    assert "mood is unknown" in new(clinic, "--answers", answers).stderr
    answers.write_text("operators = 1\n")
    assert "operators: Extra inputs" in new(clinic, "--answers", answers).stderr


def test_the_file_of_answers_in_the_documentation_is_complete(clinic: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/howto/session.md").read_text("utf-8")
    answers = clinic / "docs.toml"
    answers.write_text(page.split("```toml\n")[1].split("```")[0], "utf-8")
    made = new(clinic, "--answers", answers)
    assert made.exit_code == 0, made.stderr
    assert "FLAGS, the physician must know: syncope" in made.stdout


def test_a_stop_needs_a_physician_who_is_supervisor_where_roles_are(clinic: Path) -> None:
    stopped = (*ALL, "--screening", "pacemaker=yes")
    refused = new(clinic, *stopped)
    assert refused.exit_code == 2
    assert "stop: pacemaker" in refused.stderr
    override = ("--override-by", "Dr. B", "--override-reason", "leadless, cardiologist agrees")
    with open_store() as session:
        roles.give_role(session, "eva", "supervisor", by="eva")
        roles.give_role(session, roles.login(), "operator", by="eva")
    refused = new(clinic, *stopped, *override)
    assert "may not override a stop of screening" in refused.stderr
    assert not (clinic / "data").exists()
    with open_store() as session:
        roles.give_role(session, roles.login(), "supervisor", by="eva")
    made = new(clinic, *stopped, *override)
    assert made.exit_code == 0, made.stderr
    assert "STOPS overridden by Dr. B: pacemaker (leadless, cardiologist agrees)" in made.stdout
    with open_store() as session:
        kept = find_visit(session, "P-1").screening
        assert kept is not None
        assert (kept.override_by, kept.override_reason) == ("Dr. B", "leadless, cardiologist agrees")


def test_the_next_visit_asks_the_screening_in_short_form_only(clinic: Path) -> None:
    assert new(clinic, *ALL).exit_code == 0
    short = (*PEOPLE, *THRESHOLD, *STATE)  # skull and screening are known
    second = new(clinic, *short, "--json", "-")
    assert second.exit_code == 0, second.stderr
    visit = load_visit(json.loads(second.stdout)["folder"])
    assert visit.visit_n == 2
    assert next(site for site in visit.sites if site.name == "BF3-L").measures["x_cm"] == 6.59
    changed = new(clinic, *short, "--state", "new_since_screening=yes")
    assert "--screening NAME=VALUE for cochlear_implant" in changed.stderr
    with open_store() as session:
        assert len(records.find_patient(session, "P-1").screenings) == 1


def test_pulses_of_earlier_today_are_under_the_caps_of_the_day(clinic: Path) -> None:
    assert new(clinic, *ALL).exit_code == 0
    with open_store() as session:
        begin_visit(session, find_visit(session, "P-1").uid, who="AJ")
    refused = new(clinic, *ALL)
    assert "pulses today: 6000 planned, the clinic allows 4500" in refused.stderr
    with open_store() as session:
        end = VisitEnd(datetime.now().astimezone(), True, (RunDelivered("BF3-L", ((30.0, 50),)),))
        finish_visit(session, find_visit(session, "P-1").uid, end, who="AJ")
    over = new(clinic, *ALL, "--pulses-elsewhere", 1500)
    assert "pulses today: 4550 planned" in over.stderr
    assert new(clinic, *ALL, "--pulses-elsewhere", 1400).exit_code == 0
    assert "50 of 3000 planned pulses delivered" in run("show", "P-1/1").stdout


def test_a_session_whose_program_was_killed_is_told_from_one_that_runs(clinic: Path) -> None:
    assert new(clinic, *ALL).exit_code == 0
    with open_store() as session:
        folder = Path(find_visit(session, "P-1").folder)
        begin_visit(session, find_visit(session, "P-1").uid, who="AJ")
    lock = FolderLock(folder)
    assert ": running" in run("list").stdout
    lock.release()
    assert "cut off; take it up again: hbc session resume" in run("list").stdout
    assert "cut off; take it up again: hbc session resume" in run("show", "P-1").stdout


def test_an_unsigned_protocol_is_for_practice_only(clinic: Path) -> None:
    path = clinic / "ramp.toml"
    path.write_text(path.read_text().replace("train_s = 5.0", "train_s = 4.9"))
    assert "the protocol is changed" in new(clinic, *ALL).stderr
    over = new(clinic, *THRESHOLD, *SKULL, "--practice")
    assert "train: 5 s planned, the clinic allows 4.9 s" in over.stderr
    path.write_text(path.read_text().replace("train_s = 4.9", "train_s = 6.0"))
    made = new(clinic, *THRESHOLD, *SKULL, "--practice")
    assert made.exit_code == 0, made.stderr
    assert "practice: nobody is stimulated" in made.stdout


@pytest.mark.parametrize(
    ("people", "line"),
    [
        (PEOPLE, "operator AJ, supervisor BdV, second person CM"),
        (PEOPLE[:2], "operator AJ"),
        (PEOPLE[2:4], "supervisor BdV"),
        ((), None),
    ],
)
def test_practice_names_the_people_who_are_there_and_nobody_else(
    clinic: Path, people: tuple[str, ...], line: str | None
) -> None:
    assert new(clinic, "--practice", *people, *THRESHOLD, *SKULL, *STATE).exit_code == 0
    lines = run("show", "P-1").output.splitlines()
    assert [one for one in lines if "operator" in one or "supervisor" in one] == ([line] if line else [])
    assert not [one for one in lines if ", ," in one or " ," in one or one.rstrip().endswith((",", "operator"))]


def test_nothing_is_left_when_the_folder_cannot_be_used(clinic: Path) -> None:
    taken = clinic / "taken"
    taken.mkdir()
    (taken / "visit.json").write_text("{}")
    refused = new(clinic, *ALL, "--out", taken)
    assert "nothing is ever overwritten" in refused.stderr
    assert "no session yet" in run("list").stdout
    assert (taken / "visit.json").read_text() == "{}"
    (clinic / "recording").mkdir()
    (clinic / "recording" / "wire.hbclog").write_bytes(b"x")
    assert "nothing is ever overwritten" in new(clinic, *ALL, "--out", clinic / "recording").stderr
    assert "no session yet" in run("list").stdout


@pytest.mark.parametrize("language", ["en", "nl"])
def test_every_question_exists_in_the_language_of_the_visit(language: str) -> None:
    say = translator("visit", language)
    words = [*TOPICS.values(), *STATE_QUESTIONS.values(), *PEOPLE_QUESTIONS.values(), *SKULL_QUESTIONS.values()]
    assert len({say(word) for word in words}) == len(words)
    assert all((say(word) == word) is (language == "en") for word in words)


def test_on_a_terminal_the_questions_lead_to_the_session_by_keyboard_alone(clinic: Path) -> None:
    """A real pseudo-terminal, in Dutch; wrong keys are asked again, a stop ends it there or is overridden."""
    dialogue = [
        ("spoel", "AJ"), ("toezicht", "BdV 12345678901"), ("tweede persoon", "CM"), ("Motordrempel", "vijftig"),
        ("Graag een getal", "50"), ("bepaald", "zichtbare twitch"),
        *[(word, "n") for word in ("sinds de screening", "medicatie", "kalmerend", "benzodiazepine", "Alcohol")],
        ("Cafe", "x"), ("Typ j of n", "j"), ("gehoorbescherming", "j"), ("uur geslapen", "6,5"),
        ("cochleair", "n"), ("hersenstimulator", "n"), ("pacemaker", "j"),
        ("terzijde", "j"), ("Naam van de arts", "Dr. B"), ("Reden", "zonder draden"),
        *[(word, "n") for word in ("medicatiepomp", "metaal", "Epilepsie", "beroerte", "Zwanger", "flauw", "ritme",
                                   "blokker", "rust onder", "crisis", "oorsuizen", "Psychotische")],
        ("Omtrek", "57"), ("tragus", "36"), ("nasion", "36"),
    ]  # fmt: skip
    answers = clinic / "nl.toml"
    answers.write_text('language = "nl"\n')
    command = ["session", "new", "P-1", "--protocol", str(clinic / "ramp.toml"), "--answers", str(answers)]
    text, code = talk([sys.executable, "-m", "hbc_host.cli", *command], dialogue)
    assert code == 0, text
    visit = load_visit(next((clinic / "data" / "sessions" / "P-1").iterdir()))
    assert visit.screening is not None
    assert (visit.screening.stops, visit.screening.override_by) == (("pacemaker",), "Dr. B")
    assert visit.state.sleep_h == 6.5
    assert visit.state.caffeine is True
    assert visit.mt_mso_pct == 50.0


def test_a_stop_that_nobody_overrides_ends_the_questions(clinic: Path) -> None:
    told = ("session", "new", "P-1", "--protocol", clinic / "ramp.toml", *PEOPLE, *THRESHOLD, *SKULL, *STATE)
    command = [sys.executable, "-m", "hbc_host.cli", *(str(word) for word in told)]
    text, code = talk(command, [("cochlear", "yes"), ("physician override this now", "n")])
    assert code == 2
    assert "STOP: no session" in text
    assert "vagus" not in text
    assert not (clinic / "data").exists()


def talk(command: list[str], dialogue: list[tuple[str, str]]) -> tuple[str, int]:
    """Answer each prompt that has the word, in turn; returns all that was shown, and the exit code."""
    pid, master = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    shown, seen_n = "", 0
    waiting = list(dialogue)
    deadline_s = time.monotonic() + 300.0
    while time.monotonic() < deadline_s:
        if waiting and waiting[0][0] in shown[seen_n:]:
            seen_n = len(shown)
            os.write(master, f"{waiting.pop(0)[1]}\n".encode())
        if select.select([master], [], [], 0.2)[0]:
            try:
                data = os.read(master, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data.decode("utf-8", "replace")
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert not waiting, f"never asked for {waiting[0]}: {shown[-500:]}"
    return shown, os.waitstatus_to_exitcode(status)

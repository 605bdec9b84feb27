"""Practice is unmistakable: a protocol for it is refused by a real box, and its session is nobody's result anywhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import support
from hbc_hil.demo_live import demo_visit
from hbc_hil.rig import RigOptions
from hbc_hil.scenario import Scenario
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.cli import app
from hbc_host.clinic.plan import plan_session
from hbc_host.clinic.protocol_file import ProtocolFile, load_protocol
from hbc_host.clinic.signing import sign, signature_state
from hbc_host.clinic.visit import Visit, load_visit, visit_for, write_visit
from hbc_host.cohort.audit import audit_cohort
from hbc_host.cohort.outcomes import read_outcomes
from hbc_host.cohort.recordings import find_recordings, left_out
from hbc_host.errors import InputError, SessionError
from hbc_host.live.conduct import conduct
from hbc_host.live.follow import Follow
from hbc_host.live.gate import check_before, check_box
from hbc_host.manifest import write_manifest
from hbc_host.names import is_simulated
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.report.content import practice_of
from hbc_host.report.course import course_of
from hbc_host.report.html import render
from hbc_host.report.language import language
from hbc_host.report.of_folder import report_of_folder, session_facts
from hbc_host.report.patient_page import patient_page
from hbc_host.session import META_NAME, load_session
from hbc_host.store.database import open_store
from hbc_host.store.endings import BoxFacts, EventFacts, VisitEnd, finish_visit
from hbc_host.store.records import PatientFacts, add_patient
from hbc_host.store.sessions import keep_visit, pulses_today
from support import OpenedSerial, a_meta, box_frames, pty_box, stream_of
from support_clinic import NOW
from support_clinic import a_visit as clinic_visit
from support_report import MADE, Page, four_sites_of_one_person, visit_of_p014
from typer.testing import CliRunner

REAL, SIMULATED = support.HELLO_VALUES["unique_id"], RigOptions().unique_id.hex()
BADGE = {"en": "PRACTICE", "nl": "OEFENING"}
DURATION_S = 40.0
#: Of the fixture's protocol, by the code of before protocols could be for practice.
P014_SHA256 = "b782bbde98627492d7b093ff5885be33e0b085fd7e8b7cd1bc2646d0504c8aad"


@pytest.fixture
def practice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A protocol for practice as the command writes it, in an empty folder with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("HBC_SESSIONS", str(tmp_path / "sessions"))
    done = run("protocol", "new", "dash", "--practice")
    assert done.exit_code == 0, done.stderr
    return tmp_path / "dash-practice.toml"


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def visit_by(file: Path) -> Visit:
    people = dict.fromkeys(("operator", "supervisor", "second_person"), "")
    return visit_for(load_protocol(file), pseudonym="P-1", created=datetime.now(UTC), practice=True, **people)


def recorded(folder: Path, box_id: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session folder as the recorder leaves it, of a box with this number."""
    monkeypatch.setitem(support.HELLO_VALUES, "unique_id", box_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    writer = LogWriter(folder / LOG_NAME)
    writer.append(Chunk(FROM_BOX, 100.0, stream_of(box_frames(DURATION_S))))
    writer.close()
    return folder


def test_no_box_that_somebody_built_can_be_taken_for_a_simulated_one() -> None:
    assert is_simulated(SIMULATED)
    assert not is_simulated(REAL)
    assert int(SIMULATED[:2], 16) & 1, "the first byte names a group, which no chip's own number does"


def test_the_practice_protocol_is_what_the_simulated_patient_gets(practice: Path) -> None:
    plan, scenario = plan_session(load_protocol(practice), patient="P-1"), Scenario.demo(1)
    assert [run.site for run in plan.runs] == [site.name for site in scenario.sites]
    assert tuple(train.intensity_mso_pct for train in plan.runs[0].trains) == scenario.intensities_pct
    # What is left of the simulated stimulator's pause is the time to press R.
    assert scenario.rest_first_s - load_protocol(practice).rest.first_s >= 30.0
    assert scenario.rest_between_s - load_protocol(practice).rest.between_s >= 30.0


def test_practice_asks_for_nothing_and_says_what_comes_next(practice: Path) -> None:
    assert run("patient", "add", "P-1").exit_code == 0
    made = run("session", "new", "P-1", "--protocol", practice.name)
    assert made.exit_code == 0, made.stderr
    assert "next: hbc session run P-1/1 --port PORT\n" in made.stdout
    assert "hbc sim" in made.stdout
    (folder,) = (practice.parent / "sessions" / "P-1").iterdir()
    assert f"folder: {folder.relative_to(practice.parent)}\n" in made.stdout
    visit = load_visit(folder)
    assert visit.practice, "whatever the options said"
    check_before(folder, visit, unsigned=False, resume=False)
    assert Follow(visit).problems.standing == {}, "nobody has to sign it"
    checked = run("protocol", "check", practice)
    assert checked.exit_code == 0
    assert "a real box is refused" in checked.stdout


def test_the_clinics_own_protocol_is_practised_with_unsigned_by_saying_so(practice: Path) -> None:
    own = practice.with_name("own.toml")
    own.write_text(practice.read_text().replace("practice = true\n", ""))
    assert run("patient", "add", "P-1").exit_code == 0
    refused = run("session", "new", "P-1", "--protocol", own)
    assert refused.exit_code == 2
    made = run("session", "new", "P-1", "--protocol", own, "--practice", "--store", practice.with_name("store.sqlite"))
    assert "next: hbc session run P-1/1 --port PORT --unsigned --store" in made.stdout


def test_a_real_box_refuses_a_practice_protocol_before_anything_is_written(
    practice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = practice.parent / "s"
    visit = visit_by(practice)
    write_visit(folder, visit)
    with pty_box() as box:
        port = OpenedSerial(box.path, lambda: box.send_later(stream_of(box_frames(2.0))))
        with pytest.raises(SessionError, match=f"box {REAL} is a real one.*signed protocol, or practise with hbc sim"):
            conduct(folder, visit, port, ping=False)
    assert sorted(path.name for path in folder.iterdir()) == ["visit.json"]
    check_box(visit, SIMULATED)
    check_box(clinic_visit(practice.parent), REAL)


def test_a_visit_by_a_practice_protocol_is_practice_or_none(practice: Path) -> None:
    known = {"operator": "AJ", "supervisor": "BdV", "second_person": "CM"}
    with pytest.raises(InputError, match="is for practice; have a protocol of the clinic signed"):
        visit_for(load_protocol(practice), pseudonym="P-1", created=datetime.now(UTC), **known)


def test_signatures_of_before_still_hold_and_a_practice_protocol_cannot_be_made_earnest(practice: Path) -> None:
    signed = visit_of_p014().protocol
    assert signed.content_sha256() == "b782bbde98627492d7b093ff5885be33e0b085fd7e8b7cd1bc2646d0504c8aad", (
        "a clinic's signature was lost"
    )
    sign(practice, "A. Jansen", date(2026, 3, 1))
    practice.write_text(practice.read_text().replace("practice = true\n", ""))
    assert signature_state(load_protocol(practice)) == "changed"


def test_only_dash_can_be_practised_for_that_is_what_the_simulated_stimulator_gives(practice: Path) -> None:
    refused = run("protocol", "new", "itbs", "--practice")
    assert refused.exit_code == 2
    assert "dash --practice" in refused.stderr
    ours = run("protocol", "new", "dash")
    assert ours.exit_code == 0
    text = Path("dash.toml").read_text()
    assert "practice = true" not in text
    assert "# pulses_a_day =\n" in text, "limits are the clinic's own"


def test_a_practice_visit_on_a_real_box_enters_the_store_as_practice(
    practice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recorded(practice.parent / "real", REAL, monkeypatch)
    write_visit(folder, visit_by(practice))
    assert run("patient", "add", "P-1").exit_code == 0
    done = run("patient", "visit", "P-1", folder, "--protocol", "dash")
    assert done.exit_code == 0, done.stderr
    assert "(practice: a simulated box or a practice protocol)" in done.stdout
    noted = run("patient", "event", "P-1", "headache", "--severity", "mild", "--visit", "1")
    assert "its visit was practice, so it stands in no course of treatment" in noted.stdout
    assert "practice" not in run("patient", "event", "P-1", "headache", "--severity", "mild").stdout


@pytest.mark.parametrize("code", ["en", "nl"])
def test_page_one_of_a_simulated_box_says_practice_and_never_shows_it_as_a_real_one(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "none.sqlite"))
    simulated = recorded(tmp_path / "simulated", SIMULATED, monkeypatch)
    page = Page(report_of_folder(simulated, command="c", lang=code).read_text("utf-8"))
    first = page.words()[:600]
    assert BADGE[code] in first
    assert {"en": "simulated box (", "nl": "gesimuleerd meetkastje ("}[code] in first
    assert SIMULATED not in page.words()
    if shutil.which("pdftotext"):
        path = report_of_folder(simulated, simulated / "r.pdf", command="c", lang=code)
        done = subprocess.run(
            ["pdftotext", "-f", "1", "-l", "1", path, "-"], capture_output=True, text=True, check=True
        )
        assert BADGE[code] in done.stdout
    real = recorded(tmp_path / "real", REAL, monkeypatch)
    text = Page(report_of_folder(real, command="c", lang=code).read_text("utf-8")).words()
    assert BADGE[code] not in text
    assert REAL in session_facts(load_session(real), language(code))["Box"]


@pytest.mark.parametrize("code", ["en", "nl"])
def test_a_practice_visit_with_a_real_box_is_no_result_of_a_patient(code: str) -> None:
    found = practice_of(four_sites_of_one_person(), visit_of_p014(practice=True), language(code))
    assert found is not None
    assert found[0] == BADGE[code]
    assert {"en": "no result of a patient", "nl": "geen uitslag van een patiënt"}[code] in found[1]
    assert practice_of(four_sites_of_one_person(), visit_of_p014(), language(code)) is None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    with open_store(str(tmp_path / "store.sqlite")) as session:
        yield session


@pytest.mark.parametrize(("box_id", "practised"), [(SIMULATED, True), (REAL, False)])
def test_the_store_marks_a_session_of_a_simulated_box_and_the_course_leaves_it_out(
    store: Any, tmp_path: Path, box_id: str, practised: bool
) -> None:
    patient = add_patient(store, "P-1", PatientFacts(), who="me")
    visit = clinic_visit(tmp_path)
    keep_visit(store, patient, visit, tmp_path / "s", who="me")
    event = EventFacts(NOW, "headache", "mild", "tried the form", "AJ")
    row = finish_visit(store, visit.uid, VisitEnd(NOW, False, (), 750, {}, BoxFacts(box_id), events=(event,)), who="me")
    store.refresh(patient)
    assert row.practice is practised
    assert pulses_today(patient, NOW) == (0 if practised else 750)
    found = course_of(patient)
    assert (len(found.sessions), len(found.events), found.practice_n) == ((0, 0, 1) if practised else (1, 1, 0))
    said = Page(render(patient_page(found, command="c", made=MADE))).words()
    assert ("Practice sessions, left out 1" in said) is practised


def test_a_cohort_leaves_practice_and_simulated_boxes_out_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "recordings"
    recorded(home / "P-1" / "1", REAL, monkeypatch)
    write_visit(recorded(home / "P-2" / "1", REAL, monkeypatch), visit_of_p014(practice=True))
    whole = recorded(home / "P-3" / "1", SIMULATED, monkeypatch)
    write_manifest(whole, ended="stopped", reason="")
    recorded(home / "P-4" / "1", SIMULATED, monkeypatch)  # cut off: no manifest says its box
    refs = find_recordings(home)
    aside = left_out(refs)
    assert aside == {
        "P-2/1": "left out: a practice session, nobody was stimulated",
        "P-3/1": "left out: measured by a simulated box",
        "P-4/1": "left out: measured by a simulated box",
    }
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text("patient,improved\nP-1,yes\n")
    audit = audit_cohort([ref for ref in refs if ref.place not in aside], read_outcomes(outcomes), left_out=aside)
    assert (audit.recordings_n, audit.left_out_n, audit.patients_n) == (1, 3, 1)
    assert [one.about for one in audit.findings if one.level == "left out"] == list(aside)
    checked = run("cohort", "check", home, "--outcomes", outcomes)
    assert "3 recordings left out as practice" in checked.stdout
    assert "left out" not in run("cohort", "check", home, "--outcomes", outcomes, "--with-practice").stdout
    shutil.rmtree(home / "P-1")
    assert "3 recordings, all of them practice" in run("cohort", "check", home, "--outcomes", outcomes).stderr


@pytest.mark.parametrize("code", ["en", "nl"])
def test_the_demonstration_is_practice_and_speaks_the_language_of_its_page(code: str) -> None:
    visit = demo_visit(code)
    assert visit.practice
    assert visit.protocol.practice
    spoken = (visit.operator, visit.supervisor, visit.protocol.name)
    assert (
        spoken
        == {
            "en": ("you", "nobody: simulated patient", "demonstration"),
            "nl": ("u zelf", "niemand: gesimuleerde patiënt", "demonstratie"),
        }[code]
    )


def test_a_practice_word_in_a_protocol_is_part_of_its_hash() -> None:
    protocol = visit_of_p014().protocol
    assert ProtocolFile.model_validate(protocol.model_dump() | {"practice": True}).content_sha256() != (
        protocol.content_sha256()
    )

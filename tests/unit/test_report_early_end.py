"""Page 1 says in plain words when a session did not go through its plan."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hbc_host.clinic.visit import write_visit
from hbc_host.parts import note
from hbc_host.recorder import FROM_BOX, LOG_NAME, Chunk, LogWriter
from hbc_host.report.content import report_page
from hbc_host.report.delivered import Delivery
from hbc_host.report.early_end import EarlyEnd, ShortSite, early_end
from hbc_host.report.language import ENGLISH, language
from hbc_host.report.of_folder import read_folder
from hbc_host.report.page_early import early_words
from hbc_host.report.pdf import render_pdf
from hbc_host.report.session_parts import SessionParts
from hbc_host.session import META_NAME
from support import a_meta, box_frames, stream_of
from support_report import MADE, four_sites_of_one_person, page_of, visit_of_p014

BEGIN_US, DURATION_S = 1_000_000, 75.0  # five trains of fifteen at the first of four sites
TRAINS = [[50.0, 50]] * 15


def begins(site: str, at_us: int = BEGIN_US) -> Chunk:
    return note(110.0, "site_begins", site=site, site_idx=0, begins_us=at_us, trains=TRAINS)


def ends(site: str, trains_n: int, at_us: int) -> Chunk:
    return note(111.0, "site_ends", site=site, site_idx=0, ends_us=at_us, trains_n=trains_n)


def stopped(*, finished: bool = False, by: str = "A. Jansen", why: str = "the patient asked.") -> Chunk:
    return note(112.0, "stopped", by=by, why=why, finished=finished)


def recorded(folder: Path, before: list[Chunk], after: list[Chunk]) -> Path:
    """A visit of four sites and 60 trains whose recording ends within the fifth train of the first."""
    data = stream_of(box_frames(DURATION_S))
    write_visit(folder, visit_of_p014())
    (folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    writer = LogWriter(folder / LOG_NAME)
    chunks = [Chunk(FROM_BOX, 100.0 + 0.05 * n, data[at : at + 700]) for n, at in enumerate(range(0, len(data), 700))]
    for chunk in (*chunks[:5], *before, *chunks[5:], *after):
        writer.append(chunk)
    writer.close()
    return folder


def said_of(folder: Path, code: str = "en") -> str:
    return early_words(read_folder(folder).parts.early, language(code))


def test_page_1_says_who_stopped_a_session_when_where_and_what_was_given(tmp_path: Path) -> None:
    late_us = int(DURATION_S * 1e6)
    folder = recorded(tmp_path / "s", [begins("5CM-L")], [ends("5CM-L", 5, late_us), stopped()])
    assert said_of(folder) == (
        "Stopped early: A. Jansen ended the session at 1:14 (min:s of the recording), at 5CM-L after 5 of 15 trains. "
        "Reason given: the patient asked. In all, 5 of 60 planned trains were given. "
        "Without any train: BF3-L, 5CM-R and BF3-R."
    )
    assert said_of(folder, "nl") == (
        "Vroegtijdig gestopt: A. Jansen beëindigde de sessie op 1:14 (min:s van de opname), op 5CM-L, na 5 van de 15 "
        "pulstreinen. Opgegeven reden: the patient asked. In totaal zijn 5 van de 60 geplande pulstreinen gegeven. "
        "Zonder één pulstrein: BF3-L, 5CM-R en BF3-R."
    )


def test_a_recording_that_breaks_off_says_so_without_naming_anybody(tmp_path: Path) -> None:
    text = said_of(recorded(tmp_path / "s", [begins("5CM-L")], []))
    assert text.startswith("Ended early: the recording breaks off at 1:14 (min:s), at 5CM-L after 5 of 15 trains.")
    assert "Reason" not in text


def test_a_session_that_was_taken_up_again_is_not_stopped_by_its_first_end(tmp_path: Path) -> None:
    text = said_of(recorded(tmp_path / "s", [stopped(), begins("5CM-L")], []))
    assert text.startswith("Ended early")
    assert "A. Jansen" not in text


def test_a_recording_under_way_has_not_ended(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "s", [begins("5CM-L")], [])
    assert said_of(folder)
    code = (
        "import sys; from pathlib import Path; from hbc_host.lock import FolderLock; "
        "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        assert said_of(folder) == ""
        holder.stdin.close()
    assert said_of(folder)


def test_trains_that_the_trigger_lost_do_not_make_a_session_an_early_one(tmp_path: Path) -> None:
    """The session counted all trains of each site; the recording of some broke."""
    late_us = int(DURATION_S * 1e6)
    names = [run.site for run in visit_of_p014().plan.runs]
    over = [ends(name, 15, late_us) for name in names]
    assert said_of(recorded(tmp_path / "s", [begins("5CM-L")], [*over, stopped(finished=True)])) == ""


def test_sites_that_were_left_are_named_though_the_session_went_to_its_end(tmp_path: Path) -> None:
    late_us = int(DURATION_S * 1e6)
    over = [
        ends("5CM-L", 5, late_us),
        ends("BF3-L", 0, late_us),
        ends("5CM-R", 15, late_us),
        ends("BF3-R", 15, late_us),
    ]
    text = said_of(recorded(tmp_path / "s", [begins("5CM-L")], [*over, stopped(finished=True)]))
    assert text.startswith("Not all that was planned was given.")
    assert "Left before the end: 5CM-L at 1:14 after 5 of 15 trains. Without any train: BF3-L." in text


def test_trains_too_many_at_one_site_do_not_count_for_another(tmp_path: Path) -> None:
    session = read_folder(recorded(tmp_path / "s", [begins("BF3-L")], [stopped()])).session
    given = (Delivery("5CM-L", 20, 1000, 0, 15, 750), Delivery("BF3-L", 4, 200, 0, 15, 750))
    early = early_end(session, visit_of_p014(), given)
    assert early is not None
    assert (early.trains_n, early.planned_n, [one.site for one in early.short]) == (19, 30, ["BF3-L"])


def test_a_session_without_a_visit_has_no_plan_to_fall_short_of(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "s", [begins("5CM-L")], [])
    session = read_folder(folder).session
    assert early_end(session, None, ()) is None


@pytest.mark.parametrize("code", ["en", "nl"])
def test_the_words_stand_on_page_1_of_html_and_pdf_above_the_result(code: str, tmp_path: Path) -> None:
    lang = language(code)
    short = (ShortSite("5CM-L", 6, 15, True, 700.0), ShortSite("BF3-L", 0, 15, False))
    early = EarlyEnd(short, 36, 60, True, True, "AJ", "hurts", 725.0, "5CM-L")
    parts, said = SessionParts(early=early), early_words(early, lang)
    text = page_of(four_sites_of_one_person(), lang=lang, parts=parts).words()
    assert text.index(said) < text.index({"en": "Result", "nl": "Uitslag"}[code])
    page = report_page(four_sites_of_one_person(), command="x", session_info={}, made=MADE, lang=lang, parts=parts)
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is absent: apt install poppler-utils")
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(page))
    first = subprocess.run(["pdftotext", "-l", "1", str(path), "-"], capture_output=True, text=True, check=True).stdout
    assert "".join(said.split()) in "".join(first.split())


def test_a_session_that_went_through_its_plan_has_no_such_words() -> None:
    assert early_words(None, ENGLISH) == ""
    assert "Stopped early" not in page_of(four_sites_of_one_person(), parts=SessionParts()).words()

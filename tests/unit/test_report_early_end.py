"""Page 1 says in plain words when a session did not go through its plan."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.clinic.visit import write_visit
from hbc_host.parts import note, part_name
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.report.content import report_page
from hbc_host.report.delivered import Delivery
from hbc_host.report.early_end import EarlyEnd, ShortSite, early_end
from hbc_host.report.language import ENGLISH, language
from hbc_host.report.of_folder import read_folder
from hbc_host.report.page_early import early_words
from hbc_host.report.pdf import render_pdf
from hbc_host.report.recording_times import RecordingTimes
from hbc_host.report.session_parts import SessionParts
from hbc_host.session import META_NAME
from hbc_host.session_model import HostNote
from support import a_meta, box_frames, stream_of
from support_report import MADE, four_sites_of_one_person, page_of, pdf_text, visit_of_p014

BEGIN_US, DURATION_S = 1_000_000, 75.0  # five trains of fifteen at the first of four sites
TRAINS = [[50.0, 50]] * 15


def begins(site: str, at_us: int = BEGIN_US) -> Chunk:
    return note(110.0, "site_begins", site=site, site_idx=0, begins_us=at_us, trains=TRAINS)


def ends(site: str, trains_n: int, at_us: int, *, host_s: float = 111.0) -> Chunk:
    return note(host_s, "site_ends", site=site, site_idx=0, ends_us=at_us, trains_n=trains_n)


def stopped(
    *, finished: bool = False, by: Any = "A. Jansen", why: Any = "the patient asked.", host_s: float = 112.0
) -> Chunk:
    return note(host_s, "stopped", by=by, why=why, finished=finished)


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


def restarted(folder: Path, boots_s: tuple[float, ...], after: list[Chunk], *, continued: bool = False) -> Path:
    """The same visit at a box that starts anew: the host's times go on from 100 s; ``continued`` in another log."""
    write_visit(folder, visit_of_p014())
    (folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    writer, host_s = LogWriter(folder / LOG_NAME), 100.0
    for boot_n, boot_s in enumerate(boots_s):
        if continued and boot_n:
            writer.close()
            writer = LogWriter(folder / part_name(boot_n + 1))
        data = stream_of(box_frames(boot_s, boot_n=7 + boot_n))
        for at in range(0, len(data), 700):
            writer.append(Chunk(FROM_BOX, host_s + boot_s * at / len(data), data[at : at + 700]))
            if boot_n == 0 and at == 2800:
                writer.append(begins("5CM-L"))
        host_s += boot_s
    for chunk in after:
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
        "Reason given: the patient asked. In all, 5 of 60 planned trains were recorded. "
        "Without any recorded train: BF3-L, 5CM-R and BF3-R."
    )
    assert said_of(folder, "nl") == (
        "Vroegtijdig gestopt: A. Jansen beëindigde de sessie op 1:14 (min:s van de opname), op 5CM-L, na 5 van de 15 "
        "pulstreinen. Opgegeven reden: the patient asked. In totaal zijn 5 van de 60 geplande pulstreinen "
        "geregistreerd. Zonder geregistreerde pulstreinen: BF3-L, 5CM-R en BF3-R."
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
    assert text.startswith("Not all that was planned was recorded.")
    assert "Left before the end: 5CM-L at 1:14 after 5 of 15 trains. Without any recorded train: BF3-L." in text


def test_trains_too_many_at_one_site_do_not_count_for_another(tmp_path: Path) -> None:
    session = read_folder(recorded(tmp_path / "s", [begins("BF3-L")], [stopped()])).session
    given = (Delivery("5CM-L", 20, 1000, 0, 15, 750), Delivery("BF3-L", 4, 200, 0, 15, 750))
    early = early_end(session, visit_of_p014(), given)
    assert early is not None
    assert (early.trains_n, early.planned_n, [one.site for one in early.short]) == (19, 30, ["BF3-L"])


def test_trains_that_only_the_session_counted_count_at_their_site_as_they_do_in_all(tmp_path: Path) -> None:
    """The trigger lost five of the first site's trains and all of the second's."""
    late_us = int(DURATION_S * 1e6)
    over = [ends("5CM-L", 10, late_us), ends("BF3-L", 7, late_us), stopped()]
    text = said_of(recorded(tmp_path / "s", [begins("5CM-L")], over))
    assert "at 5CM-L after 10 of 15 trains." in text
    assert "In all, 17 of 60 planned trains were recorded." in text
    assert "Left before the end: BF3-L at 1:14 after 7 of 15 trains. Without any recorded train: 5CM-R and" in text


def test_a_site_that_only_the_session_counted_at_was_under_way(tmp_path: Path) -> None:
    session = read_folder(recorded(tmp_path / "s", [], [ends("BF3-L", 7, int(DURATION_S * 1e6)), stopped()])).session
    given = (Delivery("5CM-L", 15, 750, 0, 15, 750), Delivery("BF3-L", 0, 0, 0, 15, 750))
    early = early_end(session, visit_of_p014(), given)
    assert early is not None
    assert early.site == "BF3-L"


@pytest.mark.parametrize("boots_s", [(75.0, 100.0), (75.0, 30.0)])
def test_times_count_from_the_first_start_of_the_box(boots_s: tuple[float, float], tmp_path: Path) -> None:
    """The second start is the longer or the shorter one; the analysis uses the longer."""
    all_s = sum(boots_s)
    over = [
        ends("5CM-L", 5, int(20e6), host_s=100.0 + all_s - 10.0),
        note(100.0 + all_s - 5.0, "site_begins", site="BF3-L", site_idx=1, begins_us=int(25e6), trains=TRAINS),
        stopped(host_s=100.0 + all_s),
    ]
    text = said_of(restarted(tmp_path / "s", boots_s, over))
    clocks = {175.0: ("2:55", "2:45"), 105.0: ("1:45", "1:35")}[all_s]
    assert f"A. Jansen ended the session at {clocks[0]} (min:s of the recording), at BF3-L" in text
    assert f"Left before the end: 5CM-L at {clocks[1]} after" in text


def test_a_recording_that_breaks_off_after_a_restart_counts_from_the_first_start(tmp_path: Path) -> None:
    text = said_of(restarted(tmp_path / "s", (75.0, 30.0), []))
    assert text.startswith("Ended early: the recording breaks off at 1:44 (min:s), at 5CM-L after")


@pytest.mark.parametrize(
    ("after", "english", "dutch"),
    [
        ([stopped()], "A. Jansen ended the session at 5CM-L after", "A. Jansen beëindigde de sessie op 5CM-L, na"),
        ([], "the recording breaks off at 5CM-L after", "de opname breekt af op 5CM-L, na"),
    ],
)
def test_a_time_that_nobody_knows_is_left_out(after: list[Chunk], english: str, dutch: str, tmp_path: Path) -> None:
    """A recording that was continued after the computer was started anew has another host clock."""
    folder = restarted(tmp_path / "s", (75.0, 30.0), after, continued=True)
    assert english in said_of(folder)
    assert dutch in said_of(folder, "nl")


def test_a_session_whose_log_is_gone_has_no_time_after_a_restart(tmp_path: Path) -> None:
    session = read_folder(restarted(tmp_path / "s", (75.0, 30.0), [stopped(host_s=205.0)])).session
    (tmp_path / "s" / LOG_NAME).unlink()
    early = early_end(session, visit_of_p014(), (Delivery("5CM-L", 5, 250, 0, 15, 750),))
    assert early is not None
    assert early.at_s is None


@pytest.mark.parametrize(("host_s", "since_s"), [(99.5, 0.0), (100.0, 0.0), (112.0, 12.0), (math.nan, None)])
def test_a_note_from_before_the_box_spoke_belongs_to_the_beginning(host_s: float, since_s: float | None) -> None:
    times = RecordingTimes(100.0, 20.0, by_host=True)
    assert times.since_start_s(HostNote("stopped", host_s, None, {})) == since_s


@pytest.mark.parametrize("why", ["...", " . ", "…", "", None, {"a": 1}, ["x"], 3])
def test_a_reason_without_words_is_not_printed(why: Any, tmp_path: Path) -> None:
    text = said_of(recorded(tmp_path / "s", [begins("5CM-L")], [stopped(by=["x"], why=why)]))
    assert text.startswith("Stopped early: the operator ended the session at 1:14")
    assert "Reason" not in text


def test_a_site_that_is_no_text_is_no_site(tmp_path: Path) -> None:
    odd = note(111.0, "site_begins", site=["x"], site_idx=1, begins_us=int(70e6), trains=TRAINS)
    text = said_of(recorded(tmp_path / "s", [begins("5CM-L")], [odd, stopped()]))
    assert "at 5CM-L after 5 of 15 trains." in text


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
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(page))
    assert "".join(said.split()) in pdf_text(path, "-l", "1")


def test_a_session_that_went_through_its_plan_has_no_such_words() -> None:
    assert early_words(None, ENGLISH) == ""
    assert "Stopped early" not in page_of(four_sites_of_one_person(), parts=SessionParts()).words()

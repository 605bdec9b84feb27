"""The report of a recorded session: what was delivered against the plan, what happened, who was there."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.cli import app
from hbc_host.cli_live import show_recording
from hbc_host.clinic.protocol_file import ProtocolFile
from hbc_host.clinic.sites import VisitSite
from hbc_host.clinic.visit import Visit, visit_for, write_visit
from hbc_host.io.ecg_signal import session_signal
from hbc_host.parts import note
from hbc_host.record import RecordSummary
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.report.delivered import Delivery
from hbc_host.report.language import NONE, language
from hbc_host.report.of_folder import FolderResult, default_target, read_folder, report_of_folder
from hbc_host.report.session_parts import SessionParts, session_parts
from hbc_host.report.session_words import clock, preparation_rows
from hbc_host.runs import RunInput, session_runs
from hbc_host.session import META_NAME, load_session
from hbc_host.session_model import Session
from hbc_host.trains import PROTOCOLS
from hbc_wire import messages
from support import a_meta, box_frames, edge_times_us, stream_of
from support_report import (
    MADE,
    Page,
    analysis_of,
    four_sites_of_one_person,
    full_parts,
    page_of,
    rendered,
    site_of,
    visit_of_p014,
)
from typer.testing import CliRunner

DURATION_S = 75.0
EDGES_N = len(edge_times_us(DURATION_S))
SLOW = "heart rate fell from 70 to 51 bpm, limit 14 less: stop stimulating and look at the patient"


def record(folder: Path, notes: list[Chunk], *, lost_edges: slice = slice(0)) -> Path:
    """A recording with notes in the midst of it; some edges never reached the box."""
    sent = box_frames(DURATION_S)
    edges = [one for one in sent if one.message is messages.TriggerEdge]
    gone = {id(one) for one in edges[lost_edges]}
    data = stream_of([one for one in sent if id(one) not in gone])
    folder.mkdir(exist_ok=True)
    (folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    writer = LogWriter(folder / LOG_NAME)
    chunks = [Chunk(FROM_BOX, 100.0 + 0.05 * n, data[at : at + 700]) for n, at in enumerate(range(0, len(data), 700))]
    for chunk in (*chunks[: len(chunks) // 2], *notes, *chunks[len(chunks) // 2 :]):
        writer.append(chunk)
    writer.close()
    return folder


@pytest.fixture
def notes() -> list[Chunk]:
    return [
        note(110.0, "alarm", kind="slow", began=True, met_us=20_100_000, text=SLOW),
        note(111.0, "acknowledged", alarm="slow-20100000", by="A. Jansen"),
        note(112.0, "alarm", kind="slow", began=False, met_us=32_100_000, text="over: slow"),
        note(113.0, "alarm", kind="pause", began=True, met_us=40_100_000, text="no heart beat for 3 s"),
        note(114.0, "alarm", kind="not visible", began=True, met_us=50_100_000, text="heart not visible"),
        note(115.0, "adverse_event", what="dizziness", severity="mild", text="in the chair", by="C. Smit",
             at_us=30_100_000),
        note(116.0, "rating", site="5cmL", value=3.5),
        note(117.0, "remark", text="coil moved", by="A. Jansen"),
        note(118.0, "stopped", by="A. Jansen", why="the patient asked"),
    ]  # fmt: skip


def parts_of(folder: Path, visit: Visit | None = None) -> SessionParts:
    session = load_session(folder)
    return session_parts(session, runs_of(session), PROTOCOLS["dash"], signal=session_signal(session), visit=visit)


def runs_of(session: Session) -> list[RunInput]:
    return session_runs(session, PROTOCOLS["dash"])[0]


def test_pulses_are_counted_from_the_triggers(tmp_path: Path) -> None:
    (found,) = parts_of(record(tmp_path / "s", [])).deliveries
    # The recording ends within the fifth train.
    assert (found.site, found.trains_n, found.pulses_n, found.odd_trains_n) == ("5cmL", 5, EDGES_N, 1)
    assert found.planned_pulses_n is None


def test_a_train_with_missing_pulses_is_counted_as_odd(tmp_path: Path) -> None:
    (found,) = parts_of(record(tmp_path / "s", [], lost_edges=slice(60, 63))).deliveries
    assert (found.pulses_n, found.odd_trains_n) == (EDGES_N - 3, 2)


def test_delivered_stands_beside_planned_and_a_site_left_out_has_zero(tmp_path: Path) -> None:
    session = load_session(record(tmp_path / "s", []))
    (run,) = runs_of(session)
    at_bf3 = [RunInput("BF3-L", run.beats_s, run.onsets_s, run.train_s, run.start_s, run.end_s)]
    found = session_parts(session, at_bf3, PROTOCOLS["dash"], signal=None, visit=visit_of_p014()).deliveries
    counts = {one.site: (one.trains_n, one.planned_trains_n, one.pulses_n, one.planned_pulses_n) for one in found}
    assert counts["BF3-L"] == (5, 15, EDGES_N, 750)
    assert counts["5CM-L"] == counts["5CM-R"] == counts["BF3-R"] == (0, 15, 0, 750)


def guided_notes(site: str, planned_n: int, begins_s: float, ends_s: float) -> list[Chunk]:
    """What a guided session notes: a site begins, and its last planned cycle is over."""
    trains = [[50.0, 50]] * planned_n
    begins = note(110.0, "site_begins", site=site, site_idx=0, begins_us=round(begins_s * 1e6), trains=trains)
    return [begins, note(120.0, "site_ends", site=site, site_idx=0, ends_us=round(ends_s * 1e6), trains_n=planned_n)]


def test_trains_beyond_the_plan_are_counted_and_marked_and_said(tmp_path: Path) -> None:
    # Five trains came; three were planned, and the site was over after the third.
    folder = record(tmp_path / "s", guided_notes("5CM-L", 3, 1.0, 54.9))
    session = load_session(folder)
    runs, said = session_runs(session, PROTOCOLS["dash"])
    assert runs[0].onsets_s.size == 3
    assert said == ["5CM-L: 5 trains recorded, 3 planned"]
    parts = session_parts(session, runs, PROTOCOLS["dash"], signal=None, visit=planned_trains(3))
    one = parts.deliveries[0]
    assert (one.trains_n, one.planned_trains_n, one.pulses_n, one.planned_pulses_n) == (5, 3, EDGES_N, 150)
    assert parts.strays_n == 0
    text = page_of(analysis_of(site_of("5CM-L", 1.0, 1.0, 0.2, 0.2)), parts=parts).words()
    assert f"5CM-L ≠ 5 3 ≠ {EDGES_N} 150" in text
    assert "5CM-L: 2 trains more than planned (5 instead of 3). The result uses the first 3" in text
    first = text[: text.index("Evidence")]
    assert "Trains (planned) ≠ 5 (3) Pulses (planned)" in first


def test_as_many_trains_as_planned_carry_no_mark(tmp_path: Path) -> None:
    found = Delivery("A", 15, 750, 0, 15, 750)
    text = page_of(four_sites_of_one_person(), parts=SessionParts(deliveries=(found,))).words()
    assert "Trains (planned) 15 (15) Pulses (planned) 750 (750)" in text
    assert "A 15 15 750 750 0" in text
    assert "planned (" not in text[text.index("Stimulation delivered") :]


def test_differences_that_cancel_in_the_sum_are_marked_there_too() -> None:
    found = (Delivery("A", 16, 800, 0, 15, 750), Delivery("B", 14, 700, 0, 15, 750), Delivery("C", 0, 0, 0, 1, 50))
    text = page_of(four_sites_of_one_person(), parts=SessionParts(deliveries=found[:2])).words()
    assert "together ≠ 30 30 ≠ 1 500 1 500 0" in text
    text = page_of(four_sites_of_one_person(), parts=SessionParts(deliveries=found)).words()
    assert "A: 1 train more than planned (16 instead of 15)" in text
    assert "C: not stimulated; 1 train was planned." in text


def planned_trains(trains_n: int) -> Visit:
    """A visit whose protocol plans so many trains of 50 pulses at one site."""
    visit = visit_of_p014()
    facts = visit.protocol.model_dump(exclude_none=True) | {
        "trains": {"kind": "dash", "trains_n": trains_n},
        "intensity": {"unit": "%MSO", "steps": [50.0] * trains_n},
        "sites": {"names": ["5CM-L"], "order": "fixed", "control": ""},
    }
    people = {"operator": "A. Jansen", "supervisor": "Dr. B. de Vries", "second_person": "C. Smit"}
    return visit_for(ProtocolFile.model_validate(facts), pseudonym="P-014", created=MADE, uid="0" * 32,
                     state=visit.state, motor_threshold=visit.motor_threshold, practice=True, **people)  # fmt: skip


def test_alarms_have_an_end_and_who_acknowledged_them(tmp_path: Path, notes: list[Chunk]) -> None:
    found = parts_of(record(tmp_path / "s", notes))
    slow, pause = found.alarms
    assert (slow.name, slow.acknowledged_by) == ("slow", "A. Jansen")
    assert slow.at_s == pytest.approx(20.0, abs=0.1)
    assert slow.lasted_s == pytest.approx(12.0)
    assert (pause.name, pause.acknowledged_by, pause.lasted_s) == ("pause", "", None)
    assert [one.name for one in found.problems] == ["heart_not_visible"]
    assert found.watched


def test_what_people_said_is_kept_with_who_and_when(tmp_path: Path, notes: list[Chunk]) -> None:
    found = parts_of(record(tmp_path / "s", notes))
    (event,) = found.events
    assert (event.what, event.about, event.text, event.by) == ("dizziness", "mild", "in the chair", "C. Smit")
    assert event.at_s == pytest.approx(30.0, abs=0.1)
    assert [(one.about, one.what) for one in found.ratings] == [("5cmL", "3.5")]
    assert [one.what for one in found.remarks] == ["coil moved", "the patient asked"]


def test_notes_that_say_nonsense_break_nothing(tmp_path: Path) -> None:
    wild = [
        note(110.0, "alarm", kind=["a"], began="yes"),
        note(110.0, "alarm", kind="slow", began=True, met_us="soon", text=7),
        note(110.0, "rating", site=None, value={"a": 1}),
        note(110.0, "adverse_event", what="x" * 3000, severity=None),
        note(110.0, "problem"),
    ]
    found = parts_of(record(tmp_path / "s", wild))
    assert [one.name for one in found.alarms] == ["slow"]
    assert found.ratings == ()
    assert len(found.events[0].what) == 500
    Page(rendered(analysis_of(site_of("5cmL", 1.0, 1.0, 0.2, 0.2)), parts=found))


def test_signal_quality_says_leads_and_blanking_even_when_nothing_was_wrong(tmp_path: Path) -> None:
    found = parts_of(record(tmp_path / "s", []))
    assert found.signal["lead_off_s"] == 0.0
    assert isinstance(found.signal["blanked_share"], float)
    assert 0.0 <= found.signal["blanked_share"] < 0.1


def test_the_heart_rate_of_a_run_is_measured_from_its_beats(tmp_path: Path) -> None:
    (rhythm,) = parts_of(record(tmp_path / "s", [])).rhythms
    assert rhythm.rate_bpm[rhythm.used] == pytest.approx(75.0)
    assert len(rhythm.trains_s) == 5
    assert rhythm.trains_s[0][0] == pytest.approx(7.0, abs=0.01)


def test_a_folder_alone_gives_the_whole_report(
    tmp_path: Path, notes: list[Chunk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "none.sqlite"))
    folder = record(tmp_path / "s", notes)
    write_visit(folder, visit_of_p014())
    found = read_folder(folder)
    assert found.language == "nl"
    assert found.parts.course is None
    assert not (tmp_path / "none.sqlite").exists()
    text = Page(report_of_folder(folder, command="hbc report s").read_text("utf-8")).words()
    for words in ("A. Jansen", "C. Smit", "Dr. B. de Vries, 2026-04-01", "52 %MSO (visible twitch", "duizeligheid"):
        assert words in text
    assert (folder / "report.html").stat().st_mode & 0o777 == 0o600


def test_page_one_names_people_motor_threshold_and_who_signed() -> None:
    text = page_of(four_sites_of_one_person(), parts=full_parts()).words()
    first = text[: text.index("Evidence")]
    for words in ("Operator A. Jansen", "Supervisor Dr. B. de Vries", "Second person C. Smit", "Visit 1, treatment 3"):
        assert words in first
    assert "Motor threshold 52 %MSO (visible twitch, 2026-05-01, A. Jansen)" in first
    assert "Protocol signed by Dr. B. de Vries, 2026-04-01" in first
    assert "PRACTICE" not in first
    assert "Adverse events 1; observation not ended" in first


def test_everything_that_happened_is_on_the_page() -> None:
    text = page_of(four_sites_of_one_person(), parts=full_parts()).words()
    for words in (
        "B ≠ 14 15 ≠ 690 750 1",
        "together ≠ 29 30 ≠ 1 440 1 500 1",
        "B: 1 train fewer than planned (14 instead of 15).",
        "3 edges lie outside of every run.",
        "slow heart 1:05 12 s heart rate fell from 70 to 51 bpm",
        "to the end",
        "nobody",
        f"dizziness 1:40 mild {NONE} A. Jansen not ended in the recording",
        "Discomfort, 0 to 10: A 3.5.",
        "electrode off: once, 2 s",
        "0:20: koffie (C. Smit)",
        "to know: fainted before and beta-blocker",
        "ECG blanked around pulses 2.6 %",
        "down (electrodes swapped?)",
    ):
        assert words in text, words


def test_a_recording_without_a_visit_has_the_report_it_always_had() -> None:
    text = page_of(four_sites_of_one_person()).words()
    for words in ("Operator", "Safety and events", "Preparation", "Stimulation delivered", "Outcome scores"):
        assert words not in text


def test_times_are_minutes_and_seconds() -> None:
    assert [clock(seconds) for seconds in (0.0, 65.9, 3600.0)] == ["0:00", "1:05", "60:00"]
    assert clock(None) == clock(math.nan) == NONE


def test_what_was_measured_of_the_skull_is_said_in_the_language_of_the_report() -> None:
    measures = {"head_cm": 56.5, "nasion_inion_cm": 35.0, "x_cm": 6.2, "efield_v_m": 81.0, "angle_deg": 45.0}
    site = visit_of_p014().sites[1].model_copy(update={"measures": measures})
    (said,) = [text for label, text in preparation_rows(visit_with(site), language("nl")) if label == "Locatie BF3-L"]
    assert said == (
        "Beam F3, links, hoofdomtrek 56,5 cm, van nasion tot inion 35 cm, langs de omtrek 6,2 cm, "
        "elektrisch veld 81 V/m, hoek 45°"
    )


def visit_with(site: VisitSite) -> Visit:
    return visit_of_p014().model_copy(update={"sites": (site,)})


def test_who_ended_the_observation_after_an_event_and_when_is_in_the_report(tmp_path: Path) -> None:
    first = note(110.0, "adverse_event", what="syncope", severity="mild", text="", by="AJ", at_us=20_000_000)
    second = note(111.0, "adverse_event", what="headache", severity="mild", text="", by="AJ", at_us=30_000_000)
    over = note(112.0, "observation_over", by="CM", lasted_s=5.0, at_us=35_000_000)
    last = note(113.0, "adverse_event", what="tingling", severity="mild", text="", by="AJ", at_us=36_000_000)
    parts = parts_of(record(tmp_path / "s", [first, second, over, last]))
    assert [one.over_by for one in parts.events] == ["CM", "CM", ""]
    assert parts.events[1].at_s is not None
    assert parts.events[1].over_s == pytest.approx(parts.events[1].at_s + 5.0)
    english = Page(rendered(four_sites_of_one_person(), parts=SessionParts(events=parts.events, watched=True))).words()
    assert "by CM, after 15 s" in english
    restarted = note(112.0, "observation_over", by="CM", lasted_s=5.0, at_us=1_000_000)  # of the box's next start
    [one] = parts_of(record(tmp_path / "r", [second, restarted])).events
    assert one.at_s is not None
    assert one.over_s == pytest.approx(one.at_s + 5.0)
    assert "by CM, after 5 s" in english
    assert "tingling" in english
    assert english.count("not ended in the recording") == 1


def test_a_report_in_another_language_replaces_none_and_its_name_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HBC_STORE", str(tmp_path / "none.sqlite"))
    folder = record(tmp_path / "s", [])
    write_visit(folder, visit_of_p014())  # a Dutch one
    for options, name, code in (([], "report.html", "nl"), (["--lang", "en"], "report.en.html", "en")):
        done = CliRunner().invoke(app, ["report", str(folder), *options])
        assert done.exit_code == 0, done.stderr
        assert f"report: {folder / name}\n" in done.stdout
        assert f'lang="{code}"' in (folder / name).read_text("utf-8")
    assert 'lang="nl"' in (folder / "report.html").read_text("utf-8")
    assert default_target(folder, "en", ".pdf") == folder / "report.en.pdf"
    assert default_target(folder, "nl", ".pdf") == folder / "report.pdf"
    assert default_target(tmp_path, "nl", ".pdf") == tmp_path / "report.nl.pdf"  # English without a visit
    refused = CliRunner().invoke(app, ["report", str(folder), "--lang", "fr"])
    assert refused.exit_code != 0
    assert sorted(path.name for path in folder.glob("report*")) == ["report.en.html", "report.html"]


def test_after_its_report_a_recording_asks_for_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    summary = RecordSummary(tmp_path / "s", None, "stopped", "", 1, 1, 0, 0, 9, 9, 1.0, 1, 0, 0, 0)
    before, after = (said_by(summary, report) for report in (None, tmp_path / "s" / "report.nl.html"))
    assert before[-1] == "next: hbc report s"
    assert after[-1] == "next: open s/report.nl.html in a browser; on paper: hbc report s --pdf"


def said_by(summary: RecordSummary, report: Path | None) -> list[str]:
    lines: list[str] = []
    out = SimpleNamespace(say=lines.append, json=lambda document: None)
    show_recording(out, summary, report)  # type: ignore[arg-type]
    return lines


@pytest.mark.parametrize(
    ("code", "labels", "sentences"),
    [
        (
            "en",
            ("beats recorded", "beats in rests and runs", "Beats used"),
            ("Beats used: from just", "Beats in rests and runs: those of all sites", "Beats recorded: from the first"),
        ),
        (
            "nl",
            ("opgenomen hartslagen", "hartslagen in rust en stimulatie", "Gebruikte slagen"),
            ("Gebruikte slagen: van vlak", "Hartslagen in rust en stimulatie: die", "Opgenomen hartslagen: van begin"),
        ),
    ],
)
def test_each_number_of_beats_says_what_it_counts(
    code: str, labels: tuple[str, ...], sentences: tuple[str, ...], tmp_path: Path
) -> None:
    folder = record(tmp_path / "s", guided_notes("5CM-L", 3, 5.0, 54.9))
    found = read_folder(folder, protocol="dash")
    recorded_n, (used_n, in_run_n) = found.session.beats_us.size, beats_of(found)
    assert used_n < in_run_n < recorded_n, "three different numbers, as in every session"
    page = page_of(found.analysis, lang=language(code), parts=found.parts)
    rows = {row[0].strip(): row[1] for row in page.cells if len(row) == 2}
    assert (rows[labels[0]], rows[labels[1]]) == (str(recorded_n), str(in_run_n))
    assert labels[2] in [cell for row in page.cells for cell in row]
    text = page.words()
    assert all(sentence in text for sentence in sentences)


def beats_of(found: FolderResult) -> tuple[int, int]:
    """Beats that the analysis used, and those that it looked at."""
    in_run_n = found.analysis.quality["beats_n"]
    assert isinstance(in_run_n, int)
    return sum(site.beats_n for site in found.analysis.sites), in_run_n


def test_a_result_without_its_recording_says_nothing_of_beats_recorded() -> None:
    text = page_of(four_sites_of_one_person()).words()
    assert "Beats in rests and runs:" in text
    assert "Beats recorded:" not in text


@pytest.mark.parametrize(
    ("code", "part", "whole"),
    [
        ("en", "Beats recorded: of the part that is analysed,", "Beats recorded: from the first"),
        ("nl", "Opgenomen hartslagen: die van het deel dat geanalyseerd is,", "Opgenomen hartslagen: van begin"),
    ],
)
def test_beats_recorded_are_those_of_the_part_that_is_analysed_when_the_box_restarted(
    code: str, part: str, whole: str, tmp_path: Path
) -> None:
    sent = box_frames(DURATION_S) + box_frames(30.0, boot_n=8)
    (tmp_path / META_NAME).write_text(a_meta().to_json(), "utf-8")
    writer = LogWriter(tmp_path / LOG_NAME)
    writer.append(Chunk(FROM_BOX, 100.0, stream_of(sent)))
    writer.close()
    found = read_folder(tmp_path, protocol="dash")
    assert found.parts.beats_n == sum(one.message is messages.RPeak for one in box_frames(DURATION_S))
    text = page_of(found.analysis, lang=language(code), parts=found.parts).words()
    assert part in text
    assert whole not in text

"""What the live page says, without a browser: states of their own, numbers, and no word without its Dutch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from hbc_host.app import results, view, words
from hbc_host.app.browser import Browser
from hbc_host.app.cell import STOP, WARN, Cell
from hbc_host.app.commands import parse_request
from hbc_host.app.desk import Desk
from hbc_host.app.details import TEMPLATES, VALUE, said
from hbc_host.app.hub import Hub
from hbc_host.app.state import LiveState
from hbc_host.app.strip import strip
from hbc_host.app.words import Words
from hbc_host.i18n import LOCALE
from hbc_host.live import problems
from hbc_host.live.coupling_worker import result_message
from hbc_host.live.engine import FAILED
from hbc_host.live.over import closed_words
from support_live import a_visit
from support_report import compared, site_of

APP = Path(words.__file__).parent
EN, NL = Words("en"), Words("nl")
BOX = {"connected": True, "leads": 0, "signal_state": "good", "lost_frames_n": 0, "gaps_n": 0, "drift_ppm": None}


def state(**known):
    return {"kind": "state", "now_s": 100.0, "phase": "pause", "box": BOX, "problems": [], "alarms": [], **known}


def followed(*messages):
    live = LiveState()
    for message in messages:
        live.take(message)
    return live


def beat(at_s, rr_ms=900.0):
    return {"kind": "beat", "at_s": at_s, "rr_ms": rr_ms, "rate_bpm": 60000 / rr_ms, "quality": 200, "counted": True}


def test_every_word_of_page_and_terminal_is_in_the_dutch_catalogue_and_none_too_many():
    from babel.messages.pofile import read_po

    wanted = set()
    for path in APP.glob("*.py"):
        keywords = {"mark": None, "mark_plural": (1, 2)}
        wanted |= {found[1] for found in extract_from_file("python", path, keywords=keywords)}
    page = extract_from_file("jinja2.ext:babel_extract", APP / "page.html.j2", keywords={"_": None})
    wanted |= {found[1] for found in page}
    with (LOCALE / "nl" / "LC_MESSAGES" / "live.po").open("rb") as file:
        known = {message.id for message in read_po(file) if message.id}
    assert wanted - known == set()
    assert known - wanted == set()


def test_no_sentence_is_said_without_being_marked():
    sources = [path.read_text("utf-8") for path in APP.glob("*.py")]
    assert [found for source in sources for found in re.findall(r"\.say\(\s*f?\"[^\"]+\"", source)] == []


def test_every_problem_that_a_session_knows_has_a_sentence_here():
    codes = {value for name, value in vars(problems).items() if name.isupper() and isinstance(value, str)}
    assert codes <= set(words.PROBLEMS)
    assert set(words.MEASURED) | set(words.URGENT) <= set(words.PROBLEMS)


def test_what_a_session_measured_is_said_in_dutch_with_its_numbers():
    text = "train 3 lasted 4.2 s, planned 5 s"
    assert said(text, EN) == text
    assert said(text, NL) == "pulstrein 3 duurde 4,2 s, gepland 5 s"
    both = "more than 3000 pulses today, which the clinic allows; a train longer than 6 s, which the clinic allows"
    cap = "een pulstrein langer dan de 6 s die de kliniek toestaat"
    assert said(both, NL) == f"meer dan de 3000 pulsen per dag die de kliniek toestaat; {cap}"
    assert said("nobody knows this sentence", NL) == "nobody knows this sentence"


@pytest.mark.parametrize("template", [text for text in TEMPLATES if VALUE.search(text)])
def test_each_template_is_recognised_again(template):
    filled = VALUE.sub("X7", template)
    assert said(filled, NL) == VALUE.sub("X7", NL.say(template, **dict.fromkeys(VALUE.findall(template), "X7")))


def test_a_beat_that_is_old_or_a_heart_that_is_not_visible_gives_no_rate():
    fresh = followed(state(), beat(99.5))
    assert view.heart(fresh, EN)["rate"].text == "67"
    assert view.heart(followed(state(now_s=105.0), beat(99.5)), EN)["rate"].text == words.DASH
    hidden = followed(state(problems=[{"code": "heart_not_visible"}]), beat(99.5))
    assert view.heart(hidden, EN)["rate_note"] == Cell("heart not visible", STOP)
    gone = followed(state(box=BOX | {"connected": False}), beat(99.5))
    assert view.heart(gone, EN)["rate"].text == words.DASH


def test_what_is_not_known_is_said_and_is_no_zero():
    cells = view.cells(LiveState(), EN, "waiting")
    assert cells["box"].text == cells["disk"].text == "not known"
    assert cells["phase"].text == "Waiting for the session"
    unplugged = view.cells(followed(state(phase="no_box", box={"connected": False})), EN, "live")
    assert unplugged["box"] == Cell("no box", STOP)
    assert unplugged["leads"].text == unplugged["lost"].text == "not known"


@pytest.mark.parametrize(
    ("field", "value", "place", "level"),
    [
        ("leads", 2, "leads", STOP),
        ("signal_state", "lead off", "signal", STOP),
        ("signal_state", "hum", "signal", WARN),
        ("lost_frames_n", 1, "lost", WARN),
        ("drift_ppm", -240.0, "drift", WARN),
        ("disk_left_s", 60.0, "disk", STOP),
    ],
)
def test_each_fault_of_the_box_shows_in_its_own_place(field, value, place, level):
    cells = strip(followed(state(box=BOX | {field: value})), EN)
    assert cells[place].level == level
    others = {name for name, cell in cells.items() if cell.level in (WARN, STOP)}
    assert others == {place}


def test_a_drift_that_is_not_known_well_yet_is_no_number():
    for error_ppm, shown in ((None, "not known yet"), (80.0, "not known yet"), (2.0, "102.0 ppm")):
        live = followed(state(box=BOX | {"drift_ppm": 102.0}, clock={"drift_error_ppm": error_ppm}))
        assert strip(live, EN)["drift"].text == shown


def test_an_alarm_waits_until_somebody_acknowledged_it_even_when_it_is_over():
    alarm = {"id": "slow-1", "kind": "slow", "text": "", "measured": 38.4, "limit": 45.0, "over": True}
    live = followed(state(alarms=[alarm | {"acknowledged_by": ""}]))
    prompt = view.alarm_prompt(live, NL, "live")
    assert prompt["text"] == "Trage hartslag: 38 slagen/min, grens 45 slagen/min"
    assert prompt["over"] == "Het is voorbij, maar kijk naar de patiënt."
    live.take(state(alarms=[alarm | {"acknowledged_by": "AB"}]))
    assert view.alarm_prompt(live, NL, "live") is None
    assert view.problem_lines(live, NL, "live") == []
    live.take(state(alarms=[alarm]))
    assert view.alarm_prompt(live, NL, "over") is None
    live.seen_here.add("slow-1")
    assert view.alarm_prompt(live, NL, "lost") is None
    live.take(state(alarms=[alarm | {"acknowledged_by": "AB", "over": False}]))
    assert "bevestigd door AB" in view.problem_lines(live, NL, "live")[0].text


def test_pulses_become_trains_and_a_box_that_starts_anew_leaves_no_old_time():
    live = followed(*[{"kind": "pulse", "at_s": at_s} for at_s in (50.0, 50.1, 50.2, 66.0)])
    assert list(live.trains) == [[50.0, 50.2], [66.0, 66.0]]
    assert not live.take({"kind": "pulse", "at_s": 66.0})  # told again after a reconnection
    live.take(beat(66.0))
    live.take(beat(1.0))
    assert [one["at_s"] for one in live.beats] == [1.0]
    assert list(live.trains) == []


def test_not_enough_data_is_a_normal_state_of_every_result():
    live = followed(state(site="BF3-L"), {"kind": "coupling", "site": "BF3-L", "trains_n": 1, "effect_bpm": None})
    assert results.coupling_cells(live, EN)["verdict"].text == "not enough data (1 train)"
    assert results.response(live, EN)["caption"] == "BF3-L: not enough data"
    step = {"intensity_pct": 40.0, "effect_bpm": 2.0, "ci90_bpm": [None, None]}
    sites = [{"name": "BF3-L", "control": False, "trains": [{"intensity_mso_pct": 40.0}, {"intensity_mso_pct": 50.0}]}]
    live.take({"kind": "hello", "session": {"sites": sites}})
    live.take({"kind": "coupling", "site": "BF3-L", "trains_n": 2, "effect_bpm": None, "steps": [step]})
    marks = [cell["mark"] for cell in results.site_map(live, EN)["rows"][0]["cells"]]
    assert marks == [results.UNCLEAR, results.EMPTY]


@pytest.mark.parametrize(
    "line",
    [
        '{"do":"rating","value":11}',
        '{"do":"rating","value":true}',
        '{"do":"adverse_event","what":"x","severity":"awful","text":"","by":"AB"}',
        '{"do":"intensity","mso_pct":1e999,"by":"AB"}',
        '{"do":"remark","text":"   "}',
        '{"do":"__class__"}',
        "[1,2]",
    ],
)
def test_a_request_that_is_none_of_ours_is_none(line):
    assert parse_request(line) is None


def test_a_request_is_handed_on_with_its_fields_only():
    assert parse_request('{"do":"rating","value":4}') == ("rating", {"site": "", "value": 4})


def test_what_a_session_answers_is_said_in_dutch():
    for text in (
        "trigger edges did not arrive; the box is asked for them", "the box is not heard: check cable and power",
        "no site has begun", closed_words(a_visit()), closed_words(a_visit().model_copy(update={"practice": False})),
        FAILED,
    ):  # fmt: skip
        assert said(text, NL) != text
    assert said("noted: hearing_change; the observation timer runs", NL).startswith("genoteerd: verandering")


def test_first_letters_that_two_events_share_choose_neither():
    desk, live = Desk(EN), LiveState()
    for typed, field in (("s", None), ("se", "seizure"), ("sy", "syncope")):
        assert desk._value("what", typed) == field
    assert desk.key("\N{SUPERSCRIPT TWO}", live) is None, "no digit of ours, and no end of the view"
    assert desk.key("2", live) == ("rating", {"site": "", "value": 2})


def test_the_page_names_a_best_site_only_where_the_report_does() -> None:
    clear = compared(site_of("A", 4.0, 0.5, 0.001, 0.002), site_of("B", 0.0, 0.5, 0.5, 0.5))
    assert result_message(clear)["best_site"] == "A"
    equal = compared(site_of("A", 2.0, 0.5, 0.001, 0.002), site_of("B", 1.9, 0.5, 0.001, 0.002))
    assert result_message(equal)["best_site"] is None, "the sites do not differ"
    alone = compared(site_of("A", 0.3, 0.7, 0.177, 0.177))
    assert result_message(alone)["best_site"] is None, "one site, and not shown to couple"


def test_a_session_that_is_over_shows_no_heart_of_now_and_no_fault_of_the_box() -> None:
    over = followed(state(phase="finished"), beat(99.5))
    assert view.cells(over, EN, "live")["rate"].text == "67"
    found = view.cells(over, EN, "over")
    assert [found[name] for name in ("rate", "rr", "box")] == [Cell(words.DASH)] * 3
    assert found["rate_note"] == Cell("")


def test_what_a_session_that_is_gone_did_not_answer_is_said_to_be_unanswered(tmp_path):
    class Client:
        def send(self, do, **fields):
            """Taken by the socket, and by nobody behind it."""

    hub = Hub(tmp_path, "en")
    hub._client = Client()
    browser = Browser()
    hub.ask(browser, "adverse_event", {"what": "syncope"})
    assert browser.queue.empty()
    hub._lost()
    assert browser.queue.get_nowait() == {"kind": "done", "do": "", "ok": False, "text": ""}


@pytest.mark.parametrize(("language", "said_so"), [("en", "PRACTICE · dash"), ("nl", "OEFENING · dash")])
def test_the_head_of_the_page_says_that_a_session_is_practice(language, said_so, tmp_path):
    hub = Hub(tmp_path, language)
    for practice, protocol in ((True, said_so), (False, "dash")):
        session = {"pseudonym": "P-1", "protocol": "dash", "practice": practice}
        hub.live.take({"kind": "hello", "session": session, "box": None})
        assert hub._session()["protocol"] == protocol

"""What `hbc session run` says in its terminal speaks the language of the session."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalogue_words import english_words
from hbc_host.alarms import FAST, NOT_VISIBLE, PAUSE, SLOW, Alarm
from hbc_host.app import words
from hbc_host.app.process import STAYS
from hbc_host.app.terminal_lines import LINES, PROBLEM_NAMES, TerminalLines
from hbc_host.app.view import problem_text
from hbc_host.app.words import Words
from hbc_host.cli import app
from hbc_host.cli_common import Output
from hbc_host.cli_live import show_recording
from hbc_host.live.follow import Follow
from hbc_host.live.over import LastWait
from hbc_host.live.problems import OVER_CAP
from hbc_host.record import RecordSummary
from support_live import a_visit
from typer.testing import CliRunner

EN, NL = TerminalLines("en"), TerminalLines("nl")


def finished() -> Follow:
    follow = Follow(a_visit())
    for idx in range(len(follow.runs)):
        follow.begin_site(idx, idx)
        follow.end_site(idx)
    return follow


def said_at_the_end(lines: TerminalLines, capsys: pytest.CaptureFixture[str], *, edges_n: int, report: bool) -> str:
    """What a terminal shows of a recording, said by the function that says it."""
    folder = Path("sessions/P-014")
    summary = RecordSummary(folder, None, "stopped", "", 9000, 120, 0, 0, 83, edges_n, 83.4, 2, 1, 0, 0)
    show_recording(Output(None), summary, folder / "report.html" if report else None, said=lines.line)
    return capsys.readouterr().out


@pytest.mark.parametrize(("edges_n", "report"), [(50, True), (50, False), (0, False)])
def test_the_end_of_a_recording_is_said_in_dutch(
    edges_n: int, report: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_at_the_end(NL, capsys, edges_n=edges_n, report=report)
    assert "83,4 s opgenomen: 83 hartslagen" in said
    assert english_words(said, {"report", "session", "sessions"}) == [], said
    assert "83.4 s recorded: 83 beats" in said_at_the_end(EN, capsys, edges_n=edges_n, report=report)


def test_the_wait_for_the_end_and_the_page_after_it_are_said_in_dutch() -> None:
    wait = LastWait(600.0)
    wait.look(finished(), 1)
    news = wait.news(finished())
    assert EN.line(news) == news
    assert NL.line(news).endswith("anders eindigt zij vanzelf over 10 min")
    assert NL.line(STAYS) == "de sessie is afgelopen; de livepagina is nog 5 min te lezen"
    assert NL.line("live page: http://127.0.0.1:1/?token=x") == "livepagina: http://127.0.0.1:1/?token=x"


@pytest.mark.parametrize("kind", [SLOW, FAST, PAUSE, NOT_VISIBLE])
def test_alarms_begin_and_end_in_dutch_and_stay_as_they_are_in_english(kind: str) -> None:
    began = Alarm(kind, True, 1, "heart rate fell", 38.0, 45.0, "bpm")
    over = Alarm(kind, False, 2, f"over: {kind}")
    assert (EN.alarm(began), EN.alarm(over)) == ("ALARM heart rate fell", f"alarm over: {kind}")
    assert NL.alarm(began).startswith("ALARM ")
    assert NL.alarm(over).startswith("alarm voorbij: ")
    assert [english_words(text) for text in (NL.alarm(began), NL.alarm(over))] == [[], []]


#: Words that tell somebody to do something, or hold a measured number: none of it when the trouble is over.
ORDERS = ("stop", "check", "press", "plug", "compare", "wait for", "make room", "controleer", "druk", "steek",
          "vergelijk", "wacht", "maak", "40", "50", ".")  # fmt: skip


@pytest.mark.parametrize("code", words.PROBLEMS)
def test_problems_begin_and_end_in_dutch(code: str) -> None:
    """Begun, in the words of the page, with what to do; ended, by the name alone: nobody stops a stimulator then."""
    began = {"code": code, "text": "train 3: pulses 40, planned 50", "began": True}
    over = began | {"began": False}
    for lines, say, *openings in (
        (NL, Words("nl"), "probleem: ", "voorbij: "),
        (EN, Words("en"), "problem: ", "over: "),
    ):
        assert lines.problem(began) == openings[0] + problem_text(began, say)
        assert say.say(words.PROBLEMS[code]) in lines.problem(began)
        name = lines.problem(over).removeprefix(openings[1])
        assert lines.problem(over) == openings[1] + say.say(PROBLEM_NAMES[code])
        assert 0 < len(name) < 50
        assert [order for order in ORDERS if order in name.lower()] == []
    assert [english_words(NL.problem(problem)) for problem in (began, over)] == [[], []]


def test_the_order_to_stop_comes_when_the_cap_is_passed_and_not_when_that_is_over() -> None:
    problem = {"code": OVER_CAP, "text": "more than 3000 pulses today, which the clinic allows"}
    for lines, order in ((EN, "stop the stimulator"), (NL, "stop de stimulator")):
        assert order in lines.problem(problem | {"began": True})
        assert "3000" in lines.problem(problem | {"began": True})
        assert "stop" not in lines.problem(problem | {"began": False})
    assert EN.problem(problem | {"began": False}) == "over: cap of the clinic passed"
    assert NL.problem(problem | {"began": False}) == "voorbij: grens van de kliniek overschreden"
    assert NL.problem({"code": "of a later version", "text": "x", "began": False}) == "voorbij: of a later version"


def test_a_line_that_nobody_translated_comes_as_it_is() -> None:
    assert NL.line("cannot open /dev/ttyUSB0; try again") == "cannot open /dev/ttyUSB0; try again"
    assert len(set(LINES)) == len(LINES)


def test_the_help_says_what_the_language_covers() -> None:
    text = " ".join(CliRunner().invoke(app, ["session", "run", "--help"], env={"COLUMNS": "300"}).output.split())
    assert "of what this terminal says of alarms, problems, end and result" in text
    assert "Errors, and lines on port and disk, are English" in text

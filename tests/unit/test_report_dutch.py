"""The report in Dutch: every sentence has its words, also those that the analysis makes, and numbers have a comma."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import hbc_host
import pytest
from babel.messages.pofile import read_po
from catalogue_words import english_words, forms, texts_of
from hbc_host.i18n import LOCALE
from hbc_host.published import LABEL
from hbc_host.report import comparing, words
from hbc_host.report.html import render
from hbc_host.report.language import ENGLISH, language
from hbc_host.report.patient_page import patient_page
from hbc_host.report.phrases import TEMPLATES, recognise, said
from support_report import (
    MADE,
    Page,
    analysis_of,
    beside,
    compared,
    four_sites_of_one_person,
    full_course,
    full_parts,
    rendered,
    site_of,
    unusable_site,
)

HOST = Path(hbc_host.__file__).parent
DUTCH = language("nl")
#: Modules whose sentences end in a report: in notes, in reasons, or as the text of an alarm.
SPEAKING = (
    "alarms", "boot", "design", "doubts", "guided", "reasons", "runs", "session", "sources", "stream",
    "threshold", "threshold_notes",
)  # fmt: skip
SENTENCE_SPACES_N = 3
#: Words of the fixtures that a person typed: a motor threshold's method, the source of limits, an event in words.
TYPED = {"a", "reason", "visible", "house", "rules", "gone", "in", "an", "hour", "one", "A"}
#: Ends of sentences that stand once in the code, and the beginning of each.
PIECES = {": stop stimulating and look at the patient": "heart rate {x} bpm, limit {x}"}


def test_the_catalogue_has_every_text_of_the_report_and_no_other() -> None:
    with (LOCALE / "nl/LC_MESSAGES/report.po").open("rb") as file:
        known = {message.id for message in read_po(file) if message.id}
    wanted = texts_of(sorted((HOST / "report").glob("*.py")))
    assert {text: where for text, where in wanted.items() if text not in known} == {}
    assert sorted(map(str, known - set(wanted))) == []


def sentences_of(module: str) -> list[str]:
    """Sentences of a module that are neither documentation nor errors; a value in them is ``{x}``."""
    tree = ast.parse((HOST / f"{module}.py").read_text("utf-8"))
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and "log." in ast.unparse(node.func) + "."):
            left_out |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in ast.walk(node) if part is not node}
    found = []
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            found.append("".join(piece(part) for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return [text for text in found if text.count(" ") >= SENTENCE_SPACES_N]


def piece(part: ast.expr) -> str:
    """A part of a sentence; of ``counted(n, "train", "trains")`` the several."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    call = part.value if isinstance(part, ast.FormattedValue) else None
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "counted":
        return "{x} " + ast.literal_eval(call.args[-1])
    return "{x}"


@pytest.mark.parametrize("module", SPEAKING)
def test_every_sentence_that_ends_in_a_report_is_known_to_it(module: str) -> None:
    sentences = sentences_of(module)
    assert sentences
    whole = [PIECES.get(text, "") + text for text in sentences]
    # A constant at the end of a sentence is a value here and words in the sentence.
    variants = {text: (text, text.removesuffix("{x}") + next(iter(PIECES))) for text in whole}
    assert [text for text in whole if not any(recognise(one) for one in variants[text])] == []


def test_a_recording_that_still_runs_is_said_to_do_so() -> None:
    text = "the recording is still running, written by process 7 since 12:00: what follows is as of 12:10:00"
    assert said(text, DUTCH).startswith("de opname loopt nog")


def test_a_sentence_that_nobody_wrote_down_is_not_known() -> None:
    assert recognise("the moon is full and the dog barks") is None
    assert said("the moon is full and the dog barks", DUTCH) == "the moon is full and the dog barks"


def test_values_of_a_sentence_survive_in_their_places() -> None:
    text = "5CM-L: 3 trains recorded, 15 planned"
    assert said(text, DUTCH) == "5CM-L: 3 pulstreinen opgenomen, 15 gepland"
    assert said("p = 0.123 is not below 0.05", DUTCH) == "p = 0,123 is niet kleiner dan 0,05"
    assert said("{a}: 3 trains had another number of pulses than planned", DUTCH).startswith("{a}: 3 pulstreinen")


def test_a_sentence_within_a_sentence_is_said_too() -> None:
    text = "the 95 % interval spans 6.2 steps, at most 5 may be; give 3 trains a step (now 1)"
    assert (
        said(text, DUTCH) == "het 95%-interval omvat 6,2 stappen, hoogstens 5 mag; geef 3 pulstreinen per stap (nu 1)"
    )


def test_english_is_left_as_it_is() -> None:
    assert all(said(text, ENGLISH) == text for text in TEMPLATES)


def test_one_thing_and_several_have_words_of_their_own() -> None:
    assert said("A: 1 train had another number of pulses than planned", DUTCH).startswith("A: 1 pulstrein had een")
    assert said("A: 2 trains had another number of pulses than planned", DUTCH).startswith("A: 2 pulstreinen hadden")
    assert said("1 frame arrived twice; repeats were dropped", DUTCH).endswith("de herhaling is weggelaten")


def test_numbers_have_a_decimal_comma_and_a_true_minus() -> None:
    assert DUTCH.number(-1.25, 2) == f"{words.MINUS}1,25"
    assert DUTCH.p_value(0.0004) == "< 0,001"
    assert DUTCH.interval(-0.5, 1.3) == f"{words.MINUS}0,5 tot 1,3"
    assert DUTCH.short(2.5) == "2,5"


def test_the_verdict_is_dutch() -> None:
    analysis = four_sites_of_one_person()
    assert (
        words.overall_sentence(analysis, DUTCH)
        == "Gekoppeld op BF3-L; niet aangetoond op 5CM-L en BF3-R; niets bruikbaars op 5CM-R."
    )
    said_of_best = " ".join(words.site_sentence(analysis.sites[1], DUTCH).split())
    assert said_of_best == "de hartslag vertraagde met 3,1 slagen/min (90%-interval 2,2 tot 4,0) na elke pulstrein."


def test_the_label_of_the_published_score_is_that_of_the_code_that_computes_it() -> None:
    assert comparing.PUBLISHED_LABEL == LABEL


def test_no_english_sentence_is_left_on_a_dutch_page() -> None:
    sites = (beside(site_of("A", 3.0, 0.5, 0.001, 0.002)), site_of("B", 0.1, 0.5, 0.4, 0.4))
    text = Page(rendered(compared(*sites), DUTCH, parts=full_parts())).words()
    texts = texts_of((HOST / "report").glob("*.py"))
    english = [one for text in texts for one in forms(text) if one.count(" ") >= SENTENCE_SPACES_N]
    same = {"RR slope, 45 s"}
    assert [one for one in english if "{" not in one and one in text and one not in same] == []
    assert "slagen/min" in text
    assert " bpm" not in text


def test_no_english_word_is_left_in_a_report_with_everything() -> None:
    sites = (
        beside(site_of("A", 3.0, 0.5, 0.001, 0.002)),
        unusable_site("B", "38 measured beats in the run, 60 are needed"),
    )
    parts = replace(full_parts(), alarms=(), remarks=())  # texts that people typed
    text = Page(rendered(compared(*sites), DUTCH, parts=parts)).words()
    before = text.index("Herkomst")  # behind it stands a command
    assert english_words(text[:before], TYPED) == []


def test_no_english_word_is_left_in_the_report_of_a_course() -> None:
    page = patient_page(full_course(), command="c", made=MADE, lang=DUTCH)
    assert english_words(Page(render(page)).words(), TYPED) == []
    nobody = replace(full_course(), sessions=(), scales=(), events=(), facts=())
    assert english_words(Page(render(patient_page(nobody, command="c", made=MADE, lang=DUTCH))).words()) == []


def test_english_words_would_be_found() -> None:
    assert english_words("de hartslag and the trains zijn gemeten") == ["and", "the", "trains"]


def test_a_page_names_its_language() -> None:
    assert '<html lang="nl">' in rendered(analysis_of(), DUTCH)
    assert '<html lang="en">' in rendered(analysis_of())

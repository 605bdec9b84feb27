"""Languages: catalogues are compiled, complete, and keep the placeholders of the English text."""

import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from catalogue_words import forms
from catalogues import compiled
from hbc_host.errors import InputError
from hbc_host.i18n import LANGUAGES, LOCALE, counter, translator

CATALOGUES = sorted(LOCALE.glob("*/LC_MESSAGES/*.po"))


def test_english_is_what_the_code_says():
    assert translator("live", "en")("rest") == "rest"


def test_a_language_that_is_not_there_is_refused_with_the_choice():
    with pytest.raises(InputError, match="fr is not there; choose one of en, nl"):
        translator("live", "fr")


@pytest.mark.parametrize("po", CATALOGUES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_a_catalogue_is_complete_compiled_and_keeps_its_placeholders(po):
    assert po.with_suffix(".mo").read_bytes() == compiled(po), "run: make docs"
    with po.open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    assert po.parents[1].name in LANGUAGES
    for message in messages:
        english, said = forms(message.id), forms(message.string)
        assert len(english) == len(said), f"{po.name}: {message.id!r} needs a form for one and a form for several"
        assert all(said), f"{po.name}: nothing for {message.id!r}"
        assert not message.fuzzy, f"{po.name}: {message.id!r} is marked as unsure"
        for one, other in zip(english, said, strict=True):
            assert set(placeholders(one)) - {"{n}"} == set(placeholders(other)) - {"{n}"}, message.id
        # "The only session" needs no number; several do.
        assert placeholders(english[-1]) == placeholders(said[-1]), message.id


@pytest.mark.parametrize("po", CATALOGUES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_one_and_several_are_two_forms_in_every_language(po):
    with po.open("rb") as file:
        plurals = [message for message in read_po(file) if message.pluralizable]
    say_n = counter(po.stem, po.parents[1].name)
    for message in plurals:
        assert (say_n(*message.id, 1), say_n(*message.id, 2), say_n(*message.id, 0)) == (
            message.string[0], message.string[1], message.string[1]
        )  # fmt: skip
        assert message.string[0] != message.string[1], message.id


def words_not_to_say() -> list[str]:
    """The last column of the table in docs/howto/dutch.md."""
    table = (Path(__file__).parents[2] / "docs/howto/dutch.md").read_text("utf-8")
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    return [word.strip() for row in rows for word in row[2].split(",")]


@pytest.mark.parametrize("po", CATALOGUES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_every_thing_has_one_dutch_word_in_all_catalogues(po):
    banned = words_not_to_say()
    assert len(banned) > 15
    with po.open("rb") as file:
        said = [text for message in read_po(file) if message.id for text in forms(message.string)]
    whole = {word: re.compile(rf"(?<!\w){word}(?!\w)", re.IGNORECASE) for word in banned}
    assert [(word, text) for text in said for word, pattern in whole.items() if pattern.search(text)] == []


def placeholders(text: str) -> Counter[str]:
    return Counter(re.findall(r"\{[^}]*\}", text))

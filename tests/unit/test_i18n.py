"""Languages: catalogues are compiled, complete, and keep the placeholders of the English text."""

import re

import pytest
from babel.messages.pofile import read_po
from catalogues import compiled
from hbc_host.errors import InputError
from hbc_host.i18n import LANGUAGES, LOCALE, translator

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
        assert message.string, f"{po.name}: nothing for {message.id!r}"
        assert not message.fuzzy, f"{po.name}: {message.id!r} is marked as unsure"
        assert placeholders(message.id) == placeholders(message.string), message.id


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{[^}]*\}", text))

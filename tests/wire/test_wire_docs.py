"""The page about the wire says what the code does."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from hbc_wire import framing, messages

sys.path.insert(0, str(Path(__file__).parent))

import make_vectors
import wire_docs


def test_the_generated_tables_are_fresh() -> None:
    page = wire_docs.PAGE.read_text("utf-8")
    assert page == wire_docs.renewed(page), "run: python -m tests.wire.wire_docs"


def test_every_message_and_field_has_its_words_and_no_other() -> None:
    assert set(wire_docs.MESSAGE_WORDS) == set(wire_docs.FIELD_WORDS) == set(messages.BY_NAME)
    for name, words in wire_docs.FIELD_WORDS.items():
        assert list(words) == list(messages.BY_NAME[name].names), name
        assert all(words.values())


def test_the_worked_example_is_what_the_code_sends() -> None:
    page = wire_docs.PAGE.read_text("utf-8")
    match = re.search(r"example frame[^\n]*\n\n```\n([0-9a-f \n]+)```", page)
    assert match is not None
    frame = bytes.fromhex(match[1])
    values = [5, 1_234_567, 40, 1]
    assert frame == framing.encode(messages.pack(messages.TriggerEdge, 258, *values))
    assert frame == make_vectors.frame_of(make_vectors.payload_of(messages.TriggerEdge, 258, values))


def test_the_release_notes_begin_with_the_present_version() -> None:
    page = wire_docs.PAGE.read_text("utf-8")
    versions = re.findall(r"^### Version (\d+)", page, re.MULTILINE)
    assert [int(version) for version in versions] == list(range(messages.WIRE_VERSION, 0, -1))

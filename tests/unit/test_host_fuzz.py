"""No bytes whatever break the deframer, the unpacker or the loading of a session; a short hunt with every test run."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hbc_host.chunks import FROM_BOX, HOST_NOTE, TO_BOX
from hbc_host.recorder import FILE_HEADER, FILE_MAGIC
from hypothesis import given, settings
from hypothesis import strategies as st
from support import box_frames, stream_of
from support_fuzz import TARGETS, check_deframe, check_session, check_unpack, chunk, log_of

STREAM = stream_of(box_frames(2.0))
LOG = FILE_HEADER.pack(FILE_MAGIC, 1) + chunk(FROM_BOX, 1.0, STREAM[:3000]) + chunk(FROM_BOX, 2.0, STREAM[3000:])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=400) | st.sampled_from([STREAM[:300], b"\0" * 9, b"\x01" * 700]), max_size=9))
def test_any_split_gives_the_same_frames(parts: list[bytes]) -> None:
    check_deframe(b"".join(parts))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 0x30), st.binary(max_size=120))
def test_both_unpackers_agree_on_anything(kind: int, rest: bytes) -> None:
    check_unpack(bytes([kind]) + rest)


def test_both_unpackers_agree_on_the_golden_bytes() -> None:
    vectors = Path(__file__).resolve().parents[2] / "firmware/hbc_wire/vectors.json"
    for row in json.loads(vectors.read_text())["vectors"]:
        check_unpack(bytes.fromhex(row["payload"]))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=1500))
def test_any_well_formed_frames_load_or_are_refused(data: bytes) -> None:
    check_session(log_of(b"\x01" + data))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(LOG) - 1), st.binary(min_size=1, max_size=30)), max_size=8))
def test_a_log_with_any_bytes_changed_loads_or_is_refused(changes: list[tuple[int, bytes]]) -> None:
    log = bytearray(LOG)
    for place, data in changes:
        log[place : place + len(data)] = data
    check_session(bytes(log))


NOTES = [b"", b"{", b"[]", b"7", b'{"event": "lost"}', b'{"event": "part", "reason": 7}', b"[" * 9999, b"\xff\xfe"]


@pytest.mark.parametrize("kind", [HOST_NOTE, TO_BOX, 77])
def test_any_note_and_any_request_in_a_log_is_harmless(kind: int) -> None:
    half = STREAM[: len(STREAM) // 2], STREAM[len(STREAM) // 2 :]
    for note in [*NOTES, STREAM[:500]]:
        log = FILE_HEADER.pack(FILE_MAGIC, 1) + chunk(FROM_BOX, 1.0, half[0])
        log += chunk(kind, float("nan"), note) + chunk(kind, 2.0, note) + chunk(FROM_BOX, 3.0, half[1])
        assert check_session(log)


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_all_that_the_fuzzer_found_worth_keeping_still_passes(target: str, tmp_path: Path) -> None:
    kept = sorted((Path(__file__).resolve().parents[1] / "data" / "fuzz" / target).iterdir())
    assert len(kept) > 20
    for path in kept:
        TARGETS[target](path.read_bytes(), tmp_path)


def test_findings_of_the_fuzzer_stay_found() -> None:
    unequal = "EiQA1QIAALCmFwAAAAAAABnGADEBAQX+QP9N/kQCLAEKAN3/FAAKAB4AFAD0/+P/HQAIABUAGgAIAOf/AAAhJuf/JgA="
    check_unpack(base64.b64decode(unequal))  # 25 samples, another number of residuals
    backwards = "AQIAAAAAAAABAv373Pn49/b1CwwNDg8QERITFBUWFxgZGhscHR4fAAAAAAAAAAAAAAAAAQABAv373Pn49/b1CwwNDg8QERITFBUW"
    assert check_session(log_of(base64.b64decode(backwards + "FxgZGhscHR4fICEiIyQlJicoKSoA")))  # gaps that ended first

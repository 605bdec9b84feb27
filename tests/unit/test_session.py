"""A recording loads whatever happened to it, and every loss is counted: compared with the truth that was sent."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.errors import SessionError, VersionMismatchError
from hbc_host.protocol import frame
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.session import META_NAME, Session, SessionMeta, load_session, session_hash
from hbc_host.trains import find_trains
from hbc_wire import messages
from support import (
    BLOCK_N,
    BLOCK_US,
    FIRST_US,
    RATE_HZ,
    Sent,
    a_meta,
    beat_times_us,
    box_frames,
    edge_times_us,
    hello_values,
    stream_of,
    values_of,
    with_flips,
)

DURATION_S = 40.0


def save(folder: Path, data: bytes, chunk_n: int = 700, extra: tuple[Chunk, ...] = ()) -> Path:
    """A session directory with these bytes from the box."""
    folder.mkdir()
    (folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    writer = LogWriter(folder / LOG_NAME)
    for chunk in extra:
        writer.append(chunk)
    for n, at in enumerate(range(0, len(data), chunk_n)):
        writer.append(Chunk(FROM_BOX, 100.0 + 0.05 * n, data[at : at + chunk_n]))
    writer.close()
    return folder


def load(tmp_path: Path, sent: list[Sent] | bytes) -> Session:
    return load_session(save(tmp_path / "s", sent if isinstance(sent, bytes) else stream_of(sent)))


def only(sent: list[Sent], message: Any) -> list[int]:
    return [place for place, one in enumerate(sent) if one.message is message]


@pytest.fixture(scope="module")
def sent() -> list[Sent]:
    return box_frames(DURATION_S)


def test_a_clean_recording_is_the_truth(tmp_path: Path, sent: list[Sent]) -> None:
    session = load(tmp_path, sent)
    assert session.beats_us.tolist() == beat_times_us(DURATION_S)
    assert session.beat_n.tolist() == list(range(len(session.beats_us)))
    edges = edge_times_us(DURATION_S)
    assert session.edges_tick.tolist() == [80 * at_us + n % 80 for n, at_us in enumerate(edges)]
    np.testing.assert_allclose(session.edges_s, np.array(edges) * 1e-6, atol=1e-6)
    assert session.ecg_idx.tolist() == list(range(int(DURATION_S * RATE_HZ)))
    assert np.abs(session.ecg_us - FIRST_US - session.ecg_idx * 2000).max() == 40, "residuals are applied"
    assert session.frames_n == len(sent)
    assert (session.frames_lost_n, session.frames_bad_n, session.boots_n) == (0, 0, 1)
    assert (session.beats_lost_n, session.edges_lost_n, session.samples_lost_n) == (0, 0, 0)
    assert session.gaps_s == ()
    assert session.notes == ()
    assert session.bytes_n == len(stream_of(sent))
    assert session.hello.unique_id == "a1b2c3d4e5f6"
    assert session.meta == a_meta()
    assert session.duration_s == pytest.approx(DURATION_S, abs=0.01)


def test_dtypes_are_those_promised(tmp_path: Path, sent: list[Sent]) -> None:
    session = load(tmp_path, sent)
    expected = {
        "beats_us": np.int64, "beat_quality": np.uint8, "beat_n": np.int64, "edges_tick": np.int64,
        "edge_n": np.int64, "edge_level": np.uint8, "ecg_lsb": np.int16, "ecg_idx": np.int64, "ecg_us": np.int64,
        "ecg_missed": np.bool_, "ecg_blank_ms": np.uint8, "beats_s": np.float64, "edges_s": np.float64,
    }  # fmt: skip
    assert {name: getattr(session, name).dtype for name in expected} == expected


@pytest.mark.parametrize("seed", range(5))
def test_flipped_bits_cost_what_they_hit_and_nothing_silently(tmp_path: Path, seed: int) -> None:
    """1e-5 and 1e-3 of all bytes: no wrong value, every lost frame counted, and each loss inside a gap."""
    sent = box_frames(DURATION_S, seed=seed)
    for per_byte in (1e-5, 1e-3):
        data, places = with_flips(stream_of(sent), per_byte, seed)
        session = load_session(save(tmp_path / f"s{per_byte}", data))
        ends = np.cumsum([len(one.data) for one in sent])
        hit = set(np.searchsorted(ends, places, side="right").tolist())
        assert session.frames_n >= len(sent) - len(hit)
        first, last = survivors_ends(session, len(sent), hit)
        assert session.frames_lost_n == last - first + 1 - session.frames_n
        assert session.frames_bad_n >= session.frames_lost_n - 1 or not places
        check_against_truth(session)


def survivors_ends(session: Session, sent_n: int, hit: set[int]) -> tuple[int, int]:
    """First and last frame that came through: losses before and after them have no number to be seen by."""
    whole = [n for n in range(sent_n) if n not in hit]
    return whole[0], whole[-1]


def check_against_truth(session: Session) -> None:
    """All that is in the session is true, and all that is missing lies in a gap or outside the recording."""
    beats, edges = beat_times_us(DURATION_S), edge_times_us(DURATION_S)
    assert session.beats_us.tolist() == [beats[n] for n in session.beat_n]
    assert session.edges_tick.tolist() == [80 * edges[n] + n % 80 for n in session.edge_n]
    assert np.abs(session.ecg_us - FIRST_US - session.ecg_idx * 2000).max() <= 40
    missing_s = [beats[n] * 1e-6 for n in set(range(len(beats))) - set(session.beat_n.tolist())]
    for at_s in missing_s:
        assert any(start <= at_s <= end for start, end in session.gaps_s) or at_s > session.beats_s[-1]
    assert session.beats_lost_n == sum(at_s < session.beats_s[-1] or in_gap(session, at_s) for at_s in missing_s)
    missing_n = int(session.ecg_idx[-1] - session.ecg_idx[0]) + 1 - len(session.ecg_idx)
    assert session.samples_lost_n == missing_n
    held = np.zeros(len(session.ecg_s) - 1, bool)
    for start, end in session.gaps_s:
        held |= (session.ecg_s[:-1] >= start - 1e-9) & (session.ecg_s[1:] <= end + 1e-9)
    assert not np.any((np.diff(session.ecg_idx) > 1) & ~held)


def in_gap(session: Session, at_s: float) -> bool:
    return any(start <= at_s <= end for start, end in session.gaps_s)


def test_a_lost_peak_frame_makes_a_gap_from_beat_to_beat(tmp_path: Path, sent: list[Sent]) -> None:
    place = only(sent, messages.RPeak)[10]
    session = load(tmp_path, sent[:place] + sent[place + 1 :])
    beats = beat_times_us(DURATION_S)
    assert (session.frames_lost_n, session.beats_lost_n, session.samples_lost_n) == (1, 1, 0)
    assert any(start <= beats[9] * 1e-6 and end >= beats[11] * 1e-6 for start, end in session.gaps_s)


def test_a_lost_edge_frame_makes_a_gap_at_the_edge_only(tmp_path: Path, sent: list[Sent]) -> None:
    place = only(sent, messages.TriggerEdge)[50]  # the first of the second train: its left neighbour is 11 s away
    at_s = edge_times_us(DURATION_S)[50] * 1e-6
    session = load(tmp_path, sent[:place] + sent[place + 1 :])
    assert (session.frames_lost_n, session.edges_lost_n, session.beats_lost_n) == (1, 1, 0)
    [(start, end)] = session.gaps_s
    assert start <= at_s <= end + 1e-4
    assert end - start < 0.2


def test_a_lost_block_is_a_gap_of_one_block(tmp_path: Path, sent: list[Sent]) -> None:
    place = only(sent, messages.EcgBlock)[100]
    session = load(tmp_path, sent[:place] + sent[place + 1 :])
    assert (session.samples_lost_n, session.frames_lost_n) == (BLOCK_N, 1)
    [(start, end)] = session.gaps_s
    assert end - start == pytest.approx(BLOCK_US * 1e-6, rel=0.1)


def test_edges_that_the_box_overran_are_counted_and_their_second_is_a_gap(tmp_path: Path, sent: list[Sent]) -> None:
    changed = list(sent)
    for k in only(sent, messages.Lost)[20:]:
        seq, lost = messages.unpack(_payload(sent[k].data))
        values = lost._replace(edges_n=3)
        changed[k] = replace(sent[k], data=frame(messages.Lost, seq, *values))
    session = load(tmp_path, changed)
    assert session.edges_lost_n == 3
    [(start, end)] = session.gaps_s
    assert (start, end) == pytest.approx((19.1, 20.1))


def _payload(data: bytes) -> bytes:
    from hbc_host.protocol import new_deframer

    [payload] = new_deframer().feed(data)
    return payload


def test_samples_that_the_box_missed_are_marked_counted_and_a_gap(tmp_path: Path, sent: list[Sent]) -> None:
    changed = list(sent)
    place = only(sent, messages.EcgBlock)[40]
    seq, block = messages.unpack(_payload(sent[place].data))
    residual_us = [*block.residual_us[:5], *([messages.RESIDUAL_MISSED] * 3), *block.residual_us[8:]]
    changed[place] = replace(sent[place], data=frame(messages.EcgBlock, seq, *block._replace(residual_us=residual_us)))
    session = load(tmp_path, changed)
    assert session.samples_lost_n == 3
    assert np.flatnonzero(session.ecg_missed).tolist() == [1005, 1006, 1007]
    assert session.ecg_us[1006] == FIRST_US + 1006 * 2000
    [(start, end)] = session.gaps_s
    assert (start, end) == pytest.approx((session.ecg_s[1004], session.ecg_s[1008]))


def test_repeated_chunks_change_no_result(tmp_path: Path, sent: list[Sent]) -> None:
    clean = load_session(save(tmp_path / "clean", stream_of(sent)))
    again = load_session(save(tmp_path / "again", stream_of(sent[:300] + sent[250:300] + sent[300:])))
    assert again.notes == ("50 frames arrived twice; repeats were dropped",)
    for name in ("beats_us", "edges_tick", "ecg_us", "ecg_lsb", "gaps_s", "frames_lost_n"):
        np.testing.assert_array_equal(getattr(again, name), getattr(clean, name))


def test_events_fetched_again_later_fill_their_holes(tmp_path: Path, sent: list[Sent]) -> None:
    place = only(sent, messages.RPeak)[10]
    late = [*sent[:place], *sent[place + 1 : 600]]
    resent = frame(messages.RPeak, 600, *messages.unpack(_payload(sent[place].data))[1])
    rest = [replace(one, data=_renumbered(one, n + 601)) for n, one in enumerate(sent[600:])]
    session = load(tmp_path, stream_of(late) + resent + stream_of(rest))
    assert session.beats_us.tolist() == beat_times_us(DURATION_S)
    assert (session.beats_lost_n, session.frames_lost_n) == (0, 1)


def _renumbered(one: Sent, seq: int) -> bytes:
    return frame(one.message, seq, *messages.unpack(_payload(one.data))[1])


@pytest.mark.parametrize("counted", [True, False], ids=["boot_n tells", "only time tells"])
def test_the_longest_boot_is_used_and_said_so(tmp_path: Path, counted: bool) -> None:
    first = box_frames(12.0, boot_n=7)
    second = box_frames(30.0, boot_n=8 if counted else 7)
    third = box_frames(4.0, boot_n=9 if counted else 7)
    session = load(tmp_path, stream_of(first + second) + stream_of(third if counted else []))
    assert session.boots_n == (3 if counted else 2)
    assert session.beats_us.tolist() == beat_times_us(30.0)
    assert (session.frames_lost_n, session.gaps_s) == (0, ())
    assert session.duration_s == pytest.approx(30.0, abs=0.1)
    again = "2 times" if counted else "1 time"
    assert any(note.startswith(f"the box restarted {again}; boot 2 of") for note in session.notes)
    others_us = [edge_times_us(12.0), edge_times_us(4.0)] if counted else [edge_times_us(12.0)]
    trains_n = sum(len(find_trains(np.array(edges_us) * 1e-6)) for edges_us in others_us)
    pulses_n = sum(map(len, others_us))
    assert pulses_n > trains_n > 0
    assert f"left out with the other starts of the box: trains {trains_n}, pulses {pulses_n}" in session.notes


def test_edges_that_come_before_the_hello_of_a_new_boot_belong_to_it(tmp_path: Path) -> None:
    before = [one for one in box_frames(20.0, boot_n=1, seq=5000) if one.at_us > 9_000_000]
    edge = values_of(messages.TriggerEdge, edge_us=50_000, level=1)
    second = frame(messages.TriggerEdge, 0, *edge) + stream_of(box_frames(5.0, boot_n=2, seq=1))
    session = load(tmp_path, stream_of(before) + second)
    assert session.boots_n == 2
    assert session.edge_n[0] > 0
    assert (session.frames_lost_n, session.edges_lost_n) == (0, 0)


def test_a_truncated_log_loads_at_any_length(tmp_path: Path) -> None:
    folder = save(tmp_path / "s", stream_of(box_frames(3.0)))
    data = (folder / LOG_NAME).read_bytes()
    frames_n = []
    for cut in range(1500, len(data), 97):
        (folder / LOG_NAME).write_bytes(data[:cut])
        session = load_session(folder)
        frames_n.append(session.frames_n)
        assert session.frames_lost_n == 0
    assert frames_n == sorted(frames_n)
    assert frames_n[-1] > frames_n[0]
    assert session.notes == ("the last chunk of the log is incomplete: the recording was cut off",)


def test_damage_in_the_middle_of_the_log_is_counted_and_passed(tmp_path: Path, sent: list[Sent]) -> None:
    folder = save(tmp_path / "s", stream_of(sent))
    data = bytearray((folder / LOG_NAME).read_bytes())
    data[30_000:31_000] = bytes(1000)
    (folder / LOG_NAME).write_bytes(data)
    session = load_session(folder)
    assert session.frames_lost_n > 5
    assert session.samples_lost_n >= 5 * BLOCK_N
    missing = f"of {len(sent)} frames of the recording {session.frames_lost_n} are missing"
    assert any("1 damaged place in the log" in note and missing in note for note in session.notes)
    check_against_truth(session)


def test_damaged_labels_do_not_cost_the_recording(tmp_path: Path, sent: list[Sent]) -> None:
    folder = save(tmp_path / "s", stream_of(sent))
    for text in ("", "{", "[]", '{"created": "x"}'):
        (folder / META_NAME).write_text(text)
        session = load_session(folder)
        assert session.meta.sites == ()
        assert "title, protocol and sites are unknown" in session.notes[0]
    (folder / META_NAME).unlink()
    assert load_session(folder).frames_n == len(sent)
    assert load_session(folder).notes == (f"{META_NAME} is missing: title, protocol and sites are unknown",)
    (folder / META_NAME).write_text(a_meta().to_json().replace('"format": 1', '"format": 7'))
    assert load_session(folder).notes[0].startswith(f"{META_NAME} has format 7, this program knows 1")
    with pytest.raises(SessionError, match=r"there is a recording in .*, give that"):
        load_session(tmp_path)


def test_errors_name_what_is_wrong(tmp_path: Path, sent: list[Sent]) -> None:
    with pytest.raises(SessionError, match="no recording at"):
        load_session(tmp_path / "nonesuch")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SessionError, match="cannot read"):
        load_session(tmp_path / "empty")
    nameless = stream_of([one for one in sent if one.message is not messages.Hello])
    with pytest.raises(SessionError, match=r"no box introduced itself; record again"):
        load_session(save(tmp_path / "nameless", nameless))
    log = tmp_path / "nameless" / LOG_NAME
    log.write_bytes(log.read_bytes()[:10])
    with pytest.raises(SessionError, match=rf"{LOG_NAME}: 0 bytes from the box .* at least one good Hello is expected"):
        load_session(tmp_path / "nameless")
    other = frame(messages.Hello, 0, *hello_values(wire_version=2))
    with pytest.raises(VersionMismatchError, match="speaks wire version 2"):
        load_session(save(tmp_path / "other", other + stream_of(sent)))


def test_a_box_that_is_flashed_with_another_version_ends_what_is_read(tmp_path: Path, sent: list[Sent]) -> None:
    other = frame(messages.Hello, 0, *hello_values(wire_version=2))
    session = load(tmp_path, stream_of(sent[:500]) + other + stream_of(sent[500:]))
    assert session.frames_n == 500
    assert any("another wire version" in note for note in session.notes)


def test_well_formed_nonsense_never_breaks_loading(tmp_path: Path, sent: list[Sent]) -> None:
    """Frames that pass every checksum with extreme or random values, as a hostile box could send."""
    rng = np.random.default_rng(4)
    limits = {"B": 0xFF, "b": 0x7F, "H": 0xFFFF, "h": 0x7FFF, "I": 0xFFFFFFFF, "i": 0x7FFFFFFF, "Q": 0xFFFFFFFFFFFFFFFF}
    hostile = [frame(messages.Hello, 3, *hello_values(rate_hz=0))]
    hostile.append(frame(messages.EcgBlock, 4, *values_of(messages.EcgBlock)))
    for n in range(300):
        message = list(messages.BY_ID.values())[n % len(messages.BY_ID)]
        if message is messages.Hello:
            continue
        values: list[Any] = []
        for code in message.codes:
            if code == "s":
                values.append("x" * int(rng.integers(0, 20)))
            elif code == "a":
                values.append([int(v) for v in rng.integers(-99, 99, int(rng.integers(0, 40)))])
            else:
                highest = limits[code]
                values.append(highest if rng.random() < 0.3 else int(rng.integers(0, highest, dtype=np.uint64)))
        hostile.append(frame(message, int(rng.integers(0, 65536)), *values))
    order = rng.permutation(len(hostile))
    for n, part in enumerate(np.array_split(order, 12)):
        data = stream_of(sent[:200]) + b"".join(hostile[k] for k in part) + stream_of(sent[200:])
        session = load_session(save(tmp_path / f"s{n}", data))
        assert session.frames_n > 300
        session_hash(session)


def test_pings_are_matched_with_their_pongs(tmp_path: Path, sent: list[Sent]) -> None:
    pings = tuple(Chunk(TO_BOX, 90.0 + n, frame(messages.ClockPing, n, 1000 + n)) for n in range(3))
    pong = values_of(messages.ClockPong, token=1001, received_us=200_000, sent_us=200_400)
    late = values_of(messages.ClockPong, token=555, received_us=300_000, sent_us=300_400)
    data = stream_of(sent[:3]) + frame(messages.ClockPong, 3, *pong) + frame(messages.ClockPong, 4, *late)
    session = load_session(save(tmp_path / "s", data, extra=pings))
    [ping] = session.pings
    assert ping == (91.0, 200_200, 400, 100.0)
    assert ping.rtt_s == pytest.approx(9.0 - 0.0004)


def test_a_session_of_25_minutes_loads_within_a_second(tmp_path: Path) -> None:
    """Measured 0.2 s of an idle core; the best of three, of the processor's time: the machine may be busy."""
    minute = box_frames(60.0)
    data = b"".join(_shifted(minute, k) for k in range(2)) * 12
    folder = save(tmp_path / "s", data, 500)
    assert folder.stat().st_size > 0
    best_s = 9.0
    for _ in range(3):
        started_s = time.process_time()
        session = load_session(folder)
        best_s = min(best_s, time.process_time() - started_s)
    assert session.bytes_n > 3_400_000
    assert best_s < 1.0


def _shifted(sent: list[Sent], minute: int) -> bytes:
    """Any bytes of the right kind and amount will do for timing."""
    return stream_of(sent) if minute == 0 else stream_of(box_frames(60.0, start_us=FIRST_US + 60_000_000, seed=2))


def test_labels_survive_json_with_their_time_zone() -> None:
    created = datetime(2026, 5, 6, 7, 8, 9, 123456, timezone(timedelta(hours=2)))
    meta = SessionMeta(created, "P-014 \u00e4", "5/11", ("a", "b"), None, "1", "p")
    assert SessionMeta.from_json(meta.to_json()) == meta
    assert a_meta().created.tzinfo is UTC
    naive = meta.to_json().replace("+02:00", "")
    assert SessionMeta.from_json(naive).created.tzinfo is UTC

"""A replay takes the live path and gives the live result."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbc_host.cli import app
from hbc_host.errors import SessionError, TransportError, VersionMismatchError
from hbc_host.protocol import frame
from hbc_host.record import record
from hbc_host.recorder import LOG_NAME, read_log
from hbc_host.replay import ReplayTransport, recording_damage, verify_replay
from hbc_host.session import load_session, session_hash
from hbc_wire import messages
from support import FakeTransport, a_meta, box_frames, hello_values, stream_of, with_flips
from typer.testing import CliRunner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording with some damage on the line."""
    data, _ = with_flips(stream_of(box_frames(30.0)), 1e-4, 3)
    transport = FakeTransport(data[at : at + 333] for at in range(0, len(data), 333))
    now_s = 50.0

    def clock() -> float:
        nonlocal now_s
        now_s += 0.01
        return now_s

    return record(transport, tmp_path / "live", meta=a_meta(), stop=lambda: transport.at_end, clock=clock).path


def test_replay_gives_the_same_result_hash(folder: Path) -> None:
    check = verify_replay(folder)
    assert check.same
    assert check.live_hash == session_hash(load_session(folder))
    assert load_session(folder).frames_lost_n > 0


def test_a_damaged_log_replays_to_the_same_result_too(folder: Path) -> None:
    data = bytearray((folder / LOG_NAME).read_bytes())
    data[20_000] ^= 1
    (folder / LOG_NAME).write_bytes(data[:-5])
    assert verify_replay(folder).same
    damage = recording_damage(load_session(folder))
    assert damage[:2] == ("the end of the log is cut off", "1 damaged place in the log")
    assert any(words.endswith("frames missing") for words in damage)
    result = CliRunner().invoke(app, ["replay", str(folder), "--verify"])
    assert result.exit_code == 0
    shown = " ".join(result.output.split())
    assert "the recording is damaged: the end of the log is cut off, 1 damaged place in the log" in shown
    assert "the same as the recording" not in shown


def test_a_whole_recording_has_no_damage(tmp_path: Path) -> None:
    transport = FakeTransport([stream_of(box_frames(5.0))])
    path = record(transport, tmp_path / "whole", meta=a_meta(), stop=lambda: transport.at_end).path
    assert recording_damage(load_session(path)) == ()


def test_the_hash_notices_any_change_of_a_result(folder: Path) -> None:
    from dataclasses import replace

    session = load_session(folder)
    same = session_hash(session)
    assert session_hash(replace(session, path=Path("elsewhere"), notes=("x",))) == same
    beats_us = session.beats_us.copy()
    beats_us[3] += 1
    assert session_hash(replace(session, beats_us=beats_us)) != same
    assert session_hash(replace(session, frames_lost_n=session.frames_lost_n + 1)) != same


def test_replay_stamps_nothing_anew(folder: Path, tmp_path: Path) -> None:
    transport = ReplayTransport(folder)
    record(
        transport, tmp_path / "again", meta=a_meta(), stop=lambda: transport.at_end, clock=transport.host_s,
        hello_timeout_s=1e9,
    )  # fmt: skip
    assert read_log(tmp_path / "again" / LOG_NAME).chunks == read_log(folder / LOG_NAME).chunks


@pytest.mark.parametrize("speed", [1.0, 5.0])
def test_speed_is_kept_by_an_injected_clock(folder: Path, speed: float) -> None:
    now_s = 0.0

    def sleep(wait_s: float) -> None:
        nonlocal now_s
        now_s += wait_s

    transport = ReplayTransport(folder, speed=speed, clock=lambda: now_s, sleep=sleep)
    transport.open()
    while not transport.at_end:
        transport.read()
    chunks = read_log(folder / LOG_NAME).chunks
    assert now_s == pytest.approx((chunks[-1].host_s - chunks[0].host_s) / speed, abs=0.02)
    transport.write(b"nobody listens")
    assert transport.read() == b""
    transport.close()


def test_wrong_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="speed 0 is not above 0"):
        ReplayTransport(tmp_path, speed=0.0)
    with pytest.raises(SessionError):
        ReplayTransport(tmp_path / "none").open()


def test_a_recording_that_another_wire_version_ended_replays_too(tmp_path: Path) -> None:
    stream = stream_of(box_frames(10.0)) + frame(messages.Hello, 0, *hello_values(wire_version=2))
    transport = FakeTransport(stream[at : at + 500] for at in range(0, len(stream), 500))
    with pytest.raises(VersionMismatchError):
        record(transport, tmp_path / "s", meta=a_meta(), stop=lambda: transport.at_end)
    assert verify_replay(tmp_path / "s").same

"""Which ports are tried for a lost box, which answers are refused, and when it is given up."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hbc_host import reconnect as reconnect_module
from hbc_host.errors import TransportError
from hbc_host.link import Link
from hbc_host.port_users import users_of
from hbc_host.ports import PortFinder
from hbc_host.protocol import frame
from hbc_host.reconnect import BoxFinder, Found
from hbc_host.record import record
from hbc_host.replay import verify_replay
from hbc_host.session import load_session
from hbc_host.transport import SerialTransport
from hbc_wire import messages
from support import FakeTransport, a_meta, box_frames, hello_values, pty_box, stream_of

GONE = TransportError("port x disappeared; check the cable")


class Port(FakeTransport):
    """A port with a name, and with silence after what it says, or an absent one."""

    def __init__(self, url: str, data: bytes | None, **more: Any) -> None:
        super().__init__([] if data is None else [data], **more)
        self.url, self._absent = url, data is None

    def open(self) -> None:
        if self._absent:
            raise TransportError(f"no port {self.url}")
        super().open()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hello ends the waiting for it; a busy computer does not."""
    monkeypatch.setattr(reconnect_module, "HELLO_WAIT_S", 60.0)


def find(ports: list[Port], *, give_up_s: float = 60.0, keep_on: Any = lambda: True) -> tuple[Found | None, list[str]]:
    told: list[str] = []
    hello = messages.Hello.make(*hello_values())
    found = BoxFinder(lambda: ports, give_up_s=give_up_s)(Link, hello, keep_on, told.append)
    if found is not None:
        found.link.__exit__(None, None, None)
    assert not any(port.is_open for port in ports), "every port that was opened is given back"
    return found, told


def hello(**changed: Any) -> bytes:
    return frame(messages.Hello, 0, *hello_values(**changed))


def test_the_box_is_known_by_its_id_and_others_are_refused_once_in_plain_words() -> None:
    ports = [
        Port("/dev/absent", None),
        Port("/dev/other", hello(unique_id="ffff")),
        Port("/dev/newer", hello(wire_version=2)),
        Port("/dev/ours", hello()),
    ]
    found, told = find(ports)
    assert found is not None
    assert found.port == "/dev/ours"
    assert b"".join(chunk.data for chunk in found.chunks) == hello()
    assert told == [
        "/dev/other is another box (ffff), this recording is of a1b2c3d4e5f6",
        "/dev/newer: box speaks wire version 2, this host speaks 1; "
        "install the matching hbc-box release or flash the box again",
    ]


def test_it_is_given_up_after_the_time_stated_or_when_nobody_wants_it_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconnect_module, "HELLO_WAIT_S", 0.05)
    began_s = time.monotonic()
    assert find([Port("/dev/silent", b"")], give_up_s=0.4) == (None, [])
    assert 0.4 <= time.monotonic() - began_s < 30.0, "not the ten minutes of a recording; this computer may be busy"
    assert find([Port("/dev/ours", hello())], keep_on=lambda: False) == (None, [])


def test_a_recording_goes_on_on_the_next_port_and_its_replay_is_the_same(tmp_path: Path) -> None:
    sent = box_frames(30.0)
    first = Port("/dev/a", stream_of(sent[:300]), error=GONE)
    second = Port("/dev/b", stream_of(sent[400:]))
    told: list[str] = []
    summary = record(
        first, tmp_path / "s", meta=a_meta(), stop=lambda: second.is_open and second.at_end,
        reconnect=BoxFinder(lambda: [second]), on_event=told.append,
    )  # fmt: skip
    assert (summary.ended, summary.reconnects_n, summary.frames_lost_n) == ("stopped", 1, 100)
    assert told == [
        f"{GONE}; the recording waits for the box to come back",
        "the box is back on /dev/b; the recording goes on",
    ]
    session = load_session(tmp_path / "s")
    [gap] = session.link_gaps
    assert gap.reason == str(GONE)
    assert any(start <= gap.start_s < gap.end_s <= end for start, end in session.gaps_s)
    assert session.frames_lost_n == 100
    assert any("times without connection: 1, " in note for note in session.notes)
    assert verify_replay(tmp_path / "s").same


def test_more_than_half_of_all_frame_numbers_may_pass_while_it_is_away(tmp_path: Path) -> None:
    """Twenty minutes and more: without knowing of the absence, a jump of 40 000 would look like a step back."""
    first = Port("/dev/a", stream_of(box_frames(5.0)), error=GONE)
    second = Port("/dev/b", stream_of(box_frames(5.0, start_us=1_600_000_000, seq=40_000)))
    summary = record(
        first, tmp_path / "s", meta=a_meta(), stop=lambda: second.is_open and second.at_end,
        reconnect=BoxFinder(lambda: [second]), on_event=lambda _: None,
    )  # fmt: skip
    session = load_session(tmp_path / "s")
    assert session.frames_lost_n == summary.frames_lost_n == 40_000 - len(box_frames(5.0))
    assert "arrived twice" not in " ".join(session.notes)


def test_a_box_that_restarted_meanwhile_is_said_to_have(tmp_path: Path) -> None:
    first = Port("/dev/a", stream_of(box_frames(20.0, boot_n=7)), error=GONE)
    second = Port("/dev/b", stream_of(box_frames(5.0, boot_n=8)))
    told: list[str] = []
    summary = record(
        first, tmp_path / "s", meta=a_meta(), stop=lambda: second.is_open and second.at_end,
        reconnect=BoxFinder(lambda: [second]), on_event=told.append,
    )  # fmt: skip
    assert summary.boots_n == 2
    assert any("the box restarted (boot 7, now 8)" in text and "only the longest boot" in text for text in told)
    session = load_session(tmp_path / "s")
    assert (session.boots_n, session.hello.boot_n, session.link_gaps) == (2, 7, ())
    assert any("boot 1 of 2 is used, which holds 8" in note for note in session.notes)


@pytest.fixture
def by_id(tmp_path: Path) -> Path:
    for name in ("ttyA", "ttyB", "ttyC"):
        (tmp_path / name).touch()
    folder = tmp_path / "by-id"
    folder.mkdir()
    (folder / "box").symlink_to("../ttyA")
    return folder


def listed(*ports: tuple[str, int | None, int]) -> Any:
    return lambda: [SimpleNamespace(device=device, vid=vid, pid=pid) for device, vid, pid in ports]


def test_only_links_beside_and_ports_of_the_same_make_are_tried(tmp_path: Path, by_id: Path) -> None:
    a, b, c = (str(tmp_path / name) for name in ("ttyA", "ttyB", "ttyC"))
    finder = PortFinder(str(by_id / "box"), listed=listed((a, 1, 2), (b, 1, 2), (c, 9, 9)))
    assert finder.urls() == [str(by_id / "box"), b]
    (by_id / "box").unlink()
    (by_id / "box2").symlink_to("../ttyC")
    assert finder.urls() == [str(by_id / "box2"), a, b]
    plain = PortFinder(a, listed=listed((a, None, 0), (b, None, 0)))
    assert plain.urls() == [a], "of a port without a make nothing else is known to be the same"
    assert PortFinder("COM7", listed=listed()).urls() == ["COM7"]
    assert [pipe.url for pipe in plain.transports()] == [a]


def test_a_busy_port_names_the_program_that_holds_it() -> None:
    with pty_box() as box:
        code = "import sys; from hbc_host.transport import SerialTransport as S; p = S(sys.argv[1]); p.open(); "
        code += "print('open', flush=True); sys.stdin.read()"
        command = [sys.executable, "-c", code, box.path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "open\n"
            with pytest.raises(TransportError, match=rf"is busy; close \w[\w.-]* \(process {other.pid}\)"):
                SerialTransport(box.path).open()
            other.communicate()
        assert users_of(box.path) == []
    assert users_of("COM7") == users_of("socket://x:1") == []

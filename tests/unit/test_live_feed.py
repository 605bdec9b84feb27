"""The feed harms nobody: strangers, garbage, clients that never read, a hundred at once; late ones hear it all."""

from __future__ import annotations

import json
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hbc_host.live.address import LIVE_NAME
from hbc_host.live.feed import CLIENTS_MAX_N, LINE_MAX_N, Feed
from hbc_host.live.feed_client import FeedClient, NoFeedError
from hbc_host.live.feed_queue import WAITING_MAX_N, Outgoing

WAIT_S = 120.0  # this computer may be busy

BUSY_S = 30.0  # so long may other work hold this computer up


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    with Feed(tmp_path) as one:
        yield one


def address(folder: Path) -> tuple[tuple[str, int], bytes]:
    live = json.loads((folder / LIVE_NAME).read_text())
    return (live["host"], live["port"]), live["token"].encode() + b"\n"


def wait_for(what: Any) -> None:
    until_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < until_s, "it does not happen"
        time.sleep(0.01)


def ended(connection: socket.socket) -> bool:
    """True when the server has closed this connection without a word."""
    connection.settimeout(WAIT_S)
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def next_of(client: FeedClient, kind: str) -> dict[str, Any]:
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        message = client.receive(WAIT_S)
        if message is not None and message["kind"] == kind:
            return message
    raise AssertionError(f"no {kind}")


def ecg(first_s: float) -> dict[str, Any]:
    return {"kind": "ecg", "first_s": first_s, "rate_hz": 500, "mv": [0.1] * 25, "blanked": [0] * 25}


def test_the_address_is_for_this_user_on_this_computer_and_gone_at_the_end(tmp_path: Path) -> None:
    with Feed(tmp_path):
        assert stat.S_IMODE((tmp_path / LIVE_NAME).stat().st_mode) == 0o600
        assert address(tmp_path)[0][0] == "127.0.0.1"
    assert not (tmp_path / LIVE_NAME).exists()
    with pytest.raises(NoFeedError, match="no session is under way"):
        FeedClient(tmp_path)


def test_a_late_client_is_told_who_how_it_stands_and_the_last_ten_seconds(feed: Feed, tmp_path: Path) -> None:
    for k in range(400):
        feed.publish(ecg(k * 0.05))
    feed.publish({"kind": "hello", "session": {"pseudonym": "P-1"}})
    feed.publish({"kind": "state", "now_s": 20.0, "phase": "rest"})
    feed.publish({"kind": "coupling", "site": "A", "trains_n": 3})
    feed.publish({"kind": "coupling", "site": "A", "trains_n": 4})
    with FeedClient(tmp_path) as client:
        got = [client.receive(WAIT_S) or {} for _ in range(203)]
    assert [message["kind"] for message in got[:3]] == ["hello", "state", "coupling"]
    assert got[2]["trains_n"] == 4
    assert [message["first_s"] for message in got[3:]] == pytest.approx([k * 0.05 for k in range(200, 400)], abs=0.051)


def test_commands_are_handed_over_and_answered_to_the_one_who_asked(feed: Feed, tmp_path: Path) -> None:
    with FeedClient(tmp_path) as one, FeedClient(tmp_path) as other:
        one.send("rating", site="A", value=3)
        command = feed.commands.get(timeout=WAIT_S)
        assert (command.do, command.fields) == ("rating", {"site": "A", "value": 3})
        command.answer(True, "noted")
        assert next_of(one, "done") == {"kind": "done", "do": "rating", "ok": True, "text": "noted"}
        feed.publish({"kind": "state", "now_s": 1.0})
        assert next_of(other, "state")["dropped_n"] == 0, "and nothing of the answer before it"


@pytest.mark.parametrize("line", [b"not json", b"[1, 2]", b"{}", b'"do"', b"\xff\xfe", b"[" * 4000, b"null"])
def test_garbage_is_answered_and_changes_nothing(feed: Feed, tmp_path: Path, line: bytes) -> None:
    place, token = address(tmp_path)
    with socket.create_connection(place) as connection, FeedClient(tmp_path) as client:
        connection.sendall(token + line + b"\n")
        connection.settimeout(WAIT_S)
        answer = json.loads(connection.makefile("rb").readline())
        assert answer["ok"] is False
        feed.publish({"kind": "state", "now_s": 2.0})
        assert next_of(client, "state")["now_s"] == 2.0
    assert feed.commands.empty()


def test_who_has_no_token_or_sends_a_huge_line_is_cut_off(feed: Feed, tmp_path: Path) -> None:
    place, token = address(tmp_path)
    for opening in (b"guess\n", b"\n", b"G" * (LINE_MAX_N + 2), b"GET / HTTP/1.1\r\n", b"\xff" * 100 + b"\n"):
        with socket.create_connection(place) as connection:
            connection.sendall(opening)
            assert ended(connection)
    with socket.create_connection(place) as connection:
        connection.sendall(token)
        wait_for(lambda: feed.clients_n == 1)
        try:
            for _ in range(100):
                connection.sendall(b"x" * 65536)
        except ConnectionError:
            pass
        assert ended(connection)
    wait_for(lambda: feed.clients_n == 0)


def test_a_hundred_connections_leave_room_for_who_has_the_token(feed: Feed, tmp_path: Path) -> None:
    place, _ = address(tmp_path)
    known = FeedClient(tmp_path)
    wait_for(lambda: feed.clients_n == 1)
    crowd = [socket.create_connection(place) for _ in range(100)]
    threads_n = threading.active_count()
    feed.publish({"kind": "state", "now_s": 3.0})
    assert next_of(known, "state")["now_s"] == 3.0
    for one in crowd:
        one.close()

    def gets_in() -> bool:
        try:
            with FeedClient(tmp_path) as late:
                message = late.receive(1.0)
                return message is not None and message["kind"] == "state"
        except NoFeedError:
            return False

    wait_for(gets_in)
    known.close()
    assert threading.active_count() == threads_n


def test_more_clients_than_there_is_room_for_are_turned_away(feed: Feed, tmp_path: Path) -> None:
    clients = []
    for n in range(CLIENTS_MAX_N):
        clients.append(FeedClient(tmp_path))
        wait_for(lambda n=n: feed.clients_n == n + 1)
    with socket.create_connection(address(tmp_path)[0]) as connection:
        assert ended(connection)
    for client in clients:
        client.close()
    wait_for(lambda: feed.clients_n == 0)


def test_a_client_that_never_reads_delays_nobody_and_learns_what_it_missed(feed: Feed, tmp_path: Path) -> None:
    frozen, reader = FeedClient(tmp_path), FeedClient(tmp_path)
    wait_for(lambda: feed.clients_n == 2)
    for k in range(6 * WAITING_MAX_N):
        began_s = time.monotonic()
        feed.publish(ecg(k * 0.05) | {"mv": [0.123] * 300})
        assert time.monotonic() - began_s < BUSY_S, "publishing never waits"
        if k % 200 == 0:
            feed.publish({"kind": "state", "now_s": float(k)})
            while (next_of(reader, "state"))["now_s"] != float(k):
                pass
    feed.publish({"kind": "state", "now_s": -1.0})
    state = next_of(frozen, "state")
    while state["now_s"] != -1.0:
        state = next_of(frozen, "state")
    assert state["dropped_n"] > WAITING_MAX_N, "and it is told how much it missed"
    for client in (frozen, reader):
        client.close()


def test_what_is_dropped_is_ecg_and_of_states_only_the_newest_waits() -> None:
    waiting = Outgoing()
    waiting.put({"kind": "result"})
    for k in range(2 * WAITING_MAX_N):
        waiting.put(ecg(float(k)))
        waiting.put({"kind": "state", "now_s": float(k)})
    here, there = socket.socketpair()
    here.setblocking(False)
    with here, there:
        lines = bytearray()
        while not waiting.send_some(here):
            lines += there.recv(1 << 20)
        here.shutdown(socket.SHUT_WR)
        while data := there.recv(1 << 20):
            lines += data
    messages = [json.loads(line) for line in bytes(lines).splitlines()]
    assert len(messages) == WAITING_MAX_N
    assert messages[0] == {"kind": "result"}
    assert [message["kind"] for message in messages].count("state") == 1
    assert messages[-1] == {"kind": "state", "now_s": float(2 * WAITING_MAX_N - 1), "dropped_n": WAITING_MAX_N + 2}


def test_the_last_words_reach_a_client_although_the_feed_closes(tmp_path: Path) -> None:
    with Feed(tmp_path) as feed:
        client = FeedClient(tmp_path)
        wait_for(lambda: feed.clients_n == 1)
        feed.publish({"kind": "result", "effect_bpm": float("nan")})
    assert [message for message in client if message["kind"] == "result"] == [{"kind": "result", "effect_bpm": None}]
    client.close()

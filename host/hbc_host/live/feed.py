"""The feed: what a session under way tells its pages, as JSON lines on a socket of this computer.

One thread serves all clients and never waits for one: each has a queue of its own that is bounded; a client that does
not read loses the oldest ECG, is told how much, and costs the recording nothing. Clients are strangers until their
first line is the token, which stands in ``live.json``, readable by this user alone.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import queue
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from hbc_host.live.address import LIVE_NAME, write_address
from hbc_host.live.feed_queue import Outgoing, Recent

log = logging.getLogger(__name__)

LINE_MAX_N = 8192  # bytes of a command; ours have some hundred
TOKEN_WAIT_S = 5.0
CLIENTS_MAX_N = 16
STRANGERS_MAX_N = 8  # connections that have not shown the token yet
COMMANDS_MAX_N = 64  # commands that nobody has looked at yet
READ_N = 65536
WAIT_S = 0.5


class Command(NamedTuple):
    """What a client asked for; ``answer(ok, text)`` tells it what became of it, from any thread."""

    do: str
    fields: dict[str, Any]
    answer: Callable[[bool, str], None]


class _Client:
    """One connection, in the server's thread."""

    def __init__(self, connection: socket.socket, now_s: float) -> None:
        self.socket = connection
        self.since_s = now_s
        self.known = False
        self.received = bytearray()
        self.outgoing = Outgoing()
        self.closing = False


class Feed:
    """Serves the feed of one session while used as a context.

    Parameters
    ----------
    folder : Path
        ``live.json`` with address and token appears here, and goes at the end.

    Attributes
    ----------
    commands : queue of Command
        What clients asked for, to be answered by whoever runs the session.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._token = secrets.token_urlsafe(32)
        self.commands: queue.Queue[Command] = queue.Queue(maxsize=COMMANDS_MAX_N)
        self._said: queue.SimpleQueue[tuple[_Client | None, dict[str, Any]]] = queue.SimpleQueue()
        self._recent = Recent()
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hbc-feed", daemon=True)
        self._clients_n = 0
        self._refusal = ""

    @property
    def clients_n(self) -> int:
        """Clients that have shown the token."""
        return self._clients_n

    def publish(self, message: Mapping[str, Any]) -> None:
        """Tell all clients, from any thread; returns at once. The message has a ``kind``."""
        self._said.put((None, dict(message)))
        self._wake()

    def refuse(self, why: str) -> None:
        """From now on nobody looks at commands: those that wait and those to come are refused with this reason."""
        self._refusal = why
        with contextlib.suppress(queue.Empty):
            while True:
                self.commands.get_nowait().answer(False, why)

    def __enter__(self) -> Feed:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.setblocking(False)
        self._wake_in, self._wake_out = socket.socketpair()
        for one in (self._wake_in, self._wake_out):
            one.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_out, selectors.EVENT_READ)
        try:
            write_address(self._folder, self._listener.getsockname()[1], self._token)
        except BaseException:
            self._close_all()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._wake()
        self._thread.join(timeout=5.0)
        with contextlib.suppress(OSError):
            (self._folder / LIVE_NAME).unlink()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake already; closed: nobody listens any more
            self._wake_in.send(b"\0")

    # -- the server's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            until_s: float | None = None
            while until_s is None or (time.monotonic() < until_s and any(c.outgoing for c in self._clients.values())):
                for key, events in self._selector.select(WAIT_S if until_s is None else 0.05):
                    self._serve(key, events)
                self._hand_out()
                self._drop_strangers()
                if until_s is None and self._closing.is_set():
                    until_s = time.monotonic() + 1.0  # what was said last, such as the result, still goes out
        except Exception:  # the pages go dark, the recording does not notice
            log.exception("the feed failed")
        finally:
            self._close_all()

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif key.fileobj is self._wake_out:
            with contextlib.suppress(OSError):
                self._wake_out.recv(READ_N)
        elif isinstance(key.data, _Client):
            try:
                if events & selectors.EVENT_READ:
                    self._read(key.data)
                if events & selectors.EVENT_WRITE:
                    self._write(key.data)
            except (OSError, ValueError):  # gone, or a stranger, or sends what is no line of ours
                self._drop(key.data)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            strangers_n = sum(not client.known for client in self._clients.values())
            if self._clients_n >= CLIENTS_MAX_N or strangers_n >= STRANGERS_MAX_N:
                connection.close()
                return
            connection.setblocking(False)
            client = _Client(connection, time.monotonic())
            self._clients[connection.fileno()] = client
            self._selector.register(connection, selectors.EVENT_READ, client)

    def _read(self, client: _Client) -> None:
        try:
            data = client.socket.recv(READ_N)
        except BlockingIOError:
            return
        if not data:
            raise ValueError("gone")
        client.received += data
        while (end := client.received.find(b"\n")) >= 0:
            line = bytes(client.received[:end])
            del client.received[: end + 1]
            if len(line) > LINE_MAX_N:
                raise ValueError("a line too long")
            self._line(client, line)
        if len(client.received) > LINE_MAX_N:
            raise ValueError("a line too long")

    def _line(self, client: _Client, line: bytes) -> None:
        if not client.known:
            if not hmac.compare_digest(line.strip(), self._token.encode()):
                raise ValueError("not the token")
            client.known = True
            self._clients_n += 1
            for message in self._recent.for_newcomer():
                client.outgoing.put(message)
            self._want_write(client)
            return
        try:
            fields = json.loads(line)
            do = fields.pop("do")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            self._reply(client, "", False, "not understood: one JSON object a line, with a key do")
            return

        def answer(ok: bool, text: str) -> None:
            self._said.put((client, {"kind": "done", "do": str(do), "ok": ok, "text": text}))
            self._wake()

        try:
            self.commands.put_nowait(Command(str(do), fields, answer))
        except queue.Full:
            self._reply(client, str(do), False, "too many commands at once; say it again")
        if self._refusal:  # after the put: none can slip in between
            self.refuse(self._refusal)

    def _reply(self, client: _Client, do: str, ok: bool, text: str) -> None:
        client.outgoing.put({"kind": "done", "do": do, "ok": ok, "text": text})
        self._want_write(client)

    def _hand_out(self) -> None:
        while not self._said.empty():
            to, message = self._said.get()
            if to is None:
                self._recent.keep(message)
            targets = [client for client in self._clients.values() if client.known] if to is None else [to]
            for client in targets:
                client.outgoing.put(message)
                self._want_write(client)

    def _want_write(self, client: _Client) -> None:
        if client.socket.fileno() >= 0:
            self._selector.modify(client.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, client)

    def _write(self, client: _Client) -> None:
        if client.outgoing.send_some(client.socket):
            self._selector.modify(client.socket, selectors.EVENT_READ, client)

    def _drop_strangers(self) -> None:
        late_s = time.monotonic() - TOKEN_WAIT_S
        for client in [one for one in self._clients.values() if not one.known and one.since_s < late_s]:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        number = client.socket.fileno()
        if number < 0:
            return
        self._selector.unregister(client.socket)
        self._clients.pop(number, None)
        client.socket.close()
        self._clients_n -= client.known

    def _close_all(self) -> None:
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.close()
        for one in (self._listener, self._wake_in, self._wake_out):
            one.close()

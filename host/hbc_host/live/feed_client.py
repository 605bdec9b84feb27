"""A client of the feed: what a page, a terminal or another program uses to follow a session under way."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from hbc_host.live.address import NoFeedError, read_address

__all__ = ["FeedClient", "NoFeedError"]

CONNECT_S = 2.0
LINE_MAX_N = 1 << 20
READ_N = 65536


class FeedClient:
    """Connected to the feed of a session; for one reading thread, and any number of sending ones.

    Parameters
    ----------
    folder : Path
        Session folder.
    wait_s : float
        How long to wait for a session to begin there.

    Raises
    ------
    NoFeedError
        There is no feed.
    """

    def __init__(self, folder: Path | str, *, wait_s: float = 0.0) -> None:
        self._folder = Path(folder)
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._socket = self._connect(time.monotonic() + wait_s)

    def _connect(self, until_s: float) -> socket.socket:
        while True:
            try:
                return _open(self._folder)
            except NoFeedError:
                if time.monotonic() >= until_s:
                    raise
                time.sleep(0.05)

    def fileno(self) -> int:
        """For ``select``: readable when there may be messages."""
        return self._socket.fileno()

    def receive(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """The next message; None when none came within ``timeout_s`` seconds (None: wait for ever).

        Raises
        ------
        NoFeedError
            The session ended, or its program did.
        """
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._lines:
            left_s = None if until_s is None else until_s - time.monotonic()
            if left_s is not None and left_s < 0:
                return None
            self._read(left_s)
        message: dict[str, Any] = json.loads(self._lines.pop(0))
        return message

    def _read(self, timeout_s: float | None) -> None:
        try:
            # Not the socket's own time-out: that would hold for a sending thread, too.
            if not select.select([self._socket], [], [], timeout_s)[0]:
                return
            data = self._socket.recv(READ_N)
        except (OSError, ValueError) as error:  # ValueError: closed by another thread
            raise NoFeedError(f"the feed of {self._folder} is gone ({error}); is the session over?") from error
        if not data:
            raise NoFeedError(f"the feed of {self._folder} has ended: the session is over")
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        self._lines += lines
        if len(rest) > LINE_MAX_N:
            raise NoFeedError(f"the feed of {self._folder} sends lines over {LINE_MAX_N} bytes; is it ours?")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Messages until the session is over."""
        while True:
            try:
                message = self.receive()
            except NoFeedError:
                return
            if message is not None:
                yield message

    def send(self, do: str, **fields: Any) -> None:
        """Ask for something; a message of kind ``done`` answers. Raises NoFeedError when the session is over."""
        line = json.dumps({"do": do, **fields}, allow_nan=False).encode() + b"\n"
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise NoFeedError(f"the feed of {self._folder} is gone ({error.strerror}); is the session over?") from error

    def close(self) -> None:
        """Harmless when already closed."""
        self._socket.close()

    def __enter__(self) -> FeedClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(folder: Path) -> socket.socket:
    host, port, token = read_address(folder)
    try:
        connection = socket.create_connection((host, port), timeout=CONNECT_S)
        connection.sendall(token.encode() + b"\n")
    except OSError as error:
        raise NoFeedError(
            f"the session in {folder} is not running any more; go on with: hbc session resume {folder}"
        ) from error
    connection.settimeout(None)
    return connection

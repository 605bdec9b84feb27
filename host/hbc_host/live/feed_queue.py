"""What waits for a client of the feed, and what a late client is told first. Bounded, whoever does not read."""

from __future__ import annotations

import json
import math
import socket
from collections import deque
from collections.abc import Mapping
from typing import Any

WAITING_MAX_N = 1200  # messages; a minute of ECG
SEND_N = 65536  # bytes that are made ready at once
RECENT_S = 10.0
RECENT_MAX_N = 600  # of a kind; 10 s of ECG are 200


def encode(message: Mapping[str, Any]) -> bytes:
    """One line of JSON; what is no finite number becomes null."""
    try:
        text = json.dumps(message, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(finite(message), allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def finite(value: Any) -> Any:
    """The same with None for NaN and infinity, which JSON lacks."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


class Outgoing:
    """Messages on their way to one client."""

    def __init__(self) -> None:
        self._waiting: deque[dict[str, Any]] = deque()
        self._bytes = memoryview(b"")
        self.dropped_n = 0

    def __bool__(self) -> bool:
        return bool(self._waiting or self._bytes)

    def put(self, message: dict[str, Any]) -> None:
        """Queue a message. A newer state takes the place of one that waits; when full, the oldest ECG goes."""
        if message.get("kind") == "state":
            for waiting in self._waiting:
                if waiting.get("kind") == "state":
                    self._waiting.remove(waiting)
                    break
        if len(self._waiting) >= WAITING_MAX_N:
            self._drop_one()
        self._waiting.append(message)

    def _drop_one(self) -> None:
        at = next((at for at, waiting in enumerate(self._waiting) if waiting.get("kind") == "ecg"), 0)
        del self._waiting[at]
        self.dropped_n += 1

    def send_some(self, to: socket.socket) -> bool:
        """Send what the socket takes without waiting; True when all is gone. Raises OSError when the client is."""
        while self:
            if not self._bytes:
                self._bytes = self._next_bytes()
            try:
                sent_n = to.send(self._bytes)
            except BlockingIOError:
                return False
            self._bytes = self._bytes[sent_n:]
        return True

    def _next_bytes(self) -> memoryview:
        ready = bytearray()
        while self._waiting and len(ready) < SEND_N:
            message = self._waiting.popleft()
            if message.get("kind") == "state":
                message = message | {"dropped_n": self.dropped_n}
            ready += encode(message)
        return memoryview(bytes(ready))


class Recent:
    """The latest of each kind, for clients that come late: who, how it stands, and the last ten seconds."""

    def __init__(self) -> None:
        self._single: dict[str, dict[str, Any]] = {}
        self._coupling: dict[str, dict[str, Any]] = {}
        self._lately: dict[str, deque[dict[str, Any]]] = {
            kind: deque(maxlen=RECENT_MAX_N) for kind in ("ecg", "beat", "pulse")
        }

    def keep(self, message: dict[str, Any]) -> None:
        """Remember what is told to all."""
        kind = message.get("kind", "")
        if kind in self._lately:
            lately = self._lately[kind]
            at_s = _time_of(message)
            if lately and at_s < _time_of(lately[-1]) - RECENT_S:  # the box began anew
                lately.clear()
            lately.append(message)
            while _time_of(lately[0]) < at_s - RECENT_S:
                lately.popleft()
        elif kind == "coupling":
            self._coupling[str(message.get("site"))] = message
        elif kind in ("hello", "state", "result"):
            self._single[kind] = message

    def for_newcomer(self) -> list[dict[str, Any]]:
        """In the order in which a page needs it."""
        first = [self._single[kind] for kind in ("hello", "state") if kind in self._single]
        lately = sorted((one for kind in self._lately.values() for one in kind), key=_time_of)
        last = [self._single["result"]] if "result" in self._single else []
        return [*first, *self._coupling.values(), *lately, *last]


def _time_of(message: Mapping[str, Any]) -> float:
    return float(message.get("first_s", message.get("at_s", 0.0)))

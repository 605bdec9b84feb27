"""Finding the box again after the connection was lost: the same unique id, on whichever port it comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from hbc_host.chunks import Chunk
from hbc_host.errors import NoHelloError, TransportError, VersionMismatchError
from hbc_host.link import Link
from hbc_host.transport import Transport

log = logging.getLogger(__name__)

GIVE_UP_S = 600.0  # the box holds its last 512 beats and 1024 edges: some 7 minutes at 70 bpm
HELLO_WAIT_S = 1.4  # the box repeats Hello every second
LOOK_PERIOD_S = 0.1
REFUSED_AGAIN_S = 3.0  # a port with another box, or a box of another version, is not asked again before this

OpenLink = Callable[[Transport], Link]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """The box, connected again: its link, and the chunks that came until it had introduced itself."""

    link: Link
    chunks: list[Chunk]
    port: str


class Reconnect(Protocol):
    """How a recording gets its box back."""

    def __call__(self, open_link: OpenLink, hello: Any, keep_on: Callable[[], bool], tell: Tell) -> Found | None:
        """The box with the id of ``hello``, or None when there is no hope or ``keep_on`` says no."""


class BoxFinder:
    """Tries the ports where the box may be, again and again.

    Parameters
    ----------
    candidates : callable
        Transports to try, most likely first; asked anew in each round.
    give_up_s : float
        Real seconds until it is given up.
    """

    def __init__(self, candidates: Callable[[], Iterable[Transport]], *, give_up_s: float = GIVE_UP_S) -> None:
        self._candidates = candidates
        self._give_up_s = give_up_s
        self._not_before_s: dict[str, float] = {}
        self._told: set[str] = set()

    def __call__(self, open_link: OpenLink, hello: Any, keep_on: Callable[[], bool], tell: Tell) -> Found | None:
        """Look until the box is found, ``keep_on`` says no, or the time is over."""
        until_s = time.monotonic() + self._give_up_s
        self._not_before_s.clear()
        self._told.clear()
        while keep_on() and time.monotonic() < until_s:
            there = {_name(transport): transport for transport in self._candidates()}
            self._not_before_s = {name: at_s for name, at_s in self._not_before_s.items() if name in there}
            for name, transport in there.items():
                if time.monotonic() >= self._not_before_s.get(name, 0.0):
                    found = self._try(name, transport, open_link, hello, tell)
                    if found is not None:
                        return found
            time.sleep(LOOK_PERIOD_S)
        return None

    def _try(self, name: str, transport: Transport, open_link: OpenLink, hello: Any, tell: Tell) -> Found | None:
        link = open_link(transport)
        try:
            link.__enter__()
        except TransportError as error:  # not there yet, or its permissions are still being set
            log.debug("%s: %s", name, error)
            return None
        try:
            chunks = link.wait_hello(HELLO_WAIT_S)
        except (NoHelloError, TransportError) as error:  # perhaps it boots still
            log.debug("%s: %s", name, error)
            link.__exit__(None, None, None)
            return None
        except VersionMismatchError as error:
            self._refuse(name, link, f"{name}: {error}", tell)
            return None
        except BaseException:
            link.__exit__(None, None, None)
            raise
        if link.hello.unique_id != hello.unique_id:
            text = f"{name} is another box ({link.hello.unique_id}), this recording is of {hello.unique_id}"
            self._refuse(name, link, text, tell)
            return None
        return Found(link, chunks, name)

    def _refuse(self, name: str, link: Link, text: str, tell: Tell) -> None:
        link.__exit__(None, None, None)
        self._not_before_s[name] = time.monotonic() + REFUSED_AGAIN_S
        if text not in self._told:
            self._told.add(text)
            tell(text)


def _name(transport: Transport) -> str:
    return str(getattr(transport, "url", type(transport).__name__))

"""``hbc box info``: listen to a box for some seconds and tell what it says of itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hbc_wire import messages

from hbc_host.box.guide import Watch
from hbc_host.box.reach import EMPTY, PROMPT, look
from hbc_host.box.recover import found_words
from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.clocksync import ClockFit, Ping, fit_clock
from hbc_host.errors import InputError, NoAnswerError, NoHelloError
from hbc_host.link import HELLO_TIMEOUT_S, Link
from hbc_host.protocol import SequenceCounter, StreamDecoder, is_a
from hbc_host.requests import BoxSetting, list_settings
from hbc_host.transport import SerialTransport

LISTEN_S = 2.5  # two reports of the box, two pings


@dataclass(frozen=True)
class BoxInfo:
    """What a box said.

    Attributes
    ----------
    hello, status, health, lost : namedtuple or None
        The newest of each; ``health`` is None with an old firmware.
    settings : tuple of BoxSetting or None
        None with a firmware that cannot list them.
    frames_n, frames_lost_n, frames_bad_n : int
        Of this connection.
    clock : ClockFit or None
    rtt_ms : float or None
        Median of the pings' round trips.
    """

    hello: Any
    status: Any
    health: Any
    lost: Any
    settings: tuple[BoxSetting, ...] | None
    frames_n: int
    frames_lost_n: int
    frames_bad_n: int
    clock: ClockFit | None
    rtt_ms: float | None


class _Listener:
    """Counts frames and pairs pings with their answers."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.decoder = StreamDecoder()
        self.sequence = SequenceCounter()
        self.pings: list[Ping] = []
        self._sent_s: dict[int, float] = {}
        self._requests = StreamDecoder()

    def take(self, chunk: Chunk) -> None:
        if chunk.kind == TO_BOX:
            for received in self._requests.feed(chunk.data):
                if is_a(received.message, messages.ClockPing):
                    self._sent_s[received.message.token] = chunk.host_s
        elif chunk.kind == FROM_BOX:
            for received in self.decoder.feed(chunk.data):
                self.sequence.push(received.seq)
                self.watch.take(received.message)
                self._pong(received.message, chunk.host_s)

    def _pong(self, message: Any, arrived_s: float) -> None:
        if is_a(message, messages.ClockPong) and message.token in self._sent_s:
            middle_us = (message.received_us + message.sent_us) // 2
            busy_us = message.sent_us - message.received_us
            self.pings.append(Ping(self._sent_s.pop(message.token), middle_us, busy_us, arrived_s))


def ask_box(
    port: str,
    *,
    listen_s: float = LISTEN_S,
    hello_s: float = HELLO_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
) -> BoxInfo:
    """Listen to the box at a port and list its settings.

    Raises
    ------
    TransportError, NoHelloError, VersionMismatchError
        There is no box of this wire version; the text says what to do.
    """
    try:
        return _listened(port, listen_s, hello_s, clock)
    except NoHelloError as error:
        found = look(port)
        if found.kind not in (PROMPT, EMPTY):
            raise
        way = "brings the app back and says why it stopped" if found.kind == PROMPT else "names the file that it needs"
        command = "recover" if found.kind == PROMPT else "flash"
        raise NoHelloError(f"{found_words(found)}; `hbc box {command} --port {port}` {way}") from error


def _listened(port: str, listen_s: float, hello_s: float, clock: Callable[[], float]) -> BoxInfo:
    listener = _Listener()
    with Link(SerialTransport(port), clock=clock, ping=True) as link:
        for chunk in link.wait_hello(hello_s):
            listener.take(chunk)
        until_s = clock() + listen_s
        while clock() < until_s:
            arrived = link.receive().chunk
            if arrived is not None:
                listener.take(arrived)
        try:
            settings: tuple[BoxSetting, ...] | None = list_settings(link)
        except NoAnswerError:
            settings = None
    return _summed_up(listener, link.hello, settings)


def _summed_up(listener: _Listener, hello: Any, settings: tuple[BoxSetting, ...] | None) -> BoxInfo:
    watch = listener.watch
    try:
        fit: ClockFit | None = fit_clock(listener.pings)
    except InputError:
        fit = None
    rtts_ms = sorted(1e3 * ping.rtt_s for ping in listener.pings)

    def newest(kept: list[Any]) -> Any:
        return kept[-1] if kept else None

    return BoxInfo(
        hello, newest(watch.statuses), newest(watch.healths), newest(watch.losts), settings,
        listener.decoder.frames_n, listener.sequence.lost_n, listener.decoder.bad_n,
        fit, rtts_ms[len(rtts_ms) // 2] if rtts_ms else None,
    )  # fmt: skip

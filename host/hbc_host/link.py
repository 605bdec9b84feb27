"""The live connection: one thread owns the port and fills a queue; everybody else reads the queue."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from hbc_wire import messages

from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.errors import NoHelloError, TransportError
from hbc_host.protocol import StreamDecoder, frame, is_a
from hbc_host.transport import Transport

log = logging.getLogger(__name__)

# The box repeats Hello every second. One that has just got power, or that a USB circuit resets when the port is opened,
# has to go through boot ROM, interpreter and file system before it reaches its app; after a fault, through that again.
HELLO_TIMEOUT_S = 10.0
# Ping every 0.97 s, not 1 s: a whole period would beat against the box's own one-second reports.
PING_PERIOD_S = 0.97
TOKEN_MASK = 0x3FFFFFFF  # the box keeps tokens as small integers below 2**30
_WAIT_S = 0.5  # real seconds that a queue read waits before it looks whether the reader thread is alive


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one turn of the reader thread brought: bytes, bytes sent, silence (``chunk`` None), or the end."""

    read_n: int
    chunk: Chunk | None = None
    error: TransportError | None = None


class Link:
    """A box at the other end of a transport.

    Parameters
    ----------
    transport : Transport
        Opened and closed by the link.
    clock : callable
        Host seconds; stamps arrivals and paces pings. Tests and demos inject the rig's clock.
    ping : bool
        Send a ClockPing every 0.97 s, so that device time can be related to host time.

    """

    def __init__(
        self, transport: Transport, *, clock: Callable[[], float] = time.monotonic, ping: bool = False
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._ping = ping
        self._tap: Callable[[Chunk], None] | None = None
        self._tapping = threading.Lock()  # held while a chunk is handed out, so that none comes between
        self._arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hbc-link", daemon=True)
        self._seq = 0
        self._token = 0
        self._ping_due_s = -math.inf
        self.reads_n = 0
        self.pings_n = 0
        self.hello: Any = None

    def __enter__(self) -> Link:
        self._transport.open()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._thread.ident is not None:  # the port could be opened
            self._thread.join(timeout=5.0)
        self._transport.close()

    def receive(self) -> Arrival:
        """Next arrival, in order; an idle port brings one without chunk about every 20 ms.

        Raises
        ------
        TransportError
            The port went away; everything that came before was handed out already.
        """
        while True:
            try:
                arrival = self._arrivals.get(timeout=_WAIT_S)
            except queue.Empty:
                if not self._thread.is_alive():
                    raise TransportError("the connection is closed; start again") from None
                continue
            if arrival.error is not None:
                raise arrival.error
            return arrival

    def send(self, message: Any, *values: Any) -> None:
        """Queue one request to the box, such as ``link.send(messages.Setting, token, "blank_ms", 8)``."""
        self._requests.put(frame(message, self._next_seq(), *values))

    def listen(self, tap: Callable[[Chunk], None]) -> None:
        """From now on ``tap`` gets each chunk from the box: first those that nobody has received yet, then live ones.

        It is called in the reader thread, before anybody who may wait for a disk, and must return at once.
        """
        with self._tapping:
            for _ in range(self._arrivals.qsize()):
                arrival = self._arrivals.get()
                if arrival.chunk is not None and arrival.chunk.kind == FROM_BOX:
                    tap(arrival.chunk)
                self._arrivals.put(arrival)
            self._tap = tap

    @property
    def waiting_n(self) -> int:
        """Reads that nobody has taken from the queue yet; a slow disk shows here."""
        return self._arrivals.qsize()

    def wait_hello(self, timeout_s: float = HELLO_TIMEOUT_S) -> list[Chunk]:
        """Wait until the box has said who it is (then in ``hello``); returns all chunks of that time.

        Raises
        ------
        NoHelloError
            Nothing came, or nothing that is a frame: then the baud rate is wrong or another device is connected.
        VersionMismatchError
            The box speaks another wire version.
        TransportError
            The port went away.
        """
        decoder = StreamDecoder()
        chunks: list[Chunk] = []
        bytes_n = 0
        until_s = self._clock() + timeout_s
        while True:
            chunk = self.receive().chunk
            if chunk is not None:
                chunks.append(chunk)
                if chunk.kind == FROM_BOX:
                    bytes_n += len(chunk.data)
                    for received in decoder.feed(chunk.data):
                        if self.hello is None and is_a(received.message, messages.Hello):
                            self.hello = received.message
            if self.hello is not None:
                return chunks
            if self._arrivals.empty() and self._clock() > until_s:  # judge only what has been looked at in full
                port = str(getattr(self._transport, "url", "the port"))
                raise NoHelloError(_why_no_hello(port, timeout_s, bytes_n, decoder))

    def _run(self) -> None:
        """The reader thread: it alone touches the port."""
        try:
            while not self._closing.is_set():
                self._send_requests()
                data = self._transport.read()
                self.reads_n += 1
                chunk = Chunk(FROM_BOX, self._clock(), data) if data else None
                with self._tapping:
                    if chunk is not None and self._tap is not None:
                        self._tap(chunk)
                    self._arrivals.put(Arrival(self.reads_n, chunk))
        except TransportError as error:
            self._arrivals.put(Arrival(self.reads_n, error=error))
        except Exception as error:  # a bug must reach the main thread, not die here unseen
            log.exception("reader thread failed")
            self._arrivals.put(Arrival(self.reads_n, error=TransportError(f"reading the port failed: {error!r}")))

    def _send_requests(self) -> None:
        now_s = self._clock()
        if self._ping and now_s >= self._ping_due_s:
            self._ping_due_s = now_s + PING_PERIOD_S
            self._token = (self._token + 1) & TOKEN_MASK
            self.pings_n += 1
            self._write(frame(messages.ClockPing, self._next_seq(), self._token))
        while not self._requests.empty():
            self._write(self._requests.get())

    def _write(self, data: bytes) -> None:
        # Stamped before writing: a ping's round trip then contains all of its delay.
        sent = Chunk(TO_BOX, self._clock(), data)
        self._transport.write(data)
        with self._tapping:
            self._arrivals.put(Arrival(self.reads_n, sent))

    def _next_seq(self) -> int:
        self._seq = (self._seq + 1) & 0xFFFF
        return self._seq


def _why_no_hello(port: str, timeout_s: float, bytes_n: int, decoder: StreamDecoder) -> str:
    if bytes_n == 0:
        return (
            f"no box answered at {port} within {timeout_s:g} s: the port is silent; check power and cable, "
            f"press the reset button of the box, or choose another port; a new board needs `hbc box flash`"
        )
    if decoder.frames_n == 0:
        return (
            f"{bytes_n} bytes and {decoder.bad_n} bad frames in {timeout_s:g} s, not one good frame: wrong baud rate "
            f"or another device at {port}; the box speaks 115200 baud; `hbc box recover` looks closer, and a board "
            f"at its prompt or without the app needs `hbc box flash`"
        )
    return (
        f"{decoder.frames_n} good and {decoder.bad_n} bad frames in {timeout_s:g} s ({bytes_n} bytes) at {port}, but "
        f"no Hello; press the reset button of the box and start again"
    )

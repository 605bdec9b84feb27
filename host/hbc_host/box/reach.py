"""What answers at this port, and how to get to the prompt of its interpreter."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hbc_wire import messages

from hbc_host.errors import BoxRefusedError, FlashError, NoHelloError, TransportError, VersionMismatchError, WireError
from hbc_host.link import HELLO_TIMEOUT_S, Link
from hbc_host.protocol import StreamDecoder, is_a
from hbc_host.requests import restart
from hbc_host.transport import SerialTransport, Transport, press_reset

log = logging.getLogger(__name__)

APP, OTHER_APP, PROMPT, EMPTY = "app", "app of another version", "prompt", "empty"
TALKS, SILENT = "talks", "silent"
LISTEN_S = 1.2  # the app introduces itself every second
PROMPT_S = 1.0
BOOT_S = 20.0  # the first boot of an interpreter makes a file system
INTERRUPT_S = 6.0
RETRY_S = 0.3  # a port that is the chip's own USB goes away at a reset and comes back
TO_PROMPT = b"\r\x03\x02"  # stop a program, leave the raw prompt
PROMPT_SIGN = b">>> "
EMPTY_SIGN = b"invalid header"  # the boot ROM of a chip without a program says so, again and again
SAID_MAX_N = 4096


@dataclass(frozen=True)
class Found:
    """What a look at a port found.

    Attributes
    ----------
    kind : str
        ``APP`` (our firmware, ``hello`` says who), ``OTHER_APP`` (our firmware, another wire version), ``PROMPT``
        (an interpreter waits for input), ``EMPTY`` (a chip without a program), ``TALKS`` (bytes, but none that we
        understand) or ``SILENT``.
    hello : namedtuple Hello or None
    said : str
        The last text that came, such as the traceback of a crash.
    """

    kind: str
    hello: Any = None
    said: str = ""


class _Ear:
    """Listens to an open port, as a box and as a prompt at once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._decoder = StreamDecoder()
        self.hello: Any = None
        self.other_version = False
        self.said = b""

    def listen(self, seconds: float, until: Callable[[], bool]) -> bool:
        end_s = time.monotonic() + seconds
        while not until() and time.monotonic() < end_s:
            data = self._transport.read()
            self.said = (self.said + data)[-SAID_MAX_N:]
            try:
                for received in self._decoder.feed(data):
                    if is_a(received.message, messages.Hello):
                        self.hello = received.message
            except VersionMismatchError:
                self.other_version = True
        return until()

    def knows(self) -> bool:
        return self.hello is not None or self.other_version or EMPTY_SIGN in self.said

    def at_prompt(self) -> bool:
        return self.said.rstrip(b"\r\n").endswith(PROMPT_SIGN)

    def found(self) -> Found:
        text = self.said.decode("ascii", "replace")
        if self.hello is not None:
            return Found(APP, self.hello)
        if self.other_version:
            return Found(OTHER_APP)
        if self.at_prompt():
            return Found(PROMPT, said=text)
        if EMPTY_SIGN in self.said:
            return Found(EMPTY, said=text)
        return Found(TALKS if self.said else SILENT, said=text)


def look(port: str) -> Found:
    """See what answers at a port, within some five seconds. Nothing changes, but a program at the prompt is stopped.

    Raises
    ------
    TransportError
        The port cannot be opened, or went away; the text says what to do.
    """
    transport = SerialTransport(port)
    transport.open()
    try:
        ear = _Ear(transport)
        if ear.listen(LISTEN_S, ear.knows):
            return ear.found()
        transport.write(TO_PROMPT)
        if not ear.listen(PROMPT_S, lambda: ear.knows() or ear.at_prompt()):
            ear.listen(LISTEN_S, ear.knows)  # it may just be booting
        return ear.found()
    finally:
        transport.close()


def look_until(port: str, wanted: Callable[[Found], bool], timeout_s: float = BOOT_S) -> Found:
    """Look again and again until something wanted answers or the time is over; the last thing found.

    A port that goes away meanwhile is waited for: a chip with USB of its own takes it along into its reset.
    """
    end_s = time.monotonic() + timeout_s
    while True:
        try:
            found = look(port)
        except TransportError:
            if time.monotonic() >= end_s:
                raise
            found = Found(SILENT)
        if wanted(found) or time.monotonic() >= end_s:
            return found
        time.sleep(RETRY_S)


def wait_for_hello(port: str, timeout_s: float = BOOT_S) -> Any:
    """The Hello of a box that was just started.

    Raises
    ------
    NoHelloError
        No box introduced itself in time.
    VersionMismatchError
        It speaks another wire version.
    TransportError
        The port did not come back.
    """
    end_s = time.monotonic() + timeout_s
    while True:
        left_s = end_s - time.monotonic()
        try:
            with Link(SerialTransport(port)) as link:
                link.wait_hello(max(left_s, HELLO_TIMEOUT_S))
                return link.hello
        except VersionMismatchError:
            raise
        except (TransportError, NoHelloError):
            if time.monotonic() >= end_s:
                raise
            time.sleep(RETRY_S)


def to_prompt(port: str, found: Found) -> None:
    """Bring a box to the prompt of its interpreter: ask the app to go there, else interrupt its boot.

    Raises
    ------
    FlashError
        No way led there; the text says what to press.
    TransportError
        The port went away for good.
    """
    if found.kind == PROMPT:
        return
    if found.kind == APP and _asked(port):
        found = look_until(port, lambda now: now.kind == PROMPT)
        if found.kind == PROMPT:
            return
    if not interrupt_boot(port):
        raise FlashError(
            f"the box at {port} does not come to its prompt ({found.kind}); press its button EN (RESET) and run the "
            f"same command at once, or start from scratch with `hbc box flash --firmware MICROPYTHON.bin`"
        )


def _asked(port: str) -> bool:
    """The app's own way: a wire request. False when it knows none, or does not answer."""
    try:
        with Link(SerialTransport(port)) as link:
            link.wait_hello()
            restart(link, repl=True)
    except (WireError, BoxRefusedError) as error:
        log.debug("restart into the prompt: %s", error)
        return False
    return True


def interrupt_boot(port: str) -> bool:
    """Reset the chip by its line RTS and press Ctrl-C while it boots, before the app can turn that key off."""
    transport = SerialTransport(port)
    transport.open()
    try:
        ear = _Ear(transport)
        press_reset(transport.port)
        end_s = time.monotonic() + INTERRUPT_S
        while time.monotonic() < end_s:
            transport.write(b"\x03")
            if ear.listen(0.05, ear.at_prompt):
                return True
        transport.write(TO_PROMPT)
        return ear.listen(PROMPT_S, ear.at_prompt)
    finally:
        transport.close()

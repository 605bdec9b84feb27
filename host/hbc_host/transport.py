"""Byte pipes to a box. A transport moves bytes and knows nothing of messages."""

from __future__ import annotations

import errno
import logging
import termios
import time
from typing import Any, Protocol

import serial
from serial.tools import list_ports

from hbc_host.errors import TransportError
from hbc_host.port_users import users_of

log = logging.getLogger(__name__)

BAUD = 115200
READ_WAIT_S = 0.02  # longest wait of one read; blocks come every 50 ms, so a live box is "idle" between two of them
_NOT_A_MODEM = (errno.EINVAL, errno.ENOTTY)
_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


class Transport(Protocol):
    """A byte pipe to a box. Failures raise TransportError."""

    def open(self) -> None:
        """Connect; raises TransportError with the next step when that cannot be done."""

    def read(self) -> bytes:
        """Bytes that arrived, ``b""`` when none did for a short while."""

    def write(self, data: bytes) -> None:
        """Send all of ``data``."""

    def close(self) -> None:
        """Disconnect; harmless when already closed."""


def port_names() -> list[str]:
    """Serial ports that this computer has now, sorted."""
    return sorted(port.device for port in list_ports.comports())


def release_lines(port: Any) -> None:
    """Let go of RTS, then DTR, of an open pyserial port; raises OSError when it is gone.

    This order never passes through the state that resets an ESP32 (DTR low, RTS high). A pty has no such lines.
    """
    try:
        port.rts = False
        port.dtr = False
    except OSError as error:
        if error.errno not in _NOT_A_MODEM:
            raise


def press_reset(port: Any, hold_s: float = 0.1) -> bool:
    """Press the reset button of an ESP32 through RTS, with DTR let go; False where there is no such line."""
    try:
        port.dtr = False
        port.rts = True
        time.sleep(hold_s)
        port.rts = False
    except OSError as error:
        if error.errno not in _NOT_A_MODEM:
            raise
        return False
    return True


class SerialTransport:
    """A serial port, or anything else that pyserial's ``serial_for_url`` opens.

    Parameters
    ----------
    url : str
        ``/dev/ttyUSB0``, ``COM3``, a pty path, ``socket://host:port`` ...
    baud : int
        Bits per second; the box speaks 115200.
    discard_s : float
        Throw away what arrives this long after opening, seconds: the computer and the USB chip may hold bytes from
        before, which would look like a hole at the start.
    """

    def __init__(self, url: str, *, baud: int = BAUD, discard_s: float = 0.0) -> None:
        self.url = url
        self.baud = baud
        self.discard_s = discard_s
        self._serial: Any = None

    def open(self) -> None:
        """Open the port for this program alone, without resetting the board.

        Raises
        ------
        TransportError
            The port is unknown, busy, forbidden or no serial port; the text says what to do next.
        """
        try:
            port = serial.serial_for_url(
                self.url, self.baud, timeout=READ_WAIT_S, write_timeout=2.0, exclusive=True, do_not_open=True
            )
            # The kernel raises both lines when it opens a port, which leaves an ESP32 running. Say the same, so that
            # pyserial does not drop DTR alone: DTR low with RTS high is the reset button of the usual USB circuit.
            port.dtr = True
            port.rts = True
            port.open()
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            raise TransportError(self._why_not_opened(error)) from error
        self._serial = port
        self._release_lines()
        until_s = time.monotonic() + self.discard_s
        while time.monotonic() < until_s:
            self.read()

    def _release_lines(self) -> None:
        try:
            release_lines(self._serial)
        except OSError as error:
            raise TransportError(self._lost(error)) from error

    def read(self) -> bytes:
        """Bytes that arrived, ``b""`` after 20 ms of silence. Raises TransportError when the port went away."""
        port = self._opened()
        try:
            first: bytes = port.read(1)
            if not first:
                return b""
            waiting: int = port.in_waiting
            return first + port.read(waiting) if waiting else first
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: closed under a waiting read
            raise TransportError(self._lost(error)) from error

    def write(self, data: bytes) -> None:
        """Send all of ``data``. Raises TransportError when the port went away or takes nothing for 2 s."""
        port = self._opened()
        try:
            port.write(data)
        except (serial.SerialException, OSError, TypeError) as error:
            raise TransportError(self._lost(error)) from error

    def close(self) -> None:
        """Give the port back; an error while closing a port that is gone says nothing new."""
        port, self._serial = self._serial, None
        if port is not None:
            try:
                port.close()
            except (serial.SerialException, OSError) as error:
                log.debug("closing %s: %s", self.url, error)

    @property
    def port(self) -> Any:
        """The open pyserial port, for its modem lines; raises TransportError when it is not open."""
        return self._opened()

    def _opened(self) -> Any:
        if self._serial is None:
            raise TransportError(f"port {self.url} is not open; open it before use")
        return self._serial

    def _lost(self, error: BaseException) -> str:
        log.debug("port %s lost: %s", self.url, error)
        return f"port {self.url} disappeared; check the cable and the box, then start again"

    def _why_not_opened(self, error: Exception) -> str:
        number = getattr(error, "errno", None)
        if number in (errno.EACCES, errno.EPERM):
            return (
                f"no permission to open {self.url}; add yourself to the group dialout "
                f"(sudo usermod -aG dialout $USER), log out and in again"
            )
        if number in _BUSY:
            who = ", ".join(users_of(self.url)) or "the other program that uses it (a serial monitor, a second hbc)"
            return f"port {self.url} is busy; close {who}"
        if number in _ABSENT:
            there = ", ".join(port_names()) or "none, is the box plugged in?"
            return f"no port {self.url}; ports on this computer: {there}"
        return f"{self.url} cannot be used as a serial port ({_plain(error)}); run `hbc doctor` to see the ports"


def _plain(error: Exception) -> str:
    """Last clause of a nested system message, on one line."""
    text = " ".join(str(error).split())
    return text.rsplit("] ", 1)[-1].rstrip(".") or type(error).__name__

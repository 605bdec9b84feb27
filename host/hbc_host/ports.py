"""Where a box is when nobody named its port, and where it may come back after its cable was pulled.

That is the same path, a link beside it, or a port of the same make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from hbc_host.errors import InputError, TransportError
from hbc_host.transport import SerialTransport

LINK_FOLDERS = ("by-id", "by-path")


def the_port(listed: Callable[[], Iterable[Any]] = list_ports.comports) -> str:
    """The port of the box when nobody named one: the only one on USB, which all boxes are on.

    Parameters
    ----------
    listed : callable
        Serial ports of this computer, as ``serial.tools.list_ports.comports``.

    Raises
    ------
    TransportError
        There is none; the text names the ports that were seen, and why none of them was taken.
    InputError
        There are several.
    """
    seen = sorted(listed(), key=lambda port: str(port.device))
    on_usb = [port for port in seen if port.vid is not None]
    if len(on_usb) == 1:
        return str(on_usb[0].device)
    if on_usb:
        names = ", ".join(_with_make(port) for port in on_usb)
        raise InputError(f"{len(on_usb)} serial ports on USB: {names}; say which with --port")
    passed = ", ".join(f"{port.device} (not on USB)" for port in seen)
    raise TransportError(
        "no box found: " + (f"the only serial ports are {passed}, and a box is on USB" if seen else "no serial port")
        + "; plug in the box with a USB cable that carries data, or name its port with --port"
    )  # fmt: skip


def _with_make(port: Any) -> str:
    make = str(port.description or "")
    return f"{port.device} ({make})" if make not in ("", "n/a") else str(port.device)


class PortFinder:
    """Remembers what a port was, and lists the ports that may be it now.

    Ports of another make are never opened: opening may reset whatever is connected there.

    Parameters
    ----------
    url : str
        What the recording was started with.
    listed : callable
        Serial ports of this computer, as ``serial.tools.list_ports.comports``.
    """

    def __init__(self, url: str, *, listed: Callable[[], Iterable[Any]] = list_ports.comports) -> None:
        self.url = url
        self._listed = listed
        path = Path(url)
        self._links = path.is_symlink() or path.parent.name in LINK_FOLDERS
        device = str(path.resolve()) if self._links else url
        self._makes = {(port.vid, port.pid) for port in listed() if port.device == device and port.vid is not None}

    def urls(self) -> list[str]:
        """Paths to try that are there now, most likely first; one for each port."""
        path = Path(self.url)
        names = [self.url]
        if self._links and path.parent.is_dir():
            names += sorted(str(name) for name in path.parent.iterdir() if name.is_symlink())
        names += [port.device for port in self._listed() if (port.vid, port.pid) in self._makes]
        first: dict[str, str] = {}
        for name in names:
            if not name.startswith("/") or Path(name).exists():
                first.setdefault(str(Path(name).resolve()), name)
        return list(first.values())

    def transports(self) -> list[SerialTransport]:
        """A transport for each of :meth:`urls`."""
        return [SerialTransport(url) for url in self.urls()]

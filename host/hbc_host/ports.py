"""Where a box may come back after its cable was pulled: the same path, a link beside it, a port of the same make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from serial.tools import list_ports

from hbc_host.transport import SerialTransport

LINK_FOLDERS = ("by-id", "by-path")


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

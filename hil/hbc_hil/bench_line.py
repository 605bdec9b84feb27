"""The host's side of the stand-in box: one pseudo-terminal behind one path, which keeps its place over resets.

A USB-serial chip keeps its port while the ESP32 behind it reboots; only pulling the cable takes the port away.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from collections.abc import Callable
from pathlib import Path

READ_N = 4096
WAIT_S = 0.05


class BenchLine:
    """A port that a host opens by a path, as ``/dev/serial/by-id/...`` names one.

    Parameters
    ----------
    path : Path
        Where the symbolic link goes; its folder must exist.
    from_host : callable
        Gets what the host sends, from a thread.
    host_left : callable
        Called when the host closes the port, if that was asked for by :meth:`tell_when_host_leaves`.
    """

    def __init__(self, path: Path, from_host: Callable[[bytes], None], host_left: Callable[[], None]) -> None:
        self.path = path
        self._from_host, self._host_left = from_host, host_left
        self._lock = threading.RLock()
        self._master = self._slave = -1
        self._watched = False
        self._pulled = threading.Event()  # one a cable: the next terminal may have the numbers of this one
        self._thread: threading.Thread | None = None

    @property
    def plugged(self) -> bool:
        """True while the cable is in."""
        return self._master >= 0

    def plug(self) -> None:
        """Put the cable in: a new terminal, the same path."""
        with self._lock:
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self._watched = False
            beside = self.path.with_name(self.path.name + ".new")
            beside.symlink_to(os.ttyname(self._slave))
            beside.rename(self.path)
            pulled = self._pulled = threading.Event()
            self._thread = threading.Thread(
                target=self._listen, args=(self._master, pulled), name="bench-line", daemon=True
            )
        self._thread.start()

    def unplug(self) -> None:
        """Pull the cable: path and terminal disappear under whoever has them open."""
        with self._lock:
            if not self.plugged:
                return
            self.path.unlink(missing_ok=True)
            self._pulled.set()
            master, self._master = self._master, -1
            self._let_go_slave()
            os.close(master)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def tell_when_host_leaves(self) -> None:
        """From now on the host's closing of the port is seen; call while the host has it open.

        Our own end of the terminal would hide it, and stays closed meanwhile. The terminal then forgets that it is
        raw, so :meth:`hold` must come before the box says anything to the next host.
        """
        with self._lock:
            self._let_go_slave()
            self._watched = True

    def hold(self) -> None:
        """Keep the terminal raw, whoever opens and closes it."""
        with self._lock:
            self._watched = False
            if self.plugged and self._slave < 0:
                self._slave = os.open(os.readlink(self.path), os.O_RDWR | os.O_NOCTTY)
                tty.setraw(self._slave)

    def to_host(self, data: bytes, *, drop: bool = False) -> None:
        """Send to the host; waits for room unless `drop`, as a USB chip drops what nobody fetches."""
        while data and self.plugged:
            with self._lock, contextlib.suppress(BlockingIOError, OSError):
                if self.plugged:
                    data = data[os.write(self._master, data) :]
            if data and drop:
                return
            if data:
                with contextlib.suppress(OSError, ValueError):
                    select.select([], [self._master], [], WAIT_S)

    def _let_go_slave(self) -> None:
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    def _listen(self, master: int, pulled: threading.Event) -> None:
        while not pulled.is_set():
            try:
                select.select([master], [], [], WAIT_S)
                with self._lock:  # once unplugged, the number may already belong to another file
                    data = b"" if pulled.is_set() else os.read(master, READ_N)
            except BlockingIOError:
                continue
            except (OSError, ValueError):  # nobody has the other end open
                if self._watched and not pulled.is_set():
                    self._watched = False
                    self._host_left()
                else:
                    pulled.wait(WAIT_S)
                continue
            if data:
                self._from_host(data)

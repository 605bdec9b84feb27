"""The USB-serial chip between the simulated box and the host: records from the interpreter to a pseudo-terminal.

Free-running, a full terminal blocks the interpreter in wall time only, and virtual time does not notice. Paced, the
bridge holds at most ``buffer_n`` bytes, as real bridges do, and what does not fit is dropped and counted as truth.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import termios
import threading
import time
import tty
from pathlib import Path
from typing import IO

_RECORD = struct.Struct("<QH")
BUFFER_N = 4096
PTY_N = 2048  # paced: bytes in the terminal itself, so few that FIONREAD knows of all (a terminal would hold 64 KiB)


class Bridge:
    """Carries bytes between an interpreter's pipes and a new pseudo-terminal until one of them ends.

    Attributes
    ----------
    port : str
        Path that a host opens like a serial port.
    finished : threading.Event
        Set when the interpreter has ended and the host has read everything.
    carried_bytes_n, dropped_bytes_n : int
    virtual_s : float
        Departure time of the newest byte, virtual seconds.
    """

    def __init__(self, from_box: IO[bytes], to_box: IO[bytes], *, paced: bool, buffer_n: int = BUFFER_N) -> None:
        self._from_box, self._to_box = from_box, to_box
        self._paced, self._buffer_n = paced, buffer_n
        self._pty_n = min(PTY_N, buffer_n)
        self._link: Path | None = None
        self._open_pty()
        self.finished = threading.Event()
        self.carried_bytes_n = self.dropped_bytes_n = 0
        self.virtual_s = 0.0
        self._waiting = bytearray()
        self._plugged = True
        self._closed = False
        self._lock = threading.RLock()
        self._threads = [
            threading.Thread(target=self._carry_out, name="bridge-out", daemon=True),
            threading.Thread(target=self._carry_in, name="bridge-in", daemon=True),
        ]

    def _open_pty(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)

    def publish(self, link: Path) -> None:
        """Keep this path a link to the port while the cable is plugged in, as ``/dev/serial/by-id`` has one."""
        with self._lock:
            self._link = link
            if self._plugged:
                self._show_link()

    def _show_link(self) -> None:
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.port)

    def start(self) -> None:
        """Begin to carry."""
        for thread in self._threads:
            thread.start()

    def unplug(self) -> None:
        """Pull the cable: the terminal disappears, the box runs on and its bytes are lost."""
        with self._lock:
            if self._plugged:
                self._plugged = False
                if self._link is not None:
                    self._link.unlink(missing_ok=True)
                os.close(self._slave)
                os.close(self._master)

    def plug(self) -> None:
        """Put the cable back: a new terminal, most likely under another name, without the bytes of meanwhile."""
        with self._lock:
            if not self._plugged and not self._closed:
                self._open_pty()
                self._plugged = True
                self._show_link()

    def close(self) -> None:
        """Unplug for good and wait for the threads; the interpreter must have been stopped before."""
        self._closed = True
        self.unplug()
        for thread in self._threads:
            thread.join(timeout=5.0)

    def _carry_out(self) -> None:
        header = self._from_box.read(_RECORD.size)
        while len(header) == _RECORD.size:
            t_ns, n = _RECORD.unpack(header)
            data = self._from_box.read(n)
            self.virtual_s = t_ns * 1e-9
            self._offer(data)
            header = self._from_box.read(_RECORD.size)
        while self._plugged and not self._all_read():
            self._write_some(b"", wait_s=0.01)
            time.sleep(0.001)
        self.finished.set()

    def _offer(self, data: bytes) -> None:
        self._write_some(data, wait_s=0.0)
        while not self._paced and len(self._waiting) > self._buffer_n and self._plugged:
            self._write_some(b"", wait_s=0.1)
        if self._paced:
            with self._lock:
                over_n = min(len(self._waiting) + self._unread_n() - self._buffer_n, len(self._waiting))
            if over_n > 0:
                del self._waiting[-over_n:]
                self.dropped_bytes_n += over_n

    def _write_some(self, data: bytes, *, wait_s: float) -> None:
        self._waiting += data
        with self._lock:
            if not self._plugged:
                self.dropped_bytes_n += len(self._waiting)
                self._waiting.clear()
                return
            master = self._master
        if wait_s:
            with contextlib.suppress(OSError, ValueError):
                select.select([], [master], [], wait_s)
        with self._lock, contextlib.suppress(BlockingIOError, OSError):
            if self._plugged and self._waiting:
                room_n = max(0, self._pty_n - self._unread_n()) if self._paced else len(self._waiting)
                n = os.write(self._master, self._waiting[:room_n]) if room_n else 0
                self.carried_bytes_n += n
                del self._waiting[:n]

    def _unread_n(self) -> int:
        """Bytes that the host could read now; the lock is held."""
        if not self._plugged:
            return 0
        select.select([self._slave], [], [], 0)  # FIONREAD alone does not know of bytes that are still on their way
        answer = fcntl.ioctl(self._slave, termios.FIONREAD, b"\0\0\0\0")
        return int(struct.unpack("i", answer)[0])

    def _all_read(self) -> bool:
        with self._lock:
            # Not by FIONREAD: a reader in between takes what it counts while other bytes are still on their way.
            return not self._waiting and not (self._plugged and select.select([self._slave], [], [], 0)[0])

    def _carry_in(self) -> None:
        while not self._closed:
            if not self._plugged:
                time.sleep(0.01)
                continue
            try:
                ready, _, _ = select.select([self._master], [], [], 0.1)
                with self._lock:  # once unplugged, the number may already belong to another file
                    data = os.read(self._master, 4096) if ready and self._plugged else b""
                if data:
                    self._to_box.write(data)
                    self._to_box.flush()
            except (OSError, ValueError):
                if self._to_box.closed:
                    return
                time.sleep(0.01)

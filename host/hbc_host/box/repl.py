"""The prompt of a box's interpreter: ask it, write files, start it again. mpremote carries the bytes."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hbc_host.errors import FlashError, TransportError

log = logging.getLogger(__name__)

ANSWER_S = 10.0  # longest silence of a box that hashes a file or erases a flash block
CHUNK_N = 1024  # of a file at one go; its text must fit into the heap of a small chip, twice
WHO = """
import sys, os, json
i = sys.implementation
try:
    import machine
    unique_id = "".join(["%02x" % b for b in machine.unique_id()])
except (ImportError, AttributeError):
    unique_id = ""
s = os.statvfs("/")
print(json.dumps({"name": i[0], "version": list(i[1][:3]), "machine": i._machine,
    "mpy": getattr(i, "_mpy", 0), "unique_id": unique_id, "free_n": s[0] * s[3]}))
"""
RESET = "import machine, time\ntime.sleep_ms(100)\nmachine.reset()\n"  # first let the answer leave the UART
# Hashes of all files below the folder; the first argument of `walk` must not begin with a slash on the unix port.
HASHES = """
import os, json, hashlib, binascii
b = bytearray(512)
def walk(d, f):
    for e in os.ilistdir(d or "."):
        p = d + "/" + e[0] if d else e[0]
        if e[1] & 0x4000:
            walk(p, f)
        else:
            h = hashlib.sha256()
            with open(p, "rb") as o:
                n = o.readinto(b)
                while n:
                    h.update(memoryview(b)[:n])
                    n = o.readinto(b)
            f(p, binascii.hexlify(h.digest()).decode())
walk("", lambda p, h: print(json.dumps([p, h])))
"""


@dataclass(frozen=True)
class Interpreter:
    """What a box's interpreter says of itself."""

    version: tuple[int, ...]
    machine: str
    mpy: int
    unique_id: str
    free_n: int


class Repl:
    """The raw prompt of a box. Made by :func:`opened`; each call raises TransportError when the port went away."""

    def __init__(self, port: str, pyboard: Any) -> None:
        self.port, self._pyboard = port, pyboard
        self.left = False

    def who(self) -> Interpreter:
        """Ask the interpreter who it is.

        Raises
        ------
        FlashError
            It is not MicroPython.
        """
        told = json.loads(self.run(WHO))
        if told["name"] != "micropython":
            raise FlashError(
                f"the interpreter on this box is {told['name']}, not micropython; flash it with --firmware"
            )
        return Interpreter(tuple(told["version"]), told["machine"], told["mpy"], told["unique_id"], told["free_n"])

    def hashes(self) -> dict[str, str]:
        """Path -> SHA-256 in hex of every file on the box."""
        return dict(json.loads(line) for line in self.run(HASHES).splitlines() if line.strip())

    def read(self, path: str) -> str | None:
        """Text of a small file, None when there is none."""
        text = self.run(
            f"import json\ntry:\n with open({path!r}) as f:\n  print(json.dumps(f.read()))\nexcept OSError:\n"
            " print('null')\n"
        )
        found: str | None = json.loads(text)
        return found

    def write(self, path: str, data: bytes, progress: Callable[[int], None] | None = None) -> None:
        """Write a file, making its folder; ``progress`` gets the bytes written so far."""
        folder = path.rpartition("/")[0]
        if folder:
            self.run(f"import os\ntry:\n os.mkdir({folder!r})\nexcept OSError:\n pass\n")
        with _plain_errors(self.port):
            self._pyboard.fs_writefile(
                path, data, chunk_size=CHUNK_N, progress_callback=lambda n, _: progress(n) if progress else None
            )

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""
        self.run(f"import os\ntry:\n os.remove({path!r})\nexcept OSError:\n pass\n")

    def rename(self, old: str, new: str) -> None:
        """Rename a file, replacing what has the new name."""
        self.run(f"import os\nos.rename({old!r}, {new!r})\n")

    def restart(self) -> None:
        """Reset the chip; the prompt is gone then, and nothing more must be said to it."""
        with _plain_errors(self.port):
            self._pyboard.exec_raw_no_follow(RESET)
        self.left = True

    def run(self, code: str) -> str:
        """Run a piece of Python there and return what it printed.

        Raises
        ------
        FlashError
            It raised; the message ends with what the box said.
        """
        with _plain_errors(self.port):
            printed: bytes = self._pyboard.exec(code)
        return printed.decode("utf-8", "replace")


@contextmanager
def opened(port: str) -> Iterator[Repl]:
    """Take the prompt of the box at a port and give it back at the end.

    Raises
    ------
    FlashError
        No prompt of an interpreter answers.
    TransportError
        The port cannot be opened, or goes away.
    """
    from mpremote.transport_serial import SerialTransport as Pyboard

    with _plain_errors(port):
        # It keeps both lines raised, which leaves the reset circuit of an ESP32 alone and lets a chip with USB of its
        # own speak, and lets go of RTS before DTR when it closes. Without a time limit a dead box would be waited for
        # without end.
        pyboard = Pyboard(port, timeout=ANSWER_S)
    try:
        with _plain_errors(port), contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot read
            pyboard.enter_raw_repl(soft_reset=False)
        repl = Repl(port, pyboard)
        yield repl
        if not repl.left:
            with _plain_errors(port):
                pyboard.exit_raw_repl()
    finally:
        with contextlib.suppress(Exception):
            pyboard.close()


@contextmanager
def _plain_errors(port: str) -> Iterator[None]:
    """What mpremote and pyserial raise, as ours."""
    from mpremote.transport import TransportError as PyboardError
    from mpremote.transport import TransportExecError
    from serial import SerialException

    try:
        yield
    except TransportExecError as error:
        said = error.error_output.strip().splitlines()
        hint = _HINTS.get(said[-1] if said else "", "run `hbc box recover` and report this")
        raise FlashError(f"the box says {said[-1] if said else 'nothing'}; {hint}") from error
    except (SerialException, OSError) as error:
        log.debug("prompt at %s: %r", port, error)
        raise TransportError(f"port {port} went away; check the cable and run the same command again") from error
    except (PyboardError, struct.error, ValueError, SyntaxError) as error:
        log.debug("prompt at %s: %r", port, error)
        raise FlashError(
            f"no prompt of an interpreter answers at {port}; press the button EN (RESET) and run the same command "
            f"again, or give the interpreter with --firmware"
        ) from error


_HINTS: Mapping[str, str] = {
    "OSError: 28": "its file system is full: run `hbc box flash --firmware FILE --erase`",
    "OSError: [Errno 28] ENOSPC": "its file system is full: run `hbc box flash --firmware FILE --erase`",
    "OSError: [Errno 5] EIO": "its file system is damaged: run `hbc box flash --firmware FILE --erase`",
}

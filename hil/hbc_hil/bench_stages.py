"""What may answer behind the port of the stand-in box, one at a time: boot ROM, prompt, app.

Each stage takes the host's bytes by ``feed``, sends its own through a function, and ends by itself or by ``stop``.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hbc_hil.errors import RigError
from hbc_hil.rig import RigOptions, find_micropython, rig
from hbc_hil.scenario import Scenario

if TYPE_CHECKING:
    from esp32_mock_bootloader.server import FlashImage

PROMPT_FAKES = Path(__file__).parent / "machine_prompt"
RESET_CODE = 71  # machine_prompt/machine.py
REPL_HEAP = "heapsize=2M"
NO_APP = b"invalid header: 0xffffffff\r\n"  # what the ROM says, again and again, of a chip without a program
NO_APP_EVERY_S = 0.25

Send = Callable[[bytes], None]
Ended = Callable[[str], None]  # gets why: "reset", "repl", "over"


class Stage(Protocol):
    """Something behind the port."""

    name: str

    def start(self) -> None: ...
    def feed(self, data: bytes) -> None: ...
    def stop(self) -> None: ...


class Nothing:
    """A chip without a program: its ROM complains and waits for the lines of the boot mode."""

    name = "empty"

    def __init__(self, send: Send) -> None:
        self._send = send
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._complain, name="bench-empty", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def feed(self, data: bytes) -> None:
        pass

    def stop(self) -> None:
        self._over.set()
        self._thread.join(timeout=5.0)

    def _complain(self) -> None:
        while not self._over.wait(NO_APP_EVERY_S):
            self._send(NO_APP)


class BootRom:
    """esp32-mock-bootloader: SLIP packets of the ROM and of esptool's stub, on a flash image that outlives them."""

    name = "rom"

    def __init__(self, send: Send, chip: str, flash: FlashImage) -> None:
        self._chip, self._flash = chip, flash
        self._line = _RomLine(send)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="bench-rom", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def feed(self, data: bytes) -> None:
        self._line.inbox.put(data)

    def stop(self) -> None:
        self._over.set()
        self._thread.join(timeout=5.0)

    def _serve(self) -> None:
        from esp32_mock_bootloader.server import handle_client

        line: Any = self._line  # has what the mock asks of its own connections
        handle_client(line, self._over, self._chip, exit_on_disconnect=True, flash=self._flash)


class _RomLine:
    """The connection as esp32-mock-bootloader wants it."""

    def __init__(self, send: Send) -> None:
        self.inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.sendall = send
        self._timeout_s = 0.05

    def set_timeout(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def recv(self, _: int) -> bytes:
        try:
            return self.inbox.get(timeout=self._timeout_s)
        except queue.Empty:
            raise TimeoutError from None

    def close(self) -> None: ...

    def abort_empty_session(self) -> bool:
        return False

    def ignore_eof_for_disconnect(self) -> bool:
        return False


class Prompt:
    """The real MicroPython at its prompt, in the folder that is the box's file system.

    On pipes, not on a terminal: the unix port throws waiting input away each time it switches the terminal's mode,
    which no serial line does.
    """

    name = "repl"

    def __init__(self, send: Send, ended: Ended, flash: Path, unique_id: bytes) -> None:
        self._send, self._ended = send, ended
        self._process = subprocess.Popen(
            [find_micropython(), "-X", REPL_HEAP, "-i"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=flash,
            env={**os.environ, "MICROPYPATH": f"{PROMPT_FAKES}:.frozen", "HBC_UNIQUE_ID": unique_id.hex()},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._thread = threading.Thread(target=self._carry, name="bench-prompt", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def feed(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # it just ended
            self._in.write(data)

    def stop(self) -> None:
        self._process.kill()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)
        with contextlib.suppress(OSError):
            self._in.close()

    def _carry(self) -> None:
        while data := self._out.read(4096):
            self._send(data)
        code = self._process.wait()
        self._out.close()
        # A soft reset (Ctrl-D) ends the unix port, too; to the host both are a box that starts again.
        if code in (0, RESET_CODE):
            self._ended("reset")


class App:
    """The rig, running what lies in the box's file system."""

    name = "app"

    def __init__(self, send: Send, ended: Ended, flash: Path, scenario: Scenario, options: RigOptions) -> None:
        self._send, self._ended = send, ended
        self._flash, self._scenario, self._options = flash, scenario, options
        self._over = threading.Event()
        self._inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="bench-app", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def feed(self, data: bytes) -> None:
        self._inbox.put(data)

    def stop(self) -> None:
        self._over.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=30.0)

    def _run(self) -> None:
        ended = "over"
        try:
            with rig(self._scenario, self._options, flash=self._flash, install=False) as box:
                self._relay(box.port, lambda: box.finished)
            ended = str(box.report.get("ended", "over"))
        except RigError as error:  # the interpreter prints the fault and stays at its prompt
            self._send(str(error).replace("\n", "\r\n").encode() + b"\r\n")
            ended = "repl"
        if not self._over.is_set():
            self._ended(ended)

    def _relay(self, port: str, finished: Callable[[], bool]) -> None:
        number = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            while not self._over.is_set() and not finished():
                if select.select([number], [], [], 0.002)[0]:
                    self._send(os.read(number, 4096))
                while not self._inbox.empty():
                    os.write(number, self._inbox.get())
        except OSError:  # the box switched itself off
            pass
        finally:
            os.close(number)

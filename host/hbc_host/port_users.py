"""Which programs hold a port open: for "port is busy" in words that lead somewhere."""

from __future__ import annotations

import os
from pathlib import Path


def users_of(url: str, *, proc: Path = Path("/proc")) -> list[str]:
    """Programs of this user (of all, for root) that have a port open, such as ``"minicom (process 4711)"``.

    Parameters
    ----------
    url : str
        Path of the port; links are followed.
    proc : Path
        Where the kernel shows its processes; empty on systems without, and so is the answer.
    """
    try:
        device = os.stat(url)
    except (OSError, ValueError):
        return []
    users = []
    for process in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        if int(process.name) != os.getpid() and any(_same(entry, device) for entry in _open_files(process)):
            users.append(f"{_name(process)} (process {process.name})")
    return users


def _open_files(process: Path) -> list[Path]:
    try:
        return list((process / "fd").iterdir())
    except OSError:  # gone meanwhile, or of another user
        return []


def _same(entry: Path, device: os.stat_result) -> bool:
    try:
        found = entry.stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (device.st_dev, device.st_ino)


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip() or "a program"
    except OSError:
        return "a program"

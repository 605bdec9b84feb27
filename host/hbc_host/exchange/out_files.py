"""Writing what is exported: private files, never over others, and all of them or none."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hbc_host.errors import InputError
from hbc_host.folder import sync_folder


def write_all(dest: Path, fill: Callable[[Path], None], *, empty: bool = False) -> list[Path]:
    """Let ``fill`` write into a folder of its own, then move what it wrote to ``dest``; returns the files there.

    Parameters
    ----------
    dest : Path
        Made when absent.
    fill : callable
        Gets an empty folder; what it raises leaves ``dest`` as it was.
    empty : bool
        Refuse a folder that holds anything.

    Raises
    ------
    InputError
        Something of that name is there already, or the folder cannot be written.
    """
    if dest.exists() and not dest.is_dir():
        raise InputError(f"{dest} is a file; give a folder for the exported files")
    if empty and dest.is_dir() and any(dest.iterdir()):
        raise InputError(f"{dest} is not empty, and a data set needs a folder of its own; choose another")
    try:
        dest.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = Path(tempfile.mkdtemp(prefix=".export.", dir=dest))  # mode 0700
        try:
            fill(making)
            return _moved(making, dest)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as fault:
        raise InputError(f"cannot write to {dest}: {fault.strerror}; choose a folder that is yours") from fault


def _moved(making: Path, dest: Path) -> list[Path]:
    made = sorted(path for path in making.rglob("*") if path.is_file())
    targets = [dest / path.relative_to(making) for path in made]
    for target in targets:
        if target.exists():
            raise InputError(f"{target} is there already, nothing is ever overwritten; choose another folder")
    for path, target in zip(made, targets, strict=True):
        path.chmod(0o600)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.rename(path, target)
    sync_folder(dest)
    return targets


def write_new(file: Path, text: str) -> None:
    """Write a private text file that does not exist yet; raises InputError when it does, or cannot be written."""
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as fault:
        raise InputError(f"cannot write {file}: {fault.strerror}; choose another --out") from None


def json_text(document: Any) -> str:
    """JSON with the keys in the order they were given."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def number(value: float, digits: int = 6) -> str:
    """A number for a table without the zeros that say nothing; empty for NaN."""
    if value != value:
        return ""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text

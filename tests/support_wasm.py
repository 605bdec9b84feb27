"""The 32-bit MicroPython in node: there an integer of 2**30 is a heap object, as on the box."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PACKAGE = Path("@micropython", "micropython-webassembly-pyscript")
TIME_LIMIT_S = 300


def wasm_package() -> Path:
    """Folder of the package (HBC_NODE_MODULES, else node_modules of the repository); skips the test without it."""
    if shutil.which("node") is None:
        pytest.skip("node is absent, so nothing runs on 32-bit MicroPython: apt install nodejs npm")
    modules = Path(os.environ.get("HBC_NODE_MODULES", HERE.parent / "node_modules"))
    if not (modules / PACKAGE / "micropython.mjs").is_file():
        pytest.skip(f"32-bit MicroPython is absent: npm install --no-save {PACKAGE.as_posix()}")
    return modules / PACKAGE


def run_wasm(script: Path, folders: Iterable[Path], *args: object) -> str:
    """Run a script there with these folders first on its path; returns what it printed.

    Raises
    ------
    AssertionError
        It raised; the message carries what it printed.
    """
    paths = ",".join(map(str, folders))
    command = ["node", str(HERE / "wasm_run.mjs"), str(wasm_package()), str(script), paths, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return done.stdout

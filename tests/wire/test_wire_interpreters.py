"""The same checks, from the same files, on MicroPython: 64-bit as in the rig, and 32-bit as on the box."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
FIRMWARE = REPOSITORY / "firmware"
VECTORS = FIRMWARE / "hbc_wire" / "vectors.json"
PACKAGE = Path("@micropython", "micropython-webassembly-pyscript")
EVERYWHERE = (
    "check_vectors",
    "check_splits",
    "check_flips",
    "check_stream_flips",
    "check_noise",
    "check_device_times",
    "check_no_allocation",
    "check_heap_lock_bites",
)
TIME_LIMIT_S = 120


def _run(command: list[str], environment: dict[str, str] | None = None) -> dict[str, int]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, env=environment)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    return {line[0]: int(line[1]) for line in lines if len(line) == 2}


def test_rules_hold_on_the_micropython_of_the_rig(micropython: str, noise_file: Path) -> None:
    environment = {**os.environ, "MICROPYPATH": f"{FIRMWARE}:.frozen"}
    script = [micropython, str(HERE / "wire_checks.py"), str(VECTORS), str(noise_file)]
    counts = _run([*script, *EVERYWHERE, "check_fast_twins"], environment)
    assert set(counts) == {*EVERYWHERE, "check_fast_twins"}
    assert counts["check_flips"] > 10_000
    assert counts["check_noise"] > 3_000
    assert counts["check_fast_twins"] == counts["check_vectors"] > 40


@pytest.fixture(scope="session")
def wasm_package() -> Path:
    """Folder of the 32-bit MicroPython (HBC_NODE_MODULES, else node_modules of the repository)."""
    if shutil.which("node") is None:
        pytest.skip("node is absent, so nothing runs on 32-bit MicroPython: apt install nodejs npm")
    modules = Path(os.environ.get("HBC_NODE_MODULES", REPOSITORY / "node_modules"))
    if not (modules / PACKAGE / "micropython.mjs").is_file():
        pytest.skip(f"32-bit MicroPython is absent: npm install --no-save {PACKAGE.as_posix()}")
    return modules / PACKAGE


def test_rules_hold_on_32_bit_and_packing_allocates_nothing(wasm_package: Path, noise_file: Path) -> None:
    script = ["node", str(HERE / "wasm_run.mjs"), str(wasm_package), str(FIRMWARE), str(HERE / "wire_checks.py")]
    counts = _run([*script, str(VECTORS), str(noise_file), *EVERYWHERE])
    assert counts["micropython"] == 0x7FFFFFFF, "sys.maxsize of a 32-bit interpreter"
    assert set(counts) == {*EVERYWHERE, "micropython"}
    assert counts["check_heap_lock_bites"] == 1, "heap_lock does not catch a large integer here"
    assert counts["check_no_allocation"] == counts["check_vectors"]

"""The same checks, from the same files, on MicroPython: 64-bit as in the rig, and 32-bit as on the box."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from support_wasm import run_wasm

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
FIRMWARE = REPOSITORY / "firmware"
VECTORS = FIRMWARE / "hbc_wire" / "vectors.json"
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
TIME_LIMIT_S = 300


def _run(command: list[str], environment: dict[str, str] | None = None) -> dict[str, int]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, env=environment)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return _counts(done.stdout)


def _counts(printed: str) -> dict[str, int]:
    lines = [line.split() for line in printed.splitlines()]
    return {line[0]: int(line[1]) for line in lines if len(line) == 2}


def test_rules_hold_on_the_micropython_of_the_rig(micropython: str, noise_file: Path) -> None:
    environment = {**os.environ, "MICROPYPATH": f"{FIRMWARE}:.frozen"}
    script = [micropython, str(HERE / "wire_checks.py"), str(VECTORS), str(noise_file)]
    counts = _run([*script, *EVERYWHERE, "check_fast_twins"], environment)
    assert set(counts) == {*EVERYWHERE, "check_fast_twins"}
    assert counts["check_flips"] > 10_000
    assert counts["check_noise"] > 3_000
    assert counts["check_fast_twins"] == counts["check_vectors"] > 40


def test_rules_hold_on_32_bit_and_packing_allocates_nothing(noise_file: Path, tmp_path: Path) -> None:
    for path in (VECTORS, noise_file):
        shutil.copy(path, tmp_path / path.name)
    arguments = [f"/folder0/{VECTORS.name}", f"/folder0/{noise_file.name}"]
    counts = _counts(run_wasm(HERE / "wire_checks.py", (tmp_path, FIRMWARE), *arguments, *EVERYWHERE))
    assert set(counts) == set(EVERYWHERE)
    assert counts["check_heap_lock_bites"] == 1, "heap_lock does not catch a large integer here"
    assert counts["check_no_allocation"] == counts["check_vectors"]

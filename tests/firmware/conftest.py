"""Runs device-side checks on the real MicroPython and hands their results to the tests of this folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parents[1] / "firmware"
DEVICE = HERE / "device"
FAKES = DEVICE / "fakes"
TIME_LIMIT_S = 300

Check = Callable[..., dict[str, Any]]


class CheckFailedError(AssertionError):
    """A device-side check raised; carries what it printed."""


@pytest.fixture(scope="session")
def check(micropython: str) -> Check:
    """Run tests/firmware/device/<name>.py with a settable ``time``, return the JSON of its last line."""

    def run(name: str, *args: object, first: Path | None = None, fakes: bool = True) -> dict[str, Any]:
        folders = [*([first] if first else []), *([FAKES] if fakes else []), DEVICE, FIRMWARE]
        path = ":".join([*map(str, folders), ".frozen"])
        done = subprocess.run(
            [micropython, "-X", "heapsize=32M", str(DEVICE / f"{name}.py"), *map(str, args)],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            env={**os.environ, "MICROPYPATH": path},
        )
        if done.returncode:
            raise CheckFailedError((done.stdout + done.stderr)[-2000:])
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    return run

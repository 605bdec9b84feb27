"""Fixtures of the wire tests."""

from __future__ import annotations

import random
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def noise_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A megabyte of seeded noise, the same for all interpreters."""
    path = tmp_path_factory.mktemp("wire") / "noise"
    path.write_bytes(random.Random(1).randbytes(1_000_000))
    return path

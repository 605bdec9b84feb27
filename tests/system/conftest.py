"""Fixtures of the system tests: real rig, real pty, real commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hbc_host.session_model import SessionMeta


@pytest.fixture(scope="session")
def hbc() -> str:
    """Path of the installed command."""
    return str(Path(sys.executable).parent / "hbc")


@pytest.fixture(scope="session")
def labels() -> Callable[[str], SessionMeta]:
    """Labels for a recording of the rig at a port."""

    def make(port: str) -> SessionMeta:
        return SessionMeta(datetime.now(UTC), "system test", "dash", (), None, "test", port)

    return make

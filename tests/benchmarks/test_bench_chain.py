"""How fast the simulated box runs and a recording loads: `make bench`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hbc_hil.rig import rig
from hbc_hil.scenario import Scenario
from hbc_host.record import record
from hbc_host.session import load_session
from hbc_host.session_model import SessionMeta
from hbc_host.transport import SerialTransport

DURATION_S = 120.0


def record_rig(folder: Path) -> Path:
    with rig(Scenario.short(3, DURATION_S)) as box:
        meta = SessionMeta(datetime.now(UTC), "benchmark", "dash", (), None, "benchmark", box.port)
        record(
            SerialTransport(box.port), folder, meta=meta, stop=lambda: box.finished,
            clock=lambda: box.bridge.virtual_s, hello_timeout_s=600.0,
        )  # fmt: skip
    return folder


@pytest.mark.benchmark(group="chain")
def test_firmware_wire_and_recorder(benchmark: Any, tmp_path: Path) -> None:
    folders = iter(range(100))
    benchmark.pedantic(lambda: record_rig(tmp_path / str(next(folders))), rounds=3, warmup_rounds=1)
    benchmark.extra_info["times_real_time"] = round(DURATION_S / benchmark.stats.stats.median, 1)


@pytest.mark.benchmark(group="chain")
def test_load_of_a_recording(benchmark: Any, tmp_path: Path) -> None:
    folder = record_rig(tmp_path / "s")
    session = benchmark(load_session, folder)
    assert session.frames_lost_n == 0
    benchmark.extra_info["times_real_time"] = round(DURATION_S / benchmark.stats.stats.median)

"""How fast the simulated box runs by itself, every byte read and thrown away: `make bench`, rows "rig"."""

from __future__ import annotations

import resource
from typing import Any

import pytest
from hbc_hil.boxes import BOXES
from hbc_hil.rig import RigOptions
from hbc_hil.scenario import Scenario
from support_rig import run_scenario

DURATION_S = 120.0


def interpreter_cpu_s() -> float:
    """CPU time of all interpreters that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.benchmark(group="rig")
@pytest.mark.parametrize("board", BOXES)
def test_the_whole_firmware_at_500_hz(benchmark: Any, board: str) -> None:
    began_s, runs_n = interpreter_cpu_s(), 0

    def run() -> None:
        nonlocal runs_n
        runs_n += 1
        box, _ = run_scenario(Scenario.short(3, DURATION_S), RigOptions(board=board))
        assert box.report["ended"] == "world"

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    benchmark.extra_info["times_real_time"] = round(DURATION_S / benchmark.stats.stats.median, 1)
    # What other programs on the same computer do to the wall clock, they hardly do to this.
    benchmark.extra_info["times_cpu_time"] = round(runs_n * DURATION_S / (interpreter_cpu_s() - began_s), 1)

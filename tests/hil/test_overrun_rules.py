"""An edge that only the pulse counter saw is told to the host as lost, even when no other edge ever follows."""

from __future__ import annotations

from pathlib import Path

from hbc_hil.scenario import Scenario
from hbc_wire import messages
from support_rig import HandWorld, messages_of, other_firmware, run_scenario

MAIN = (Path(__file__).resolve().parents[2] / "firmware" / "main.py").read_text("utf-8")
# The counter gains an edge that the latch never had, some time after boot.
GLITCH = """
import hbc_boards.mcpwm_capture as _driver
from time import ticks_diff as _diff, ticks_us as _now
_count, _start = _driver.McpwmCapture.count, _now()


def _one_more(self):
    return _count(self) + (1 if _diff(_now(), _start) > 1500000 else 0)


_driver.McpwmCapture.count = _one_more
"""


def test_an_edge_that_was_counted_and_never_latched_is_lost_and_said_so(tmp_path: Path) -> None:
    with other_firmware(GLITCH + MAIN, HandWorld(4.0)):
        _, data = run_scenario(Scenario(seed=3, duration_s=1.0), None, tmp_path)
    lost = [message for message in messages_of(data) if type(message).__name__ == messages.Lost.name]
    assert lost[0].edges_n == 0
    assert lost[-1].edges_n == 1

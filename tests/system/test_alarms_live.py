"""An alarm over the whole chain, in real time: heart, front end, firmware, port, while the disk stands still."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from alarm_latency import Heard, raised_by
from hbc_hil.rig import Rig, RigOptions
from hbc_host.alarms import NOT_VISIBLE, PAUSE
from hbc_host.parts import note_of, read_parts

WAIT_S = 120.0  # other work may hold this computer up


def test_a_pause_is_raised_soon_after_its_limit_although_the_disk_stands_still(tmp_path: Path) -> None:
    """Until the alarm, the disk takes nothing. How soon: `tests/study/alarm_latency.py`, when nothing else runs."""
    beats = list(np.arange(0.5, 4.5, 0.75))
    last_s = beats[-1]
    beats += list(np.arange(last_s + 4.0, last_s + 40.0, 0.75))
    before: list[bool] = []

    def stands_still(box: Rig, heard: Heard) -> None:
        if box.bridge.virtual_s > last_s:
            before.append(not heard)
            until_s = time.monotonic() + WAIT_S
            while not heard:
                assert time.monotonic() < until_s, "the alarm waits for the disk"
                time.sleep(0.01)

    alarms = raised_by(beats, last_s + 4.2, tmp_path / "s", disk=stands_still)
    assert any(before), "the disk did not stand still before the alarm"
    [raised] = [one for one in alarms if one.alarm.kind == PAUSE]  # when this computer stalls, "no data" is one, too
    print(f"raised {raised.latency_s:.3f} s after the criterion (stated: 0.5 on a machine with nothing else to do)")
    boot_s = RigOptions().ticks_at_boot_us * 1e-6
    assert abs(raised.alarm.met_us * 1e-6 - boot_s - 3.0 - last_s) < 0.01, "three seconds after the last beat"
    notes = [note_of(chunk) for chunk in read_parts(tmp_path / "s").chunks]
    kinds = [fields["kind"] for fields in notes if fields.get("event") == "alarm"]
    assert kinds.count(PAUSE) == 1
    assert set(kinds) <= {PAUSE, NOT_VISIBLE}

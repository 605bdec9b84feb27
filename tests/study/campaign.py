"""Recordings under faults, each judged against the simulated truth: what was lost must be what was counted.

One function a fault (``campaign_cable.py``, ``campaign_host.py``), all through the real firmware, a real
pseudo-terminal and the recorder of ``hbc record``; ``soak.py`` draws seeds and prints the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import campaign_cable as cable
import campaign_host as host
import numpy as np
import numpy.typing as npt
from campaign_truth import Outcome, judge
from campaign_world import Case, Judged, scenario_of
from hbc_host.errors import HbcError

FAULTS: dict[str, Callable[[Case], Judged]] = {
    "bit flips 1e-6..1e-3": cable.flips,
    "chunks dropped and repeated": cable.chunks,
    "unplugged, replugged elsewhere": cable.unplug,
    "box resets (brown-out)": cable.brownout,
    "kill -9, continued": host.kill,
    "program stopped for 10 s": host.paused,
    "disk full, continued": host.full_disk,
    "disk turns read-only, continued": host.read_only_disk,
    "fsync takes 100 ms": host.slow_disk,
    "file damaged and cut": host.damaged_file,
    "two hosts at once": cable.two_hosts,
    "host clock steps": cable.clock_step,
    "computer sleeps 3..20 s": cable.suspend,
    "ticks_us wraps": cable.wraps,
    "another device (noise)": cable.garbage,
    "hostile messages": cable.hostile,
}

# Several programs each, or real time.
SLOW = (
    "kill -9, continued",
    "program stopped for 10 s",
    "disk full, continued",
    "disk turns read-only, continued",
)


def one_session(name: str, seed: int, folder: Path, reference_s: npt.NDArray[np.float64]) -> Outcome:
    """One recording under a fault, judged; ``reference_s`` are the beats of this patient without one."""
    out = Outcome(name, seed)
    try:
        judged = FAULTS[name](Case(seed, folder, scenario_of(seed)))
    except HbcError as error:
        return replace(out, loaded=False, problem=f"{type(error).__name__}: {error}")
    if isinstance(judged, str):
        return replace(out, problem=judged)
    return judge(out, *judged, reference_s)

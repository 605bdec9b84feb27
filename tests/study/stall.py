"""A program that records is stopped (SIGSTOP) for 10 s: the bridge's 4 KiB run over, and the box is asked again.

    python tests/study/stall.py [--stop-s 10] [--repeats 3]

Paced, with the real `hbc record`. Prints what was missing; exit code 1 when a beat or an edge is, or a loss is silent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from campaign_host import stopped_recording
from campaign_truth import edges_against_truth, numbers_without_gap
from hbc_hil.scenario import Scenario


def stalled(seed: int, stop_s: float, folder: Path) -> bool:
    """One recording of a train that falls into the stop; True when only samples are missing, all counted."""
    box, session, told = stopped_recording(Scenario.short(seed, 120.0, rest_s=8.0), stop_s, folder, 3.0)
    dropped_n = box.bridge.dropped_bytes_n
    start_s = box.boot_s
    silent_n, wrong_n = edges_against_truth(box, session, start_s)
    silent_n += numbers_without_gap(session.ecg_idx, session.ecg_s, session)
    whole = bool(np.all(np.diff(session.beat_n) == 1) and np.all(np.diff(session.edge_n) == 1))
    missing_n = session.beats_lost_n + session.edges_lost_n
    print(
        f"stopped {stop_s:g} s: bridge dropped {dropped_n} bytes, frames lost {session.frames_lost_n}, "
        f"ECG samples lost and counted {session.samples_lost_n}, beats and edges missing {missing_n} of "
        f"{session.beats_us.size + session.edges_tick.size}, silent {silent_n}, wrong {wrong_n}, "
        f"at most {told['waiting_max_n']} reads waited for the disk"
    )
    return whole and missing_n == silent_n == wrong_n == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--stop-s", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(prefix="hbc-stall-") as place:
        for n in range(options.repeats):
            good &= stalled(n + 1, options.stop_s, Path(place) / f"s{n}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""Recordings under every fault against the simulated truth, and a long one: what was lost must be what was counted.

    python tests/study/soak.py [--sessions 1000] [--hours 24] [--seed 1] [--slow-every 3] [--log FILE]

Each seed is one patient, recorded once under each fault (slow ones with every third seed). Prints a table; exit code
1 when a session does not load, a loss is silent, or an event is wrong. ``--log`` appends each outcome as a line of JSON
and skips what it holds already, so that a campaign can be stopped and continued.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from campaign import FAULTS, SLOW, one_session
from campaign_host import kind_of_disk
from campaign_truth import Outcome
from campaign_world import clean_beats_s, scenario_of
from hbc_hil.demo import score_session
from hbc_hil.rig import rig
from hbc_hil.scenario import Scenario
from hbc_host.session import load_session

SETTLED_S = 600.0  # virtual: by then every part of the program has run once
GROWTH_MAX_MB = 5.0
COLUMNS = ("frames_lost_n", "beats_lost_n", "edges_lost_n", "samples_lost_n")


def outcomes(sessions_n: int, seed: int, slow_every: int, known: dict[tuple[str, int], Outcome]) -> Iterator[Outcome]:
    """Outcomes of this many sessions, patient by patient."""
    done_n = 0
    while done_n < sessions_n:
        names = [name for name in FAULTS if name not in SLOW or seed % slow_every == 0][: sessions_n - done_n]
        with tempfile.TemporaryDirectory(prefix="hbc-soak-") as place:
            reference_s = None
            for number, name in enumerate(names):
                if (name, seed) in known:
                    yield known[name, seed]
                    continue
                if reference_s is None:
                    reference_s = clean_beats_s(scenario_of(seed), Path(place) / "clean")
                yield one_session(name, seed, Path(place) / str(number), reference_s)
        done_n += len(names)
        seed += 1


def table(found: list[Outcome]) -> str:
    """Markdown, one row a fault."""
    rows = [
        "| fault | sessions | do not load | silent losses | wrong events | other problems | "
        "counted: frames | beats | edges | ECG samples |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in [*FAULTS, "all"]:
        of = [one for one in found if name in (one.fault, "all")]
        other_n = sum(bool(one.problem) and one.loaded and not one.silent_n and not one.wrong_n for one in of)
        counts = [sum(getattr(one, column) for one in of) for column in COLUMNS]
        cells = [len(of), sum(not one.loaded for one in of), sum(one.silent_n for one in of)]
        cells += [sum(one.wrong_n for one in of), other_n, *counts]
        rows.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def long_recording(hours: float, seed: int, folder: Path) -> bool:
    """One long session by ``hbc record``, a process of its own: no loss, bounded memory and file."""
    scenario = replace(Scenario.short(seed, 3600.0 * hours), intensities_pct=(50.0,) * int(3560.0 * hours // 16))
    began_s = time.monotonic()
    with rig(scenario) as box:
        command = [sys.executable, "-m", "hbc_host.cli_entry", "record", "--port", box.port, "--out", str(folder)]
        with subprocess.Popen([*command, "--alarms", "off"], stdout=subprocess.DEVNULL) as recorder:
            memory = Memory(recorder.pid)
            while not box.finished and recorder.poll() is None:
                time.sleep(0.5)
                memory.look(box.bridge.virtual_s)
            time.sleep(1.0)
            recorder.terminate()
    session = load_session(folder)
    # The box ran before anybody listened; events of the first block may have left it before that block did.
    start_s = float(session.ecg_us[0]) * 1e-6 - box.boot_s + 0.1
    beats = score_session(box, session, start_s=start_s)
    lost_n = session.frames_lost_n + session.frames_bad_n + session.edges_lost_n + session.samples_lost_n
    true_n = int((box.world.truth.edges_ns > 1e9 * start_s).sum())
    found_n = int((session.edges_tick > 80e6 * (start_s + box.boot_s)).sum())
    settled_mb, last_mb, highest_mb = memory.settled_mb, memory.last_mb, memory.highest_mb
    print(
        f"{hours:g} h virtual in {time.monotonic() - began_s:.0f} s: lost {lost_n}, edges {found_n} of "
        f"{true_n}, Se {100 * beats.se:.2f} %, PPV {100 * beats.ppv:.2f} %, R-peaks {beats.rms_ms:.2f} ms rms, "
        f"{session.bytes_n / hours / 1e6:.1f} MB an hour; hbc record: {settled_mb:.1f} MB after {SETTLED_S / 60:.0f} "
        f"minutes, {highest_mb:.1f} MB at most since, {last_mb:.1f} MB at the end (limit {GROWTH_MAX_MB:g} MB more)"
    )
    flat = highest_mb - settled_mb < GROWTH_MAX_MB
    return flat and lost_n == 0 and found_n == true_n and beats.se > 0.999


class Memory:
    """Resident memory of another process, followed over virtual time."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self.settled_mb = self.last_mb = self.highest_mb = 0.0

    def look(self, now_s: float) -> None:
        """Read it once; what comes before the process has settled does not count."""
        try:
            lines = self._status.read_text().splitlines()
        except OSError:
            return
        resident = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")]
        if not resident:
            return
        self.last_mb = resident[0]
        if now_s < SETTLED_S or not self.settled_mb:
            self.settled_mb = self.highest_mb = self.last_mb
        self.highest_mb = max(self.highest_mb, self.last_mb)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow-every", type=int, default=3)
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    found, known = [], {}
    if options.log is not None and options.log.exists():
        lines = [Outcome(**json.loads(line)) for line in options.log.read_text().splitlines()]
        known = {(one.fault, one.seed): one for one in lines}
    for one in outcomes(options.sessions, options.seed, options.slow_every, known):
        found.append(one)
        if one.problem:
            print(f"{one.fault}, seed {one.seed}: {one.problem}", flush=True)
        if options.log is not None and (one.fault, one.seed) not in known:
            with options.log.open("a") as file:
                file.write(json.dumps(asdict(one)) + "\n")
    if found:
        print(table(found))
        print(kind_of_disk())
    good = not any(one.problem for one in found)
    if options.hours:
        with tempfile.TemporaryDirectory(prefix="hbc-soak-") as place:
            good &= long_recording(options.hours, options.seed, Path(place) / "long")
    print(f"soak: {len(found)} sessions, " + ("everything lost was counted" if good else "FAILED"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

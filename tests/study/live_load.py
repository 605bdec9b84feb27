"""What a guided session costs: CPU and memory of its programs, beside a simulated box in real time.

    python tests/study/live_load.py --minutes 6 [--page]

Prints a line a minute: share of one core and resident memory of the session's own program, its estimate of coupling
and, with --page, the page that is served to nobody. The simulated box is a program of its own and is not counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from hbc_hil.rig import RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.clinic.protocol_file import parse
from hbc_host.clinic.visit import Visit, visit_for, write_visit
from hbc_host.live.feed_client import FeedClient, NoFeedError

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def dash_visit(scenario: Scenario) -> Visit:
    """The Dash ramp at the scenario's sites, for practice."""
    tables = {
        "format": 1,
        "name": "dash",
        "trains": {"kind": "dash"},
        "intensity": {"unit": "%MSO", "steps": list(scenario.intensities_pct)},
        "sites": {"names": [site.name for site in scenario.sites], "order": "fixed"},
        "rest": {"first_s": scenario.rest_first_s, "between_s": scenario.rest_between_s},
        "alarms": {"fall_bpm": 15.0, "fall_pct": 20.0, "lowest_bpm": 40.0, "highest_bpm": 150.0, "pause_s": 3.0},
    }
    people = {"operator": "A", "supervisor": "B", "second_person": "C"}
    return visit_for(parse(tables, "live_load"), pseudonym="P-1", created=datetime.now(UTC), practice=True, **people)


def operator(folder: Path) -> None:
    """Reads everything, and says "ready" whenever it is asked for."""
    said_s = 0.0
    with suppress(NoFeedError), FeedClient(folder, wait_s=120.0) as client:
        for message in client:
            due = message["kind"] == "state" and message["phase"] in ("waiting", "move_coil")
            if due and time.monotonic() - said_s > 2.0:
                said_s = time.monotonic()
                client.send("ready")


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found += [one for child in (task / "children").read_text().split() for one in family(int(child))]
    return found


def name_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return next((word.rpartition(".")[2] for word in words if word.startswith("hbc_host.")), "python")


def used(pid: int) -> tuple[float, float]:
    """CPU seconds so far, and resident memory in MB."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages_n = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND, pages_n * os.sysconf("SC_PAGE_SIZE") / 1e6


def watch(pid: int, minutes: float) -> None:
    """A line a minute, CPU as share of one core since the line before."""
    before: dict[int, float] = {}
    began_s = last_s = time.monotonic()
    while time.monotonic() < began_s + 60.0 * minutes:
        time.sleep(60.0)
        now_s, total_pct, total_mb, parts = time.monotonic(), 0.0, 0.0, []
        for one in family(pid):
            with suppress(OSError):
                cpu_s, memory_mb = used(one)
                pct = 100.0 * (cpu_s - before.get(one, 0.0)) / (now_s - last_s)
                before[one] = cpu_s
                total_pct, total_mb = total_pct + pct, total_mb + memory_mb
                parts.append(f"{name_of(one)} {pct:.1f} % {memory_mb:.0f} MB")
        last_s = now_s
        print(f"{(now_s - began_s) / 60:.0f} min: {total_pct:.1f} % of a core, {total_mb:.0f} MB ({', '.join(parts)})")
        sys.stdout.flush()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    scenario = Scenario.demo(4711)
    with tempfile.TemporaryDirectory(prefix="hbc-load-") as place, rig(scenario, RigOptions(paced=True)) as box:
        folder = Path(place) / "P-1"
        write_visit(folder, dash_visit(scenario))
        words = [sys.executable, "-m", "hbc_host.cli", "session", "run", str(folder), "--port", box.port, "--unsigned"]
        words += [] if given.page else ["--no-page"]
        environment = {**os.environ, "HBC_STORE": str(Path(place) / "store.sqlite")}
        session = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
        threading.Thread(target=operator, args=(folder,), daemon=True).start()
        try:
            watch(session.pid, given.minutes)
        finally:
            session.terminate()
            session.wait(timeout=120.0)


if __name__ == "__main__":
    main()

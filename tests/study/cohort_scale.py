"""Memory and time of many runs: does memory grow with their number, and what does a run cost?

Simulates a few sessions of four runs, links each under many names (another name is another recording), and
estimates all of them as ``hbc cohort fit`` does. Every second the resident memory of this process and of its workers is
read from /proc. Prints a row per twentieth of the work, then by how much memory grows per run over the second half of
the work (the first fills caches), cost per run, and what both make for a million.

Example: ``nice -n 15 python tests/study/cohort_scale.py --runs 10000``
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from hbc_hil.cohort import CohortPlan
from hbc_hil.cohort_files import write_cohort
from hbc_host.cohort.recordings import find_recordings
from hbc_host.cohort.run_table import RunStore
from hbc_host.cohort.scatter import estimate_cohort

SITES_N = 4
SESSIONS_N = 10


def resident_mb(pid: int) -> float:
    """Resident memory of a process, 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def children() -> list[int]:
    """Processes that this one started."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


class Watch(threading.Thread):
    """Largest memory since it was last asked, of this process and of the largest worker."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own_mb = self.worker_mb = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(1.0):
            self.own_mb = max(self.own_mb, resident_mb(os.getpid()))
            self.worker_mb = max([self.worker_mb, *(resident_mb(pid) for pid in children())])

    def take(self) -> tuple[float, float]:
        found = max(self.own_mb, resident_mb(os.getpid())), max([self.worker_mb, *map(resident_mb, children())])
        self.own_mb = self.worker_mb = 0.0
        return found


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10000)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--scheduler", default=None, help="a dask scheduler instead of processes of this computer")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        plan = CohortPlan(
            patients_n=SESSIONS_N, sites_n=SITES_N, clinics_n=1, strap_clinics_n=0, skipped_share=0.0, seed=4
        )
        write_cohort(plan, home / "few")
        sources = sorted(path.parent for path in (home / "few").rglob("recording.json"))
        for number in range(-(-args.runs // SITES_N)):
            target = home / "many" / f"P-{number:06d}" / "session"
            target.mkdir(parents=True)
            for path in sources[number % len(sources)].iterdir():
                os.link(path, target / path.name)
        refs = find_recordings(home / "many")
        watch = Watch()
        watch.start()
        began_s, cpu_s = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        print("| runs done | minutes | this process, MB | largest worker, MB |\n|---|---|---|---|", flush=True)
        seen: list[tuple[int, float, float]] = []

        def on_done(done_n: int, all_n: int) -> None:
            if done_n % max(all_n // 20, 1) == 0 or done_n == all_n:
                seen.append((done_n * SITES_N, *watch.take()))
                minutes = (time.monotonic() - began_s) / 60.0
                runs_n, own_mb, worker_mb = seen[-1]
                print(f"| {runs_n} | {minutes:.1f} | {own_mb:.1f} | {worker_mb:.1f} |", flush=True)

        store = RunStore(home / "runs")
        table, _ = estimate_cohort(refs, store, jobs_n=args.jobs, scheduler=args.scheduler, on_done=on_done)
        watch.over.set()
        wall_s = time.monotonic() - began_s
        used_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - cpu_s
        size_n = sum(path.stat().st_size for path in store.folder.iterdir())
    runs_n = table.num_rows
    print(
        f"\n{runs_n} runs in {wall_s:.0f} s; {used_s / runs_n:.3f} CPU s and {size_n / runs_n:.0f} bytes of table a run"
    )
    print(f"a million runs at this cost: {used_s / runs_n * 1e6 / 3600:.0f} CPU hours, {size_n / runs_n / 1e3:.1f} GB")
    later = np.array(seen[len(seen) // 2 :])
    if later.shape[0] > 2:
        own_kb, worker_kb = (1e3 * float(np.polyfit(later[:, 0], later[:, k], 1)[0]) for k in (1, 2))
        print(f"memory grows by {own_kb:.2f} kB a run here and {worker_kb:.2f} kB a run in the largest worker")


if __name__ == "__main__":
    main()

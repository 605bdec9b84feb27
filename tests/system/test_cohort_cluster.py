"""The same cohort over the cores of this computer and over a dask cluster: the same numbers, bit for bit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hbc_hil.cohort import CohortPlan
from hbc_hil.cohort_files import write_cohort
from hbc_host.cohort.recordings import find_recordings
from hbc_host.cohort.run_table import RunStore
from hbc_host.cohort.scatter import ClusterError, estimate_cohort

PLAN = CohortPlan(
    patients_n=3, sites_n=2, clinics_n=2, strap_clinics_n=1, rest_s=60.0, skipped_share=0.0, noisy_share=0.5, seed=3
)
PATIENCE_S = 180.0

pytest.importorskip("distributed")


@contextmanager
def running(log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A dask program, ended with its children."""
    with log.open("wb") as file:
        program = subprocess.Popen(
            [str(Path(sys.executable).with_name("dask")), *words], stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield program
    finally:
        os.killpg(program.pid, signal.SIGTERM)
        try:
            program.wait(20.0)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait(20.0)


def wait_for(log: Path, pattern: str) -> str:
    give_up_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_s:
        if found := re.search(pattern, log.read_text("utf-8", "replace")):
            return found.group(1)
        time.sleep(0.1)
    raise AssertionError(f"{pattern} did not appear in: {log.read_text('utf-8', 'replace')}")


@pytest.mark.filterwarnings("ignore")  # dask warns of its own ports and timings, which is not what is tested
def test_two_dask_workers_give_the_numbers_of_this_computer_bit_for_bit(tmp_path: Path) -> None:
    write_cohort(PLAN, tmp_path / "c")
    refs = find_recordings(tmp_path / "c" / "recordings")
    here, new_n = estimate_cohort(refs, RunStore(tmp_path / "here"), jobs_n=1)
    assert new_n == len(refs)
    scheduler, worker = tmp_path / "scheduler.log", tmp_path / "worker.log"
    with running(scheduler, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"):
        address = wait_for(scheduler, r"Scheduler at:\s+(tcp://127\.0\.0\.1:\d+)")
        with pytest.raises(ClusterError, match="0 workers"):
            estimate_cohort(refs, RunStore(tmp_path / "none"), scheduler=address)
        options = ("--nworkers", "2", "--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path))
        with running(worker, "worker", address, *options):
            wait_for(scheduler, r"(?s)Register worker.*(Register worker)")
            there, new_n = estimate_cohort(refs, RunStore(tmp_path / "there"), scheduler=address)
    assert new_n == len(refs)
    assert there.num_rows == 6
    # Compared as bytes of the table, so that -0.0, nan and the last bit count.
    assert there.equals(here, check_metadata=True) or there.to_pydict().__repr__() == here.to_pydict().__repr__()
    for name in ("effect_bpm", "low95_bpm", "p_value", "threshold_pct"):
        assert (
            there[name].combine_chunks().buffers()[1].to_pybytes()
            == here[name].combine_chunks().buffers()[1].to_pybytes()
        )


def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hbc_host.cohort.scatter.CONNECT_S", "1s")
    write_cohort(CohortPlan(patients_n=1, sites_n=1, rest_s=60.0, skipped_share=0.0), tmp_path / "c")
    refs = find_recordings(tmp_path / "c" / "recordings")
    with pytest.raises(ClusterError, match="does not answer"):
        estimate_cohort(refs, RunStore(tmp_path / "runs"), scheduler="tcp://127.0.0.1:9")

"""Estimates of many recordings at once: over the cores of this computer, or over a dask cluster, with the same numbers.

A task is one recording. A few tasks per worker wait at a time and rows are written as they come, so memory does not
grow with the cohort. The order in which tasks end changes nothing: the table is sorted, and each task runs with one
thread (docs/decisions/0014-one-thread-per-estimate.md).
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hbc_host.cohort.code_hash import code_version
from hbc_host.cohort.estimates import RunRow, estimate_recording
from hbc_host.cohort.recordings import RecordingRef, digest
from hbc_host.cohort.run_table import RunStore
from hbc_host.errors import HbcError, InputError

if TYPE_CHECKING:
    import pyarrow as pa

#: Tasks that wait or run per worker.
WINDOW_N = 4
#: Recordings whose rows are written together.
BATCH_N = 64
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECT_S = "10s"

Task = tuple[RecordingRef, str]
Done = Callable[[int, int], None]


class ClusterError(HbcError):
    """The cluster cannot be reached, or may not be used."""


def estimate_cohort(
    refs: Sequence[RecordingRef],
    store: RunStore,
    *,
    protocol_name: str | None = None,
    jobs_n: int | None = None,
    scheduler: str | None = None,
    on_done: Done = lambda done_n, all_n: None,
) -> tuple[pa.Table, int]:
    """Estimate every run of these recordings, but for those that the store knows.

    Parameters
    ----------
    refs : sequence of RecordingRef
    store : RunStore
    protocol_name : str, optional
        For recordings that do not name their own.
    jobs_n : int, optional
        Processes on this computer; as many as it has cores.
    scheduler : str, optional
        Address of a dask scheduler, such as ``tcp://127.0.0.1:8786``. Its workers must see the recordings under the
        same path and run the same version of the code.
    on_done : function of (done, all)

    Returns
    -------
    (table, n)
        Rows in order of recording and run, and how many recordings were estimated now.

    Raises
    ------
    ClusterError
        If the cluster cannot be reached, may not be used, or runs other code.
    """
    keys = {ref.place: _key(ref, protocol_name) for ref in refs}
    known = store.known_keys()
    todo: list[Task] = [(ref, keys[ref.place]) for ref in refs if keys[ref.place] not in known]
    if todo:
        if scheduler is not None:
            found = _over_cluster(todo, protocol_name, scheduler)
        else:
            found = _over_cores(todo, protocol_name, jobs_n or os.cpu_count() or 1)
        _write_all(found, store, len(todo), on_done)
    table = store.table(keys.values())
    store.compact(table)
    return table, len(todo)


def _key(ref: RecordingRef, protocol_name: str | None) -> str:
    text = "\0".join((code_version(), protocol_name or "", ref.patient, ref.place, digest(ref)))
    return hashlib.sha256(text.encode()).hexdigest()


def _write_all(found: Iterable[list[RunRow]], store: RunStore, all_n: int, on_done: Done) -> None:
    batch: list[RunRow] = []
    for done_n, rows in enumerate(found, start=1):
        batch += rows
        on_done(done_n, all_n)
        if done_n % BATCH_N == 0:
            store.add(batch)
            batch = []
    store.add(batch)


def _over_cores(todo: Sequence[Task], protocol_name: str | None, jobs_n: int) -> Iterator[list[RunRow]]:
    from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    # New processes rather than copies of this one: a copy inherits threads and their locks.
    jobs_n = max(1, min(jobs_n, len(todo)))
    with ProcessPoolExecutor(jobs_n, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[list[RunRow]]] = set()
        try:
            for ref, key in todo:
                if len(waiting) >= WINDOW_N * jobs_n:
                    ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in ended)
                waiting.add(pool.submit(estimate_recording, ref, protocol_name, key))
            while waiting:
                ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in ended)
        finally:
            for future in waiting:
                future.cancel()


def check_address(scheduler: str) -> None:
    """Refuse a scheduler that is neither on this computer nor behind TLS.

    Raises
    ------
    ClusterError
        Whoever reaches a dask port can run programs on every machine of the cluster, and see the data.
    """
    parts = urlsplit(scheduler)
    if parts.scheme not in {"tcp", "tls"} or not parts.hostname:
        raise ClusterError(f"{scheduler!r} is no scheduler; give an address such as tcp://127.0.0.1:8786")
    if parts.scheme == "tcp" and parts.hostname not in LOOPBACK:
        raise ClusterError(
            f"{scheduler} is another computer without encryption: anyone on the way could run programs there and read "
            "the data; use tls:// (docs/scale.md), or an SSH tunnel to tcp://127.0.0.1"
        )


def _over_cluster(todo: Sequence[Task], protocol_name: str | None, scheduler: str) -> Iterator[list[RunRow]]:
    check_address(scheduler)
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise InputError("dask is not installed; install it: pip install 'hbc-box[cluster]'") from None
    try:
        client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as fault:
        raise ClusterError(f"{scheduler} does not answer ({fault}); start it: dask scheduler") from None
    with client:
        workers_n = _check_workers(client, scheduler)
        tasks = iter(todo)

        def submit(task: Task) -> Any:
            return client.submit(estimate_recording, task[0], protocol_name, task[1], pure=False)

        first = [submit(task) for task in itertools.islice(tasks, WINDOW_N * workers_n)]
        running = as_completed(first, loop=client.loop)
        for future in running:
            rows: list[RunRow] = future.result()
            future.release()
            if (task := next(tasks, None)) is not None:
                running.add(submit(task))
            yield rows


def _check_workers(client: Any, scheduler: str) -> int:
    """How many threads the cluster has, once every worker is known to run this code."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise ClusterError(f"{scheduler} has 0 workers; start some: dask worker {scheduler}")
    try:
        versions = client.run(code_version)
    except Exception as fault:  # whatever a worker without our package says
        raise ClusterError(f"a worker cannot run hbc ({fault}); install the same hbc-box there") from None
    other = sorted(address for address, version in versions.items() if version != code_version())
    if other:
        raise ClusterError(f"{', '.join(other)}: other code than here; install the same hbc-box, numpy and scipy there")
    return sum(int(worker["nthreads"]) for worker in workers.values())


def cache_folder(out: Path) -> Path:
    """Where rows of runs are kept."""
    return out / "runs"

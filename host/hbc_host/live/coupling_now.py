"""Asks the coupling worker after each train, and hands its answers to the pages. Nobody waits for it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hbc_host.live.feed_queue import encode
from hbc_host.live.site_now import SiteNow

log = logging.getLogger(__name__)

FINAL_WAIT_S = 300.0
#: Large arrays go back to the system after each answer; by default the C library would keep more and more of them.
GIVE_MEMORY_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072"}


class CouplingNow:
    """Keeps one question under way; newer questions replace those that wait.

    Parameters
    ----------
    folder : Path
        Session folder that is being recorded.
    publish : callable
        Gets each answer, from a thread of this object.
    """

    def __init__(self, folder: Path, publish: Callable[[dict[str, Any]], None]) -> None:
        self._folder, self._publish = folder, publish
        self._questions: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._number = 0
        self._answered = threading.Condition()
        self._answered_n = 0
        self._thread = threading.Thread(target=self._run, name="hbc-coupling", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._enough: set[str] = set()  # sites whose planned looks have shown it; outlives the worker

    def start(self) -> None:
        """Begin; the worker process starts with the first question."""
        self._thread.start()

    def ask(self, site: SiteNow | None, *, final: bool) -> None:
        """Ask for the estimate of a site under way, or for the final one of all sites so far; returns at once."""
        question: dict[str, Any] = {"final": final}
        if site is not None:
            question |= {"site": site.run.site, "trains_n": min(site.closed_n, len(site.given))}
            question |= {"planned_n": len(site.given)}
        if final or site is not None:
            self._put(question)

    def _put(self, question: dict[str, Any]) -> int:
        self._number += 1
        self._questions.put(question | {"number": self._number})
        return self._number

    def final(self) -> None:
        """Ask for the final estimate of a recording that is closed, and wait for it."""
        number = self._put({"final": True})
        with self._answered:
            self._answered.wait_for(lambda: self._answered_n >= number, timeout=FINAL_WAIT_S)

    def stop(self) -> None:
        """End the worker."""
        self._questions.put(None)
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while True:
            question = self._questions.get()
            while question is not None and not self._questions.empty():  # only the newest is worth an answer
                newer = self._questions.get()
                question = (
                    newer
                    if newer is None or not question["final"] or newer["final"]
                    else question | {"number": newer["number"]}
                )
            if question is None:
                break
            try:
                self._ask_worker(question)
            except (OSError, ValueError) as error:
                log.warning("no estimate of coupling: %s", error)
                self._end_process()
            with self._answered:
                self._answered_n = int(question["number"])
                self._answered.notify_all()
        self._end_process()

    def _ask_worker(self, question: dict[str, Any]) -> None:
        process = self._process = self._process or self._start_process()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(encode(question | {"enough": sorted(self._enough)}))
        process.stdin.flush()
        for line in process.stdout:
            message = json.loads(line)
            if message["kind"] == "answered":
                break
            if message.get("enough"):
                self._enough.add(str(message["site"]))
            self._publish(message)
        else:
            raise OSError(f"its process ended with code {process.wait()}")
        if question["final"]:  # a site is over, and minutes go by until the next: its memory is given back whole
            self._end_process()

    def _start_process(self) -> subprocess.Popen[bytes]:
        # Threads of the linear algebra stay as they are: one more or less would change the last digit.
        environment = {**os.environ, **GIVE_MEMORY_BACK}
        command = [sys.executable, "-m", "hbc_host.live.coupling_worker", str(self._folder)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

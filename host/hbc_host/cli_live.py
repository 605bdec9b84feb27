"""What the operator sees while ``hbc record`` runs, and how a recording is told to stop."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hbc_host.cli_common import command_line, near
from hbc_host.errors import SessionError

if TYPE_CHECKING:
    from rich.status import Status

    from hbc_host.alarm_watch import AlarmWatch
    from hbc_host.alarms import Alarm, AlarmCriteria
    from hbc_host.cli_common import Output
    from hbc_host.record import RecordSummary

STATUS_PERIOD_S = 0.5


class Live:
    """What the operator sees while recording: time, beats, rate, edges."""

    def __init__(self, status: Status | None) -> None:
        self._status = status
        self._next_s = 0.0
        self._start_s: float | None = None
        self._peaks_us: list[int] = []
        self.beats_n = self.edges_n = 0

    def stop_after(self, seconds: float | None) -> Callable[[], bool]:
        """The recorder's question "shall I stop?"; time starts when the box has introduced itself."""

        def stop() -> bool:
            now_s = time.monotonic()
            if self._start_s is None:
                self._start_s = now_s
            self._show(now_s - self._start_s)
            return seconds is not None and now_s - self._start_s >= seconds

        return stop

    def take(self, message: Any) -> None:
        """Count a message of the box."""
        name = type(message).__name__
        if name == "RPeak":
            self.beats_n += 1
            self._peaks_us = [*self._peaks_us[-8:], message.peak_us]
        elif name == "TriggerEdge":
            self.edges_n += 1

    def _show(self, elapsed_s: float) -> None:
        if self._status is None or elapsed_s < self._next_s:
            return
        self._next_s = elapsed_s + STATUS_PERIOD_S
        span_us = self._peaks_us[-1] - self._peaks_us[0] if len(self._peaks_us) > 1 else 0
        rate = f"{60e6 * (len(self._peaks_us) - 1) / span_us:.0f} bpm" if span_us > 0 else "heart not seen yet"
        self._status.update(
            f"recording {elapsed_s:.0f} s: {self.beats_n} beats, {rate}, {self.edges_n} trigger edges; Ctrl-C stops"
        )


def tell(text: str) -> None:
    """A line for the operator, at once, beside the live line."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def watching(criteria: AlarmCriteria | None) -> Iterator[AlarmWatch | None]:
    """The alarms, on their own path; None without criteria."""
    if criteria is None:
        yield None
        return
    from hbc_host.alarm_watch import AlarmWatch

    with AlarmWatch(criteria, _sound) as watch:
        yield watch


def _sound(alarm: Alarm) -> None:
    bell = "\a" if alarm.began and sys.stderr.isatty() else ""
    tell(f"{bell}{'ALARM' if alarm.began else 'alarm'} {time.strftime('%H:%M:%S')} {alarm.text}")


def offer_to_continue(folder: Path, go_on: bool) -> None:
    """Raise SessionError, with the way to go on, when a recording in this folder was interrupted, or still runs."""
    from hbc_host.folder import writer_of
    from hbc_host.manifest import may_continue

    if who := writer_of(folder):
        raise SessionError(f"{folder} is being written by {who}; let it end first, or choose another folder")
    if not go_on and may_continue(folder):
        raise SessionError(
            f"{folder} holds a recording that was interrupted; go on with it by --continue, or choose another folder"
        )


@contextmanager
def live_status(text: str) -> Iterator[Status | None]:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with console.status(text) as status:
        yield status


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """A closed terminal or ``kill`` ends a recording as Ctrl-C does: everything received is on disk, with a summary."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    # What is ignored already stays so: under nohup a recording outlives its terminal on purpose.
    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show_recording(
    out: Output, summary: RecordSummary, report: Path | None = None, *, said: Callable[[str], str] = str
) -> None:
    """How a recording went, for people and as JSON; ``report`` is its report when there is one already.

    ``said`` puts each line into the language of whoever reads it.
    """
    lines = [
        f"{summary.duration_s:.1f} s recorded: {summary.beats_n} beats, {summary.edges_n} trigger edges, "
        f"{summary.frames_n} frames ({summary.frames_lost_n} lost, {summary.frames_bad_n} damaged)"
    ]
    if summary.reconnects_n or summary.boots_n > 1:
        lines.append(
            f"connection lost and found {summary.reconnects_n} times, box restarted {summary.boots_n - 1} times"
        )
    lines.append(f"session: {near(summary.path)}")
    command = command_line("report", near(summary.path))
    if report is not None:
        lines.append(f"next: open {near(report)} in a browser; on paper: {command} --pdf")
    elif summary.edges_n:
        lines.append(f"next: {command}")
    else:
        lines.append("no trigger edges: nothing to analyse yet; check the trigger cable if trains were given")
    for line in lines:
        out.say(said(line))
    counts = ("bytes_n", "frames_n", "frames_lost_n", "frames_bad_n", "beats_n", "edges_n", "events_lost_n")
    names = ("ended", "reason", "duration_s", *counts, "boots_n", "reconnects_n", "waiting_max_n")
    out.json({"session": str(summary.path), **{name: getattr(summary, name) for name in names}})

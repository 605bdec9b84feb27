"""The engine of a session under way: one thread that hears the box beside the recorder, and tells pages and log.

It waits for nobody: the recorder, the alarms, the pages and the estimate of coupling each have a path of their own.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hbc_host.alarms import Alarm
from hbc_host.chunks import Chunk
from hbc_host.live import problems
from hbc_host.live.coupling_now import CouplingNow
from hbc_host.live.disk_now import DiskNow
from hbc_host.live.ear import Ear
from hbc_host.live.feed import Command, Feed
from hbc_host.live.follow import Follow
from hbc_host.live.over import STAY_S, LastWait, closed_words
from hbc_host.live.state_now import hello_of, state_of
from hbc_host.live.steps_now import SiteDone
from hbc_host.live.words_now import take_command
from hbc_host.parts import note

log = logging.getLogger(__name__)

STATE_PERIOD_S = 0.25
LOOK_S = 0.05
CATCH_UP_S = 5.0
FAILED = "that failed: write it down on paper"


class _Opened(NamedTuple):
    """A connection begins: bytes begin anew."""


class Engine:
    """Runs while used as a context.

    Parameters
    ----------
    follow : Follow
        Where the session stands; owned by the engine's thread from now on.
    folder : Path
        Session folder.
    feed : Feed
    clock : callable
        Host seconds, as those of the recording.
    stop : callable
        Asked whether somebody else wants the session to end.
    on_problem : callable
        Gets each problem that begins or ends, as the log does, in the engine's thread; it must not wait.
    on_event : callable
        Gets lines for people, in the engine's thread; it must not wait.
    stay_s : float
        How long the session waits for its end when all sites are done and a page is there, seconds.
    closed : str
        What words after the end are told, as :func:`hbc_host.live.over.closed_words` says it.
    """

    def __init__(
        self,
        follow: Follow,
        folder: Path,
        feed: Feed,
        *,
        clock: Callable[[], float],
        stop: Callable[[], bool],
        on_problem: Callable[[dict[str, Any]], None] = lambda _: None,
        on_event: Callable[[str], None] = lambda _: None,
        stay_s: float = STAY_S,
        closed: str = "",
    ) -> None:
        self._follow, self._feed, self._clock, self._stop = follow, feed, clock, stop
        self._on_problem, self._on_event = on_problem, on_event
        self._heard: queue.SimpleQueue[Chunk | Alarm | _Opened | threading.Event] = queue.SimpleQueue()
        self._notes: queue.SimpleQueue[Chunk] = queue.SimpleQueue()
        self._coupling = CouplingNow(folder, feed.publish)
        self._disk = DiskNow(folder)
        self._ear = Ear(follow, clock)
        self._told_box: Any = None
        self._state_due_s = 0.0
        self._stopping = self._is_closed = self._is_over = False
        self._writing = threading.Lock()  # a word that is answered "noted" is among the notes
        self._last_wait, self._closed = LastWait(stay_s), closed or closed_words(follow.visit)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hbc-session", daemon=True)

    # -- for the recorder's threads --------------------------------------------------------------------------------

    def tap(self, chunk: Chunk) -> None:
        """Bytes of either direction, as they pass; returns at once."""
        self._heard.put(chunk)

    def opened(self) -> None:
        """A connection was made, the first or another."""
        self._heard.put(_Opened())

    def alarm(self, alarm: Alarm) -> None:
        """An alarm began or ended; returns at once."""
        self._heard.put(alarm)

    def notes(self) -> list[Chunk]:
        """Notes since the last call, for the log."""
        self._disk.look()  # here, for this thread waits for the disk anyway
        return [self._notes.get() for _ in range(self._notes.qsize())]

    def closed(self) -> None:
        """The recording takes no more notes after those it fetches now: whoever still says something is told so.

        What was heard until now is written down before, however far behind this engine is on a busy computer.
        """
        caught_up = threading.Event()
        self._heard.put(caught_up)
        caught_up.wait(CATCH_UP_S)
        with self._writing:
            self._is_closed = True

    def over(self) -> None:
        """The session ended as somebody wanted it to; one that broke off did not, and its alarms stay on the pages."""
        self._is_over, self._state_due_s = True, 0.0

    def should_stop(self) -> bool:
        """True once the session is to end: asked for, or all is over and nobody is there to say so."""
        return self._stopping or self._stop()

    def __enter__(self) -> Engine:
        self._coupling.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join(timeout=10.0)
        self._coupling.stop()

    def final(self) -> None:
        """The recording is closed: the result from it, as ``hbc report`` has it, to the pages. Waits for it."""
        self._coupling.final()

    # -- the engine's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._closing.is_set() and self._heard.empty()):
            # Each by itself: a fault in one must not keep alarms from the pages, or people's words from the log.
            for step in (self._listen_to_box, self._listen_to_pages, self._look_at_disk, self._is_it_over, self._tell):
                self._try(step)
        self._feed.refuse(self._closed)
        self._state_due_s = 0.0
        self._try(self._tell)

    def _try(self, step: Callable[..., None], *values: Any) -> bool:
        try:
            step(*values)
        except Exception:  # a bug here must not be silent, and must not end what follows the heart
            log.exception("the session's engine failed; the recording and its alarms go on")
            return False
        return True

    def _listen_to_box(self) -> None:
        with contextlib.suppress(queue.Empty):
            heard = [self._heard.get(timeout=LOOK_S)]
            heard += [self._heard.get_nowait() for _ in range(self._heard.qsize())]
            for one in heard:
                if not self._try(self._hear, one):
                    self._ear.begin_anew()
        if not (self._stopping or self._is_closed):  # the port is being closed: no box any more is no trouble
            self._ear.listen_for_silence()

    def _look_at_disk(self) -> None:
        self._follow.disk_left_s = self._disk.left_s
        self._follow.problem(problems.DISK, self._disk.trouble)
        self._follow.problem(problems.DISK_UNKNOWN, self._disk.unknown)

    def _hear(self, heard: Chunk | Alarm | _Opened | threading.Event) -> None:
        if isinstance(heard, threading.Event):
            self._write_down()
            heard.set()
        elif isinstance(heard, Alarm):
            self._state_due_s = 0.0  # pages hear of it now, not with the next state
            self._follow.hear_alarm(heard)
        elif isinstance(heard, _Opened):
            self._ear.opened()
        else:
            self._ear.hear(heard)

    def _listen_to_pages(self) -> None:
        while not self._feed.commands.empty():
            command = self._feed.commands.get()
            ok, text = False, FAILED
            try:
                ok, text = self._obey(command)
            finally:  # each page gets an answer, or it would take the next one for its own
                command.answer(ok, text)

    def _obey(self, command: Command) -> tuple[bool, str]:
        with self._writing:
            if self._is_closed and command.do != "acknowledge":  # which frees the screen
                return False, self._closed
            ok, text = take_command(self._follow, command.do, command.fields)
            self._write_down()
            return (False, self._closed) if self._is_closed else (ok, text)

    def _write_down(self) -> None:
        noted, self._follow.noted = self._follow.noted, []
        for event, fields in noted:
            self._notes.put(note(self._clock(), event, **fields))
            if event == "problem":
                self._on_problem(fields)
        if noted:
            self._state_due_s = 0.0

    def _tell(self) -> None:
        """What is new: to the log, the pages, and the estimate of coupling."""
        follow = self._follow
        if follow.box.hello is not None and follow.box.hello is not self._told_box:
            self._told_box = follow.box.hello
            self._feed.publish(hello_of(follow.visit, follow.box.hello))
        self._write_down()
        said, done = follow.said, follow.done
        follow.said, follow.done = [], []
        for message in said:
            self._feed.publish(message)
        for one in done:
            self._coupling.ask(follow.sites.get(one.site_idx), final=isinstance(one, SiteDone))
        if done or time.monotonic() >= self._state_due_s:
            self._state_due_s = time.monotonic() + STATE_PERIOD_S
            over = self._closed if self._is_over or self._stopping else ""
            self._feed.publish(state_of(follow) | self._last_wait.fields(over))

    def _is_it_over(self) -> None:
        if self._last_wait.look(self._follow, self._feed.clients_n) and not self._stopping:
            self._stopping, self._state_due_s = True, 0.0
        if news := self._last_wait.news(self._follow):
            self._on_event(news)

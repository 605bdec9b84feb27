"""The engine of a session under way: one thread that hears the box beside the recorder, and tells pages and log.

It waits for nobody: the recorder, the alarms, the pages and the estimate of coupling each have a path of their own.
"""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from hbc_wire import messages

from hbc_host.alarms import Alarm
from hbc_host.errors import VersionMismatchError
from hbc_host.live import problems
from hbc_host.live.coupling_now import CouplingNow
from hbc_host.live.disk_now import DiskNow
from hbc_host.live.feed import Feed
from hbc_host.live.follow import Follow
from hbc_host.live.state_now import hello_of, state_of
from hbc_host.live.steps_now import SiteDone
from hbc_host.live.words_now import take_command
from hbc_host.parts import note
from hbc_host.protocol import StreamDecoder, new_deframer
from hbc_host.recorder import FROM_BOX, TO_BOX, Chunk

log = logging.getLogger(__name__)

SILENT_S = 1.5  # a box sends a block of ECG every 50 ms
STATE_PERIOD_S = 0.25
LOOK_S = 0.05
STAY_S = 600.0  # a page may want to enter an event after the last train; nobody there: see ALONE_S
ALONE_S = 3.0
_PING = bytes([messages.ClockPing.msg_id])


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
    """

    def __init__(
        self, follow: Follow, folder: Path, feed: Feed, *, clock: Callable[[], float], stop: Callable[[], bool]
    ) -> None:
        self._follow, self._feed, self._clock, self._stop = follow, feed, clock, stop
        self._heard: queue.SimpleQueue[Chunk | Alarm | _Opened] = queue.SimpleQueue()
        self._notes: queue.SimpleQueue[Chunk] = queue.SimpleQueue()
        self._coupling = CouplingNow(folder, feed.publish)
        self._disk = DiskNow(folder)
        self._decoder = StreamDecoder()
        self._requests = new_deframer()
        self._heard_s = self._heard_real_s = -math.inf
        self._told_box: Any = None
        self._state_due_s = 0.0
        self._stopping = False
        self._finished_s: float | None = None
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
        found = []
        while not self._notes.empty():
            found.append(self._notes.get())
        return found

    def should_stop(self) -> bool:
        """True once the session is to end: asked for, or all is over and nobody is there to say so."""
        return self._stopping or self._stop()

    def __enter__(self) -> Engine:
        self._coupling.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join(timeout=10.0)
        self._coupling.stop()

    def final(self) -> None:
        """The recording is closed: the result from it, as ``hbc report`` has it, to the pages. Waits for it."""
        self._coupling.final()

    # -- the engine's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._closing.is_set() and self._heard.empty()):
            try:
                self._turn()
            except Exception:  # a bug here must not be silent, and must not end what follows the heart
                log.exception("the session's engine failed; the recording and its alarms go on")
                self._decoder = StreamDecoder()
        with contextlib.suppress(Exception):
            self._tell()

    def _turn(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._hear(self._heard.get(timeout=LOOK_S))
            for _ in range(self._heard.qsize()):
                self._hear(self._heard.get_nowait())
        self._listen_for_silence()
        self._listen_to_pages()
        self._follow.disk_left_s = self._disk.left_s
        self._follow.problem(problems.DISK, self._disk.trouble)
        self._tell()
        self._is_it_over()

    def _hear(self, heard: Chunk | Alarm | _Opened) -> None:
        if isinstance(heard, Alarm):
            self._follow.hear_alarm(heard)
        elif isinstance(heard, _Opened):
            self._decoder = StreamDecoder()
            self._follow.connection_lost()
        elif heard.kind == TO_BOX:
            for payload in self._requests.feed(heard.data):
                if payload[:1] == _PING:
                    token = int.from_bytes(payload[messages.HEADER_N :], "little")
                    self._follow.box.sent_ping(token, heard.host_s)
        elif heard.kind == FROM_BOX:
            self._heard_s, self._heard_real_s = self._clock(), time.monotonic()
            try:
                for seq, message in self._decoder.feed(heard.data):
                    self._follow.take(message, seq, heard.host_s)
            except VersionMismatchError:
                log.exception("the box came back with another wire version")

    def _listen_for_silence(self) -> None:
        # By both clocks: a simulated box's runs ahead in leaps, and stands still when its box has ended.
        now_s, now_real_s = self._clock(), time.monotonic()
        if now_s - self._heard_s > SILENT_S and now_real_s - self._heard_real_s > SILENT_S:
            self._follow.silence()

    def _listen_to_pages(self) -> None:
        while not self._feed.commands.empty():
            command = self._feed.commands.get()
            ok, text = take_command(self._follow, command.do, command.fields)
            command.answer(ok, text)

    def _tell(self) -> None:
        """What is new: to the log, the pages, and the estimate of coupling."""
        follow, now_s = self._follow, self._clock()
        if follow.box.hello is not None and follow.box.hello is not self._told_box:
            self._told_box = follow.box.hello
            self._feed.publish(hello_of(follow.visit, follow.box.hello))
        said, noted, done = follow.said, follow.noted, follow.done
        follow.said, follow.noted, follow.done = [], [], []
        for message in said:
            self._feed.publish(message)
        for event, fields in noted:
            self._notes.put(note(now_s, event, **fields))
        for one in done:
            self._coupling.ask(follow.sites.get(one.site_idx), final=isinstance(one, SiteDone))
        if noted or done or time.monotonic() >= self._state_due_s:
            self._state_due_s = time.monotonic() + STATE_PERIOD_S
            self._feed.publish(state_of(follow))

    def _is_it_over(self) -> None:
        if not self._follow.is_finished:
            self._finished_s = None
            return
        now_s = time.monotonic()
        if self._finished_s is None:
            self._finished_s = now_s
        stay_s = STAY_S if self._feed.clients_n and not self._follow.ended else ALONE_S
        if self._follow.ended or now_s - self._finished_s > stay_s:
            self._stopping = True


def greet(feed: Feed, follow: Follow) -> None:
    """What pages may know before the box has spoken."""
    feed.publish(hello_of(follow.visit, None))
    feed.publish(state_of(follow))

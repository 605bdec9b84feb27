"""The alarms' own path: bytes from the reader thread, a thread, a voice. No disk delays anything here."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType

from hbc_host.alarms import NOT_VISIBLE, Alarm, AlarmCriteria, AlarmMonitor
from hbc_host.errors import HbcError
from hbc_host.parts import note
from hbc_host.protocol import StreamDecoder
from hbc_host.recorder import Chunk

log = logging.getLogger(__name__)

SILENT_S = 1.5  # a box sends a block every 50 ms and a Hello every second
LOOK_S = 0.1


class AlarmWatch:
    """Raises alarms while a recording runs.

    Parameters
    ----------
    criteria : AlarmCriteria
    on_alarm : callable
        Gets each Alarm in the watch's own thread, at once.
    clock : callable
        Host seconds, as those of the recording.
    """

    def __init__(
        self,
        criteria: AlarmCriteria,
        on_alarm: Callable[[Alarm], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.monitor = AlarmMonitor(criteria)
        self._on_alarm, self._clock = on_alarm, clock
        self._chunks: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
        self._notes: queue.SimpleQueue[Chunk] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hbc-alarms", daemon=True)

    def tap(self, chunk: Chunk) -> None:
        """Bytes from the box, for :class:`hbc_host.link.Link`; none when the recording is over. Returns at once."""
        self._chunks.put(chunk)

    def notes(self) -> list[Chunk]:
        """Alarms since the last call, as notes for the log."""
        found = []
        while not self._notes.empty():
            found.append(self._notes.get())
        return found

    def __enter__(self) -> AlarmWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._chunks.put(None)
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        decoder = StreamDecoder()
        heard_s: float | None = None
        while True:
            try:
                chunk = self._chunks.get(timeout=LOOK_S)
            except queue.Empty:
                if heard_s is not None and self._clock() - heard_s > SILENT_S:
                    self._tell(self.monitor.no_data(self._clock() - heard_s))
                continue
            if chunk is None:
                return
            heard_s = self._clock() if chunk.data else None  # an empty chunk: the recording is over
            try:
                for _, message in decoder.feed(chunk.data):
                    self._tell(self.monitor.take(message))
            except HbcError as error:  # another wire version
                decoder = StreamDecoder()
                log.warning("alarms: %s", error)
            except Exception as error:  # a bug here must not be silent: nobody would watch
                log.exception("alarm watch failed")
                self._tell(
                    [Alarm(NOT_VISIBLE, True, 0, f"the alarm watch failed ({error!r}): nobody watches the beats")]
                )

    def _tell(self, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            self._on_alarm(alarm)
            fields = {"kind": alarm.kind, "began": alarm.began, "met_us": alarm.met_us, "text": alarm.text}
            self._notes.put(note(self._clock(), "alarm", **fields))

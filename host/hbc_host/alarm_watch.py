"""The alarms' own path: bytes from the reader thread, a thread, a voice. No disk delays anything here."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType

from hbc_wire import messages

from hbc_host.alarms import Alarm, AlarmCriteria, AlarmMonitor
from hbc_host.chunks import Chunk
from hbc_host.parts import note
from hbc_host.protocol import StreamDecoder, is_a

log = logging.getLogger(__name__)

SILENT_S = 1.5  # a box sends a block of ECG every 50 ms; whatever else comes does not show the heart
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
        seen_s: float | None = None  # when ECG last came; None before the first bytes and when the recording is over
        while True:
            chunk: Chunk | None = None
            with contextlib.suppress(queue.Empty):
                chunk = self._chunks.get(timeout=LOOK_S)
                if chunk is None:
                    return
            try:
                if chunk is not None and not chunk.data:
                    seen_s = None
                elif chunk is not None:
                    seen_s = self._clock() if self._take(decoder, chunk.data) or seen_s is None else seen_s
                if seen_s is not None and self._clock() - seen_s > SILENT_S:
                    self._tell(self.monitor.no_data(self._clock() - seen_s))
            except Exception as error:  # another wire version, or a bug: neither may be silent, nobody would watch
                decoder = StreamDecoder()
                log.exception("alarm watch failed")
                self._tell(self.monitor.failed(repr(error)))

    def _take(self, decoder: StreamDecoder, data: bytes) -> bool:
        """Judge what came; True when there was ECG in it."""
        has_ecg = False
        for _, message in decoder.feed(data):
            has_ecg = has_ecg or is_a(message, messages.EcgBlock)
            self._tell(self.monitor.take(message))
        return has_ecg

    def _tell(self, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            fields = {name: value for name, value in asdict(alarm).items() if value not in (None, "")}
            self._notes.put(note(self._clock(), "alarm", **fields))
            try:
                self._on_alarm(alarm)
            except Exception:  # a closed terminal must not end the watch: the log still gets every alarm
                log.exception("an alarm could not be shown: %s", alarm.text)

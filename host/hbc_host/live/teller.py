"""Lines for a terminal from a thread of their own: one that is frozen (Ctrl-S) or gone holds nobody else up."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from types import TracebackType

WAITING_MAX_N = 1000  # lines; a terminal that is frozen for so long misses the ones after them
LAST_S = 2.0


class Teller:
    """Hands lines on while used as a context.

    Parameters
    ----------
    tell : callable
        Gets each line, in the teller's thread; it may wait for as long as it likes.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_MAX_N)
        self._thread = threading.Thread(target=self._run, name="hbc-teller", daemon=True)

    def say(self, line: str) -> None:
        """Returns at once."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            with contextlib.suppress(OSError, ValueError):  # nobody is there to read it
                self._tell(line)

    def __enter__(self) -> Teller:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=LAST_S)
        self._thread.join(timeout=LAST_S)

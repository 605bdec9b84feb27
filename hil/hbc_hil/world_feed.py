"""Hands the world's stream to one boot of the box after another.

A reset box reads on from the chunk in which it was reset. So the feed remembers what it wrote last: at least as much as
a pipe can hold unread, since nobody knows how much of that the old interpreter had taken.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator

from hbc_hil.errors import RigError
from hbc_hil.world import CHUNK, EVENT, HEADER

PIPE_N = 65536  # what a pipe holds (Linux)


class WorldFeed:
    """Writes world chunks into pipes.

    Parameters
    ----------
    source : iterator of bytes
        The stream of :mod:`hbc_hil.world`, cut at chunk boundaries: the header first, then whole chunks.

    Attributes
    ----------
    error : BaseException or None
        What the source raised, if anything.
    """

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._header = b""
        self._kept: deque[tuple[int, bytes]] = deque()  # (start_ns, chunk)
        self._first_n = 0  # number of the oldest chunk kept
        self._kept_bytes_n = 0
        self._pulling = threading.Lock()  # the source
        self._keeping = threading.Lock()  # what came from it
        self.error: BaseException | None = None

    def serve(self, pipe: int, from_ns: int) -> threading.Thread:
        """Write header, the chunk that holds `from_ns` and all that follow to this file number; then close it."""
        thread = threading.Thread(target=self._serve, args=(pipe, from_ns), name="world", daemon=True)
        thread.start()
        return thread

    def _serve(self, pipe: int, from_ns: int) -> None:
        try:
            if self._pull_header():
                _write(pipe, self._header)
                chunk_n = self._number_at(from_ns)
                if chunk_n is None:  # the world must not jump
                    self.error = RigError(
                        f"the world at {1e-9 * from_ns:.3f} s is not kept any more; reset the box sooner"
                    )
                    return
                while (chunk := self._chunk(chunk_n)) is not None:
                    _write(pipe, chunk)
                    chunk_n += 1
        except BrokenPipeError:
            pass  # that boot is over
        finally:
            os.close(pipe)

    def _pull_header(self) -> bool:
        if self._header:
            return True
        with self._pulling:
            if not self._header:
                self._header = self._next() or b""
                if self._header and (len(self._header) != HEADER.size or self._header[:4] != b"HBCW"):
                    self.error = RigError(f"a world stream begins with a header HBCW, not with {self._header[:8]!r}")
                    self._header = b""
        return bool(self._header)

    def _chunk(self, chunk_n: int) -> bytes | None:
        """Return chunk `chunk_n`, None after the last."""
        held = self._held(chunk_n)
        if held is None:
            with self._pulling:  # a boot that ended may still wait here: what is kept already does not wait for it
                while (held := self._held(chunk_n)) is None:
                    chunk = self._next()
                    if chunk is None or not self._keep(chunk):
                        return None
        return held or None

    def _held(self, chunk_n: int) -> bytes | None:
        """Return a chunk that is kept, empty bytes when it is no longer, None when it has not come yet."""
        with self._keeping:
            k = chunk_n - self._first_n
            return None if k >= len(self._kept) else self._kept[k][1] if k >= 0 else b""

    def _number_at(self, from_ns: int) -> int | None:
        """Return the number of the newest kept chunk that begins no later than this; None when that one is gone."""
        with self._keeping:
            earlier_n = sum(start_ns <= from_ns for start_ns, _ in self._kept)
            return None if self._first_n and not earlier_n else self._first_n + max(0, earlier_n - 1)

    def _next(self) -> bytes | None:
        try:
            return next(self._source, None)
        except Exception as error:  # it runs in this thread, but belongs to whoever gave it
            self.error = error
            return None

    def _keep(self, chunk: bytes) -> bool:
        start_ns, samples_n, events_n = CHUNK.unpack_from(chunk) if len(chunk) >= CHUNK.size else (0, 0, 0)
        wanted_n = CHUNK.size + 2 * samples_n + EVENT.itemsize * events_n
        if len(chunk) != wanted_n:
            self.error = RigError(
                f"a world chunk of {samples_n} samples and {events_n} events has {wanted_n} bytes, not {len(chunk)}"
            )
            return False
        with self._keeping:
            self._kept.append((start_ns, chunk))
            self._kept_bytes_n += len(chunk)
            # The one being read, what the pipe holds, and the one being written.
            while self._kept_bytes_n - len(self._kept[0][1]) > 2 * PIPE_N + 2 * len(chunk):
                self._kept_bytes_n -= len(self._kept.popleft()[1])
                self._first_n += 1
        return True


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]

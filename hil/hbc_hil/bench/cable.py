"""A cable that loses stretches of bytes, as a USB bridge does when its host does not read for too long."""

from __future__ import annotations

from hbc_hil.draws import draws
from hbc_hil.faults import BytePipe


class LossyTransport:
    """Drops whole stretches of what arrives, seeded by place in the stream and independent of how reads split it.

    Parameters
    ----------
    inner : BytePipe
    every_bytes_n : int
        Mean number of bytes between two stretches.
    lost_bytes_n : int
        Bytes lost at a time.
    seed : int

    Attributes
    ----------
    stretches_n, dropped_bytes_n : int
        What was lost so far.
    """

    def __init__(self, inner: BytePipe, *, every_bytes_n: int, lost_bytes_n: int, seed: int) -> None:
        self._inner = inner
        self._draws = draws(seed, "cable stalls")
        self._every_n, self._lost_n = every_bytes_n, lost_bytes_n
        self._keep_n = self._draw()
        self._drop_n = 0
        self.stretches_n = self.dropped_bytes_n = 0

    def _draw(self) -> int:
        return int(self._draws.integers(self._every_n // 2, self._every_n * 3 // 2))

    def open(self) -> None:
        self._inner.open()

    def read(self) -> bytes:
        data = self._inner.read()
        kept = bytearray()
        while data:
            if self._drop_n:
                n = min(self._drop_n, len(data))
                self._drop_n -= n
                self.dropped_bytes_n += n
            else:
                n = min(self._keep_n, len(data))
                kept += data[:n]
                self._keep_n -= n
                if not self._keep_n:
                    self._keep_n, self._drop_n = self._draw(), self._lost_n
                    self.stretches_n += 1
            data = data[n:]
        return bytes(kept)

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def close(self) -> None:
        self._inner.close()

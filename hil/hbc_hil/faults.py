"""Faults on the cable, seeded, each counted as truth."""

from __future__ import annotations

from typing import Protocol

from hbc_hil.draws import draws


class BytePipe(Protocol):
    """What a fault wraps: the host's transport, known here by its shape only."""

    def open(self) -> None: ...
    def read(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class FaultyTransport:
    """Flips single bits of what arrives, each byte with the same small probability.

    Parameters
    ----------
    inner : BytePipe
    flip_per_byte : float
        Probability that one bit of a byte is flipped.
    seed : int
        Which bytes and bits; the same for the same stream of bytes, however reads split it.

    Attributes
    ----------
    flips_n : int
        Bits flipped so far.
    """

    def __init__(self, inner: BytePipe, *, flip_per_byte: float, seed: int) -> None:
        self._inner = inner
        self._gap = draws(seed, "cable gaps")
        self._bit = draws(seed, "cable bits")
        self._flip_per_byte = flip_per_byte
        self.flips_n = 0
        self._next_n = self._draw_gap()

    def _draw_gap(self) -> int:
        return int(self._gap.geometric(self._flip_per_byte)) - 1

    def open(self) -> None:
        self._inner.open()

    def read(self) -> bytes:
        data = bytearray(self._inner.read())
        while self._next_n < len(data):
            data[self._next_n] ^= 1 << int(self._bit.integers(8))
            self.flips_n += 1
            self._next_n += 1 + self._draw_gap()
        self._next_n -= len(data)
        return bytes(data)

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def close(self) -> None:
        self._inner.close()

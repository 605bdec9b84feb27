"""Faults on the cable, seeded, each counted as truth."""

from __future__ import annotations

from collections.abc import Sequence
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


class ChunkFaults:
    """Drops some packets and repeats others, as a driver or a hub that loses its place does.

    Parameters
    ----------
    inner : BytePipe
    drop, repeat : float
        Share of packets that never arrive, and that arrive twice.
    seed : int
    packet_n : int
        Bytes of a packet at most.

    Attributes
    ----------
    dropped_bytes_n, repeated_bytes_n : int
    """

    def __init__(self, inner: BytePipe, *, drop: float, repeat: float, seed: int, packet_n: int = 512) -> None:
        self._inner = inner
        self._draw = draws(seed, "cable chunks")
        self._drop, self._repeat, self._packet_n = drop, repeat, packet_n
        self.dropped_bytes_n = self.repeated_bytes_n = 0

    def open(self) -> None:
        self._inner.open()

    def read(self) -> bytes:
        data = self._inner.read()
        return b"".join(self._packet(data[at : at + self._packet_n]) for at in range(0, len(data), self._packet_n))

    def _packet(self, data: bytes) -> bytes:
        chance = float(self._draw.random())
        if chance < self._drop:
            self.dropped_bytes_n += len(data)
            return b""
        if chance < self._drop + self._repeat:
            self.repeated_bytes_n += len(data)
            return data + data
        return data

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def close(self) -> None:
        self._inner.close()


class Injector:
    """Adds bytes of its own between reads, as a device that means harm would.

    Parameters
    ----------
    inner : BytePipe
    payloads : sequence of bytes
        What is put in, one after each ``every_n`` reads that brought something, and then no more.
    every_n : int
    """

    def __init__(self, inner: BytePipe, payloads: Sequence[bytes], *, every_n: int = 5) -> None:
        self._inner = inner
        self._payloads = list(payloads)[::-1]
        self._every_n = every_n
        self._reads_n = 0

    def open(self) -> None:
        self._inner.open()

    def read(self) -> bytes:
        data = self._inner.read()
        if data:
            self._reads_n += 1
            if self._payloads and self._reads_n % self._every_n == 0:
                return data + self._payloads.pop()
        return data

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def close(self) -> None:
        self._inner.close()

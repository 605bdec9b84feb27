"""The chunks of a log: what was read or written at once, and thousands of them side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt
from hbc_native.frames import gather

IntArray = npt.NDArray[np.int64]

FROM_BOX = 0
TO_BOX = 1
HOST_NOTE = 2  # JSON of the host itself (hbc_host/parts.py); a reader that does not know it goes past it


class Chunk(NamedTuple):
    """Bytes that were read or written at once, or a note of the host.

    ``kind`` is FROM_BOX, TO_BOX or HOST_NOTE; ``host_s`` the host's monotonic time just after reading or just before
    writing, NaN where damage left it unknown.
    """

    kind: int
    host_s: float
    data: bytes


class Chunks(Sequence[Chunk]):
    """Chunks as columns: an hour has 70,000, and each becomes a tuple only when somebody looks at it.

    Parameters
    ----------
    data : bytes
        Holds all bodies.
    kind, host_s, at, length_n : arrays (n,)
        As of :class:`Chunk`, and where each body lies in ``data``.
    """

    def __init__(
        self,
        data: bytes,
        kind: npt.NDArray[np.uint8],
        host_s: npt.NDArray[np.float64],
        at: IntArray,
        length_n: IntArray,
    ) -> None:
        self._data, self.kind, self.host_s, self._at, self.length_n = data, kind, host_s, at, length_n

    @classmethod
    def of(cls, chunks: Iterable[Chunk]) -> Chunks:
        """Any chunks; those that are columns already stay as they are."""
        if isinstance(chunks, Chunks):
            return chunks
        chunks = list(chunks)
        length_n = np.array([len(chunk.data) for chunk in chunks], np.int64)
        kind = np.array([chunk.kind for chunk in chunks], np.uint8)
        host_s = np.array([chunk.host_s for chunk in chunks], np.float64)
        return cls(b"".join([chunk.data for chunk in chunks]), kind, host_s, np.cumsum(length_n) - length_n, length_n)

    @classmethod
    def joined(cls, parts: Sequence[Chunks]) -> Chunks:
        """Those of several, one after the other."""
        if len(parts) == 1:
            return parts[0]
        shifts = np.cumsum([0, *(len(part._data) for part in parts)])
        at = [part._at + shift for part, shift in zip(parts, shifts, strict=False)]
        return cls(
            b"".join([part._data for part in parts]),
            np.concatenate([part.kind for part in parts]),
            np.concatenate([part.host_s for part in parts]),
            np.concatenate(at),
            np.concatenate([part.length_n for part in parts]),
        )

    def picked(self, places: IntArray) -> Chunks:
        """Those at these places; the bytes are shared."""
        return Chunks(self._data, self.kind[places], self.host_s[places], self._at[places], self.length_n[places])

    def data(self, begin: int = 0, end: int | None = None) -> bytes:
        """The bodies of the chunks ``begin`` to ``end``, joined."""
        return gather(self._data, self._at[begin:end], self.length_n[begin:end])

    def __len__(self) -> int:
        return len(self.kind)

    @overload
    def __getitem__(self, place: int) -> Chunk: ...

    @overload
    def __getitem__(self, place: slice) -> Chunks: ...

    def __getitem__(self, place: int | slice) -> Chunk | Chunks:
        if isinstance(place, slice):
            return Chunks(self._data, self.kind[place], self.host_s[place], self._at[place], self.length_n[place])
        at = int(self._at[place])
        body = self._data[at : at + int(self.length_n[place])]
        return Chunk(int(self.kind[place]), float(self.host_s[place]), body)

    def __iter__(self) -> Iterator[Chunk]:
        columns = (self.kind.tolist(), self.host_s.tolist(), self._at.tolist(), self.length_n.tolist())
        for kind, host_s, at, n in zip(*columns, strict=True):
            yield Chunk(kind, host_s, self._data[at : at + n])

    def __eq__(self, other: object) -> bool:
        """True for the same chunks in any sequence; a time that is not known is like any other such."""
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(
            mine[::2] == theirs[::2]
            and (mine.host_s == theirs.host_s or (math.isnan(mine.host_s) and math.isnan(theirs.host_s)))
            for mine, theirs in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))

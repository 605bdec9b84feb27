"""Thousands of messages at once: payloads side by side, unpacked by numpy."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from hbc_wire import messages

_DTYPES = {"B": "u1", "b": "i1", "H": "<u2", "h": "<i2", "I": "<u4", "i": "<i4", "Q": "<u8"}
_ECG = messages.EcgBlock
_ECG_HEAD_N = struct.calcsize("<" + _ECG.codes.rstrip("a"))
_WITH_TEXT = [row for row in messages.BY_ID.values() if "s" in row.codes]
_FIXED_N = np.full(256, -1)  # bytes of a payload by its kind, where the kind tells them
for _row in messages.BY_ID.values():
    if not set("as") & set(_row.codes):
        _FIXED_N[_row.msg_id] = messages.HEADER_N + struct.calcsize("<" + _row.codes)


class Frames:
    """Payloads side by side, for unpacking thousands of them at once.

    Parameters
    ----------
    payloads : sequence of bytes
        In order of arrival, each at least a header long.

    Attributes
    ----------
    length_n, kind : (frames,) int64, uint8
        Bytes of each payload, and its type.
    bad_n : int
        Frames of a wrong length, among the kinds that were asked for.
    """

    def __init__(self, payloads: Sequence[bytes]) -> None:
        length_n = np.fromiter(map(len, payloads), np.int64, len(payloads))
        self._set(np.frombuffer(b"".join(payloads), np.uint8), np.cumsum(length_n) - length_n, length_n)

    @classmethod
    def within(cls, data: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], length_n: npt.NDArray[np.int64]) -> Frames:
        """Payloads that lie at these places of one array of bytes, which is not copied."""
        frames = cls.__new__(cls)
        frames._set(data, at, length_n)
        return frames

    @classmethod
    def joined(cls, parts: Sequence[Frames]) -> Frames:
        """The frames of several, one after the other."""
        if len(parts) == 1:
            return parts[0]
        shifts = np.cumsum([0, *(len(part._bytes) for part in parts)])
        at = [part._at + shift for part, shift in zip(parts, shifts, strict=False)]
        data = np.concatenate([np.empty(0, np.uint8), *(part._bytes for part in parts)])
        lengths_n = [np.empty(0, np.int64), *(part.length_n for part in parts)]
        return cls.within(data, np.concatenate([np.empty(0, np.int64), *at]), np.concatenate(lengths_n))

    def _set(self, data: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], length_n: npt.NDArray[np.int64]) -> None:
        self._bytes, self._at, self.length_n = data, at, length_n
        self.kind = data[at] if len(at) else np.empty(0, np.uint8)
        self.bad_n = 0
        self._known: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]] = {}
        self._alike: dict[int, list[tuple[npt.NDArray[np.int64], bytes]]] = {}

    def __len__(self) -> int:
        return len(self._at)

    def part(self, begin: int, end: int) -> Frames:
        """The frames ``begin`` to ``end``; the bytes are shared."""
        if begin == 0 and end == len(self):
            return self
        return Frames.within(self._bytes, self._at[begin:end], self.length_n[begin:end])

    def picked(self, places: npt.NDArray[np.int64]) -> Frames:
        """The frames at these places; the bytes are shared."""
        if len(places) == len(self):
            return self
        return Frames.within(self._bytes, self._at[places], self.length_n[places])

    def payload(self, place: int) -> bytes:
        """One payload."""
        at = int(self._at[place])
        return self._bytes[at : at + int(self.length_n[place])].tobytes()

    def payloads(self) -> list[bytes]:
        """All payloads, in order of arrival."""
        joined = self._bytes.tobytes()
        return [joined[at : at + n] for at, n in zip(self._at.tolist(), self.length_n.tolist(), strict=True)]

    def seqs(self) -> npt.NDArray[np.int64]:
        """Frame numbers, in order of arrival, shape (frames,)."""
        low, high = self._bytes[self._at + 1].astype(np.int64), self._bytes[self._at + 2].astype(np.int64)
        return low | high << 8

    def distinct(self, message: Any) -> list[tuple[npt.NDArray[np.int64], bytes]]:
        """Payloads of one kind that differ in more than their number: (places of the like, payload of the first)."""
        if message.msg_id not in self._alike:
            self._alike[message.msg_id] = list(self._alike_of(np.flatnonzero(self.kind == message.msg_id)))
        return self._alike[message.msg_id]

    def _alike_of(self, of_kind: npt.NDArray[np.int64]) -> Iterable[tuple[npt.NDArray[np.int64], bytes]]:
        for length_n in set(self.length_n[of_kind].tolist()):
            places = of_kind[self.length_n[of_kind] == length_n]
            _, rows = self._gather(places, np.dtype((np.void, length_n)))
            bodies = rows.view(np.uint8).reshape(len(places), length_n)[:, messages.HEADER_N :]
            if (bodies == bodies[0]).all():  # a box introduces itself every second, and hardly ever in other words
                alike = [places]
            else:
                _, which, counts = np.unique(bodies, axis=0, return_inverse=True, return_counts=True)
                alike = np.split(places[np.argsort(which.ravel(), kind="stable")], np.cumsum(counts)[:-1])
            yield from ((like, self.payload(int(like[0]))) for like in alike)

    def known(self) -> npt.NDArray[np.bool_]:
        """Which frames hold a message of the table that can be unpacked; shape (frames,)."""
        known = np.asarray(self.length_n == _FIXED_N[self.kind], np.bool_)
        places = np.flatnonzero((self.kind == _ECG.msg_id) & (self.length_n >= messages.HEADER_N))
        known[places] = self._whole_ecg(places)
        for row in _WITH_TEXT:
            for places, payload in self.distinct(row):
                known[places] = _unpacks(payload)
        return known

    def _whole_ecg(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """True for blocks with as many residuals as samples, and nothing behind them."""
        n, rest = np.divmod(self.length_n[places] - messages.HEADER_N - _ECG_HEAD_N - 2, 4)
        fits = (n >= 0) & (rest == 0)
        count_at = self._at[places] + messages.HEADER_N + _ECG_HEAD_N
        fits[fits] = (self._bytes[count_at[fits]] == n[fits]) & (
            self._bytes[count_at[fits] + 2 * n[fits] + 1] == n[fits]
        )
        return np.asarray(fits, np.bool_)

    def rows(self, message: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]:
        """All messages of one kind without text: (their places among the frames, a structured array).

        The dtype's names are the table's. Wrong lengths are counted in ``bad_n`` and left out.
        """
        if message.msg_id not in self._known:
            of_kind = np.flatnonzero(self.kind == message.msg_id)
            self._known[message.msg_id] = self._gather(of_kind, _dtype(message.msg_id))
        return self._known[message.msg_id]

    def ecg_rows(self) -> Iterable[tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]]:
        """EcgBlocks grouped by number of samples: (places, structured array with 2-d ``ecg_lsb``, ``residual_us``)."""
        of_kind = np.flatnonzero(self.kind == _ECG.msg_id)
        for length_n in np.unique(self.length_n[of_kind]):
            places = of_kind[self.length_n[of_kind] == length_n]
            n, rest = divmod(int(length_n) - messages.HEADER_N - _ECG_HEAD_N - 2, 4)
            if rest or n < 0:
                self.bad_n += len(places)
                continue
            places, rows = self._gather(places, _dtype(_ECG.msg_id, n))
            whole = (rows["n_ecg_lsb"] == n) & (rows["n_residual_us"] == n)
            if not whole.all():
                self.bad_n += int(np.count_nonzero(~whole))
                places, rows = places[whole], rows[whole]
            yield places, rows

    def _gather(
        self, places: npt.NDArray[np.int64], dtype: np.dtype[np.void]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]:
        fits = self.length_n[places] == dtype.itemsize
        if not fits.all():
            self.bad_n += int(np.count_nonzero(~fits))
            places = places[fits]
        if not len(places):
            return places, np.empty(0, dtype)
        # A row at every byte, of which those wanted are copied: many times faster than picking bytes one by one.
        shape = (len(self._bytes) - dtype.itemsize + 1, dtype.itemsize)
        picked = np.ndarray(shape, np.uint8, self._bytes, strides=(1, 1))[self._at[places]]
        return places, picked.view(dtype).reshape(len(places))


@lru_cache(maxsize=64)
def _unpacks(payload: bytes) -> bool:
    """True when a message with texts can be unpacked."""
    try:
        messages.unpack(payload)
    except messages.MessageError:
        return False
    return True


@lru_cache(maxsize=256)
def _dtype(msg_id: int, array_n: int = 0) -> np.dtype[np.void]:
    """Packed numpy layout of header and fields; an array field ``x`` gets its count as ``n_x``."""
    message = messages.BY_ID[msg_id]
    columns: list[Any] = [("header", np.uint8, messages.HEADER_N)]
    for name, code in zip(message.names, message.codes, strict=True):
        if code == "a":
            columns += [("n_" + name, "u1"), (name, "<i2", (array_n,))]
        else:
            columns.append((name, _DTYPES[code]))
    return np.dtype(columns)

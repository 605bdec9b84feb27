"""What a box reported, boot by boot, straight from the bytes of a recording: the judge's own reading.

It shares frames and layouts with the host, not the host's repairs: a judge must see what came, not what was made of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.clocksync import Ping
from hbc_host.frames import Frames
from hbc_host.protocol import SequenceCounter, StreamDecoder, is_a, new_deframer
from hbc_host.recorder import LOG_NAME, read_log
from hbc_wire import messages

from hbc_hil.errors import EvidenceError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
TICK_NS = 12.5
LOOK_BACK_N = 400  # frames before a boot's first Hello that may belong to it already: a log full of edges


@dataclass(frozen=True)
class BootEvidence:
    """One boot of the box. Times are device time since that boot.

    Attributes
    ----------
    hello : namedtuple Hello
    edge_n, edges_ns, edge_level, edges_arrived_s : arrays (edges,)
        Running number, nanoseconds, level after the edge, host seconds of arrival; repeats dropped, in order of number.
    beats_us : array of int64 (beats,)
    ecg_idx, ecg_us, residual_us, ecg_lsb, ecg_missed : arrays (samples,)
        Index on the grid, instant, deviation from the grid, value, marked as not taken.
    status, lost, health : structured arrays
        The reports with the names of the wire's table; empty when none came.
    frames_n, frames_lost_n : int
        Frames that came, and that are missing by their numbers.
    """

    hello: Any
    edge_n: IntArray
    edges_ns: FloatArray
    edge_level: IntArray
    edges_arrived_s: FloatArray
    beats_us: IntArray
    ecg_idx: IntArray
    ecg_us: IntArray
    residual_us: IntArray
    ecg_lsb: IntArray
    ecg_missed: npt.NDArray[np.bool_]
    status: npt.NDArray[np.void]
    lost: npt.NDArray[np.void]
    health: npt.NDArray[np.void]
    frames_n: int
    frames_lost_n: int

    def last(self, report: str, name: str) -> int:
        """A total of the last report of a kind, such as ``last("lost", "edges_n")``; 0 when none came."""
        rows = getattr(self, report)
        return int(rows[name][-1]) if len(rows) else 0


@dataclass(frozen=True)
class Evidence:
    """A whole recording."""

    boots: tuple[BootEvidence, ...]
    bad_n: int
    bytes_n: int
    pings: tuple[Ping, ...]


def read_evidence(session: Path) -> Evidence:
    """Read the bytes of a recording that ``hbc record`` or the bench made.

    Raises
    ------
    EvidenceError
        No box introduced itself.
    """
    return evidence_of(read_log(session / LOG_NAME).chunks)


def evidence_of(chunks: Iterable[Chunk]) -> Evidence:
    """The same from the chunks of a log, in order."""
    deframer = new_deframer()
    payloads: list[bytes] = []
    arrived_s: list[float] = []
    requests: list[Chunk] = []
    bytes_n = foreign_n = 0
    for chunk in chunks:
        if chunk.kind == TO_BOX:
            requests.append(chunk)
        if chunk.kind != FROM_BOX:
            continue
        bytes_n += len(chunk.data)
        for payload in deframer.feed(chunk.data):
            if len(payload) < messages.HEADER_N or payload[0] not in messages.BY_ID:
                foreign_n += 1
                continue
            payloads.append(payload)
            arrived_s.append(chunk.host_s)
    hellos = [(k, messages.unpack(p)[1]) for k, p in enumerate(payloads) if p[0] == messages.Hello.msg_id]
    if not hellos:
        raise EvidenceError(
            f"{bytes_n} bytes with {len(payloads)} good frames came, none of them a Hello: no box; check port and cable"
        )
    starts = _boot_starts(payloads, hellos)
    ends = [*[start for start, _ in starts[1:]], len(payloads)]
    arrived = np.array(arrived_s, np.float64)
    boots = tuple(
        _boot(payloads[start:end], arrived[start:end], hello) for (start, hello), end in zip(starts, ends, strict=True)
    )
    pings = _pings(requests, payloads, arrived_s)
    return Evidence(boots, int(deframer.bad_n) + foreign_n, bytes_n, pings)


def _boot_starts(payloads: list[bytes], hellos: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """(First payload, Hello) of each boot: where the boot count changes, moved back to frame number 0 if that came."""
    starts = [(0, hellos[0][1])]
    for (before, old), (place, new) in itertools.pairwise(hellos):
        if new.boot_n == old.boot_n:
            continue
        start = place
        for k in range(place, max(before, place - LOOK_BACK_N), -1):
            if payloads[k][1:3] == b"\0\0":
                start = k
                break
        starts.append((start, new))
    return starts


def _boot(payloads: list[bytes], arrived_s: FloatArray, hello: Any) -> BootEvidence:
    frames = Frames(payloads)
    counter = SequenceCounter()
    for seq in frames.seqs().tolist():
        counter.push(seq)
    places, edges = frames.rows(messages.TriggerEdge)
    first = _first_of_each(edges["edge_n"])
    places, edges = places[first], edges[first]
    _, peaks = frames.rows(messages.RPeak)
    peaks = peaks[_first_of_each(peaks["peak_n"])]
    reports = [
        np.sort(frames.rows(row)[1], order=row.names[0]) for row in (messages.Status, messages.Lost, messages.Health)
    ]
    ecg = _samples(frames, hello.rate_hz)
    return BootEvidence(
        hello=hello,
        edge_n=edges["edge_n"].astype(np.int64),
        edges_ns=edges["edge_us"].astype(np.float64) * 1e3 + edges["edge_sub_tick"].astype(np.float64) * TICK_NS,
        edge_level=edges["level"].astype(np.int64),
        edges_arrived_s=arrived_s[places],
        beats_us=peaks["peak_us"].astype(np.int64),
        ecg_idx=ecg[0], ecg_us=ecg[1], residual_us=ecg[2], ecg_lsb=ecg[3], ecg_missed=ecg[4].astype(bool),
        status=reports[0], lost=reports[1], health=reports[2],
        frames_n=len(payloads),
        frames_lost_n=counter.lost_n,
    )  # fmt: skip


def _first_of_each(numbers: npt.NDArray[Any]) -> IntArray:
    return np.asarray(np.unique(numbers, return_index=True)[1], np.int64)


def _samples(frames: Frames, rate_hz: int) -> tuple[IntArray, ...]:
    parts: list[tuple[IntArray, ...]] = []
    for _, rows in frames.ecg_rows():
        n = rows["ecg_lsb"].shape[1]
        step = np.arange(n, dtype=np.int64)
        idx = rows["first_idx"].astype(np.int64)[:, None] + step
        residual_us = rows["residual_us"].astype(np.int64)
        missed = residual_us == messages.RESIDUAL_MISSED
        residual_us = np.where(missed, 0, residual_us)
        us = rows["first_us"].astype(np.int64)[:, None] + step * 1_000_000 // rate_hz + residual_us
        parts.append(tuple(x.ravel() for x in (idx, us, residual_us, rows["ecg_lsb"].astype(np.int64), missed)))
    if not parts:
        return tuple(np.empty(0, np.int64) for _ in range(5))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    first = _first_of_each(columns[0])
    return tuple(column[first] for column in columns)


def _pings(requests: list[Chunk], payloads: list[bytes], arrived_s: list[float]) -> tuple[Ping, ...]:
    """Answered clock pings, matched by token; the slower answer of a repeated token is dropped."""
    decoder = StreamDecoder()
    sent_s: dict[int, float] = {}
    for chunk in requests:
        for received in decoder.feed(chunk.data):
            if is_a(received.message, messages.ClockPing):
                sent_s[received.message.token] = chunk.host_s
    pings: dict[int, Ping] = {}
    for payload, at_s in zip(payloads, arrived_s, strict=True):
        if payload[0] == messages.ClockPong.msg_id:
            pong = messages.unpack(payload)[1]
            if pong.token in sent_s:
                middle_us = (pong.received_us + pong.sent_us) // 2
                ping = Ping(sent_s[pong.token], middle_us, pong.sent_us - pong.received_us, at_s)
                pings.setdefault(pong.token, ping)
    return tuple(pings.values())

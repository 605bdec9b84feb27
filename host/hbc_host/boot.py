"""One boot of the box: its frames as arrays, and the holes in them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hbc_wire import messages

from hbc_host import loss
from hbc_host.frames import Frames
from hbc_host.loss import IntArray, Span
from hbc_host.session_model import EDGE_TICKS_PER_US
from hbc_host.trains import find_trains

NEAR_US = 1_000_000
BLOCK_LATE_US = 110_000  # a block lasts 50 ms and is sent within 60 ms of its end, unless edges flood the line


def report_stamps(frames: Frames) -> IntArray:
    """Device time of each report, at most a second before it was sent; -1 for other frames.

    ECG blocks may come many seconds late, behind a flood of edges: then device time has not restarted.
    """
    stamps_us = np.full(len(frames), -1, np.int64)
    for message, name in (
        (messages.Status, "status_us"),
        (messages.Lost, "lost_us"),
        (messages.Health, "health_us"),
        (messages.ClockPong, "sent_us"),
    ):
        places, rows = frames.rows(message)
        stamps_us[places] = rows[name].astype(np.int64)
    return stamps_us


def stamps(frames: Frames, rate_hz: int) -> tuple[IntArray, IntArray]:
    """First and last device time that each frame tells of its moment of sending; -1 for none.

    R-peaks and edges are left out: they lie in the past, and resent ones far.
    """
    first_us = report_stamps(frames)
    last_us = first_us.copy()
    for places, rows in frames.ecg_rows():
        n = rows["ecg_lsb"].shape[1]
        first_us[places] = rows["first_us"].astype(np.int64)
        last_us[places] = first_us[places] + int((n - 1) * 1e6 / rate_hz)
    return first_us, last_us


def left_out(frames: Frames, starts: IntArray, used: int) -> list[str]:
    """Words on the stimulation in the boots that are not analysed; none when there was none.

    ``starts`` are the places of the first frames of all boots, ``used`` is the number of the one analysed, from 0.
    """
    trains_n = pulses_n = 0
    for n, (begin, end) in enumerate(pairwise([*starts.tolist(), len(frames)])):
        _, edges = frames.part(begin, end).rows(messages.TriggerEdge)
        edges = edges[loss.first_of_each(edges["edge_n"].astype(np.int64))]
        if n != used:
            pulses_n += len(edges)
            trains_n += len(find_trains(edges["edge_us"] * 1e-6))
    return [f"left out with the other starts of the box: trains {trains_n}, pulses {pulses_n}"] if pulses_n else []


@dataclass(frozen=True)
class Holes:
    """Counts of what is missing in a boot, and the stretches of device time that it touches, merged, in order."""

    beats_lost_n: int
    edges_lost_n: int
    samples_lost_n: int
    gaps_us: tuple[Span, ...]


class Boot:
    """Arrays of one boot of the box.

    ``resumed`` holds the places of the frames that came first after the connection had been away; ``link_spans`` is
    the device time of each such absence, in the same order.
    """

    def __init__(self, frames: Frames, hello: Any, resumed: Collection[int] = ()) -> None:
        self.hello = hello
        self.frames = frames
        self.lost_before, self.counter = loss.lost_before(self.frames.seqs(), resumed)
        self._take_events()
        self._take_ecg()
        self._take_reports()
        first_us, last_us = stamps(self.frames, hello.rate_hz)
        self.newest_us = np.maximum.accumulate(last_us)  # with each frame, -1 until the first time is known
        self.lost_spans = loss.lost_frame_spans(self.lost_before, first_us, last_us)
        self.link_spans = loss.spans_at(sorted(resumed), first_us, last_us)

    def _take_events(self) -> None:
        _, peaks = self.frames.rows(messages.RPeak)
        peaks = peaks[loss.first_of_each(peaks["peak_n"].astype(np.int64))]
        self.beat_n = peaks["peak_n"].astype(np.int64)
        self.beats_us = peaks["peak_us"].astype(np.int64)
        self.beat_quality = peaks["quality"].astype(np.uint8)
        _, edges = self.frames.rows(messages.TriggerEdge)
        edges = edges[loss.first_of_each(edges["edge_n"].astype(np.int64))]
        self.edge_n = edges["edge_n"].astype(np.int64)
        self.edges_tick = edges["edge_us"].astype(np.int64) * EDGE_TICKS_PER_US + edges["edge_sub_tick"]
        self.edge_level = edges["level"].astype(np.uint8)

    def _take_ecg(self) -> None:
        rate_hz = self.hello.rate_hz
        parts: list[tuple[IntArray, ...]] = []
        for _, rows in self.frames.ecg_rows():
            n = rows["ecg_lsb"].shape[1]
            step = np.arange(n, dtype=np.int64)
            idx = rows["first_idx"].astype(np.int64)[:, None] + step
            residual_us = rows["residual_us"].copy()
            missed = residual_us == messages.RESIDUAL_MISSED
            residual_us[missed] = 0
            us = rows["first_us"].astype(np.int64)[:, None] + np.rint(step * 1e6 / rate_hz).astype(np.int64)
            us += residual_us
            blank = np.broadcast_to(rows["blank_ms"][:, None], idx.shape)
            parts.append((idx.ravel(), us.ravel(), rows["ecg_lsb"].ravel(), missed.ravel(), blank.ravel()))
        columns = list(parts[0]) if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]
        if not parts:
            columns = [np.empty(0)] * 5
        idx = columns[0].astype(np.int64, copy=False)
        if np.any(idx[1:] <= idx[:-1]):  # repeated chunks, or blocks of several lengths
            order = loss.first_of_each(idx)
            columns = [column[order] for column in columns]
        self.ecg_idx, self.ecg_us = (column.astype(np.int64, copy=False) for column in columns[:2])
        self.ecg_lsb, self.ecg_missed = columns[2].astype(np.int16, copy=False), columns[3].astype(bool, copy=False)
        self.ecg_blank_ms = columns[4].astype(np.uint8, copy=False)

    def _take_reports(self) -> None:
        _, self.status = self.frames.rows(messages.Status)
        _, self.lost = self.frames.rows(messages.Lost)
        self.status, self.lost = np.sort(self.status, order="status_us"), np.sort(self.lost, order="lost_us")

    def extent_us(self) -> Span:
        """First and last instant that anything in this boot tells of."""
        edges_us = self.edges_tick // EDGE_TICKS_PER_US
        known = [times for times in (self.ecg_us, self.beats_us, edges_us) if len(times)]
        if len(self.status) and not len(self.ecg_us):
            known.append(self.status["status_us"].astype(np.int64))
        return (int(min(t[0] for t in known)), int(max(t[-1] for t in known))) if known else (0, 0)

    def holes(self) -> Holes:
        """What is missing, and where."""
        edges_us = self.edges_tick // EDGE_TICKS_PER_US
        beats_lost_n, beat_spans = self._event_loss(self.beat_n, self.beats_us, "peaks_n")
        edges_lost_n, edge_spans = self._event_loss(self.edge_n, edges_us, "edges_n")
        edge_spans = [near for span in edge_spans for near in self._where_edges_were(span)]
        edges_unnumbered_n, unnumbered_spans = self._unnumbered("edges_n")
        beats_unnumbered_n, more_spans = self._unnumbered("peaks_n")
        samples_lost_n, sample_spans = loss.missing_spans(self.ecg_idx, self.ecg_us)
        spans = self.lost_spans + beat_spans + edge_spans + unnumbered_spans + more_spans + sample_spans
        spans += self._missed_spans() + self.link_spans
        return Holes(
            beats_lost_n=beats_lost_n + beats_unnumbered_n,
            edges_lost_n=edges_lost_n + edges_unnumbered_n,
            samples_lost_n=samples_lost_n + int(np.count_nonzero(self.ecg_missed)),
            gaps_us=tuple(loss.merge_spans(spans)),
        )

    def _where_edges_were(self, span: Span) -> list[Span]:
        """Between its neighbours; when these are far: an edge is sent at once, so near the lost frames between them.

        The frame after a lost one may be a block that began before the edge and ended shortly before it.
        """
        if span[1] - span[0] <= NEAR_US:
            return [span]
        late = [(start, end + BLOCK_LATE_US) for start, end in self.lost_spans]
        return [lost for lost in late if loss.touches_any(span, [lost])] or [span]

    def _event_loss(self, number: IntArray, time_us: IntArray, total: str) -> tuple[int, list[Span]]:
        """Missing events of one kind, and where they were; ``total`` names their count in Status."""
        start_us, end_us = self.extent_us()
        missing_n, spans = loss.missing_spans(number, time_us)
        before_n, after_n = self._outside(number, total)
        if before_n:
            spans.append((start_us, int(time_us[0]) if len(time_us) else end_us))
        if after_n:
            spans.append((int(time_us[-1]) if len(time_us) else start_us, end_us))
        return missing_n + before_n + after_n, spans

    def _outside(self, number: IntArray, total: str) -> tuple[int, int]:
        """Events missing before the first and after the last received one, by the totals in Status."""
        if not len(self.status):
            return 0, 0
        totals = self.status[total].astype(np.int64)
        if not len(number):
            return 0, int(totals[-1] - totals[0])
        return max(0, int(number[0] - totals[0])), max(0, int(totals[-1] - 1 - number[-1]))

    def _unnumbered(self, total: str) -> tuple[int, list[Span]]:
        """Events that the box lost before they got a number: how many, and between which of its reports."""
        if not len(self.lost):
            return 0, []
        totals = self.lost[total].astype(np.int64)
        times_us = self.lost["lost_us"].astype(np.int64)
        grown = np.flatnonzero(np.diff(totals) > 0)
        return int(totals[-1] - totals[0]), [(int(times_us[i]), int(times_us[i + 1])) for i in grown]

    def _missed_spans(self) -> list[Span]:
        """Stretches of samples that the box marked as not taken."""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], self.ecg_missed, [False]))))  # small: bool throughout
        last = len(self.ecg_us) - 1
        return [
            (int(self.ecg_us[max(0, first - 1)]), int(self.ecg_us[min(last, end)]))
            for first, end in zip(edges[::2], edges[1::2], strict=True)
        ]

"""Where a recording has holes: functions of running numbers and times, without any I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from hbc_host.protocol import SequenceCounter

IntArray = npt.NDArray[np.int64]
Span = tuple[int, int]
RESTART_US = 5_000_000  # a repeated chunk sets device time back by less than this; only a reboot by more


def lost_before(seqs: IntArray, resumed: Collection[int] = ()) -> tuple[IntArray, SequenceCounter]:
    """Number of frames missing just before each frame, and the counter that found them.

    ``resumed`` holds the places of the frames that came first after the connection had been away.
    """
    counter = SequenceCounter()
    lost_n = np.zeros(len(seqs), np.int64)
    if np.all((seqs[1:] - seqs[:-1]) & 0xFFFF == 1):  # nothing missing, as usual
        return lost_n, counter
    for place, seq in enumerate(seqs.tolist()):
        if place in resumed:
            counter.resume()
        lost_n[place] = counter.push(seq)
    return lost_n, counter


def boot_starts(stamps_us: IntArray, hello_places: IntArray, boot_n: IntArray) -> IntArray:
    """Places of the first frame of each boot of the box.

    Parameters
    ----------
    stamps_us : (frames,) device time of each frame at sending, -1 where a frame has none
    hello_places, boot_n : (hellos,) places of the Hellos among the frames, and their boot counts

    Returns
    -------
    (boots,) increasing places, the first is 0. A boot begins where device time restarts, or else at the first Hello
    with another boot count.
    """
    timed = np.flatnonzero(stamps_us >= 0)
    starts = {0: 0} | _time_restarts(stamps_us, timed)
    for k in np.flatnonzero(np.diff(boot_n)):
        before, after = int(hello_places[k]), int(hello_places[k + 1])
        # The same boot may show twice: device time restarts some frames after this Hello, or before it did.
        same = [start for start, newest in starts.items() if before < start and (start <= after or newest < after)]
        if not same:
            starts[after] = after
        elif same[0] > after:
            starts[after] = starts.pop(same[0])
    return np.array(sorted(starts), np.int64)


def back_to_zero(starts: IntArray, seqs: IntArray) -> IntArray:
    """Boot starts moved back to frame number 0 where the numbers run down to it: edges may come before Hello."""
    moved: list[int] = []
    numbers = seqs.tolist()
    for start in starts.tolist():
        first = start
        while first > 0 and numbers[first] > 0 and numbers[first - 1] == numbers[first] - 1:
            first -= 1
        moved.append(first if numbers[first] == 0 and (not moved or first > moved[-1]) else start)
    return np.array(moved, np.int64)


def _time_restarts(stamps_us: IntArray, timed: IntArray) -> dict[int, int]:
    """Places where device time falls back to an earlier one, each with the last timed place before it."""
    restarts: dict[int, int] = {}
    base = 0  # place in `timed` where the present boot begins
    while base < len(timed):
        now_us = stamps_us[timed[base:]]
        behind = now_us < np.maximum.accumulate(now_us) - RESTART_US
        if not behind.any():
            break
        base += int(np.argmax(behind))
        restarts[int(timed[base])] = int(timed[base - 1])
    return restarts


def first_of_each(number: IntArray) -> IntArray:
    """Indices that sort running numbers and leave out repeats (the first arrival of each is kept)."""
    return np.unique(number, return_index=True)[1].astype(np.int64)


def missing_spans(number: IntArray, time_us: IntArray) -> tuple[int, list[Span]]:
    """Count of the numbers missing inside an increasing run, and the spans between the neighbours of each hole."""
    if len(number) and number[-1] - number[0] == len(number) - 1:  # nothing missing, as usual
        return 0, []
    holes = np.flatnonzero(np.diff(number) > 1)
    missing_n = int(np.sum(np.diff(number)[holes] - 1)) if len(holes) else 0
    return missing_n, [(int(time_us[i]), int(time_us[i + 1])) for i in holes]


def lost_frame_spans(lost_n: IntArray, stamps_us: IntArray, ends_us: IntArray) -> list[Span]:
    """Device time between the last known instant before each lost frame and the first one after it.

    Parameters
    ----------
    lost_n : (frames,) frames missing before each frame
    stamps_us : (frames,) first instant that a frame tells of, -1 for none
    ends_us : (frames,) last instant that a frame tells of, -1 for none
    """
    before_us = np.maximum.accumulate(ends_us)
    after_us = np.where(stamps_us >= 0, stamps_us, np.iinfo(np.int64).max)
    after_us = np.minimum.accumulate(after_us[::-1])[::-1]
    spans = []
    for i in np.flatnonzero(lost_n > 0):
        start_us, end_us = int(before_us[i - 1]), int(after_us[i])
        if start_us < 0:
            start_us = end_us
        if end_us == np.iinfo(np.int64).max:
            end_us = start_us
        spans.append((min(start_us, end_us), max(start_us, end_us)))
    return spans


def spans_at(places: Iterable[int], stamps_us: IntArray, ends_us: IntArray) -> list[Span]:
    """Device time from the last instant known before each of these places to the first one known from there on."""
    there = np.zeros(len(stamps_us), np.int64)
    there[list(places)] = 1
    return lost_frame_spans(there, stamps_us, ends_us)


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """Overlapping or touching spans joined, in order; one whose ends are swapped, as by nonsense times, is turned."""
    merged: list[Span] = []
    for start, end in sorted((min(span), max(span)) for span in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def touches_any(span: Span, others: Sequence[Span]) -> bool:
    """True when one of the other spans lies at least partly within the span."""
    return any(start <= span[1] and end >= span[0] for start, end in others)

"""Reading a recording back: a session directory becomes a Session, derived from its bytes alone."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from hbc_wire import messages

from hbc_host import loss
from hbc_host.boot import Boot, left_out, report_stamps
from hbc_host.clocksync import Ping
from hbc_host.counting import counted
from hbc_host.errors import SessionError
from hbc_host.loss import IntArray
from hbc_host.parts import read_parts
from hbc_host.recorder import LOG_NAME, Log
from hbc_host.session_model import META_VERSION, HostNote, LinkGap, Session, SessionMeta, session_hash
from hbc_host.stream import INTERRUPTED, Away, Stream, stream_of

__all__ = [
    "META_NAME",
    "Session",
    "SessionMeta",
    "decode_log",
    "load_session",
    "load_with_log",
    "read_meta",
    "session_hash",
]

META_NAME = "session.json"


def load_session(path: Path | str) -> Session:
    """Read a session directory, whatever happened to it: a cut-off end and damage inside are counted, not fatal.

    Parameters
    ----------
    path : Path or str
        Directory that ``hbc record`` wrote, with ``session.json`` and ``wire.hbclog``.

    Raises
    ------
    SessionError
        There is no recording, or nothing in it introduces a box.
    VersionMismatchError
        It was recorded from a box of another wire version.
    """
    log, meta, notes = _read(Path(path))
    stream = stream_of(log)
    log = replace(log, chunks=())  # its bytes are in the stream now; an hour of them counts in a guided session
    return _session_of(stream, log, Path(path), meta, notes)


def load_with_log(path: Path | str) -> tuple[Log, Session]:
    """The bytes of a recording, and what they say; as :func:`load_session`."""
    log, meta, notes = _read(Path(path))
    return log, decode_log(log, Path(path), meta, notes)


def _read(folder: Path) -> tuple[Log, SessionMeta, tuple[str, ...]]:
    if not folder.is_dir():
        raise SessionError(f"no recording at {folder}; give the folder that `hbc record --out` wrote")
    return read_parts(folder), *read_meta(folder)


def read_meta(folder: Path) -> tuple[SessionMeta, tuple[str, ...]]:
    """The labels of a recording; when they are damaged, plain ones and a note, for the bytes are worth more."""
    try:
        text = (folder / META_NAME).read_text("utf-8")
        meta, version = SessionMeta.from_json(text), json.loads(text).get("format")
    except (OSError, ValueError, KeyError, TypeError) as error:
        created = datetime.fromtimestamp(os.path.getmtime(folder / LOG_NAME), UTC)
        why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({type(error).__name__})"
        note = f"{META_NAME} {why}: title, protocol and sites are unknown"
        return SessionMeta(created, folder.resolve().name, "", (), None, "", ""), (note,)
    if version == META_VERSION:
        return meta, ()
    return meta, (f"{META_NAME} has format {version}, this program knows {META_VERSION}: check title and sites",)


def decode_log(log: Log, path: Path, meta: SessionMeta, notes: tuple[str, ...] = ()) -> Session:
    """All results of a log. Raises SessionError or VersionMismatchError when no box of ours speaks in it."""
    return _session_of(stream_of(log), log, path, meta, notes)


def _session_of(stream: Stream, log: Log, path: Path, meta: SessionMeta, notes: tuple[str, ...]) -> Session:
    """Of ``log`` only the counts of damage are looked at."""
    starts, hellos = _boots(stream, path / LOG_NAME)
    ends = np.append(starts[1:], len(stream.frames))
    longest = int(np.argmax(ends - starts))
    begin, end = int(starts[longest]), int(ends[longest])
    aways = [away for away in stream.aways if begin < away.place < end]
    hello = _hello_for(hellos, begin, end)
    boot = Boot(stream.frames.part(begin, end), hello, {away.place - begin for away in aways})
    notes = (*notes, *_notes(log, stream, starts, longest, boot))
    return replace(
        _assemble(boot, stream, path, meta, notes, len(starts)),
        pings=_pings(stream, begin, end),
        link_gaps=_link_gaps(boot, aways),
        host_notes=_host_notes(stream, boot, begin),
    )


def _boots(stream: Stream, path: Path) -> tuple[IntArray, list[tuple[int, Any]]]:
    """First frame of each boot, and the Hellos as (place, message)."""
    frames = stream.frames
    hellos: list[tuple[int, Any]] = []
    for alike, payload in frames.distinct(messages.Hello):
        if hello := _usable_hello(payload):
            hellos += [(place, hello) for place in alike.tolist()]
    hellos.sort(key=lambda hello: hello[0])
    if not hellos:
        raise SessionError(
            f"{path}: {stream.bytes_n} bytes from the box with {len(frames)} good and {stream.bad_n} bad "
            f"frames, at least one good Hello is expected but no box introduced itself; record again and keep the "
            f"box connected for more than a second"
        )
    stamps_us = report_stamps(frames)
    places = np.array([place for place, _ in hellos], np.int64)
    starts = loss.boot_starts(stamps_us, places, np.array([hello.boot_n for _, hello in hellos], np.int64))
    return (loss.back_to_zero(starts, frames.seqs()) if len(starts) > 1 else starts), hellos


def _usable_hello(payload: bytes) -> Any:
    """The Hello in a payload; None when it is malformed or gives no sample rate."""
    try:
        hello: Any = messages.unpack(payload)[1]
    except messages.MessageError:
        return None
    return hello if hello.rate_hz else None


def _hello_for(hellos: list[tuple[int, Any]], begin: int, end: int) -> Any:
    """The Hello of a boot; of another boot of the same box when none survived."""
    inside = [hello for place, hello in hellos if begin <= place < end]
    return inside[0] if inside else hellos[0][1]


def _assemble(
    boot: Boot,
    stream: Stream,
    path: Path,
    meta: SessionMeta,
    notes: tuple[str, ...],
    boots_n: int,
) -> Session:
    holes = boot.holes()
    start_us, end_us = boot.extent_us()
    return Session(
        path=path,
        meta=meta,
        hello=boot.hello,
        beats_us=boot.beats_us,
        beat_quality=boot.beat_quality,
        beat_n=boot.beat_n,
        edges_tick=boot.edges_tick,
        edge_n=boot.edge_n,
        edge_level=boot.edge_level,
        ecg_lsb=boot.ecg_lsb,
        ecg_idx=boot.ecg_idx,
        ecg_us=boot.ecg_us,
        ecg_missed=boot.ecg_missed,
        ecg_blank_ms=boot.ecg_blank_ms,
        gaps_s=tuple((start * 1e-6, end * 1e-6) for start, end in holes.gaps_us),
        frames_n=len(stream.frames),
        frames_lost_n=boot.counter.lost_n,
        frames_bad_n=stream.bad_n + boot.frames.bad_n,
        bytes_n=stream.bytes_n,
        boots_n=boots_n,
        edges_lost_n=holes.edges_lost_n,
        beats_lost_n=holes.beats_lost_n,
        samples_lost_n=holes.samples_lost_n,
        start_s=start_us * 1e-6,
        end_s=end_us * 1e-6,
        pings=(),
        notes=notes,
    )


def _pings(stream: Stream, begin: int, end: int) -> tuple[Ping, ...]:
    """Pings answered within this boot, of the stretch between interruptions that has most of them.

    A recording that is continued after the computer was started anew has another host clock.
    """
    breaks = [begin, *(away.place for away in stream.aways if away.reason == INTERRUPTED), end]
    stretches = [
        tuple(ping for place, ping in stream.pings if max(first, begin) <= place < min(last, end))
        for first, last in pairwise(sorted(breaks))
    ]
    return max(stretches, key=len)


def _link_gaps(boot: Boot, aways: list[Away]) -> tuple[LinkGap, ...]:
    return tuple(
        LinkGap(start_us * 1e-6, end_us * 1e-6, away.reason, away.away_s)
        for (start_us, end_us), away in zip(boot.link_spans, aways, strict=True)
    )


def _host_notes(stream: Stream, boot: Boot, begin: int) -> tuple[HostNote, ...]:
    """What the host wrote down; with the box's time where it was the boot used."""
    noted = []
    for place, host_s, fields in stream.notes:
        inside = 0 < place - begin <= len(boot.frames)
        newest_us = int(boot.newest_us[place - begin - 1]) if inside else -1
        rest = {name: value for name, value in fields.items() if name != "event"}
        device_s = newest_us * 1e-6 if newest_us >= 0 else None
        noted.append(HostNote(str(fields.get("event", "")), host_s, device_s, rest))
    return tuple(noted)


def _notes(log: Log, stream: Stream, starts: IntArray, longest: int, boot: Boot) -> list[str]:
    notes = []
    if log.truncated:
        notes.append("the last chunk of the log is incomplete: the recording was cut off")
    if log.damaged_n:
        lost_n = boot.counter.lost_n
        notes.append(
            f"{counted(log.damaged_n, 'damaged place', 'damaged places')} in the log; what could be read there is "
            f"used, and of {len(boot.frames) + lost_n} frames of the recording {lost_n} are missing"
        )
    if stream.reflashed:
        notes.append("the box came back with another wire version; what it sent from then on is left out")
    if len(starts) > 1:
        share_pct = 100 * len(boot.frames) / len(stream.frames)
        notes.append(
            f"the box restarted {counted(len(starts) - 1, 'time', 'times')}; boot {longest + 1} of {len(starts)} is "
            f"used, which holds {share_pct:.0f} % of the frames"
        )
        notes += left_out(stream.frames, starts, longest)
    if stream.aways:
        # By the box's clock: the computer's may have begun anew in between.
        away_s = sum(end_us - start_us for start_us, end_us in boot.link_spans) * 1e-6
        notes.append(f"times without connection: {len(stream.aways)}, {away_s:.1f} s in all by the box's clock")
    if boot.counter.repeated_n:
        notes.append(f"{counted(boot.counter.repeated_n, 'frame', 'frames')} arrived twice; repeats were dropped")
    return notes

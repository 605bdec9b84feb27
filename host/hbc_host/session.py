"""Reading a recording back: a session directory becomes a Session, derived from its bytes alone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from hbc_wire import messages

from hbc_host import loss
from hbc_host.boot import Boot, report_stamps
from hbc_host.clocksync import Ping
from hbc_host.errors import SessionError, VersionMismatchError
from hbc_host.loss import IntArray
from hbc_host.protocol import Frames, StreamDecoder, check_version, is_a, new_deframer
from hbc_host.recorder import FROM_BOX, LOG_NAME, TO_BOX, Log, read_log
from hbc_host.session_model import META_VERSION, Session, SessionMeta, session_hash

__all__ = ["META_NAME", "Session", "SessionMeta", "decode_log", "load_session", "read_meta", "session_hash"]

META_NAME = "session.json"
# Only the host sends these; in the stream of a box they can only come from a damaged log.
_REQUESTS = (messages.ClockPing.msg_id, messages.FetchEvents.msg_id, messages.Setting.msg_id)


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
    folder = Path(path)
    if not folder.is_dir():
        raise SessionError(f"no recording at {folder}; give the folder that `hbc record --out` wrote")
    log = read_log(folder / LOG_NAME)
    meta, notes = read_meta(folder)
    return decode_log(log, folder, meta, notes)


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
    stream = _frames_of(log)
    starts, hellos = _boots(stream, path / LOG_NAME)
    ends = np.append(starts[1:], len(stream.payloads))
    longest = int(np.argmax(ends - starts))
    begin, end = int(starts[longest]), int(ends[longest])
    boot = Boot(stream.payloads[begin:end], _hello_for(hellos, begin, end))
    notes = (*notes, *_notes(log, stream, starts, longest, boot))
    return _assemble(boot, stream, log, path, meta, notes, (begin, end), len(starts))


@dataclass(frozen=True)
class _Stream:
    """Payloads from the box with the host time of each, and what was thrown away."""

    payloads: list[bytes]
    arrived_s: list[float]
    bad_n: int
    bytes_n: int
    reflashed: bool


def _frames_of(log: Log) -> _Stream:
    """Payloads up to the end, or up to a Hello of another wire version: what follows it cannot be understood."""
    deframer = new_deframer()
    payloads: list[bytes] = []
    arrived_s: list[float] = []
    bytes_n = foreign_n = 0
    introduced = reflashed = False
    for chunk in log.chunks:
        if chunk.kind != FROM_BOX:
            continue
        bytes_n += len(chunk.data)
        for payload in deframer.feed(chunk.data):
            if len(payload) < messages.HEADER_N or payload[0] not in messages.BY_ID or payload[0] in _REQUESTS:
                foreign_n += 1
                continue
            if payload[0] == messages.Hello.msg_id and not reflashed:
                try:
                    check_version(payload)
                    introduced = True
                except VersionMismatchError:
                    if not introduced:
                        raise
                    reflashed = True
            if not reflashed:
                payloads.append(payload)
                arrived_s.append(chunk.host_s)
    return _Stream(payloads, arrived_s, deframer.bad_n + foreign_n, bytes_n, reflashed)


def _boots(stream: _Stream, path: Path) -> tuple[IntArray, list[tuple[int, Any]]]:
    """First frame of each boot, and the Hellos as (place, message)."""
    hellos: list[tuple[int, Any]] = []
    seen: dict[bytes, Any] = {}  # Hello comes every second and hardly ever changes
    for place, payload in enumerate(stream.payloads):
        if payload[0] != messages.Hello.msg_id:
            continue
        body = payload[messages.HEADER_N :]
        if body not in seen:
            seen[body] = _usable_hello(payload)
        if seen[body] is not None:
            hellos.append((place, seen[body]))
    if not hellos:
        raise SessionError(
            f"{path}: {stream.bytes_n} bytes from the box with {len(stream.payloads)} good and {stream.bad_n} bad "
            f"frames, at least one good Hello is expected but no box introduced itself; record again and keep the "
            f"box connected for more than a second"
        )
    frames = Frames(stream.payloads)
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
    stream: _Stream,
    log: Log,
    path: Path,
    meta: SessionMeta,
    notes: tuple[str, ...],
    place: tuple[int, int],
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
        frames_n=len(stream.payloads),
        frames_lost_n=boot.counter.lost_n,
        frames_bad_n=stream.bad_n + boot.frames.bad_n,
        bytes_n=stream.bytes_n,
        boots_n=boots_n,
        edges_lost_n=holes.edges_lost_n,
        beats_lost_n=holes.beats_lost_n,
        samples_lost_n=holes.samples_lost_n,
        start_s=start_us * 1e-6,
        end_s=end_us * 1e-6,
        pings=_pings(boot, log, stream.arrived_s[place[0] : place[1]]),
        notes=notes,
    )


def _pings(boot: Boot, log: Log, arrived_s: list[float]) -> tuple[Ping, ...]:
    """Pings sent and answered within this boot, matched by token."""
    decoder = StreamDecoder()
    sent_s: dict[int, float] = {}
    for chunk in log.chunks:
        if chunk.kind == TO_BOX:
            for received in decoder.feed(chunk.data):
                if is_a(received.message, messages.ClockPing):
                    sent_s[received.message.token] = chunk.host_s
    places, pongs = boot.frames.rows(messages.ClockPong)
    pings: dict[int, Ping] = {}
    for place, pong in zip(places.tolist(), pongs.tolist(), strict=True):
        _, token, received_us, sent_us = pong
        if token in sent_s:
            ping = Ping(sent_s[token], (received_us + sent_us) // 2, sent_us - received_us, arrived_s[place])
            pings.setdefault(token, ping)
    return tuple(pings.values())


def _notes(log: Log, stream: _Stream, starts: IntArray, longest: int, boot: Boot) -> list[str]:
    notes = []
    if log.truncated:
        notes.append("the last chunk of the log is incomplete: the recording was cut off")
    if log.damaged_n:
        lost_n = boot.counter.lost_n
        notes.append(
            f"{log.damaged_n} damaged places in the log; what could be read in them is used, and "
            f"{lost_n} of {len(boot.frames.payloads) + lost_n} frames of the recording are missing"
        )
    if stream.reflashed:
        notes.append("the box came back with another wire version; what it sent from then on is left out")
    if len(starts) > 1:
        share_pct = 100 * len(boot.frames.payloads) / len(stream.payloads)
        notes.append(
            f"the box restarted {len(starts) - 1} times; boot {longest + 1} of {len(starts)} is used, "
            f"which holds {share_pct:.0f} % of the frames"
        )
    if boot.counter.repeated_n:
        notes.append(f"{boot.counter.repeated_n} frames arrived twice; repeats were dropped")
    return notes

"""The values that a recording is made of: what a person said about it, and what the box sent."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hbc_host.clocksync import Ping

META_VERSION = 1
EDGE_TICKS_PER_US = 80  # 12.5 ns, the unit of TriggerEdge.edge_sub_tick

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SessionMeta:
    """What a person said about a recording before it began.

    Attributes
    ----------
    created : datetime
        Wall time with time zone; a label only, never used for timing.
    title : str
        Pseudonym or name of the recording.
    protocol : str
        Stimulation protocol, such as ``"dash"``, ``"itbs"``, ``"5/11"``.
    sites : tuple of str
        Coil positions in the planned order.
    intensities_pct : tuple of float or None
        Planned stimulator output per step, percent.
    host_version, port : str
        Program version and where the bytes came from.
    """

    created: datetime
    title: str
    protocol: str
    sites: tuple[str, ...]
    intensities_pct: tuple[float, ...] | None
    host_version: str
    port: str

    def to_json(self) -> str:
        """Text of ``session.json``."""
        fields = asdict(self) | {"created": self.created.isoformat(), "format": META_VERSION}
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SessionMeta:
        """Read back; raises ValueError, KeyError or TypeError when the text is not what ``to_json`` wrote."""
        fields: dict[str, Any] = json.loads(text)
        steps = fields["intensities_pct"]
        created = datetime.fromisoformat(fields["created"])
        return cls(
            created=created if created.tzinfo else created.replace(tzinfo=UTC),
            title=str(fields["title"]),
            protocol=str(fields["protocol"]),
            sites=tuple(str(site) for site in fields["sites"]),
            intensities_pct=None if steps is None else tuple(float(step) for step in steps),
            host_version=str(fields["host_version"]),
            port=str(fields["port"]),
        )


class LinkGap(NamedTuple):
    """A time without connection: device seconds of the last thing known before and the first after; why; host time."""

    start_s: float
    end_s: float
    reason: str
    away_s: float


class HostNote(NamedTuple):
    """What the host noted while recording.

    ``event`` says what, ``fields`` the rest (docs/howto/session.md); ``host_s`` is the host's time, ``device_s`` the
    newest device time that had arrived before it in the boot used, None when there was none.
    """

    event: str
    host_s: float
    device_s: float | None
    fields: dict[str, Any]


@dataclass(frozen=True)
class Session:
    """A recording of one box. Times are device microseconds since boot (``_us``) or seconds of the same clock (``_s``).

    Attributes
    ----------
    hello : namedtuple Hello
        Who the box is: rate_hz, adc_lsb_nv, gain, capture_tick_ps, unique_id ...
    beats_us, beat_quality, beat_n : (beats,) int64, uint8, int64
        R-peaks, their quality 0..255, and their running numbers since boot.
    edges_tick, edge_n, edge_level : (edges,) int64, int64, uint8
        Trigger edges in capture ticks of 12.5 ns (80 per microsecond), running numbers, level after the edge.
    ecg_lsb, ecg_idx, ecg_us : (samples,) int16, int64, int64
        Samples, their grid indices, their true instants.
    ecg_missed : (samples,) bool
        The box could not take this sample: its value repeats the one before, its instant is the grid's.
    ecg_blank_ms : (samples,) uint8
        Artefact blanking in force at each sample, milliseconds after an edge.
    gaps_s : tuple of (start_s, end_s)
        Stretches where a frame, a sample, a beat or an edge is missing, merged and in order.
    frames_n, frames_lost_n, frames_bad_n, bytes_n : int
        Good frames; frames missing by their numbers; stretches of bytes that were no frame; bytes from the box.
    boots_n : int
        Boots of the box within the recording; the arrays hold the longest one.
    edges_lost_n, beats_lost_n, samples_lost_n : int
        Missing by number, plus what the box says it could not number.
    start_s, end_s : float
        First and last instant of the recording.
    pings : tuple of Ping
        Clock pings of the boot used; see :func:`hbc_host.clocksync.fit_clock`.
    notes : tuple of str
        What a reader should know about this recording, in plain words.
    link_gaps : tuple of LinkGap
        Times without connection within the boot used; each lies in ``gaps_s``, too.
    host_notes : tuple of HostNote
        What the host and the people at it noted within the boot used: alarms, sites, ratings, events.
    """

    path: Path
    meta: SessionMeta
    hello: Any
    beats_us: IntArray
    beat_quality: npt.NDArray[np.uint8]
    beat_n: IntArray
    edges_tick: IntArray
    edge_n: IntArray
    edge_level: npt.NDArray[np.uint8]
    ecg_lsb: npt.NDArray[np.int16]
    ecg_idx: IntArray
    ecg_us: IntArray
    ecg_missed: npt.NDArray[np.bool_]
    ecg_blank_ms: npt.NDArray[np.uint8]
    gaps_s: tuple[tuple[float, float], ...]
    frames_n: int
    frames_lost_n: int
    frames_bad_n: int
    bytes_n: int
    boots_n: int
    edges_lost_n: int
    beats_lost_n: int
    samples_lost_n: int
    start_s: float
    end_s: float
    pings: tuple[Ping, ...]
    notes: tuple[str, ...]
    link_gaps: tuple[LinkGap, ...] = ()
    host_notes: tuple[HostNote, ...] = ()

    @property
    def beats_s(self) -> FloatArray:
        """R-peaks, seconds of device time."""
        return np.asarray(self.beats_us * 1e-6, np.float64)

    @property
    def edges_s(self) -> FloatArray:
        """Trigger edges, seconds of device time."""
        return np.asarray(self.edges_tick / (EDGE_TICKS_PER_US * 1e6), np.float64)

    @property
    def ecg_s(self) -> FloatArray:
        """Instants of the samples, seconds of device time."""
        return np.asarray(self.ecg_us * 1e-6, np.float64)

    @property
    def rate_hz(self) -> float:
        """Nominal sample rate, from the box's Hello."""
        return float(self.hello.rate_hz)

    @property
    def duration_s(self) -> float:
        """Length of the recording, seconds of device time."""
        return self.end_s - self.start_s


def session_hash(session: Session) -> str:
    """SHA-256 of all results of a recording: equal for a live file and its replay.

    Labels, paths and host times are left out; arrays, counts, gaps and the box's identity are in.
    """
    digest = sha256()
    for name in sorted(Session.__dataclass_fields__):
        value = getattr(session, name)
        if name in ("path", "meta", "pings", "notes", "link_gaps", "host_notes"):
            continue
        digest.update(name.encode() + b"=")
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()

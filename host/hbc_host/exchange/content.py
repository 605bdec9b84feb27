"""What of a session leaves the house: samples on an even grid, events, and an allow-list of labels.

Everything is pseudonymised by construction: a field that is not named here is in no export. Left out are the title (a
person typed it), the port, names of operators, notes, remarks, answers, and the box's own number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hbc_host import __version__, loss
from hbc_host.blanking import blanked_samples
from hbc_host.errors import InputError, NoTrainsError, SessionError
from hbc_host.even import evened
from hbc_host.exchange.grid import Grid
from hbc_host.exchange.naming import Named
from hbc_host.manifest import read_manifest
from hbc_host.runs import RunInput, session_runs
from hbc_host.session_model import EDGE_TICKS_PER_US, Session, session_hash
from hbc_host.trains import Protocol, find_trains, parse_protocol

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

BEAT, PULSE, TRAIN, GAP = "beat", "pulse", "train", "gap"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+/()-]{0,39}")


@dataclass(frozen=True)
class Event:
    """One thing that happened; ``onset_s`` counts from sample 0. ``quality`` is 0..255 for beats, else None."""

    onset_s: float
    duration_s: float
    kind: str
    site: str = ""
    intensity_pct: float | None = None
    quality: int | None = None


@dataclass(frozen=True)
class Content:
    """One recording, ready for any writer.

    Attributes
    ----------
    name : str
        For files: letters, digits, ``-`` and ``_``.
    subject : str
        Pseudonym.
    visit_n : int or None
    started : datetime or None
        Aware wall time; None when the date stays here.
    rate_hz : float
    ecg_lsb : (n,) int16
        Counts on the even grid; meaningless where ``missing``.
    missing : (n,) bool
        No sample was taken here, or it was lost.
    blanked : (n,) bool
        Kept from the detector because of a TMS pulse.
    mv_per_lsb : float
        At the electrodes.
    sample_s, sample_grid_idx : (samples,) float64, int64
        True instants of the samples that exist, seconds from grid place 0, and their places on the grid.
    events : tuple of Event
        In order of onset.
    protocol : str
        Name of the stimulation protocol; empty when unknown.
    provenance : dict
        Where this comes from, for every format to carry.
    practice : str
        Why this is nobody's measurement, for every format to say; empty when it is one.
    """

    name: str
    subject: str
    visit_n: int | None
    started: datetime | None
    rate_hz: float
    ecg_lsb: npt.NDArray[np.int16]
    missing: BoolArray
    blanked: BoolArray
    mv_per_lsb: float
    sample_s: FloatArray
    sample_grid_idx: npt.NDArray[np.int64]
    events: tuple[Event, ...]
    protocol: str
    provenance: dict[str, Any] = field(repr=False)
    practice: str = ""

    @property
    def ecg_mv(self) -> FloatArray:
        """Millivolts at the electrodes on the grid, NaN where no sample exists."""
        return np.where(self.missing, np.nan, self.ecg_lsb * self.mv_per_lsb)

    def of_kind(self, kind: str) -> list[Event]:
        """The events of one kind, in order."""
        return [event for event in self.events if event.kind == kind]


def content_of(named: Named, *, export_format: str, with_date: bool = True) -> Content:
    """Samples, events and labels of one session.

    Raises
    ------
    InputError
        Its times span more than two days, it holds neither samples nor beats, or its box names no gain.
    """
    session = evened(named.session)
    if not session.hello.gain:
        raise InputError(f"{session.path}: its box names no gain (0), so counts are no millivolts; see hbc box info")
    rate_hz = session.rate_hz
    grid = Grid(session)
    practice = None if named.doubt else bool(named.practice)
    present = ~session.ecg_missed
    place = (session.ecg_idx - grid.first_idx).astype(np.int64)
    ecg_lsb, missing, blanked = np.zeros(grid.n, np.int16), np.ones(grid.n, np.bool_), np.zeros(grid.n, np.bool_)
    ecg_lsb[place] = session.ecg_lsb
    missing[place] = ~present
    edges_us = session.edges_tick // EDGE_TICKS_PER_US
    blanked[place] = blanked_samples(session.ecg_us, edges_us, session.ecg_blank_ms, session.hello.lookback_us)
    return Content(
        name=named.name,
        subject=named.subject,
        visit_n=named.visit_n,
        started=session.meta.created if with_date else None,
        rate_hz=rate_hz,
        ecg_lsb=ecg_lsb,
        missing=missing,
        blanked=blanked,
        mv_per_lsb=session.hello.adc_lsb_nv * 1e-6 / session.hello.gain,
        sample_s=np.asarray((session.ecg_us[present] - grid.zero_us) * 1e-6, np.float64),
        sample_grid_idx=place[present],
        events=_events(session, grid, missing),
        protocol=_label(session.meta.protocol),
        provenance=_provenance(named.session, grid, export_format) | {"practice": practice},
        practice=named.practice,
    )


def _events(session: Session, grid: Grid, missing: BoolArray) -> tuple[Event, ...]:
    beats_s = grid.seconds(session.beats_us)
    events = [
        Event(at, 0.0, BEAT, quality=q) for at, q in zip(beats_s.tolist(), session.beat_quality.tolist(), strict=True)
    ]
    events += _stimulation(session, grid)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])))) * grid.period_us
    spans = [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]
    spans += [
        (max(0, int(start * 1e6 - grid.zero_us)), max(0, int(end * 1e6 - grid.zero_us)))
        for start, end in session.gaps_s
    ]
    events += [Event(start * 1e-6, (end - start) * 1e-6, GAP) for start, end in loss.merge_spans(spans)]
    return tuple(sorted(events, key=lambda event: (event.onset_s, event.kind)))


def _stimulation(session: Session, grid: Grid) -> list[Event]:
    """Pulses, and the trains that they form, with the site and the planned intensity of their train."""
    pulses_s = grid.seconds(session.edges_tick / EDGE_TICKS_PER_US)
    events: list[Event] = []
    known = {
        round(onset_s, 9): (_label(run.site), None if run.intensities_pct is None else float(run.intensities_pct[k]))
        for run in _runs(session)
        for k, onset_s in enumerate(run.onsets_s.tolist())
    }
    for train in find_trains(session.edges_s):
        site, intensity_pct = known.get(round(train.onset_s, 9), ("", None))
        onset_s, end_s = grid.seconds([train.onset_s * 1e6, train.end_s * 1e6]).tolist()
        events.append(Event(onset_s, round(end_s - onset_s, 7), TRAIN, site, intensity_pct))
        inside = pulses_s[(pulses_s >= onset_s - 1e-6) & (pulses_s <= end_s + 1e-6)]
        events += [Event(at, 0.0, PULSE, site, intensity_pct) for at in inside.tolist()]
    return events


def _runs(session: Session) -> list[RunInput]:
    try:
        protocol = parse_protocol(session.meta.protocol)
    except InputError:  # only names and order of the sites are wanted here, and they need no timing
        protocol = Protocol("unknown", 1.0, 1.0)
    try:
        return session_runs(session, protocol)[0]
    except NoTrainsError:
        return []


def _provenance(session: Session, grid: Grid, export_format: str) -> dict[str, Any]:
    result = session_hash(session)
    hello, counts = (
        session.hello,
        ("frames_n", "frames_lost_n", "beats_lost_n", "edges_lost_n", "samples_lost_n", "boots_n"),
    )
    return {
        "made_by": f"hbc-box {__version__}",
        "command": f"hbc export {export_format}",
        "session_result_sha256": result,
        "manifest": _manifest_state(session.path, result),
        "recorded_with": f"hbc-box {_label(session.meta.host_version) or 'unknown'}",
        "box": {"board": _label(hello.board), "firmware": _label(hello.firmware), "capture": _label(hello.capture)},
        "counts": {name: int(getattr(session, name)) for name in counts},
        "zero_device_s": round(grid.zero_us * 1e-6, 7),
        "sample_instant_error_max_us": round(grid.error_us, 1),
    }


def _manifest_state(folder: Path, result: str) -> str:
    """Whether what is exported is what was recorded: ``agrees``, ``differs``, ``absent`` or ``unreadable``."""
    try:
        manifest = read_manifest(folder)
    except SessionError:
        return "unreadable"
    if manifest is None:
        return "absent"
    return "agrees" if manifest.get("result_sha256") == result else "differs"


def _label(text: str) -> str:
    """A label as far as it looks like one; a sentence or anything that is no plain text is left out."""
    return text if _LABEL.fullmatch(text) else ""

"""When something happened in a recording, counted from its beginning, also when the box started anew in between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hbc_host.chunks import FROM_BOX, Chunks
from hbc_host.errors import SessionError
from hbc_host.parts import log_parts
from hbc_host.recorder import read_log

if TYPE_CHECKING:
    from hbc_host.session_model import HostNote, Session


@dataclass(frozen=True)
class RecordingTimes:
    """The beginning of a recording on one clock.

    Attributes
    ----------
    start_s : float or None
        First instant, seconds; None where no clock went through the whole recording.
    length_s : float or None
        From the first to the last instant, seconds.
    by_host : bool
        On the host's clock; else on the box's.
    """

    start_s: float | None
    length_s: float | None
    by_host: bool

    def since_start_s(self, note: HostNote) -> float | None:
        """When a note was written, seconds since the recording began; None where that is not known."""
        at_s = note.host_s if self.by_host else note.device_s
        if self.start_s is None or at_s is None or not math.isfinite(at_s):
            return None
        return max(0.0, at_s - self.start_s)  # one written before the box spoke belongs to the beginning


def recording_times(session: Session) -> RecordingTimes:
    """How to count in a recording: by the box, or by the host where the box's clock began anew.

    A recording of several logs and several starts of the box has no such clock: the computer may have been started
    anew with it. Nor has one whose log is not at :attr:`Session.path` any more.
    """
    if session.boots_n == 1:
        return RecordingTimes(session.start_s, session.duration_s, by_host=False)
    unknown = RecordingTimes(None, None, by_host=True)
    parts = log_parts(session.path)
    if len(parts) > 1:
        return unknown
    try:
        chunks = Chunks.of(read_log(parts[0]).chunks)
    except SessionError:
        return unknown
    known_s = chunks.host_s[(chunks.kind == FROM_BOX) & np.isfinite(chunks.host_s)]
    return RecordingTimes(float(known_s[0]), float(known_s[-1] - known_s[0]), by_host=True) if len(known_s) else unknown

"""The even sampling grid of an export."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.even import check_span
from hbc_host.session_model import EDGE_TICKS_PER_US, Session

FloatArray = npt.NDArray[np.float64]


class Grid:
    """The even grid of an export: the box's own, shifted by the usual lateness of a sample, over all that happened.

    ``zero_us`` is the device time of place 0, ``first_idx`` the sample index there, ``n`` the number of places.
    """

    def __init__(self, session: Session) -> None:
        self.period_us = 1e6 / session.rate_hz
        events_us = np.concatenate((session.beats_us, session.edges_tick / EDGE_TICKS_PER_US))
        start_us, end_us = (float(events_us.min()), float(events_us.max())) if events_us.size else (np.inf, -np.inf)
        if not (session.ecg_us.size or session.beats_us.size):
            raise InputError(
                f"{session.path}: 0 samples and 0 beats, an export needs at least 1; "
                f"see hbc session verify {session.path}"
            )
        after_us = session.ecg_us - session.ecg_idx * self.period_us
        origin_us = round(float(np.median(after_us) if after_us.size else start_us))
        self.error_us = float(np.abs(after_us - origin_us).max()) if after_us.size else 0.0
        first_idx = int(session.ecg_idx[0]) if session.ecg_idx.size else 0
        before_us = origin_us + first_idx * self.period_us - start_us  # an event before the first sample
        self.first_idx = first_idx - (int(np.ceil(before_us / self.period_us)) if before_us > 0 else 0)
        self.zero_us = origin_us + self.first_idx * self.period_us
        last_n = int(session.ecg_idx[-1]) - self.first_idx if session.ecg_idx.size else 0
        self.n = max(last_n, int(np.ceil((end_us - self.zero_us) / self.period_us)) if events_us.size else 0) + 1
        check_span(session, self.n / session.rate_hz)

    def seconds(self, device_us: npt.ArrayLike) -> FloatArray:
        """Device time as seconds from place 0, to 0.1 us: more is noise of binary numbers."""
        return np.round((np.asarray(device_us, np.float64) - self.zero_us) * 1e-6, 7)

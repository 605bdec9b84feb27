"""R-peaks of a recording, detected again from its samples exactly as the box detected them.

Detector and blanking are pure functions of what is on the wire, so the result equals the box's own peaks bit for bit
wherever the recording is whole.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from hbc_native import RPeakDetector

from hbc_host.blanking import blanked_samples
from hbc_host.session_model import EDGE_TICKS_PER_US, Session

PEAK_DTYPE = np.dtype([("peak_us", "<i8"), ("sample_idx", "<i8"), ("frac_q8", "u1"), ("quality", "u1")])
"""One R-peak: device time, sample index since boot, fraction of a sample / 256, quality 0..255 (RPeak on the wire)."""


def redetect(session: Session) -> npt.NDArray[np.void]:
    """Detect the R-peaks of a recording again.

    The box begins anew where its sample index jumps, and so does this. A frame that was lost on the way looks the
    same here but did not to the box: from there on equality is promised only until the next jump of its own. A
    recording that does not begin at sample 0 has such a place at its start.

    Parameters
    ----------
    session : Session

    Returns
    -------
    structured array of :data:`PEAK_DTYPE`, shape (peaks,)
        In the order of report, which is the order of the box's running numbers.

    Raises
    ------
    ValueError
        If the box's sample rate is outside 100..1000 Hz.
    """
    spoiled = blanked_of(session)
    places = np.flatnonzero(np.diff(session.ecg_idx) != 1) + 1
    bounds = [0, *places.tolist(), len(session.ecg_idx)]
    parts = [_redetect_run(session, spoiled, start, end) for start, end in pairwise(bounds) if end > start]
    return np.concatenate(parts) if parts else np.empty(0, PEAK_DTYPE)


def beats_that_differ(session: Session) -> int | None:
    """Count the beats of the box that its samples do not give again, and those given that it did not report.

    Parameters
    ----------
    session : Session
        A recording without damage.

    Returns
    -------
    int or None
        0 when both agree in instant and quality; the last two may have been found too late to be sent. None when the
        recording does not begin with the first sample after boot: what came before is not known.
    """
    if not session.ecg_idx.size or session.ecg_idx[0] != 0:
        return None
    again = redetect(session)
    found: set[tuple[int, int]] = set(zip(again["peak_us"].tolist(), again["quality"].tolist(), strict=True))
    sent: set[tuple[int, int]] = set(zip(session.beats_us.tolist(), session.beat_quality.tolist(), strict=True))
    last_us = max((peak_us for peak_us, _ in sent), default=0)
    waiting_n = sum(peak_us > last_us for peak_us, _ in found - sent)
    return len(sent ^ found) - min(2, waiting_n)


def blanked_of(session: Session) -> npt.NDArray[np.bool_]:
    """Samples of a recording that the box kept from its detector, shape (samples,)."""
    edges_us = session.edges_tick // EDGE_TICKS_PER_US
    return blanked_samples(session.ecg_us, edges_us, session.ecg_blank_ms, int(session.hello.lookback_us))


def _redetect_run(session: Session, spoiled: npt.NDArray[np.bool_], start: int, end: int) -> npt.NDArray[np.void]:
    """Peaks of the samples start..end, which follow each other without a jump."""
    rate_hz = int(session.hello.rate_hz)
    found = RPeakDetector(rate_hz).push(session.ecg_lsb[start:end], spoiled[start:end])
    place = start + found["sample_idx"].astype(np.int64)
    peaks = np.empty(len(found), PEAK_DTYPE)
    peaks["sample_idx"] = session.ecg_idx[place]
    peaks["frac_q8"], peaks["quality"] = found["frac_q8"], found["quality"]
    # The box adds the fraction in whole microseconds, rounded down.
    after_us = found["frac_q8"].astype(np.int64) * (1_000_000 // rate_hz) >> 8
    peaks["peak_us"] = session.ecg_us[place] + after_us
    return peaks

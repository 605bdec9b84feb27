"""Samples that a converter took by a clock of its own, brought onto an even grid: for files that know no other.

An ADS1292R's oscillator may be 2 % off. Each of its samples has an instant, so beats, edges and blanking are right; but
whoever puts its samples one after another at the nominal rate is off by the oscillator's error, seconds in an hour.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hbc_host.errors import InputError
from hbc_host.session_model import Session

DURATION_MAX_S = 48 * 3600.0  # memory for an even grid of samples; a session lasts an hour or two
OWN_CLOCK_BOARD = "-ads1292r"  # how the name of such a board ends
REACH = 1.1  # periods: a place without a taken sample on both sides within this is missing


def has_own_clock(board: str) -> bool:
    """True for a box whose converter samples by a clock of its own."""
    return board.endswith(OWN_CLOCK_BOARD)


def check_span(session: Session, span_s: float) -> None:
    """Refuse times that span more than two days, before memory is asked for."""
    if span_s > DURATION_MAX_S:
        raise InputError(
            f"{session.path}: its times span {span_s / 3600:.3g} h, at most {DURATION_MAX_S / 3600:g} h are put on an "
            f"even grid; see hbc session verify {session.path}"
        )


def evened(session: Session) -> Session:
    """Return the session with its samples interpolated at the nominal rate, from the first one's instant on.

    A session whose box reads the samples by the box's own clock comes back as it is. Indices count from 0 anew, so
    that they no longer fit the box's; a place is missing when the samples around it are.

    Parameters
    ----------
    session : Session

    Raises
    ------
    InputError
        Its samples span more than two days: a time in it is damaged.
    """
    if not has_own_clock(session.hello.board) or session.ecg_idx.size < 2:
        return session
    period_us = 1e6 / session.rate_hz
    at_us = session.ecg_us
    n = int((at_us[-1] - at_us[0]) / period_us) + 1
    check_span(session, n / session.rate_hz)
    grid_us = at_us[0] + np.arange(n) * period_us
    taken = np.flatnonzero(~session.ecg_missed)
    nearest = np.clip(np.searchsorted(at_us, grid_us), 0, at_us.size - 1)
    missed = np.ones(n, np.bool_)
    lsb = np.zeros(n)
    if taken.size:
        lsb = np.interp(grid_us, at_us[taken], session.ecg_lsb[taken])
        after = np.clip(np.searchsorted(at_us[taken], grid_us), 0, taken.size - 1)
        before = np.maximum(after - 1, 0)
        gap_us = np.maximum(at_us[taken[after]] - grid_us, grid_us - at_us[taken[before]])
        missed = gap_us > REACH * period_us
    return replace(
        session,
        ecg_lsb=np.rint(lsb).astype(np.int16),
        ecg_idx=np.arange(n, dtype=np.int64),
        ecg_us=np.rint(grid_us).astype(np.int64),
        ecg_missed=missed,
        ecg_blank_ms=session.ecg_blank_ms[nearest],
    )

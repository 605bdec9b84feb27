"""The box's own totals, compared with the edges on its pin at a moment at which nothing is under way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hbc_hil.bench.checks_edges import EdgeCounts
from hbc_hil.bench.evidence import BootEvidence
from hbc_hil.bench.wire_faults import Account, account

FloatArray = npt.NDArray[np.float64]
QUIET_NS = 0.3e9  # no edge precedes the report by less: what is counted has then settled


def settled_counts(
    box: BootEvidence, pulses_ns: FloatArray, settings: Mapping[str, int], *, unsure_until_ns: float
) -> tuple[EdgeCounts, Account]:
    """Totals at the last report that a quiet moment precedes, and what the filters should have made of the pulses.

    Parameters
    ----------
    box : BootEvidence
    pulses_ns : array of float (n, 2)
        Every active stretch on the pin, device time of this boot.
    settings : mapping of str to int
        Of the box; what is missing is off.
    unsure_until_ns : float
        Until then the box was starting.

    Returns
    -------
    (EdgeCounts, Account)
        All totals are -1 when the box never reported in a quiet moment: nothing then agrees.
    """
    starts_ns = pulses_ns[:, 0]
    at_ns, row = -1.0, -1
    for k in range(min(len(box.status), len(box.lost)) - 1, -1, -1):
        at_ns = float(box.lost["lost_us"][k]) * 1e3
        if not np.any((starts_ns > at_ns - QUIET_NS) & (starts_ns <= at_ns)):
            row = k
            break
    counted = starts_ns <= at_ns
    unsure = counted & (starts_ns < unsure_until_ns)
    sums = account(
        np.rint(pulses_ns[counted]).astype(np.int64),
        min_width_us=settings.get("trigger_min_width_us", 0),
        hold_off_us=settings.get("trigger_hold_off_us", 0),
    )
    # Status and Lost carry the same moment; Health follows within the same second.
    status = box.status[box.status["status_us"] * 1e3 <= at_ns] if row >= 0 else box.status[:0]
    health = box.health[box.health["health_us"] * 1e3 <= at_ns + 0.5e9] if row >= 0 else box.health[:0]
    numbered_n = int(status["edges_n"][-1]) if len(status) else -1
    counts = EdgeCounts(
        on_pin_n=int(np.count_nonzero(counted & ~unsure)),
        unsure_n=int(np.count_nonzero(unsure)),
        numbered_n=numbered_n,
        lost_n=int(box.lost["edges_n"][row]) if row >= 0 else -1,
        runts_n=int(health["runts_n"][-1]) if len(health) else 0,
        held_off_n=int(health["held_off_n"][-1]) if len(health) else 0,
        arrived_n=int(np.count_nonzero(box.edge_n < numbered_n)),
    )
    return counts, sums

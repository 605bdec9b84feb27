"""What a result says in words beside its numbers."""

from __future__ import annotations

import numpy as np

from hbc_host.design import RunDesign
from hbc_host.evidence import ALPHA


def reasons_for(
    design: RunDesign, p_cycle: float, is_open: bool, start_uncertainty_s: float, is_stale: bool
) -> tuple[str, ...]:
    """Sentences for the result of a usable run.

    ``p_cycle`` is the one-sided p of slowing; ``is_open``: onsets are so uncertain that slowing cannot be told from
    speeding; ``is_stale``: rest was recorded in another state and has not been used.
    """
    found = []
    p_two_sided = 2.0 * min(p_cycle, 1.0 - p_cycle)
    if is_open and p_two_sided < ALPHA:
        found.append(
            f"the heart rate follows the cycle (p = {p_two_sided:.3f}), but without exact onsets slowing cannot "
            "be told from speeding; record the trigger"
        )
    elif is_open:
        found.append(f"no change with the cycle is shown (p = {p_two_sided:.3f}, limit {ALPHA:g})")
    elif 1.0 - p_cycle < ALPHA:
        found.append(f"the heart speeds up with the trains (p = {1.0 - p_cycle:.3f}), which is not coupling")
    elif p_cycle >= ALPHA:
        found.append(f"p = {p_cycle:.3f} is not below {ALPHA:g}")
    left_out_n = int(np.count_nonzero(~design.accepted))
    if left_out_n:
        found.append(f"{left_out_n} of {design.onsets_s.size} trains left out for lack of measured beats")
    if start_uncertainty_s > 0.0:
        found.append(
            f"onsets known to +-{start_uncertainty_s:g} s only: every shift was tried and the p-value pays for it; "
            "the latency includes the shift"
        )
    if is_stale:
        found.append(
            "the heart varied otherwise at rest than in the run, so rest has not been used; record it just before"
        )
    return tuple(found)

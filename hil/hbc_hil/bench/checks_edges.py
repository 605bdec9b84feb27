"""Judging trigger edges: pure functions of what was commanded and what the box reported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.bench.finding import Finding, at_most, exactly

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EdgePairs:
    """Commanded and reported edges that belong together, one to one and in order, and what is left over.

    Attributes
    ----------
    commanded_i, reported_i : arrays of int (pairs,)
    missed_i, extra_i : arrays of int
        Commanded without a report; reported without a command.
    """

    commanded_i: IntArray
    reported_i: IntArray
    missed_i: IntArray
    extra_i: IntArray


@dataclass(frozen=True)
class EdgeCounts:
    """Where every edge on the pin went, by the box's own counts at one of its reports.

    Attributes
    ----------
    on_pin_n : int
        Active edges at the pin up to that report.
    unsure_n : int
        More of them while the box was starting: it may have seen them or not.
    numbered_n, lost_n, runts_n, held_off_n : int
        What the box says: got a number, overrun in the latch, too short, too soon after another.
    arrived_n : int
        Of the numbered ones, those that reached the host.
    """

    on_pin_n: int
    unsure_n: int
    numbered_n: int
    lost_n: int
    runts_n: int
    held_off_n: int
    arrived_n: int


def pair_edges(commanded_ns: FloatArray, reported_ns: FloatArray, within_ns: float) -> EdgePairs:
    """Pair by time; both sorted. Of several within reach the nearest pair wins, and each edge is used once."""
    pairs: list[tuple[int, int]] = []
    k = 0
    for i, at in enumerate(commanded_ns.tolist()):
        while k < reported_ns.size and reported_ns[k] < at - within_ns:
            k += 1
        if k == reported_ns.size or reported_ns[k] > at + within_ns:
            continue
        nearer_to_next = i + 1 < commanded_ns.size and abs(commanded_ns[i + 1] - reported_ns[k]) < abs(
            at - reported_ns[k]
        )
        if nearer_to_next:
            continue
        while k + 1 < reported_ns.size and abs(reported_ns[k + 1] - at) < abs(reported_ns[k] - at):
            k += 1
        pairs.append((i, k))
        k += 1
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return EdgePairs(
        table[:, 0],
        table[:, 1],
        np.setdiff1d(np.arange(commanded_ns.size), table[:, 0]),
        np.setdiff1d(np.arange(reported_ns.size), table[:, 1]),
    )


def edge_accounts(
    counts: EdgeCounts, pairs: EdgePairs, *, told_missed_max_n: int, in_transit_max_n: int, silent_max_n: int = 0
) -> list[Finding]:
    """Is every edge accounted for, is none invented, and how many were given up?

    Parameters
    ----------
    counts : EdgeCounts
    pairs : EdgePairs
        Of the edges that the box had to report.
    told_missed_max_n, in_transit_max_n : int
        How many the box may overrun and say so; how many may be lost on the line, with their numbers missing.
    silent_max_n : int
        How many may vanish unsaid: none, but where a fault is injected that no box of this kind can notice.
    """
    told_n = counts.numbered_n + counts.lost_n + counts.runts_n + counts.held_off_n
    silent_n = max(0, counts.on_pin_n - told_n, told_n - counts.on_pin_n - counts.unsure_n)
    return [
        at_most("edges silent", "edges on the pin that have no number and are not counted as given up", silent_n,
                silent_max_n),
        exactly("edges extra", "no edge is reported that was not commanded", pairs.extra_i.size, 0),
        at_most("edges overrun", "edges overrun in the capture latch, counted in Lost", counts.lost_n,
                told_missed_max_n),
        at_most("edges in transit", "edges with a number that never reached the host",
                counts.numbered_n - counts.arrived_n, in_transit_max_n),
    ]  # fmt: skip


def edge_filter(counts: EdgeCounts, *, runts_n: int, held_off_n: int) -> list[Finding]:
    """Minimum width and hold-off: is the number of edges filtered away what the settings ask for?

    An edge that is overrun within a hold-off cannot always be told from another overrun, so both are taken together.
    """
    return [
        exactly("runts", "pulses shorter than the minimum width are counted, not reported", counts.runts_n, runts_n),
        exactly("held off", "edges within the hold-off are counted (or counted as overrun), not reported",
                counts.held_off_n + counts.lost_n, held_off_n),
    ]  # fmt: skip


def interval_error(
    commanded_ns: FloatArray, reported_ns: FloatArray, list_n: IntArray, *, limit_ns: float
) -> list[Finding]:
    """Error of the distance between neighbouring edges, of the same list where starts are uncertain.

    Parameters
    ----------
    commanded_ns, reported_ns : arrays (pairs,)
        Paired, on one clock's scale.
    list_n : array of int (pairs,)
        Edges of different lists are not compared.
    limit_ns : float
        Two capture ticks in hardware; the wiring's margin between two boards.
    """
    error_ns = reported_ns - commanded_ns
    same = np.diff(list_n) == 0
    step_ns = np.abs(np.diff(error_ns))[same]
    p50, p99, worst = np.percentile(step_ns, [50, 99, 100]) if step_ns.size else (float("nan"),) * 3
    what = f"edge-to-edge interval error, {step_ns.size} intervals"
    return [
        at_most("interval p50", what, round(float(p50), 3), limit_ns, "ns"),
        at_most("interval p99", what, round(float(p99), 3), limit_ns, "ns"),
        at_most("interval max", what, round(float(worst), 3), limit_ns, "ns"),
    ]


def against_sample_clock(
    commanded_ns: FloatArray, reported_ns: FloatArray, *, bracket_half_ns: float, limit_us: float, slack_ns: float
) -> list[Finding]:
    """Edge times against the clock of the samples: within what the box itself states, and that within the limit.

    Parameters
    ----------
    bracket_half_ns : float
        From the box's Hello.
    limit_us : float
        Largest half-bracket that is good enough.
    slack_ns : float
        What the oracle itself may be off: its start of a boot is known to a microsecond.
    """
    worst_ns = float(np.abs(reported_ns - commanded_ns).max()) if reported_ns.size else float("nan")
    return [
        at_most("edge vs samples", "edge against sample clock, worst, within the half-bracket that the box states",
                worst_ns * 1e-3, (bracket_half_ns + slack_ns) * 1e-3, "us"),
        at_most("half-bracket", "the half-bracket that the box states", bracket_half_ns * 1e-3, limit_us, "us"),
    ]  # fmt: skip


def soft_jitter(
    commanded_ns: FloatArray, reported_ns: FloatArray, *, stated_ns: float, slack_ns: float, limit_us: float
) -> list[Finding]:
    """Soft timestamps: does what the box states about their jitter hold, and is it small enough to be useful?

    Parameters
    ----------
    stated_ns : float
        Health.jitter_ns: how late a stamp may be, as the box measured it.
    slack_ns : float
        Error of the oracle and of the relation of the two clocks.
    limit_us : float
        Largest jitter that is good enough for grouping pulses.
    """
    error_ns = reported_ns - commanded_ns
    known = error_ns.size > 0
    spread_us = float(np.ptp(np.percentile(error_ns, [1, 99]))) * 1e-3 if known else float("nan")
    late_us = float(error_ns.max()) * 1e-3 if known else float("nan")
    early_us = float(-error_ns.min()) * 1e-3 if known else float("nan")
    return [
        at_most("soft spread", "soft timestamps: spread of the edge error, 1st to 99th percentile", spread_us,
                limit_us, "us"),
        at_most("soft late", "soft timestamps: latest stamp, within the jitter that the box states", late_us,
                (stated_ns + slack_ns) * 1e-3, "us"),
        at_most("soft early", "soft timestamps: none is early", early_us, slack_ns * 1e-3, "us"),
        at_most("soft stated", "the jitter that the box states", stated_ns * 1e-3, limit_us, "us"),
    ]  # fmt: skip


def polarity(levels: IntArray, active_level: int) -> Finding:
    """Are all edges the ones that were asked for, rising or falling?"""
    wrong_n = int(np.count_nonzero(levels != active_level))
    return exactly("polarity", "edges whose level after them is not the active one", wrong_n, 0)


def drift(measured_ppm: float, expected_ppm: float | None, *, limit_ppm: float) -> Finding:
    """Ratio of the box's crystal to the commanding clock, against what it is known to be, or else the limit alone."""
    if expected_ppm is None:
        return at_most("drift", "box's crystal against the generator's", abs(measured_ppm), limit_ppm, "ppm")
    what = f"drift {measured_ppm:.3f} ppm found, {expected_ppm:g} ppm there: difference"
    return at_most("drift", what, abs(measured_ppm - expected_ppm), limit_ppm, "ppm")

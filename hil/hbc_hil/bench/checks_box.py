"""Judging samples, beats, line and restarts: pure functions of what was there and what the box reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hbc_hil.bench.finding import Finding, at_least, at_most, exactly
from hbc_hil.score import BeatScore

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BITS_PER_BYTE = 10  # 8N1


def samples(
    idx: IntArray,
    residual_us: IntArray,
    missed: npt.NDArray[np.bool_],
    *,
    until_idx: int,
    told_lost_n: int,
    in_transit: bool,
    missed_share_max: float,
    jitter_max_us: float,
) -> list[Finding]:
    """Is every point of the grid there, marked as missed, or counted? How far from the grid were samples taken?

    Parameters
    ----------
    idx, residual_us, missed : arrays (samples,)
        As the box sent them.
    until_idx, told_lost_n : int
        Grid points and lost samples by the last reports that came.
    in_transit : bool
        Blocks may be lost on the line, too: holes are then no fault of the counts.
    missed_share_max, jitter_max_us : float
        Largest share of missed samples; largest standard deviation of the instant against the grid.
    """  # fmt: skip
    known = idx < until_idx
    idx, taken = idx[known], ~missed[known]
    holes_n = until_idx - idx.size if idx.size else until_idx
    # Blocks that were still in the box at the last report are no holes.
    holes_n -= max(0, until_idx - 1 - int(idx[-1])) if idx.size else 0
    missed_n = int(np.count_nonzero(~taken))
    jitter_us = float(np.std(residual_us[known][taken])) if taken.any() else float("nan")
    silent_n = max(0, holes_n + missed_n - told_lost_n) if not in_transit else max(0, missed_n - told_lost_n)
    share = (holes_n + missed_n) / max(1, until_idx)
    return [
        exactly("samples silent", "every missing sample is marked or counted in Lost", silent_n, 0),
        at_most("samples missed", "share of grid points without a sample", share, missed_share_max),
        at_most("sampling jitter", "sample instants against the grid, std. dev.", jitter_us, jitter_max_us, "us"),
    ]  # fmt: skip


def sample_rate(idx: IntArray, at_s: FloatArray, *, rate_hz: float, limit_ppm: float) -> Finding:
    """Rate of the samples on an independent clock, by a line through all instants."""
    if idx.size < 100:
        return at_most("sample rate", "error of the sample rate", float("nan"), limit_ppm, "ppm")
    slope_s = float(np.polyfit(idx - idx[0], at_s - at_s[0], 1)[0])
    error_ppm = abs(1.0 / (slope_s * rate_hz) - 1.0) * 1e6
    return at_most("sample rate", "error of the sample rate against the commanding clock", error_ppm, limit_ppm, "ppm")


def sample_instants(
    ecg_lsb: IntArray,
    at_s: FloatArray,
    volts: FloatArray,
    volts_rate_hz: float,
    *,
    lsb_v: float,
    limit_us: float,
    gain_error_pct: float,
) -> list[Finding]:
    """Where the samples truly were, by the voltage that was there, and whether a count is as large as the box says.

    The shift in time is the one that explains the differences best; the gain is that in the middle of the range.

    Parameters
    ----------
    ecg_lsb, at_s : arrays (samples,)
        Counts, and the instants that the box states, seconds of the world.
    volts, volts_rate_hz : array (n,), float
        What there was to convert, from world second 0 on.
    lsb_v : float
        What a count stands for, in the unit of ``volts``.
    limit_us, gain_error_pct : float
    """  # fmt: skip
    grid_s = np.arange(volts.size) / volts_rate_hz
    inside = (at_s > grid_s[2]) & (at_s < grid_s[-3])
    at_s, found_v = at_s[inside], ecg_lsb[inside] * lsb_v
    there_v = np.interp(at_s, grid_s, volts)
    slope = np.interp(at_s, grid_s, np.gradient(volts, 1.0 / volts_rate_hz))
    # Offset, gain and bend of the converter are fitted away; what is left along the slope is a shift in time.
    columns = np.stack([np.ones_like(there_v), there_v, there_v**2, there_v**3, slope], axis=1)
    steep = np.abs(slope) < np.percentile(np.abs(slope), 99.9)  # steps of a lead-off are no slopes
    found = np.linalg.lstsq(columns[steep], found_v[steep], rcond=None)[0]
    gain = found[1] + 2 * found[2] * np.median(there_v) + 3 * found[3] * np.median(there_v) ** 2
    shift_us = abs(float(found[4] / gain)) * 1e6
    error_pct = abs(float(gain) - 1.0) * 100.0
    return [
        at_most("sample instants", "samples against the voltage at the pin, mean shift in time", shift_us, limit_us,
                "us"),
        at_most("sample gain", "size of a count against what the box says of it", error_pct, gain_error_pct, "%"),
    ]  # fmt: skip


def beats(score: BeatScore, *, rms_ms: float, share_min: float) -> list[Finding]:
    """R-peaks outside the trains: time error, found, true."""
    return [
        at_most("R-peak rms", f"R-peak time error, {score.truth_n} beats outside trains", score.rms_ms, rms_ms, "ms"),
        at_least("beats found", "share of beats that were found", score.se, share_min),
        at_least("beats true", "share of reported beats that were there", score.ppv, share_min),
    ]  # fmt: skip


def throughput(bytes_n: int, duration_s: float, *, baud: int, share_max: float) -> Finding:
    """Load of the line, of what the baud rate allows."""
    share = bytes_n * BITS_PER_BYTE / (duration_s * baud) if duration_s > 0 else float("nan")
    rate = bytes_n / duration_s if duration_s > 0 else float("nan")
    return at_most("throughput", f"share of the line in use ({rate:.0f} bytes/s)", share, share_max)


def frames(lost_n: int, bad_n: int, *, lost_max_n: int) -> list[Finding]:
    """Frames that did not arrive, and stretches that were no frame."""
    return [
        at_most("frames lost", "frames missing by their numbers", lost_n, lost_max_n),
        at_most("frames bad", "stretches of bytes that are no frame", bad_n, lost_max_n),
    ]


def latency(arrived_s: FloatArray, happened_s: FloatArray, *, limit_ms: float) -> list[Finding]:
    """From the edge to its arrival at the host, on the host's clock."""
    late_ms = (arrived_s - happened_s) * 1e3
    p50, p99 = np.percentile(late_ms, [50, 99]) if late_ms.size else (float("nan"), float("nan"))
    return [
        at_most("latency p50", f"edge to host, {late_ms.size} edges", float(p50), limit_ms, "ms"),
        at_most("latency p99", f"edge to host, {late_ms.size} edges", float(p99), limit_ms, "ms"),
    ]


def lead_off(
    spans_s: Sequence[tuple[float, float, int]], status_s: FloatArray, leads: IntArray, *, limit_s: float
) -> list[Finding]:
    """How soon a fallen electrode is told, and its return.

    Parameters
    ----------
    spans_s : sequence of (from_s, until_s, bit)
        Device seconds; the bit of Status.leads that must be set meanwhile.
    status_s, leads : arrays (reports,)
    """
    gone: list[float] = []
    back: list[float] = []
    for from_s, until_s, bit in spans_s:
        set_s = status_s[(status_s >= from_s) & ((leads & bit) > 0)]
        clear_s = status_s[(status_s >= until_s) & ((leads & bit) == 0)]
        gone.append(float(set_s[0] - from_s) if set_s.size and set_s[0] < until_s + limit_s else float("inf"))
        back.append(float(clear_s[0] - until_s) if clear_s.size else float("inf"))
    before_s = min((from_s for from_s, _, _ in spans_s), default=float("nan"))
    early_n = int(np.count_nonzero((status_s < before_s) & (leads > 0)))
    return [
        at_most("lead-off told", "from an electrode falling off to the report that names it", max(gone), limit_s, "s"),
        at_most("lead-off over", "from its return to the report that says so", max(back), limit_s, "s"),
        exactly("lead-off early", "reports of an electrode that had not fallen off yet", early_n, 0),
    ]


def restarts(hello_after_s: Sequence[float], *, boots_n: int, expected_n: int, limit_s: float) -> list[Finding]:
    """Did the box come back after each reset, and how soon did it say so?

    Parameters
    ----------
    hello_after_s : sequence of float
        From each reset to the first report of the boot that follows, seconds.
    """
    worst_s = max(hello_after_s, default=float("nan"))
    return [
        exactly("boots", "boots in the recording", boots_n, expected_n),
        at_most("recovery", "from a reset to the first report after it, worst", worst_s, limit_s, "s"),
    ]


def wraps(ticks_at_boot_us: int, duration_us: int, *, ticks_min_n: int, capture_min_n: int) -> list[Finding]:
    """Which counters ran over within the recording: the checks above then hold across them.

    The microsecond counter turns over at 2**30 us, the capture counter every 2**32 ticks of 12.5 ns.
    """
    ticks_n = (ticks_at_boot_us + duration_us) // 2**30
    capture_n = int(duration_us * 80 // 2**32)
    return [
        at_least("ticks_us wraps", "turns of the microsecond counter within the recording", ticks_n, ticks_min_n),
        at_least("capture wraps", "turns of the capture counter within the recording", capture_n, capture_min_n),
    ]


def anchor(anchor_error_ns: IntArray, *, limit_us: float) -> Finding:
    """The box's own check of its two clocks against each other, once a second."""
    worst_us = float(np.abs(anchor_error_ns).max()) * 1e-3 if anchor_error_ns.size else float("nan")
    return at_most(
        "anchor", "capture clock against microsecond clock, as the box re-measures it", worst_us, limit_us, "us"
    )

"""Judging a run in the simulated world, where the truth is known: the world's against what the box reported."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from hbc_host.clocksync import fit_clock
from hbc_wire import messages

from hbc_hil.bench import checks_box, checks_edges
from hbc_hil.bench.evidence import Evidence
from hbc_hil.bench.finding import Finding, not_measured
from hbc_hil.bench.plan import Plan
from hbc_hil.bench.totals import settled_counts
from hbc_hil.bench.truths import BootTruth, boot_truths, pin_volts
from hbc_hil.digital_front_end import DigitalSettings
from hbc_hil.rig import Rig
from hbc_hil.score import score_beats

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BLIND_S = 1.0  # a box that boots may or may not see an edge
LEARN_S = 6.0  # after a boot or a lead-off the detector finds its feet
TRAIN_TAIL_S = 0.3
MATCH_S = 0.05
SOFT_SLACK_NS = 10_000.0  # soft stamps are related to the samples' clock by reads of that clock
ANALOG_S = 60.0  # of the voltage are compared
BAUD = 115200


def judge_rig(plan: Plan, rig: Rig, evidence: Evidence, pulses: IntArray) -> list[Finding]:
    """All checks of a run in the rig.

    Parameters
    ----------
    plan : Plan
    rig : Rig
        Switched off: its truth, boots and report.
    evidence : Evidence
    pulses : array of int64 (n, 2)
        Every active stretch of the trigger wire, nanoseconds of the world, faults included.
    """
    boots = boot_truths(plan, rig, evidence, pulses)
    findings: list[Finding] = []
    if plan.stimulation:
        findings += _edges(plan, boots)
    findings += _samples(plan, rig, boots)
    findings += _beats(plan, rig, boots)
    findings += _line(plan, rig, evidence)
    if plan.lead_off:
        findings += _leads(plan, rig, boots)
    findings += _time(plan, rig, evidence)
    return findings


def _edges(plan: Plan, boots: Sequence[BootTruth]) -> list[Finding]:
    parts = [_edges_of(plan, boot, first=k == 0) for k, boot in enumerate(boots)]
    if len(parts) == 1:
        return parts[0]
    # Of several boots the worst of each check is shown.
    return [max(same, key=_badness) for same in zip(*parts, strict=True)]


def _badness(finding: Finding) -> tuple[bool, float]:
    return finding.verdict == "FAIL", finding.value if finding.value is not None else float("inf")


def _edges_of(plan: Plan, boot: BootTruth, *, first: bool) -> list[Finding]:
    box, limits = boot.box, plan.limits
    soft = str(box.hello.capture).startswith("software")
    bracket_ns = float(box.hello.bracket_half_ns)
    slack_ns = boot.slack_ns + limits.edge_slack_us * 1e3
    within_ns = 5e6 if soft else 2 * bracket_ns + 2e4 + slack_ns
    pairs = checks_edges.pair_edges(boot.commanded_ns, box.edges_ns, within_ns)
    counts, sums = settled_counts(
        box,
        boot.pulses_ns,
        plan.settings,
        unsure_until_ns=0.0 if first else plan.options().ticks_at_boot_us * 1e3 + BLIND_S * 1e9,
    )
    found = checks_edges.edge_accounts(
        counts,
        pairs,
        told_missed_max_n=limits.told_missed_n,
        in_transit_max_n=limits.in_transit_n,
        silent_max_n=limits.silent_n,
    )
    if plan.settings.get("trigger_min_width_us", 0) or plan.settings.get("trigger_hold_off_us", 0):
        found += checks_edges.edge_filter(counts, runts_n=sums.runts_n, held_off_n=sums.held_off_n)
    commanded_ns, reported_ns = boot.commanded_ns[pairs.commanded_i], box.edges_ns[pairs.reported_i]
    if soft:
        found += checks_edges.soft_jitter(
            commanded_ns, reported_ns, stated_ns=box.last("health", "jitter_ns"), slack_ns=slack_ns + SOFT_SLACK_NS,
            limit_us=limits.soft_jitter_us,
        )  # fmt: skip
    else:
        same_list = np.zeros(commanded_ns.size, np.int64)
        found += checks_edges.interval_error(commanded_ns, reported_ns, same_list, limit_ns=limits.interval_ns)
        found += checks_edges.against_sample_clock(
            commanded_ns, reported_ns, bracket_half_ns=bracket_ns, limit_us=limits.half_bracket_us,
            slack_ns=slack_ns,
        )  # fmt: skip
        found.append(_drift(plan, commanded_ns, reported_ns))
    rising = plan.settings.get("trigger_rising", 1)
    return [*found, checks_edges.polarity(box.edge_level, rising)]


def _drift(plan: Plan, commanded_ns: FloatArray, reported_ns: FloatArray) -> Finding:
    """The drift that the edges show; the commanded ones hold what was put in, so its share is added again."""
    put_in_ppm = float(plan.rig.get("drift_ppm", 0.0))
    if commanded_ns.size < 2:
        return checks_edges.drift(float("nan"), put_in_ppm, limit_ppm=plan.limits.drift_ppm)
    span_ns = commanded_ns[-1] - commanded_ns[0]
    excess = (reported_ns[-1] - reported_ns[0]) / span_ns * (1.0 + put_in_ppm * 1e-6) - 1.0
    return checks_edges.drift(excess * 1e6, put_in_ppm, limit_ppm=plan.limits.drift_ppm)


def _samples(plan: Plan, rig: Rig, boots: Sequence[BootTruth]) -> list[Finding]:
    boot, limits = boots[0], plan.limits
    box = boot.box
    bad_cable = plan.cable.flip_per_byte > 0 or plan.cable.lost_every_bytes_n > 0 or bool(rig.options.brownouts_s)
    found = checks_box.samples(
        box.ecg_idx, box.residual_us, box.ecg_missed, until_idx=box.last("status", "samples_n"),
        told_lost_n=box.last("lost", "samples_n"), in_transit=bad_cable,
        missed_share_max=limits.samples_missed_share, jitter_max_us=limits.sampling_jitter_us,
    )  # fmt: skip
    scale = 1.0 + rig.options.drift_ppm * 1e-6
    at_s = np.asarray((box.ecg_us * 1e-6 - rig.boot_s) / scale + boot.begin_s, np.float64)
    limit_ppm = limits.sample_rate_ppm + abs(rig.options.drift_ppm)
    found.append(checks_box.sample_rate(box.ecg_idx, at_s, rate_hz=float(box.hello.rate_hz), limit_ppm=limit_ppm))
    early = (at_s < ANALOG_S) & ~box.ecg_missed
    if rig.options.front_end == "ads1292r":  # a free electrode is pulled to a rail inside the chip, not in the world
        for span in plan.lead_off:
            early &= (at_s < span.start_s) | (at_s > span.end_s + LEARN_S)
    if early.sum() < 1000:
        return found
    volts = pin_volts(rig.world, ANALOG_S)
    # At the electrodes, so that the gain which the box states is judged, too.
    afe = rig.world.scenario.afe
    lsb = box.hello.adc_lsb_nv * 1e-9 / box.hello.gain * (1e3 if isinstance(afe, DigitalSettings) else afe.gain)
    found += checks_box.sample_instants(
        box.ecg_lsb[early], at_s[early], volts, rig.world.analog_rate_hz, lsb_v=lsb,
        limit_us=limits.sample_instants_us, gain_error_pct=limits.sample_gain_pct,
    )  # fmt: skip
    return found


def _beats(plan: Plan, rig: Rig, boots: Sequence[BootTruth]) -> list[Finding]:
    truth, options = rig.world.truth, rig.options
    if not truth.beats_known:
        return [not_measured("R-peak rms", "this recording has no marks")]
    scale = 1.0 + options.drift_ppm * 1e-6
    found_s = np.concatenate(
        [(boot.box.beats_us * 1e-6 - rig.boot_s) / scale + boot.begin_s for boot in boots]
    ) - truth.afe_delay_s  # fmt: skip
    excluded = [(train.onset_s, train.end_s + TRAIN_TAIL_S) for train in truth.trains]
    excluded += [(boot.end_s - 1.0, after.begin_s + LEARN_S) for boot, after in itertools.pairwise(boots)]
    excluded += [(span.start_s - 0.5, span.end_s + LEARN_S) for span in plan.lead_off]
    score = score_beats(
        truth.beats_s, found_s, excluded=[*excluded, *truth.obscured_s], start_s=1.0, end_s=truth.duration_s - 1.0,
        within_s=MATCH_S if plan.ecg == "patient" else 3 * MATCH_S,
    )  # fmt: skip
    return checks_box.beats(score, rms_ms=plan.limits.r_peak_rms_ms, share_min=plan.limits.beats_share)


def _line(plan: Plan, rig: Rig, evidence: Evidence) -> list[Finding]:
    limits = plan.limits
    # The ROM speaks on the line at each boot but the first, and a reset cuts a frame.
    resets_n = len(rig.boots) - 1
    lost_n = sum(boot.frames_lost_n for boot in evidence.boots)
    found = [
        checks_box.throughput(evidence.bytes_n, rig.world.duration_s, baud=BAUD, share_max=limits.line_share),
        *checks_box.frames(lost_n, max(0, evidence.bad_n - 3 * resets_n), lost_max_n=limits.frames_lost_n),
    ]
    if not rig.options.paced:
        return [*found, not_measured("latency", "only a paced run has a host clock to compare with")]
    fit = fit_clock(evidence.pings)
    box = evidence.boots[0]
    happened_s = np.array([fit.to_host_s(int(at_ns * 1e-3)) for at_ns in box.edges_ns.tolist()])
    return [*found, *checks_box.latency(box.edges_arrived_s, happened_s, limit_ms=limits.latency_ms)]


def _leads(plan: Plan, rig: Rig, boots: Sequence[BootTruth]) -> list[Finding]:
    """Reports of all boots on the world's clock: an electrode may fall off in any of them."""
    bit = {"LA": messages.LEAD_LA_OFF, "RA": messages.LEAD_RA_OFF}
    spans = [(span.start_s, span.end_s, bit[span.electrode]) for span in plan.lead_off]
    scale = 1.0 + rig.options.drift_ppm * 1e-6
    told_s = [(boot.box.status["status_us"] * 1e-6 - rig.boot_s) / scale + boot.begin_s for boot in boots]
    leads = np.concatenate([boot.box.status["leads"].astype(np.int64) for boot in boots])
    return checks_box.lead_off(spans, np.concatenate(told_s), leads, limit_s=plan.limits.lead_off_s)


def _time(plan: Plan, rig: Rig, evidence: Evidence) -> list[Finding]:
    options, limits = rig.options, plan.limits
    found: list[Finding] = []
    resets_s = sorted(reset_s for reset_s in options.brownouts_s if reset_s < rig.world.duration_s)
    if resets_s:
        after_s = [
            begin_s + float(box.status["status_us"][0]) * 1e-6 - rig.boot_s - reset_s
            for (begin_s, _), box, reset_s in zip(rig.boots[1:], evidence.boots[1:], resets_s, strict=False)
            if len(box.status)
        ]
        found += checks_box.restarts(
            after_s, boots_n=len(evidence.boots), expected_n=1 + len(resets_s), limit_s=limits.recovery_s
        )
    if limits.ticks_wraps_n or limits.capture_wraps_n:
        found += checks_box.wraps(
            options.ticks_at_boot_us, round(rig.world.duration_s * 1e6), ticks_min_n=limits.ticks_wraps_n,
            capture_min_n=limits.capture_wraps_n,
        )  # fmt: skip
    health = evidence.boots[0].health
    if len(health):
        found.append(checks_box.anchor(health["anchor_error_ns"].astype(np.int64), limit_us=limits.anchor_us))
    return found

"""Judging a run between two boards, where there is no oracle: the generator's log against what the box reported."""

from __future__ import annotations

import numpy as np
from hbc_wire import messages

from hbc_hil.bench import checks_box, checks_edges
from hbc_hil.bench.checks_edges import EdgePairs
from hbc_hil.bench.clockfit import TwoClocks, predicted_ns, relate
from hbc_hil.bench.dac_ecg import DacEcg
from hbc_hil.bench.evidence import BootEvidence, Evidence
from hbc_hil.bench.finding import Finding, at_most, exactly, not_measured
from hbc_hil.bench.generator_link import GeneratorLog
from hbc_hil.bench.pairing import NEAR_NS, Commanded, commanded_of, pair_lists
from hbc_hil.bench.plan import Plan
from hbc_hil.bench.totals import settled_counts
from hbc_hil.bench.wire_faults import account
from hbc_hil.errors import EvidenceError
from hbc_hil.score import score_beats
from hbc_hil.wiring import EDGE_INTERVAL_MARGIN_NS, EDGE_MARGIN_US, R_PEAK_MARGIN_MS

CRYSTALS_PPM = 100.0  # two crystals of 40 ppm each, and their age
BAUD = 115200
LEARN_S = 4.0


def judge_generator(plan: Plan, log: GeneratorLog, ecg: DacEcg | None, evidence: Evidence) -> list[Finding]:
    """All checks of a run with a generator, simulated or real.

    Parameters
    ----------
    plan : Plan
    log : GeneratorLog
    ecg : DacEcg or None
        What the DAC played, None for a generator without one.
    evidence : Evidence

    Raises
    ------
    EvidenceError, GeneratorError
        Nothing was commanded or reported, so nothing can be related.
    """
    box = evidence.boots[0]
    commanded = commanded_of(log)
    if not commanded.list_n.size:
        raise EvidenceError("the generator's log holds no pulse: nothing was commanded; check its firmware")
    sums = account(
        commanded.absolute_ns(),
        min_width_us=plan.settings.get("trigger_min_width_us", 0),
        hold_off_us=plan.settings.get("trigger_hold_off_us", 0),
    )
    slack_us = plan.limits.edge_slack_us
    pairs = pair_lists(commanded, sums.reported, box.edges_ns, near_ns=NEAR_NS + slack_us * 1e3)
    if pairs.commanded_i.size < 2:
        raise EvidenceError(
            f"{commanded.list_n.size} pulses were commanded and {box.edges_ns.size} edges reported, but fewer than two "
            f"belong together; check the trigger jumper, and trigger_rising of the box"
        )
    paired = pairs.commanded_i
    list_n, start_us, found_ns = commanded.list_n[paired], commanded.start_us[paired], box.edges_ns[pairs.reported_i]
    clocks = relate(list_n, start_us, found_ns, commanded.before_us, commanded.after_us, slack_us=float(EDGE_MARGIN_US))
    findings = [exactly("boots", "boots of the box in the recording", len(evidence.boots), 1)]
    findings += _edges(plan, commanded, clocks, pairs, box)
    findings += checks_edges.interval_error(
        predicted_ns(list_n, start_us, found_ns, clocks.ppm),
        found_ns,
        list_n,
        limit_ns=max(float(EDGE_INTERVAL_MARGIN_NS), plan.limits.interval_ns),
    )
    findings += _clocks(plan, clocks, box)
    findings += _signal(plan, log, ecg, clocks, box)
    findings += _leads(plan, log, clocks, box)
    lost_n = sum(boot.frames_lost_n for boot in evidence.boots)
    duration_s = float(box.status["status_us"][-1] - box.status["status_us"][0]) * 1e-6 if len(box.status) else 0.0
    findings.append(checks_box.throughput(evidence.bytes_n, duration_s, baud=BAUD, share_max=plan.limits.line_share))
    return findings + checks_box.frames(lost_n, evidence.bad_n, lost_max_n=plan.limits.frames_lost_n)


def _edges(plan: Plan, commanded: Commanded, clocks: TwoClocks, pairs: EdgePairs, box: BootEvidence) -> list[Finding]:
    absolute_us = np.asarray(commanded.absolute_ns() * 1e-3, np.float64)
    pulses_ns = np.stack((clocks.to_box_ns(absolute_us[:, 0]), clocks.to_box_ns(absolute_us[:, 1])), axis=1)
    counts, sums = settled_counts(box, pulses_ns, plan.settings, unsure_until_ns=0.0)
    found = checks_edges.edge_accounts(
        counts,
        pairs,
        told_missed_max_n=plan.limits.told_missed_n,
        in_transit_max_n=plan.limits.in_transit_n,
        silent_max_n=plan.limits.silent_n,
    )
    if plan.settings.get("trigger_min_width_us", 0) or plan.settings.get("trigger_hold_off_us", 0):
        found += checks_edges.edge_filter(counts, runts_n=sums.runts_n, held_off_n=sums.held_off_n)
    return [*found, checks_edges.polarity(box.edge_level, plan.settings.get("trigger_rising", 1))]


def _clocks(plan: Plan, clocks: TwoClocks, box: BootEvidence) -> list[Finding]:
    known_ppm = float(plan.rig["drift_ppm"]) if "drift_ppm" in plan.rig else None
    limit_ppm = plan.limits.drift_ppm if known_ppm is not None else CRYSTALS_PPM
    found = [
        checks_edges.drift(clocks.ppm, known_ppm, limit_ppm=limit_ppm),
        exactly("list starts", f"lists that began outside the generator's two reads around them "
                f"(spread {clocks.start_spread_us:.0f} us)", clocks.starts_outside_n, 0),
        at_most("half-bracket", "the half-bracket that the box states", box.hello.bracket_half_ns * 1e-3,
                plan.limits.half_bracket_us, "us"),
        not_measured("edge vs samples", "no oracle between two boards: half-bracket and anchor stand for it"),
    ]  # fmt: skip
    if len(box.health):
        errors_ns = box.health["anchor_error_ns"].astype(np.int64)
        found.append(checks_box.anchor(errors_ns, limit_us=plan.limits.anchor_us))
    return found


def _leads(plan: Plan, log: GeneratorLog, clocks: TwoClocks, box: BootEvidence) -> list[Finding]:
    """Each bit that the generator raised, until it lowered it again."""
    at_s = clocks.to_box_ns(np.array([us for us, _ in log.leads], np.float64)) * 1e-9
    spans: list[tuple[float, float, int]] = []
    for bit in (messages.LEAD_LA_OFF, messages.LEAD_RA_OFF):
        since_s: float | None = None
        for moment_s, (_, bits) in zip(at_s.tolist(), log.leads, strict=True):
            if bits & bit and since_s is None:
                since_s = moment_s
            elif not bits & bit and since_s is not None:
                spans.append((since_s, moment_s, bit))
                since_s = None
    if not spans:
        return []
    status_s = np.asarray(box.status["status_us"] * 1e-6, np.float64)
    return checks_box.lead_off(spans, status_s, box.status["leads"].astype(np.int64), limit_s=plan.limits.lead_off_s)


def _signal(plan: Plan, log: GeneratorLog, ecg: DacEcg | None, clocks: TwoClocks, box: BootEvidence) -> list[Finding]:
    limits = plan.limits
    found = checks_box.samples(
        box.ecg_idx, box.residual_us, box.ecg_missed, until_idx=box.last("status", "samples_n"),
        told_lost_n=box.last("lost", "samples_n"), in_transit=True,
        missed_share_max=max(0.01, limits.samples_missed_share),
        jitter_max_us=limits.sampling_jitter_us,
    )  # fmt: skip
    generator_s = box.ecg_us * 1e-6 / (1.0 + clocks.ppm * 1e-6)
    found.append(
        checks_box.sample_rate(
            box.ecg_idx, np.asarray(generator_s, np.float64), rate_hz=float(box.hello.rate_hz), limit_ppm=CRYSTALS_PPM
        )
    )
    if ecg is None or not log.ecg_turns_us:
        return [*found, not_measured("R-peak rms", "no ECG was played: the generator has no DAC")]
    turns_us = np.array([*log.ecg_turns_us, log.ecg_turns_us[-1] + round(ecg.turn_s * 1e6)], np.float64)
    beats_us = (turns_us[:, None] + ecg.beats_s[None, :] * 1e6).ravel()
    truth_s = np.asarray(clocks.to_box_ns(beats_us) * 1e-9, np.float64)
    found_s = np.asarray(box.beats_us * 1e-6, np.float64)
    # Scored from when the detector has learnt this ECG until the last turn that the log vouches for.
    score = score_beats(
        truth_s, found_s, excluded=[], start_s=max(truth_s[0], box.ecg_us[0] * 1e-6) + LEARN_S,
        end_s=min(float(truth_s[-1]), float(found_s[-1]) if found_s.size else 0.0) - 0.5, within_s=0.05,
    )  # fmt: skip
    return found + checks_box.beats(score, rms_ms=float(R_PEAK_MARGIN_MS), share_min=limits.beats_share)

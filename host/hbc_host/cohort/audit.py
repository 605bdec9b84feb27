"""What can be said of a cohort before anything is fitted: what loads, what is missing, what cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hbc_host.cohort.outcomes import Outcomes
from hbc_host.cohort.recordings import RecordingRef, digest, load_runs
from hbc_host.counting import counted
from hbc_host.errors import HbcError

REFUSED, LEFT_OUT, WARNING, NOTE = "refused", "left out", "warning", "note"
TRAINS_MIN_N = 4
RATES_BPM = (35.0, 150.0)
GAPS_MAX_SHARE = 0.2


@dataclass(frozen=True)
class Finding:
    """One remark: how grave, about what, and the reason with the next step."""

    level: str
    about: str
    text: str


@dataclass(frozen=True)
class RunSummary:
    """One run as it loads, before it is estimated. ``measured_share`` is the share of its time outside gaps."""

    patient: str
    recording: str
    site: str
    trains_n: int
    beats_n: int
    mean_rate_bpm: float
    measured_share: float
    start_uncertainty_s: float
    has_intensities: bool


@dataclass(frozen=True)
class Audit:
    """Everything that ``hbc cohort check`` prints. ``analysable_n`` patients have a run that loads and an outcome.

    ``left_out_n`` recordings are practice, and counted nowhere else.
    """

    recordings_n: int
    loaded_n: int
    runs: tuple[RunSummary, ...]
    patients_n: int
    outcomes_n: int
    analysable_n: int
    sites: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]
    left_out_n: int = 0


def audit_cohort(
    refs: Sequence[RecordingRef],
    outcomes: Outcomes,
    *,
    protocol_name: str | None = None,
    left_out: Mapping[str, str] | None = None,
    on_done: Callable[[float], None] = lambda share: None,
) -> Audit:
    """Load every recording and hold it against the table of outcomes; nothing is estimated.

    ``left_out`` are recordings that are not among ``refs``, with the reason; they are counted and listed.
    """
    aside = left_out or {}
    findings = [Finding(REFUSED, "outcomes", fault) for fault in outcomes.faults]
    findings += [Finding(NOTE, "outcomes", note) for note in outcomes.notes]
    findings += [Finding(LEFT_OUT, place, reason) for place, reason in aside.items()]
    runs: list[RunSummary] = []
    loaded_n = 0
    seen: dict[str, str] = {}
    for number, ref in enumerate(refs, start=1):
        same = seen.setdefault(digest(ref), ref.place)
        if same != ref.place:
            findings.append(Finding(WARNING, ref.place, f"is a copy of {same}; remove one"))
        try:
            found, remarks = _runs_of(ref, protocol_name)
        except HbcError as fault:
            findings.append(Finding(REFUSED, ref.place, str(fault)))
        else:
            loaded_n += 1
            runs += found
            findings += remarks
        on_done(number / len(refs))
    return _summary(refs, outcomes, runs, loaded_n, findings, len(aside))


def _runs_of(ref: RecordingRef, protocol_name: str | None) -> tuple[list[RunSummary], list[Finding]]:
    loaded = load_runs(ref, protocol_name)
    remarks = [Finding(NOTE, ref.place, note) for note in loaded.notes if not note.startswith("simulated")]
    summaries = []
    for run in loaded.runs:
        beats_s = run.beats_s[(run.beats_s >= run.start_s) & (run.beats_s <= run.end_s)]
        rate_bpm = float(60.0 / np.median(np.diff(beats_s))) if beats_s.size > 2 else float("nan")
        lost_s = sum(max(0.0, min(end, run.end_s) - max(start, run.start_s)) for start, end in run.gaps_s)
        share = 1.0 - lost_s / max(run.end_s - run.start_s, 1e-9)
        summaries.append(
            RunSummary(
                ref.patient,
                ref.place,
                run.site,
                int(run.onsets_s.size),
                int(beats_s.size),
                rate_bpm,
                share,
                float(run.start_uncertainty_s),
                run.intensities_pct is not None,
            )
        )
        remarks += _run_findings(summaries[-1])
    return summaries, remarks


def _run_findings(run: RunSummary) -> list[Finding]:
    about = f"{run.recording}, {run.site}"
    found = []
    if run.trains_n < TRAINS_MIN_N:
        found.append(Finding(WARNING, about, f"{counted(run.trains_n, 'train')}, at least {TRAINS_MIN_N} are needed"))
    if not RATES_BPM[0] <= run.mean_rate_bpm <= RATES_BPM[1]:
        limits = f"{RATES_BPM[0]:g} to {RATES_BPM[1]:g}"
        found.append(
            Finding(
                WARNING, about, f"median heart rate of {run.mean_rate_bpm:.0f} bpm is outside {limits}; wrong beats?"
            )
        )
    if 1.0 - run.measured_share > GAPS_MAX_SHARE:
        lost = 1.0 - run.measured_share
        found.append(Finding(WARNING, about, f"{lost:.0%} of its time is in gaps (limit {GAPS_MAX_SHARE:.0%})"))
    return found


def _summary(
    refs: Sequence[RecordingRef],
    outcomes: Outcomes,
    runs: list[RunSummary],
    loaded_n: int,
    findings: list[Finding],
    left_out_n: int,
) -> Audit:
    recorded = {ref.patient for ref in refs}
    with_run = {run.patient for run in runs}
    listed = {one.patient: one for one in outcomes.patients}
    for name in sorted(recorded - set(listed)):
        findings.append(
            Finding(WARNING, name, "has recordings and no row in the table of outcomes; pseudonyms differ?")
        )
    for name in sorted(set(listed) - recorded):
        findings.append(
            Finding(WARNING, name, "has a row in the table of outcomes and no recording; pseudonyms differ?")
        )
    for name in sorted(set(listed) & recorded):
        if listed[name].improved is None:
            findings.append(
                Finding(NOTE, name, "outcome unknown: counts for sites and intensities, not for prediction")
            )
    repeats = Counter((run.patient, run.site) for run in runs)
    for (patient, site), times_n in sorted(repeats.items()):
        if times_n > 1:
            text = f"{times_n} runs at {site} are combined; keep only those recorded before treatment"
            findings.append(Finding(NOTE, patient, text))
    counts = Counter(site for _, site in repeats)
    sites = tuple(sorted(counts.items()))
    for site, patients_n in sites:
        if patients_n == 1:
            findings.append(Finding(WARNING, site, "one patient has a site of this name; a spelling mistake?"))
    analysable = {name for name in with_run if name in listed and listed[name].improved is not None}
    counts_n = (len(recorded), len(listed), len(analysable))
    return Audit(len(refs), loaded_n, tuple(runs), *counts_n, sites, tuple(findings), left_out_n)

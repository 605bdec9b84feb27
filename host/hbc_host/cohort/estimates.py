"""From one recording to rows of numbers, one per run: the part of a cohort that takes time and runs in parallel."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from hbc_host.cohort.recordings import RecordingRef, load_runs
from hbc_host.errors import HbcError
from hbc_host.runs import RunInput
from hbc_host.trains import Protocol

#: Above this share of excluded time a run is listed by the audit as poor.
EXCLUDED_POOR_SHARE = 0.2


@dataclass(frozen=True)
class RunRow:
    """One run of the cohort; a recording that cannot be used is one row with ``error``. Unknown numbers are nan.

    ``step_*`` are of equal length: intensity in percent of stimulator output (nan when unknown), effect and standard
    error in bpm, one per step.
    """

    patient: str
    recording: str
    run_n: int
    site: str
    protocol: str
    start_uncertainty_s: float
    trains_n: int
    beats_n: int
    excluded_share: float
    mean_rate_bpm: float
    rest_s: float
    intensity_pct: float
    verdict: str
    effect_bpm: float
    low95_bpm: float
    high95_bpm: float
    p_value: float
    latency_s: float
    threshold_found: str
    threshold_pct: float
    threshold_low_pct: float
    threshold_high_pct: float
    step_intensity_pct: tuple[float, ...]
    step_effect_bpm: tuple[float, ...]
    step_error_bpm: tuple[float, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    error: str
    key: str

    def as_dict(self) -> dict[str, object]:
        """Fields by name, tuples as lists, for a table."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def estimate_recording(ref: RecordingRef, protocol_name: str | None, key: str) -> list[RunRow]:
    """Estimate every run of one recording, with one thread, so that every machine adds in the same order.

    Never raises for what is wrong with a recording: that is a row with the reason.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        try:
            loaded = load_runs(ref, protocol_name)
            return [
                _row(ref, number, run, loaded.protocol, loaded.notes, key)
                for number, run in enumerate(loaded.runs, start=1)
            ]
        except HbcError as fault:
            return [failed_row(ref, str(fault), key)]


def failed_row(ref: RecordingRef, error: str, key: str) -> RunRow:
    """The row of a recording that cannot be used."""
    nothing = {field.name: _NOTHING[str(field.type)] for field in fields(RunRow)}
    known = {"patient": ref.patient, "recording": ref.place, "error": error, "key": key}
    return RunRow(**(nothing | known))


_NOTHING: dict[str, Any] = {"str": "", "int": 0, "float": math.nan, "tuple[float, ...]": (), "tuple[str, ...]": ()}


def _row(ref: RecordingRef, number: int, run: RunInput, protocol: Protocol, notes: tuple[str, ...], key: str) -> RunRow:
    from hbc_host.analysis import fit_input, threshold_input
    from hbc_host.steps import Z95, step_effects

    fit = fit_input(run, protocol)
    result = fit.result
    found = threshold_input(run, fit)
    steps = [step for step in step_effects(fit, run.intensities_pct) if step.usable]
    known = run.intensities_pct
    return RunRow(
        patient=ref.patient,
        recording=ref.place,
        run_n=number,
        site=run.site,
        protocol=protocol.name,
        start_uncertainty_s=float(run.start_uncertainty_s),
        trains_n=int(run.onsets_s.size),
        beats_n=int(result.beats_n),
        excluded_share=float(result.excluded_share),
        mean_rate_bpm=float(fit.design.mean_rate_bpm),
        rest_s=float(run.onsets_s[0] - run.start_s),
        intensity_pct=math.nan if known is None else float(known.mean()),
        verdict=result.verdict,
        effect_bpm=float(result.effect_bpm),
        low95_bpm=float(result.ci95_bpm[0]),
        high95_bpm=float(result.ci95_bpm[1]),
        p_value=float(result.p_value),
        latency_s=float(result.latency_s),
        threshold_found="" if found is None else found.found,
        threshold_pct=math.nan if found is None else float(found.threshold_pct),
        threshold_low_pct=math.nan if found is None else float(found.ci95_pct[0]),
        threshold_high_pct=math.nan if found is None else float(found.ci95_pct[1]),
        step_intensity_pct=tuple(math.nan if s.intensity_pct is None else float(s.intensity_pct) for s in steps),
        step_effect_bpm=tuple(float(step.effect_bpm) for step in steps),
        step_error_bpm=tuple(float((step.high_bpm - step.effect_bpm) / Z95) for step in steps),
        reasons=tuple(result.reasons),
        notes=notes,
        error="",
        key=key,
    )

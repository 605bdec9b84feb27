"""From recordings to the result that is shown: a run per site, the sites compared, and other numbers beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from hbc_host.analysis_model import Analysis, SiteResult
from hbc_host.beats import Beats
from hbc_host.coupling import RunFit, fit_run
from hbc_host.errors import InputError, NoTrainsError, TooFewBeatsError
from hbc_host.names import is_simulated
from hbc_host.published import PublishedScore, published_score
from hbc_host.response import TrainResponse, mean_response
from hbc_host.rest_null import RestSpread, rest_spread
from hbc_host.runs import RunInput, protocol_notes, session_runs
from hbc_host.secondary import metrics_of
from hbc_host.sites import compare_sites
from hbc_host.steps import StepEffect, step_effects
from hbc_host.threshold import ThresholdResult, threshold_of_run
from hbc_host.trains import Protocol

if TYPE_CHECKING:
    from hbc_host.session import Session

FloatArray = npt.NDArray[np.float64]
Quality = dict[str, "str | int | float"]

BEATS_MIN_N = 10
#: Extent of a mean response after its onset is a multiple of this: of that of its points.
RESPONSE_STEP_S = 0.25


def analyze_runs(
    runs: Sequence[RunInput],
    *,
    protocol: Protocol,
    title: str,
    source: str,
    quality: Mapping[str, str | int | float] | None = None,
    notes: Sequence[str] = (),
) -> Analysis:
    """Analyse runs, in the given order.

    Raises
    ------
    NoTrainsError
        If there is no run.
    TooFewBeatsError
        If no run has at least ten beats.
    """
    if not runs:
        raise NoTrainsError("no run with pulse trains; check the trigger cable, or give --first-train-s")
    beats_n = max(run.beats_s.size for run in runs)
    if beats_n < BEATS_MIN_N:
        raise TooFewBeatsError(
            f"{beats_n} beats found, at least {BEATS_MIN_N} are needed; check electrodes, --rate-hz and the signal"
        )
    with threadpool_limits(limits=1):  # the same last bits on any number of cores, and as soon (decision 0014)
        fits = [fit_input(run, protocol) for run in runs]
        comparison = compare_sites([(run.site, fit) for run, fit in zip(runs, fits, strict=True)])
        rests = [_rest_of(run, fit) for run, fit in zip(runs, fits, strict=True)]
        spread_at = cache(partial(rest_spread, rests))  # runs of one protocol ask for the same
        sites = tuple(
            _site_result(run, fit, site.p_holm, protocol, spread_at)
            for run, fit, site in zip(runs, fits, comparison.sites, strict=True)
        )
    all_notes = (*protocol_notes(runs, protocol), *notes)
    return Analysis(title, source, protocol, sites, {**_beat_quality(fits), **(quality or {})}, all_notes, comparison)


def fit_input(run: RunInput, protocol: Protocol) -> RunFit:
    """Fit one run as its recording gives it; errors as :func:`hbc_host.coupling.fit_run`."""
    intensities = run.intensities_pct
    if intensities is None and protocol.rising and run.onsets_s.size == protocol.trains_n:
        # Values are unknown but their order is not: the protocol raises the intensity with every train.
        intensities = np.arange(run.onsets_s.size, dtype=np.float64)
    return fit_run(
        _beats_of(run),
        run.onsets_s,
        train_s=run.train_s,
        rest_s=run.rest_s,
        gaps_s=run.gaps_s,
        start_uncertainty_s=run.start_uncertainty_s,
        intensities_pct=intensities,
    )


def _beats_of(run: RunInput) -> FloatArray:
    return run.beats_s[(run.beats_s >= run.start_s) & (run.beats_s <= run.end_s)]


def _rest_of(run: RunInput, fit: RunFit) -> tuple[Beats, float, float]:
    """Beats of a run, and where its rest begins and ends."""
    start_s, end_s = run.rest_s or (run.start_s, float(run.onsets_s[0]))
    return fit.design.beats, start_s, end_s


def _site_result(
    run: RunInput, fit: RunFit, p_holm: float, protocol: Protocol, spread_at: Callable[[float], RestSpread | None]
) -> SiteResult:
    design = fit.design
    after_s = round(min(design.cycle_s, protocol.cycle_s) / RESPONSE_STEP_S) * RESPONSE_STEP_S
    response = mean_response(design.beats, design.onsets_s[design.accepted], after_s=after_s)
    steps = step_effects(fit, run.intensities_pct)
    spread = None if response is None else spread_at(after_s)
    return SiteResult(
        run.site,
        fit.result,
        p_holm,
        response,
        steps,
        design.mean_rate_bpm,
        fit.result.beats_n,
        threshold_input(run, fit),
        _published(run, protocol),
        metrics_of(design.beats, design.onsets_s),
        None if response is None or spread is None else spread.of_mean(response.trains_n),
    )


def threshold_input(run: RunInput, fit: RunFit) -> ThresholdResult | None:
    """Threshold of a fitted run; None where intensities or the start are not known well enough, or do not differ."""
    if run.intensities_pct is None or run.start_uncertainty_s > 0.0 or np.ptp(run.intensities_pct) == 0.0:
        return None
    try:
        return threshold_of_run(fit, run.intensities_pct, rest_s=run.rest_s)
    except InputError:  # too few different intensities: nothing is wrong with the run
        return None


def _published(run: RunInput, protocol: Protocol) -> PublishedScore | None:
    cycle_s = protocol.cycle_s if run.onsets_s.size < 2 else None
    try:
        return published_score(_beats_of(run), run.onsets_s, train_s=run.train_s, cycle_s=cycle_s)
    except TooFewBeatsError:
        return None


def _beat_quality(fits: Sequence[RunFit]) -> Quality:
    from hbc_host import beats as kinds

    all_beats: list[Beats] = [fit.design.beats for fit in fits]
    return {
        "beats_n": sum(beats.beats_s.size for beats in all_beats),
        "ectopic_intervals_n": sum(beats.count(kinds.ECTOPIC) for beats in all_beats),
        "missed_beats_n": sum(beats.count(kinds.MISSED) for beats in all_beats),
        "extra_beats_n": sum(beats.count(kinds.EXTRA) for beats in all_beats),
        "excluded_share": round(float(np.mean([fit.result.excluded_share for fit in fits])), 4),
    }


def analyze_session(session: Session, *, protocol: Protocol, title: str | None = None) -> Analysis:
    """Analyse a recorded session: edges become trains, trains become runs, runs take the planned site names.

    Rest of a run is what lies between the previous run (plus 10 s) and its first train.

    Raises
    ------
    NoTrainsError, TooFewBeatsError
    """
    runs, notes = session_runs(session, protocol)
    quality: dict[str, Any] = {
        "edges_n": int(session.edges_s.size),
        "edges_lost_n": session.edges_lost_n,
        "frames_n": session.frames_n,
        "frames_lost_n": session.frames_lost_n,
        "frames_bad_n": session.frames_bad_n,
        "samples_lost_n": session.samples_lost_n,
        "boots_n": session.boots_n,
        "gaps_n": len(session.gaps_s),
    }
    found = analyze_runs(
        runs,
        protocol=protocol,
        title=title or session.meta.title,
        source=str(session.path) if session.path.name else session.path.resolve().name,
        quality=quality,
        notes=(*notes, *session.notes),
    )
    return replace(found, is_simulated=is_simulated(session.hello.unique_id))


def analyze_files(
    paths: Sequence[Path],
    *,
    protocol: Protocol,
    rate_hz: float | None = None,
    first_train_s: float | None = None,
    start_uncertainty_s: float = 0.0,
) -> Analysis:
    """Analyse recordings in files: a session directory, ECG text, WFDB records, or a beat and a trigger CSV.

    Parameters
    ----------
    paths : sequence of Path
        Each ECG is one site; beat and trigger CSV come in pairs; a session directory comes alone.
    protocol : Protocol
    rate_hz : float or None
        Sampling rate of ECG text.
    first_train_s : float or None
        First train onset in recordings without triggers, seconds from their start.
    start_uncertainty_s : float
        Onsets of recordings without triggers are known to within plus or minus this.

    Raises
    ------
    InputError, NoTrainsError, TooFewBeatsError
        In one line, with the next step.
    """
    from hbc_host import sources

    return sources.analyze_paths(
        [Path(path) for path in paths],
        protocol=protocol,
        rate_hz=rate_hz,
        first_train_s=first_train_s,
        start_uncertainty_s=start_uncertainty_s,
    )


__all__ = [
    "Analysis",
    "FloatArray",
    "RunInput",
    "SiteResult",
    "StepEffect",
    "TrainResponse",
    "analyze_files",
    "analyze_runs",
    "analyze_session",
    "fit_input",
    "threshold_input",
]

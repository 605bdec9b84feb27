"""Several sites of one person: which couple, whether they differ, which is best, and how large the best really is.

The largest of several noisy effects is too large: it was chosen for its noise, too. Sites are therefore seen as drawn
from one population of sites of this person, and every effect is pulled towards their mean by as much as the spread
between sites, itself uncertain, allows. Method, sources and what the study measured: docs/published.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_host.coupling import CouplingResult, RunFit, estimate_coupling
from hbc_host.errors import InputError
from hbc_host.evidence import ALPHA
from hbc_host.intervals import SHAPE_WIDENING, unwidened
from hbc_host.pooling import Z975, SitePosterior, heterogeneity, posterior

FloatArray = npt.NDArray[np.float64]

#: Verdicts of runs that are compared with others.
COMPARED = ("coupled", "not_shown")


@dataclass(frozen=True)
class SiteRun:
    """One run at one site; arguments of :func:`hbc_host.coupling.estimate_coupling` under a name."""

    name: str
    beats_s: FloatArray
    onsets_s: FloatArray
    train_s: float
    rest_s: float | tuple[float, float] | None = None
    gaps_s: tuple[tuple[float, float], ...] = ()
    start_uncertainty_s: float = 0.0
    intensities_pct: FloatArray | None = None


@dataclass(frozen=True)
class SiteEffect:
    """One site among the others.

    ``effect_bpm``, ``ci95_bpm``, ``p_value``, ``verdict`` are those of its own run. ``p_holm`` allows for the number of
    sites, and ``is_coupled`` says whether the site still couples then. ``shrunken_bpm`` with ``shrunken_ci95_bpm`` is
    what the run and the other sites together suggest, ``probability_best`` the probability that this site slows the
    heart most. The last three are nan for a run that is not compared (unusable, or "cannot_tell"), and
    ``probability_best`` also for a site alone.
    """

    name: str
    verdict: str
    effect_bpm: float
    ci95_bpm: tuple[float, float]
    p_value: float
    p_holm: float
    is_coupled: bool
    shrunken_bpm: float
    shrunken_ci95_bpm: tuple[float, float]
    probability_best: float


@dataclass(frozen=True)
class SiteComparison:
    """All sites of one person, in the order given.

    ``best`` is the site with the largest shrunken effect, None when none is compared; it is *shown* to be anything only
    by ``is_coupled`` and ``difference_shown``. ``difference_p`` is the p-value of "all sites have one effect" (from
    Cochran's Q, ``difference_q`` on ``difference_dof``, by Welch's test), nan with fewer than two sites to compare;
    ``between_sd_bpm`` the posterior mean of the standard deviation between sites. ``reasons`` say what could not be
    compared.
    """

    sites: tuple[SiteEffect, ...]
    best: str | None
    best_idx: int | None
    difference_shown: bool
    difference_p: float
    difference_q: float
    difference_dof: int
    between_sd_bpm: float
    reasons: tuple[str, ...]


def compare_sites(sites: Sequence[SiteRun | tuple[str, RunFit | CouplingResult]]) -> SiteComparison:
    """Compare runs at several sites of one person, recorded with the same trains.

    Parameters
    ----------
    sites : sequence of SiteRun or (name, RunFit or CouplingResult)
        A run is analysed here, a result is taken as it is. Names may repeat.

    Returns
    -------
    SiteComparison
        One site, unusable runs and no difference are normal outcomes.

    Raises
    ------
    InputError
        If there is no site, or a run has times that cannot be used.
    """
    if not sites:
        raise InputError("0 sites to compare; give at least one run")
    named = [_result_of(site) for site in sites]
    results = [result for _, result in named]
    p_holm = holm([result.p_value for result in results])
    usable = [k for k, result in enumerate(results) if _has_effect(result)]
    effects_bpm = np.array([results[k].effect_bpm for k in usable])
    errors_bpm = np.array([_standard_error(results[k]) for k in usable])
    pooled = posterior(effects_bpm, errors_bpm).widened(SHAPE_WIDENING) if usable else None
    q, q_dof, q_p = heterogeneity(effects_bpm, errors_bpm)
    place = {k: row for row, k in enumerate(usable)}
    found = tuple(
        _site_effect(name, result, p, pooled, place.get(k))
        for k, ((name, result), p) in enumerate(zip(named, p_holm, strict=True))
    )
    best_idx = usable[int(np.argmax(pooled.mean_bpm))] if pooled is not None else None
    return SiteComparison(
        found,
        None if best_idx is None else found[best_idx].name,
        best_idx,
        q_p < ALPHA,
        q_p,
        q,
        q_dof,
        math.nan if pooled is None else pooled.between_sd_bpm,
        _reasons(found, len(usable)),
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjustment (Holm 1979, Scand J Stat 6:65); nan stays nan and is not counted."""
    known = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    running = 0.0
    for rank, (p, index) in enumerate(known):
        running = max(running, min(1.0, (len(known) - rank) * p))
        adjusted[index] = running
    return tuple(adjusted)


def after_holm(verdict: str, p_holm: float) -> str:
    """Verdict on a site among several: coupled only when that survives Holm's adjustment."""
    return "not_shown" if verdict == "coupled" and not p_holm < ALPHA else verdict


def _result_of(site: SiteRun | tuple[str, RunFit | CouplingResult]) -> tuple[str, CouplingResult]:
    if isinstance(site, SiteRun):
        result = estimate_coupling(
            site.beats_s,
            site.onsets_s,
            train_s=site.train_s,
            rest_s=site.rest_s,
            gaps_s=site.gaps_s,
            start_uncertainty_s=site.start_uncertainty_s,
            intensities_pct=site.intensities_pct,
        )
        return site.name, result
    name, found = site
    return name, found.result if isinstance(found, RunFit) else found


def _has_effect(result: CouplingResult) -> bool:
    """True where the run measured a response; one that may be breathing ("cannot_tell") is no response yet."""
    numbers = (result.effect_bpm, *result.ci95_bpm)
    return result.verdict in COMPARED and all(math.isfinite(number) for number in numbers)


def _standard_error(result: CouplingResult) -> float:
    """Standard error beside other sites of one person; at least a thousandth of a bpm, so that weights stay finite.

    From the wider side of the interval: where the two differ, half of its width is too small for comparing (27 % of
    simulated iTBS persons with four equal sites showed a difference). Without what the interval is widened for the
    shape: with it few real differences between sites are shown, and no fewer false ones (docs/published.md).
    """
    wider_bpm = max(unwidened(result.effect_bpm, end_bpm) for end_bpm in result.ci95_bpm)
    return float(max(wider_bpm / Z975, 1e-3))


def _site_effect(
    name: str, result: CouplingResult, p_holm: float, pooled: SitePosterior | None, row: int | None
) -> SiteEffect:
    is_coupled = after_holm(result.verdict, p_holm) == "coupled"
    shrunken, interval, best = math.nan, (math.nan, math.nan), math.nan
    if pooled is not None and row is not None:
        shrunken = float(pooled.mean_bpm[row])
        interval = (float(pooled.low_bpm[row]), float(pooled.high_bpm[row]))
        best = float(pooled.probability_best[row])
    return SiteEffect(
        name,
        result.verdict,
        result.effect_bpm,
        result.ci95_bpm,
        result.p_value,
        p_holm,
        is_coupled,
        shrunken,
        interval,
        best,
    )


def _reasons(sites: tuple[SiteEffect, ...], usable_n: int) -> tuple[str, ...]:
    found = []
    left_out = [site.name for site in sites if not math.isfinite(site.shrunken_bpm)]
    if left_out:
        found.append(f"{', '.join(left_out)}: left out of the comparison, its own reasons say why")
    if usable_n < 2:
        found.append(f"{usable_n} site{'' if usable_n == 1 else 's'} to compare, 2 are needed")
    negative = [site.name for site in sites if site.ci95_bpm[1] < 0.0]
    if negative:
        found.append(f"{', '.join(negative)}: the heart sped up")
    repeated = sorted({a.name for a, b in itertools.combinations(sites, 2) if a.name == b.name})
    if repeated:
        found.append(f"{', '.join(repeated)}: more than one run of this name; they are compared as different sites")
    return tuple(found)

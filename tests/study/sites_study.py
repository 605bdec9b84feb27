"""Several sites of one person: false positives of the family, how true "probability of being best" is, winner's curse.

Example: ``python tests/study/sites_study.py --protocol dash --persons 200 --seed 1``

Each simulated person has one heart, one shape of response and four runs of equal dose, 160 s rest before each. Sites
differ only in the size of the response. One line per scenario; the calibration over all scenarios stands at the end.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import STEP_S, FloatArray, beats_of, draw_heart, draw_response, variation_bpm, warp
from hbc_host.coupling import estimate_coupling
from hbc_host.evidence import ALPHA
from hbc_host.pooling import Z975, heterogeneity
from hbc_host.sites import SiteComparison, SiteEffect, compare_sites
from hbc_host.trains import parse_protocol

TRAINS_N = {"dash": 15, "itbs": 20}
REST_S = 160.0
SITES_N = 4
#: Dips of the sites, bpm; None draws each anew, evenly from 0 to 4.
SCENARIOS: dict[str, tuple[float, ...] | None] = {
    "all 0": (0.0,) * SITES_N,
    "all 2": (2.0,) * SITES_N,
    "one 2, rest 0": (2.0, 0.0, 0.0, 0.0),
    "one 3, rest 1": (3.0, 1.0, 1.0, 1.0),
    "any 0 to 4": None,
}
BINS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True)
class Person:
    """What is true and what was found; ``truth_bpm`` (sites,) is the mean fall that the effect estimates."""

    truth_bpm: FloatArray
    found: SiteComparison


def one_person(protocol_name: str, scenario: str, seed: int) -> Person:
    """Four runs of one simulated person, analysed and compared."""
    rng = np.random.default_rng((seed, list(SCENARIOS).index(scenario)))
    protocol = parse_protocol(protocol_name)
    onsets_s = REST_S + protocol.cycle_s * np.arange(TRAINS_N[protocol_name])
    heart, shape = draw_heart(rng), draw_response(rng, 1.0)
    dips_bpm = SCENARIOS[scenario] or tuple(rng.uniform(0.0, 4.0, SITES_N).tolist())
    truth_bpm, sites = [], []
    for number, dip_bpm in enumerate(dips_bpm):
        count = int((onsets_s[-1] + 2.0 * protocol.cycle_s) / STEP_S)
        beats_s = beats_of(rng, heart.mean_bpm + variation_bpm(rng, heart, count))
        response = replace(shape, dip_bpm=dip_bpm)
        if dip_bpm:
            beats_s = warp(beats_s, response, onsets_s, protocol.train_s)
        beats_s = beats_s[beats_s < onsets_s[-1] + protocol.cycle_s]
        truth_bpm.append(response.mean_fall_bpm(onsets_s, protocol.train_s, protocol.cycle_s))
        sites.append((f"S{number + 1}", estimate_coupling(beats_s, onsets_s, train_s=protocol.train_s)))
    return Person(np.array(truth_bpm), compare_sites(sites))


def summarise(persons: list[Person]) -> str:
    """One table row: family-wise error, difference shown, bias of the best effect before and after shrinking."""
    false = np.mean([any(s.is_coupled for s, t in _pairs(p) if t == 0.0) for p in persons])
    unadjusted = np.mean([any(_is_coupled_alone(s) for s, t in _pairs(p) if t == 0.0) for p in persons])
    shown = np.mean([p.found.difference_shown for p in persons])
    naive_shown, scatter = _naive_difference(persons)
    compared = [p for p in persons if p.found.best_idx is not None]
    naive, shrunken, covered, right = [], [], [], []
    for person in compared:
        effects = np.array([s.effect_bpm if np.isfinite(s.shrunken_bpm) else -np.inf for s in person.found.sites])
        first = int(np.argmax(effects))
        naive.append(effects[first] - person.truth_bpm[first])
        best = person.found.sites[person.found.best_idx]
        truth = person.truth_bpm[person.found.best_idx]
        shrunken.append(best.shrunken_bpm - truth)
        covered.append(best.shrunken_ci95_bpm[0] <= truth <= best.shrunken_ci95_bpm[1])
        right.append(truth >= person.truth_bpm.max() - 1e-9)
    se = np.sqrt(false * (1.0 - false) / len(persons))
    return (
        f"false family {false:.3f} +-{se:.3f} (unadjusted {unadjusted:.3f})  difference shown {shown:.3f} "
        f"(plain Q {naive_shown:.3f}; errors scatter {scatter:.2f})  "
        f"best effect: naive error {np.mean(naive):+.2f} rms {_rms(naive):.2f}, shrunken {np.mean(shrunken):+.2f} "
        f"rms {_rms(shrunken):.2f}, interval covers {np.mean(covered):.3f}  truly best {np.mean(right):.3f}"
    )


def calibration(persons: Iterable[Person]) -> list[str]:
    """How often a site with such a probability of being best is the best; equal sites share the truth."""
    said, true = [], []
    for person in persons:
        is_best = person.truth_bpm >= person.truth_bpm.max() - 1e-9
        for site, best in zip(person.found.sites, is_best, strict=True):
            if np.isfinite(site.probability_best):
                said.append(site.probability_best)
                true.append(best / np.count_nonzero(is_best))
    place = np.clip(np.digitize(said, BINS) - 1, 0, len(BINS) - 2)
    lines = []
    for k in range(len(BINS) - 1):
        inside = place == k
        if inside.any():
            values = np.array(true)[inside]
            lines.append(
                f"probability of best {BINS[k]:.2f}-{BINS[k + 1]:.2f}: said {np.mean(np.array(said)[inside]):.3f}, "
                f"true {values.mean():.3f} +-{values.std() / np.sqrt(values.size):.3f}, n {values.size}"
            )
    return lines


def _naive_difference(persons: list[Person]) -> tuple[float, float]:
    """Share of persons that differ by Cochran's Q with half widths for known errors; how these errors scatter."""
    shown, scatter = [], []
    for person in persons:
        sites = [site for site in person.found.sites if np.isfinite(site.shrunken_bpm)]
        errors = np.array([(site.ci95_bpm[1] - site.ci95_bpm[0]) / (2.0 * Z975) for site in sites])
        effects = np.array([site.effect_bpm for site in sites])
        shown.append(heterogeneity(effects, errors, errors_dof=1e9)[2] < ALPHA)
        if errors.size > 1:
            scatter.append(errors.std(ddof=1) / errors.mean())
    return float(np.mean(shown)), float(np.mean(scatter))


def _pairs(person: Person) -> Iterable[tuple[SiteEffect, float]]:
    return zip(person.found.sites, person.truth_bpm.tolist(), strict=True)


def _is_coupled_alone(site: SiteEffect) -> bool:
    return bool(site.verdict == "coupled" and site.p_value < ALPHA)


def _rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", nargs="+", default=["dash", "itbs"])
    parser.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--persons", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for protocol in args.protocol:
        everyone: list[Person] = []
        for scenario in args.scenario:
            began_s = time.perf_counter()
            seeds = range(args.seed * 100_000, args.seed * 100_000 + args.persons)
            persons = [one_person(protocol, scenario, seed) for seed in seeds]
            everyone += persons
            took_s = time.perf_counter() - began_s
            print(f"{protocol}  {scenario}  n {args.persons}  {summarise(persons)}  {took_s:.0f} s", flush=True)
        for line in calibration(everyone):
            print(f"{protocol}  {line}", flush=True)


if __name__ == "__main__":
    main()

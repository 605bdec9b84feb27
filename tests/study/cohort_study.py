"""Does the analysis of a cohort find the odds ratio that was put in, and nothing where there is none?

Three parts, each printed as a Markdown table:

``--errors`` simulates runs of the cohort's own patients, estimates each with the code that estimates real runs, and
compares with the truth: slope of estimate on truth, and size of the error beside the run's own interval, by the
uncertainty of the start. These are the numbers of hbc_host/cohort/calibration.py.

``--cohorts N`` draws N cohorts with and N without a relation. A run's estimate, interval and verdict are taken from a
run of that part with a nearly equal true response (one of the 25 nearest, drawn at random, its error moved along), as
estimating every run of every cohort would take days. Everything after that is the code of ``hbc cohort fit``.

``--chain N`` writes N whole cohorts as files, and estimates and fits them as the command does.

Example: ``nice -n 15 python tests/study/cohort_study.py --errors --cohorts 500 --seed 8``
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hbc_hil.cohort import SITES, CohortPlan, SimPatient, draw_cohort, population
from hbc_hil.cohort_beats import patient_recordings
from hbc_host.cohort import covariates as adjust
from hbc_host.cohort.estimates import RunRow
from hbc_host.cohort.exposure import SiteEffects, combine_repeats, patient_exposure
from hbc_host.cohort.outcomes import Outcomes, PatientFacts
from hbc_host.cohort.prediction import permutation_p
from hbc_host.coupling import estimate_coupling
from hbc_host.pooling import Z975

FloatArray = npt.NDArray[np.float64]

STARTS_S = (0.0, 1.0, 2.0, 4.0, 8.0)
NEIGHBOURS_N = 25
TRAIN_S = 5.0
LIMITS = {"interval": (0.93, 0.97), "null": (0.03, 0.07)}


@dataclass(frozen=True)
class Known:
    """Runs whose truth is known, arrays (n,): true fall, estimate, 95 % interval (bpm); whether the run counts."""

    true_bpm: FloatArray
    effect_bpm: FloatArray
    low_bpm: FloatArray
    high_bpm: FloatArray
    usable: npt.NDArray[np.bool_]


def known_runs(runs_n: int, start_s: float, seed: int) -> Known:
    """Simulate and estimate runs of one site each, of as many patients of simulated clinics."""
    strap = start_s > 0.0
    plan = CohortPlan(
        patients_n=runs_n, sites_n=1, clinics_n=1, strap_clinics_n=int(strap), start_uncertainty_s=start_s,
        mean_bpm=2.2, patient_sd_bpm=1.4, skipped_share=0.0, rest_s=60.0, seed=seed,
    )  # fmt: skip
    found = []
    for patient in draw_cohort(plan):
        recording = patient_recordings(plan, patient)[0]
        if recording.triggers_s is None:
            assert recording.first_train_s is not None
            onsets_s = recording.first_train_s + 16.0 * np.arange(15)
        else:
            onsets_s = recording.triggers_s[::50]
        result = estimate_coupling(
            recording.beats_s, onsets_s, train_s=TRAIN_S, gaps_s=recording.gaps_s,
            start_uncertainty_s=recording.start_uncertainty_s, intensities_pct=recording.intensities_pct,
        )  # fmt: skip
        usable = result.verdict in ("coupled", "not_shown")
        found.append((float(patient.falls_bpm[0]), result.effect_bpm, *result.ci95_bpm, usable))
    columns = [np.array(column, dtype=np.float64) for column in zip(*found, strict=True)]
    return Known(*columns[:4], usable=columns[4] > 0.0)


def error_table(runs_n: int, seed: int, starts_s: tuple[float, ...]) -> dict[float, Known]:
    """Print slope and error by uncertainty of the start; return the runs."""
    print(f"runs {runs_n} per row, seed {seed}\n")
    print(
        "| start known to | usable | slope on truth | relative | rms error bpm | rms implied bpm | share of variance |"
    )
    print("|---|---|---|---|---|---|---|")
    library, first = {}, math.nan
    slopes, shares = [], []
    for start_s in starts_s:
        known = library[start_s] = known_runs(runs_n, start_s, seed)
        ok = known.usable & np.isfinite(known.effect_bpm)
        slope, offset = np.polyfit(known.true_bpm[ok], known.effect_bpm[ok], 1)
        first = slope if start_s == 0.0 else first
        left = known.effect_bpm[ok] - (offset + slope * known.true_bpm[ok])
        implied = (known.high_bpm[ok] - known.low_bpm[ok]) / (2.0 * Z975)
        rms, rms_implied = math.sqrt(np.mean(left**2)), math.sqrt(np.mean(implied**2))
        share = (rms / rms_implied) ** 2
        print(
            f"| +-{start_s:g} s | {ok.mean():.3f} | {slope:.2f} | {slope / first:.2f} | {rms:.2f} | {rms_implied:.2f} "
            f"| {share:.2f} |",
            flush=True,
        )
        slopes.append(round(min(slope / first, 1.0), 2))
        shares.append(round(share, 2))
    print(f"\nhbc_host/cohort/calibration.py: START_S = {starts_s}, SLOPE = {tuple(slopes)}, SHARE = {tuple(shares)}")
    return library


def drawn_rows(
    patient: SimPatient, plan: CohortPlan, library: dict[float, Known], rng: np.random.Generator
) -> Iterator[Any]:
    """Usable runs of a patient: (site, effect, low, high, start uncertainty)."""
    start_s = plan.start_uncertainty_s if patient.strap else 0.0
    known = library[start_s]
    for site, measured in enumerate(patient.measured):
        if not measured:
            continue
        true_bpm = float(patient.falls_bpm[site])
        near = np.argpartition(np.abs(known.true_bpm - true_bpm), NEIGHBOURS_N)[:NEIGHBOURS_N]
        pick = int(rng.choice(near))
        if known.usable[pick] and math.isfinite(known.effect_bpm[pick]):
            moved = true_bpm - known.true_bpm[pick]
            yield (
                site,
                known.effect_bpm[pick] + moved,
                known.low_bpm[pick] + moved,
                known.high_bpm[pick] + moved,
                start_s,
            )


def facts_of(patient: SimPatient) -> PatientFacts:
    return PatientFacts(
        patient.name, patient.improved, f"clinic-{patient.clinic_idx}", patient.age, patient.sex, patient.side,
        patient.medication, patient.motor_threshold_pct,
    )  # fmt: skip


def cohort_rows(plan: CohortPlan, library: dict[float, Known]) -> tuple[list[dict[str, Any]], Outcomes]:
    """A cohort at the level of estimates, in the columns of a table of runs."""
    rng = np.random.default_rng((plan.seed, 77))
    patients = draw_cohort(plan)
    empty = {field.name: _EMPTY[str(field.type)] for field in fields(RunRow)}
    rows = []
    for patient in patients:
        for site, effect, low, high, start_s in drawn_rows(patient, plan, library, rng):
            rows.append(
                empty
                | {
                    "patient": patient.name, "site": SITES[site], "verdict": "not_shown", "effect_bpm": effect,
                    "low95_bpm": low, "high95_bpm": high, "start_uncertainty_s": start_s,
                }
            )  # fmt: skip
    return rows, Outcomes(tuple(facts_of(patient) for patient in patients), (), 0.2)


_EMPTY: dict[str, Any] = {"str": "", "int": 0, "float": math.nan, "tuple[float, ...]": [], "tuple[str, ...]": []}


@dataclass(frozen=True)
class Answer:
    """What one cohort gave: log odds ratio per true SD, whether its interval holds the truth, p-values."""

    log_ratio: float
    measured_log_ratio: float
    holds: bool
    p_value: float
    permutation_p: float


def answer_of(rows: list[dict[str, Any]], outcomes: Outcomes, truth: float, seed: int, permutations_n: int) -> Answer:
    """The primary question of ``hbc cohort fit`` on one cohort.

    Whether the interval holds the truth is asked of the likelihood at the truth, which is how its ends are found.
    """
    from hbc_host.cohort.assembly import assemble_rows, site_effects
    from hbc_host.cohort.firth import CHI2_95, fit_firth, ratio_p

    cohort = assemble_rows(rows, outcomes)
    effects: SiteEffects = combine_repeats(site_effects(cohort, rows))
    built = adjust.build(cohort.patients)
    outcome = np.array([math.nan if one.improved is None else float(one.improved) for one in cohort.patients])
    has_run = np.bincount(effects.patient_idx, minlength=outcome.size) > 0
    inside = has_run & np.isfinite(outcome) & built.complete
    kept = inside[effects.patient_idx]
    some = SiteEffects(*(getattr(effects, field.name)[kept] for field in fields(SiteEffects)))
    exposure = patient_exposure(some, outcome.size, len(cohort.sites), built.columns)
    others = np.concatenate((np.ones((int(inside.sum()), 1)), built.columns[inside]), axis=1)

    def design(values: FloatArray, sd: float) -> FloatArray:
        return np.insert(others, 1, (values[inside] - values[inside].mean()) / sd, axis=1)

    corrected = design(exposure.expected_bpm, exposure.true_sd_bpm)
    plain = design(exposure.measured_bpm, exposure.measured_sd_bpm)
    fit = fit_firth(corrected, outcome[inside])
    at_truth = fit_firth(corrected, outcome[inside], held={1: truth}, start=fit.coefficients)
    clinics = sorted({one.clinic for one in cohort.patients})
    strata = np.array([clinics.index(one.clinic) for one in cohort.patients])[inside]
    return Answer(
        float(fit.coefficients[1]),
        float(fit_firth(plain, outcome[inside]).coefficients[1]),
        2.0 * (fit.log_likelihood - at_truth.log_likelihood) <= CHI2_95,
        ratio_p(corrected, outcome[inside], fit, 1),
        permutation_p(corrected[:, 1], outcome[inside], others, strata, seed=seed, permutations_n=permutations_n),
    )


WORLDS: dict[str, dict[str, Any]] = {
    "101 patients, 4 sites, 1 of 3 clinics with straps": {},
    "60 patients": {"patients_n": 60},
    "2 sites, all clinics with straps": {"sites_n": 2, "strap_clinics_n": 3},
    "30 % improve, 25 % drop out": {"improved_share": 0.3, "dropout_share": 0.25},
}


def cohort_table(cohorts_n: int, seed: int, library: dict[float, Known], ratios: list[float]) -> bool:
    """Print one row per world and odds ratio; False when the first world breaks a limit."""
    print(f"\ncohorts {cohorts_n} per row, seed {seed}\n")
    print(
        "| cohort | true odds ratio per SD | found (geometric mean) | as measured, uncorrected "
        "| interval holds the truth | p < .05 | permutation p < .05 |\n|---|---|---|---|---|---|---|"
    )
    good = True
    for number, (name, changes) in enumerate(WORLDS.items()):
        for ratio in ratios:
            plan = CohortPlan(**(changes | {"odds_ratio": ratio}))
            # The first world carries the claim; the others show where it frays.
            count = cohorts_n if number == 0 else max(cohorts_n // 5, 1)
            found = []
            for k in range(count):
                one = replace(plan, seed=seed * 1_000_000 + 10_000 * number + k)
                rows, outcomes = cohort_rows(one, library)
                found.append(answer_of(rows, outcomes, math.log(ratio), k, 399))
            holds = float(np.mean([one.holds for one in found]))
            positive = float(np.mean([one.p_value < 0.05 for one in found]))
            shuffled = float(np.mean([one.permutation_p < 0.05 for one in found]))
            middle = math.exp(np.mean([one.log_ratio for one in found]))
            measured = math.exp(np.mean([one.measured_log_ratio for one in found]))
            print(
                f"| {name} ({count}) | {ratio:g} | {middle:.2f} | {measured:.2f} | {holds:.3f} | {positive:.3f} "
                f"| {shuffled:.3f} |",
                flush=True,
            )
            if number == 0:
                good &= LIMITS["interval"][0] <= holds <= LIMITS["interval"][1]
                good &= ratio != 1.0 or LIMITS["null"][0] <= positive <= LIMITS["null"][1]
    return good


def chain_table(cohorts_n: int, seed: int) -> None:
    """Print what whole cohorts, written as files, give."""
    from hbc_hil.cohort_files import write_cohort
    from hbc_host.cohort.fit import fit_cohort
    from hbc_host.cohort.outcomes import read_outcomes
    from hbc_host.cohort.recordings import find_recordings
    from hbc_host.cohort.run_table import RunStore
    from hbc_host.cohort.scatter import estimate_cohort

    print("\n| seed | true odds ratio per SD | found | 95 % interval | p | permutation p | AUC | gain in AUC |")
    print("|---|---|---|---|---|---|---|---|")
    for k in range(cohorts_n):
        for ratio in (2.2, 1.0):
            plan = CohortPlan(odds_ratio=ratio, seed=seed + k)
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder) / "cohort"
                write_cohort(plan, home)
                table, _ = estimate_cohort(find_recordings(home / "recordings"), RunStore(home / "runs"))
                fit = fit_cohort(table, read_outcomes(home / "outcomes.csv"), seed=1)
            one, seen = fit.prediction, fit.validation
            assert one is not None
            assert seen is not None
            odds = one.per_sd
            print(
                f"| {plan.seed} | {ratio:g} | {odds.ratio:.2f} | {odds.low:.2f} to {odds.high:.2f} "
                f"| {odds.p_value:.3f} | {one.permutation_p:.3f} | {seen.auc.auc:.2f} | {seen.gain.auc:+.2f} |",
                flush=True,
            )


def main() -> int:
    """Parse arguments, run, print; exit code 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", action="store_true", help="print the table of errors")
    parser.add_argument("--runs", type=int, default=600, help="runs per row of the table of errors")
    parser.add_argument("--cohorts", type=int, default=0, help="simulated cohorts per row")
    parser.add_argument("--ratios", type=float, nargs="+", default=[2.2, 1.0], help="true odds ratios, 1 for none")
    parser.add_argument("--chain", type=int, default=0, help="whole cohorts, with and without a relation")
    parser.add_argument("--seed", type=int, default=8)
    args = parser.parse_args()
    good = True
    if args.errors or args.cohorts:
        # Clinics of the simulated cohorts have triggers, or know the start as the plan says.
        needed_s = STARTS_S if args.errors else (0.0, CohortPlan().start_uncertainty_s)
        library = error_table(args.runs, args.seed, needed_s)
        if args.cohorts:
            mean_bpm, sd_bpm, _ = population(CohortPlan())
            print(f"\npatients' mean fall: {mean_bpm:.2f} bpm, standard deviation {sd_bpm:.2f} bpm")
            good = cohort_table(args.cohorts, args.seed, library, args.ratios)
    if args.chain:
        chain_table(args.chain, args.seed)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""The part of docs/validation.md that `make study` writes: goals beside figures, then every table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import study_tables as tables
from hbc_host.threshold import FOUND
from null_campaign import LEVEL, NullCell
from pieces import Cell
from scipy.special import bdtr
from study_tables import NAMES, ORACLE, OURS
from threshold_runs import ThresholdRun
from threshold_study import ThresholdCell, share

BEGIN = "<!-- make study: from here -->"
END = "<!-- make study: to here -->"
#: Goals of power per protocol and background: dips in bpm and the share to be found.
POWER_GOALS: dict[tuple[str, str], dict[float, float]] = {
    ("dash", "real"): {1.0: 0.55, 2.0: 0.78, 3.0: 0.90},
    ("itbs", "real"): {1.0: 0.55, 2.0: 0.70, 3.0: 0.86},
    ("dash", "sim"): {1.0: 0.40, 2.0: 0.80, 3.0: 0.93},
    ("ramp", "sim"): {2.0: 0.55, 3.0: 0.78, 6.0: 0.97},
    ("ramp", "real"): {2.0: 0.55, 3.0: 0.78, 6.0: 0.97},
}
#: How far simulated iTBS may stay behind the known shape.
ORACLE_GOAL = 0.10
#: Largest median error in steps per trains a step and plateau in bpm, and how often the 95 % interval shall cover.
THRESHOLD_GOALS = {(1, 3.0): 1.5, (1, 6.0): 1.0, (3, 3.0): 0.8, (3, 6.0): 0.5}
COVER_GOAL, SILENT_GOAL = 0.93, 0.95


@dataclass(frozen=True)
class Study:
    """Runs of every part by cell, versions of the code that made them by part, and how to make them again."""

    nulls: dict[Cell, NullCell]
    compared: tables.Runs
    box: tables.Runs
    thresholds: dict[Cell, list[ThresholdRun]]
    command: str
    seeds: dict[str, int]
    versions: dict[str, str]


def page(study: Study) -> str:
    """Everything between the marks."""
    seeds = ", ".join(f"{name} {seed}" for name, seed in study.seeds.items())
    versions = ", ".join(f"{name} {version}" for name, version in study.versions.items())
    powers = [
        tables.power_table(runs, name, background, is_matched=background != "chain")
        for name in ("dash", "itbs", "ramp")
        for runs, background in ((study.compared, "real"), (study.compared, "sim"), (study.box, "chain"))
        if (name, background, 0.0) in runs
    ]
    parts = [
        f"`{study.command}` wrote this section: change `tests/study/study_page.py`, not the text. Seeds: {seeds}.\n"
        f"Versions (hashes of all code that findings hang on): {versions}.\n"
        "The same command goes on where it was stopped, and runs again only what a change of code concerns.",
        "### Goals\n\n" + GOAL_WORDS + "\n\n" + tables.table("claim | goal | measured | met", claims(study)),
        "### Where no train slows the heart\n\n" + NULL_WORDS + "\n\n" + tables.null_table(study.nulls),
        "### Power, and errors, of every method\n\n" + POWER_WORDS + "\n\n" + "\n\n".join(powers),
        "### Through the box\n\n" + BOX_WORDS + "\n\n" + box_table(study),
        "### Effect and intervals\n\n" + INTERVAL_WORDS + "\n\n" + tables.interval_table(study.compared),
        "### Thresholds\n\n" + THRESHOLD_WORDS + "\n\n" + tables.threshold_table(study.thresholds),
    ]
    return "\n\n".join(parts)


GOAL_WORDS = """\
Shares of worlds and of intervals are judged by the exact binomial test at one-sided .05, divided by the number of
cells: "met" is "not shown to be missed". Power, errors of thresholds and their coverage are judged as measured; the
counting error of power is .01 to .02, on real RR more, since windows come from few hearts and overlap."""
NULL_WORDS = """\
Runs called `coupled`, and share of `cannot_tell`; `tests/study/null_worlds.py` says what each world is."""
POWER_WORDS = """\
Share of runs called coupled, first by each method's own rule (without response: its errors), then at the cut-off of
its score that 5 % of the runs without response exceed, one for all hearts ("matched"). A matched cut-off belongs to
these hearts: nobody has it who sees a heart for the first time, and it errs in restless hearts more often than in
calm ones ([power.md](power.md)). In a ramp "bpm" is the plateau, and only the first two lines know the
intensities. T2circ and harmonic F ask for a rhythm, not for a fall. The published 9.56 belongs to cycles of 16 s and
is no rule of its authors for iTBS."""
INTERVAL_WORDS = """\
Of `effect_bpm`; truth is the mean over trains of the largest fall. Without response an interval misses zero exactly
when the test errs in either direction: .90 is what to expect there."""
THRESHOLD_WORDS = """\
Ramps of 15 steps; errors, coverage and width over the runs with an estimate, in brackets over those with verdict
`found`. The published rule: lowest intensity whose mean log power exceeds 9.56."""
BOX_WORDS = """\
Simulated hearts of the tables above become an ECG with pulse artefacts, go through the simulated front end, the
firmware on MicroPython on the simulated chip, and the wire; what arrives is estimated, beside the same hearts with
their true beats. No real ESP32 took part."""


def claims(study: Study) -> list[str]:
    """A line per goal."""
    return [_null_claim(study), *_power_claims(study), *_interval_claims(study), *_threshold_claims(study)]


def _line(claim: str, goal: str, measured: str, is_met: bool) -> str:
    return f"{claim} | {goal} | {measured} | {'yes' if is_met else '**no**'}"


def _null_claim(study: Study) -> str:
    cells = study.nulls
    usable_n, coupled_n = sum(one.usable_n for one in cells.values()), sum(one.coupled_n for one in cells.values())
    (name, world), worst = max(cells.items(), key=lambda item: item[1].coupled)
    measured = (
        f"{share(coupled_n / max(usable_n, 1))} of {usable_n:,} runs in {len(cells)} worlds of at least"
        f" {min(one.usable_n for one in cells.values()):,}; highest {NAMES[str(name)]}, {world}, {share(worst.coupled)}"
        f" (exact p {share(worst.p)} by itself)"
    )
    is_met = not any(one.is_above(len(cells)) for one in cells.values())
    return _line('"coupled" where no train slows the heart', "<= .05 in every world", measured, is_met)


def _power_claims(study: Study) -> list[str]:
    lines = []
    for (name, background), goal in POWER_GOALS.items():
        if (name, background, 0.0) not in study.compared:
            continue
        dips = " / ".join(f"{dip_bpm:g}" for dip_bpm in goal)
        wanted = " / ".join(share(least) for least in goal.values())
        for how, power in (("by the verdict", tables.own_power), ("at one matched cut-off", tables.matched_power)):
            found = power(study.compared, name, background, OURS)
            measured = " / ".join(share(found[dip_bpm]) for dip_bpm in goal)
            is_met = all(found[dip_bpm] >= least for dip_bpm, least in goal.items())
            claim = f"power, {NAMES.get(name, name)}, {NAMES[background]}, {dips} bpm, {how}"
            lines.append(_line(claim, wanted, measured, is_met))
    for how, power in (("by the verdict", tables.own_power), ("at matched cut-offs", tables.matched_power)):
        ours, told = (power(study.compared, "itbs", "sim", method) for method in (OURS, ORACLE))
        behind = [told[dip_bpm] - ours[dip_bpm] for dip_bpm in ours if dip_bpm > 0.0]
        measured = " / ".join(share(value) for value in behind)
        claim = f"simulated iTBS behind the known shape, 1 / 2 / 3 bpm, {how}"
        lines.append(_line(claim, f"<= {share(ORACLE_GOAL)}", measured, max(behind) <= ORACLE_GOAL))
    return lines


def _interval_claims(study: Study) -> list[str]:
    found = {cell: tables.cover(rows) for cell, all_rows in study.compared.items() if (rows := tables.usable(all_rows))}
    lines = []
    for level, counts in (
        (0.90, {cell: one.ci90_n for cell, one in found.items()}),
        (0.95, {cell: one.ci95_n for cell, one in found.items()}),
    ):
        shares = {cell: count / found[cell].runs_n for cell, count in counts.items()}
        p = {cell: float(bdtr(count, found[cell].runs_n, level)) for cell, count in counts.items()}
        worst = min(shares, key=lambda cell: shares[cell])
        name, background, dip_bpm = (NAMES.get(str(part), part) for part in worst)
        measured = (
            f"{share(shares[worst])} to {share(max(shares.values()))} in {len(found)} cells; least {name},"
            f" {background}, {dip_bpm:g} bpm (exact p {share(p[worst])} by itself)"
        )
        is_met = min(p.values()) * len(found) >= LEVEL
        lines.append(_line(f"{100 * level:.0f} % interval covers", f">= {share(level)}", measured, is_met))
    return lines


def _threshold_claims(study: Study) -> list[str]:
    cells = {cell: ThresholdCell(rows) for cell, rows in study.thresholds.items()}
    lines = []
    for (trains_n, plateau_bpm), most in THRESHOLD_GOALS.items():
        some = {str(cell[0]): one for cell, one in cells.items() if cell[1:] == (trains_n, plateau_bpm) and one.given}
        if not some:
            continue
        claim = f"threshold, {trains_n} a step, {plateau_bpm:g} bpm"
        errors = {name: one.error_steps(one.given) for name, one in some.items()}
        shown = ", ".join(f"{NAMES[name]} {value:.2f}" for name, value in errors.items())
        lines.append(_line(f"{claim}: median error, steps", f"<= {most:g}", shown, max(errors.values()) <= most))
        covers = {name: one.cover(one.given) for name, one in some.items()}
        shown = ", ".join(f"{NAMES[name]} {share(value)}" for name, value in covers.items())
        is_met = min(covers.values()) >= COVER_GOAL
        lines.append(_line(f"{claim}: 95 % interval covers", f">= {share(COVER_GOAL)}", shown, is_met))
    silent = [run for cell, one in cells.items() if cell[2] == 0.0 for run in one.rows]
    none_n = sum(run.found != FOUND for run in silent)
    claim, is_met = '"none found" or "not determined" without response', none_n >= SILENT_GOAL * len(silent)
    lines.append(_line(claim, f">= {share(SILENT_GOAL)}", f"{none_n} of {len(silent)}", is_met))
    return lines


def box_table(study: Study) -> str:
    """What the box does to a result: the same simulated hearts with their true beats, and through the box."""
    lines = []
    for (name, _, dip_bpm), rows in study.box.items():
        true = {(one.seed, one.run): one for one in study.compared.get((name, "sim", dip_bpm), [])}
        pairs = [(one, true[one.seed, one.run]) for one in rows if (one.seed, one.run) in true]
        differences = [abs(one.effect_bpm - other.effect_bpm) for one, other in pairs]
        known = [value for value in differences if np.isfinite(value)]
        shown = f"{np.median(known):.2f} | {max(known):.2f}" if known else "- | -"
        lines.append(
            f"{NAMES.get(str(name), name)}, {dip_bpm:g} bpm | {len(pairs)} |"
            f" {sum(one.verdict == other.verdict for one, other in pairs)} | {shown} |"
            f" {sum(one.beats_lost_n for one, _ in pairs)} | {sum(one.beats_added_n for one, _ in pairs)}"
        )
    heading = (
        "protocol, dip | runs | same verdict | effect differs by: median, bpm | at most, bpm | beats not detected |"
        " beats that are none"
    )
    return tables.table(heading, lines)


def check(path: Path) -> None:
    """Raise ValueError when a page has no place for the section; better before the hours than after."""
    if path.is_file() and not 0 <= path.read_text().find(BEGIN) < path.read_text().find(END):
        raise ValueError(f"{path}: has no lines {BEGIN} and {END}, between which the section stands")


def insert(path: Path, text: str) -> None:
    """Put the text between the marks of a page, which is made when there is none."""
    whole = path.read_text() if path.is_file() else f"{BEGIN}\n{END}\n"
    begin, end = whole.index(BEGIN) + len(BEGIN), whole.index(END)
    path.write_text(f"{whole[:begin]}\n\n{text}\n\n{whole[end:]}")

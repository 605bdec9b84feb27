"""The part of docs/validation.md that `make study` writes: goals beside figures, then every table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import study_tables as tables
from methods import Compared
from null_campaign import LEVEL, NullRun
from pieces import Pieces
from study_tables import NAMES, share
from threshold_study import ThresholdRun
from threshold_world import STEP_PCT

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
    """All runs, and how they were made: seeds by name, version of the code."""

    nulls: Pieces[NullRun]
    compared: Pieces[Compared]
    chain: Pieces[Compared]
    thresholds: Pieces[ThresholdRun]
    command: str
    seeds: dict[str, int]


def page(study: Study) -> str:
    """Everything between the marks."""
    seeds = ", ".join(f"{name} {seed}" for name, seed in study.seeds.items())
    powers = [
        tables.power_table(runs, name, background)
        for name in ("dash", "itbs", "ramp")
        for runs, background in ((study.compared, "real"), (study.compared, "sim"), (study.chain, "chain"))
        if (name, background, 0.0) in runs.cells()
    ]
    parts = [
        f"`{study.command}` wrote this section: change `tests/study/study_page.py`, not the text. Seeds: {seeds}.\n"
        f"Versions (hashes of files): verdicts {study.nulls.code}, methods {study.compared.code}, box"
        f" {study.chain.code}, threshold {study.thresholds.code}.\n"
        "The same command goes on where it was stopped, and runs again only what a change of code concerns.",
        "### Goals\n\n" + tables.table("claim | goal | measured | met", claims(study)),
        "### Where no train slows the heart\n\nRuns called `coupled`, and share of `cannot_tell`;"
        " `tests/study/null_worlds.py` says what each world is.\n\n"
        + tables.null_table(tables.null_cells(study.nulls)),
        "### Power, and errors, of every method\n\n" + POWER_WORDS + "\n\n" + "\n\n".join(powers),
        "### Through the box\n\n" + chain_words(study),
        "### Effect and intervals\n\n" + INTERVAL_WORDS + "\n\n" + tables.interval_table(study.compared),
        "### Thresholds\n\n" + THRESHOLD_WORDS + "\n\n" + tables.threshold_table(study.thresholds, STEP_PCT),
    ]
    return "\n\n".join(parts)


POWER_WORDS = """\
Share of runs called coupled, first by each method's own rule (without response: its errors), then at the cut-off of
its score that 5 % of the runs without response exceed, one for all hearts ("matched"). A matched cut-off belongs to
these hearts: nobody has it who sees a heart for the first time, and it errs in restless hearts more often than in
calm ones ([analysis.md](analysis.md)). In a ramp "bpm" is the plateau, and only the first two lines know the
intensities. T2circ and harmonic F ask for a rhythm, not for a fall."""
INTERVAL_WORDS = """\
Of `effect_bpm`; truth is the mean over trains of the largest fall. Without response an interval misses zero exactly
when the test errs in either direction: .90 is what to expect there."""
THRESHOLD_WORDS = """\
Ramps of 15 steps; errors, coverage and width over the runs with an estimate, in brackets over those with verdict
`found`. The published rule: lowest intensity whose mean log power exceeds 9.56."""
CHAIN_WORDS = """\
Simulated hearts of the tables above become an ECG with pulse artefacts, go through the simulated front end, the
firmware on MicroPython on the simulated chip, and the wire; what arrives is estimated, beside the same hearts with
their true beats. No real ESP32 took part."""


def claims(study: Study) -> list[str]:
    """A line per goal."""
    return [_null_claim(study), *_power_claims(study), *_interval_claims(study), *_threshold_claims(study)]


def _line(claim: str, goal: str, measured: str, is_met: bool) -> str:
    return f"{claim} | {goal} | {measured} | {'yes' if is_met else '**no**'}"


def _null_claim(study: Study) -> str:
    found = tables.null_cells(study.nulls)
    total_n, coupled_n = (sum(one.usable_n for one in found.values()), sum(one.coupled_n for one in found.values()))
    (name, world), worst = max(found.items(), key=lambda item: item[1].coupled)
    least_n = min(one.usable_n for one in found.values())
    measured = (
        f"{share(coupled_n / max(total_n, 1))} of {total_n:,} runs in {len(found)} worlds of at least {least_n:,};"
        f" highest {NAMES[str(name)]}, {world}, {share(worst.coupled)} (exact p {share(worst.p)} by itself)"
    )
    is_met = all(one.p * len(found) >= LEVEL for one in found.values())
    return _line(
        '"coupled" where no train slows the heart', "<= .05 in every world, exact test over all", measured, is_met
    )


def _power_claims(study: Study) -> list[str]:
    lines = []
    for (name, background), goal in POWER_GOALS.items():
        if (name, background, 0.0) not in study.compared.cells():
            continue
        wanted = " / ".join(share(value) for value in goal.values())
        dips = " / ".join(f"{dip_bpm:g}" for dip_bpm in goal)
        for how, found in (
            ("by the verdict", tables.own_power(study.compared, name, background)),
            ("at one matched cut-off", tables.matched_power(study.compared, name, background)),
        ):
            measured = " / ".join(share(found[dip_bpm]) for dip_bpm in goal)
            is_met = all(found[dip_bpm] >= least for dip_bpm, least in goal.items())
            lines.append(
                _line(f"power, {NAMES[name]}, {NAMES[background]}, {dips} bpm, {how}", wanted, measured, is_met)
            )
    for how, power in (("by the verdict", tables.own_power), ("at matched cut-offs", tables.matched_power)):
        ours, told = (power(study.compared, "itbs", "sim", method) for method in (0, 1))
        behind = {dip_bpm: told[dip_bpm] - ours[dip_bpm] for dip_bpm in ours}
        measured = " / ".join(share(value) for value in behind.values())
        is_met = all(value <= ORACLE_GOAL for value in behind.values())
        lines.append(
            _line(f"simulated iTBS behind the known shape, {how}", f"<= {share(ORACLE_GOAL)}", measured, is_met)
        )
    return lines


def _interval_claims(study: Study) -> list[str]:
    found = {
        cell: tables.covers(rows)
        for cell in study.compared.cells()
        if (rows := tables.usable(study.compared.rows(cell)))
    }
    lines = []
    for at, level in enumerate((0.90, 0.95)):
        worst = min(found, key=lambda cell: found[cell][at])
        name, background, dip_bpm = worst
        measured = (
            f"{share(found[worst][at])} to {share(max(one[at] for one in found.values()))} in {len(found)} cells; least"
            f" {NAMES[str(name)]}, {NAMES[str(background)]}, {dip_bpm:g} bpm"
        )
        lines.append(
            _line(f"{100 * level:.0f} % interval covers", f">= {share(level)}", measured, found[worst][at] >= level)
        )
    return lines


def _threshold_claims(study: Study) -> list[str]:
    cells = {cell: tables.ThresholdCell(study.thresholds.rows(cell), STEP_PCT) for cell in study.thresholds.cells()}
    lines = []
    for (trains_n, plateau_bpm), most in THRESHOLD_GOALS.items():
        some = {str(cell[0]): one for cell, one in cells.items() if cell[1:] == (trains_n, plateau_bpm) and one.given}
        if not some:
            continue
        errors = {name: one.errors(one.given) for name, one in some.items()}
        claim = f"threshold, {trains_n} a step, {plateau_bpm:g} bpm"
        shown = ", ".join(f"{NAMES[name]} {value:.2f}" for name, value in errors.items())
        lines.append(_line(f"{claim}: median error, steps", f"<= {most:g}", shown, max(errors.values()) <= most))
        shown = ", ".join(f"{NAMES[name]} {share(one.cover(one.given))}" for name, one in some.items())
        is_met = min(one.cover(one.given) for one in some.values()) >= COVER_GOAL
        lines.append(_line(f"{claim}: 95 % interval covers", f">= {share(COVER_GOAL)}", shown, is_met))
    silent = [one for cell, one in cells.items() if cell[2] == 0.0]
    runs_n = sum(len(one.rows) for one in silent)
    none_n = sum(run.found != tables.FOUND for one in silent for run in one.rows)
    is_met = none_n >= SILENT_GOAL * runs_n
    lines.append(
        _line(
            '"none found" or "not determined" without response',
            f">= {share(SILENT_GOAL)}",
            f"{none_n} of {runs_n}",
            is_met,
        )
    )
    return lines


def chain_words(study: Study) -> str:
    """What the box does to a result: the same simulated hearts with their true beats, and through the box."""
    lines = []
    for cell in study.chain.cells():
        true = {(one.seed, one.run): one for one in study.compared.rows((cell[0], "sim", cell[2]))}
        pairs = [(one, true[one.seed, one.run]) for one in study.chain.rows(cell) if (one.seed, one.run) in true]
        if pairs:
            same_n = sum(one.verdict == other.verdict for one, other in pairs)
            effect = [abs(one.effect_bpm - other.effect_bpm) for one, other in pairs if np.isfinite(one.effect_bpm)]
            lost_n, added_n = (sum(one[at] for one, _ in pairs) for at in (5, 6))
            lines.append(
                f"{NAMES[str(cell[0])]}, {cell[2]:g} bpm | {len(pairs)} | {same_n} | {np.median(effect):.2f} |"
                f" {max(effect):.2f} | {lost_n} | {added_n}"
            )
    if not lines:
        return "No run went through the box."
    heading = (
        "protocol, dip | runs | same verdict | effect differs by: median, bpm | at most, bpm | beats not detected |"
        " beats that are none"
    )
    return f"{CHAIN_WORDS}\n\n{tables.table(heading, lines)}"


def check(path: Path) -> None:
    """Raise ValueError when the page has no place for the section; better before the hours than after."""
    if not path.is_file() or not 0 <= path.read_text().find(BEGIN) < path.read_text().find(END):
        raise ValueError(f"{path}: no page with the lines {BEGIN} and {END}, between which the section stands")


def insert(path: Path, text: str) -> None:
    """Put the text between the marks of a page."""
    whole = path.read_text()
    begin, end = whole.index(BEGIN) + len(BEGIN), whole.index(END)
    path.write_text(f"{whole[:begin]}\n\n{text}\n\n{whole[end:]}")

"""Looks at a run while it goes on: false alarms of all looks together, power, and how many trains they save.

Example: ``python tests/study/looks_study.py --runs 200 --seed 301``

Prints a row per background, protocol, number of looks and size of the response: share of runs called coupled at any
look, mean number of trains given, and the mean shown effect of the runs that stopped early beside the true one. Exit
code 1 when a row without response is above 5 % (exact one-sided binomial p, times the rows, below 0.05).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# A script's own folder is on the path already; a test that loads this file by path needs it too.
sys.path.insert(0, str(Path(__file__).resolve().parent))
from backgrounds import data_folder, draw_response, warp
from hbc_host.looks import LookPlan, plan_looks, take_look
from hbc_host.trains import Protocol, parse_protocol
from null_campaign import LEVEL, excess_p
from null_runs import real_worlds
from null_worlds import TRAINS_N, WORLDS, Recording, World

DIPS_BPM = (0.0, 2.0, 3.0)
LOOKS_N = (1, 3)
SIMULATED = "typical"


@dataclass
class Tally:
    """What the runs of one row came to."""

    runs_n: int = 0
    coupled_n: int = 0
    trains_n: int = 0
    early_bpm: tuple[float, ...] = ()
    true_bpm: tuple[float, ...] = ()

    def line(self, background: str, protocol: str, looks_n: int, dip_bpm: float) -> str:
        early = f"{np.mean(self.early_bpm):.1f}" if self.early_bpm else "-"
        true = f"{np.mean(self.true_bpm):.1f}" if self.true_bpm else "-"
        shown, given = self.coupled_n / max(self.runs_n, 1), self.trains_n / max(self.runs_n, 1)
        row = f"| {background} | {protocol} | {looks_n} | {dip_bpm:g} | {self.runs_n} | "
        return row + f"{shown:.3f} | {given:.1f} | {early} | {true} |"


def run_with_looks(one: Recording, plan: LookPlan, cycle_s: float) -> tuple[str, int, float]:
    """Verdict, trains given and effect of a run that stops at the first look that is enough."""
    verdict, trains_n, effect_bpm = "unusable", 0, float("nan")
    for trains_n in plan.trains_n:
        until_s = one.onsets_s[trains_n - 1] + cycle_s
        look = take_look(
            one.beats_s[one.beats_s < until_s], one.onsets_s[:trains_n], plan, train_s=one.train_s, gaps_s=one.gaps_s
        )
        assert look is not None
        verdict, effect_bpm = look.result.verdict, look.result.effect_bpm
        if look.state != "go_on":
            break
    return verdict, trains_n, effect_bpm


def tally(
    world: World, protocol: Protocol, plan: LookPlan, dip_bpm: float, seeds: tuple[int, ...], runs_n: int
) -> Tally:
    """Runs of one row; the same seeds give the same hearts and responses whatever the number of looks."""
    found = Tally()
    for run in range(runs_n):
        rng = np.random.default_rng((*seeds, run))
        one = world(rng, protocol)
        true_bpm = 0.0
        if dip_bpm:
            response = draw_response(rng, dip_bpm)
            beats_s = warp(one.beats_s, response, one.onsets_s, one.train_s)
            one = Recording(beats_s, one.onsets_s, one.train_s, one.gaps_s)
            true_bpm = response.mean_fall_bpm(one.onsets_s, one.train_s, protocol.cycle_s)
        verdict, trains_n, effect_bpm = run_with_looks(one, plan, protocol.cycle_s)
        if verdict == "unusable":
            continue
        found.runs_n += 1
        found.trains_n += trains_n
        if verdict == "coupled":
            found.coupled_n += 1
            if trains_n < plan.trains_n[-1]:
                found.early_bpm += (effect_bpm,)
                found.true_bpm += (true_bpm,)
    return found


def main(say: Callable[[str], None] = print) -> int:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="per row")
    parser.add_argument("--seed", type=int, default=301)
    parser.add_argument("--data", type=Path, default=None, help="folder of the MIT-BIH records")
    arguments = parser.parse_args()
    say("| background | protocol | looks | dip bpm | runs | coupled | trains given | early: found bpm | true bpm |")
    say("|---|---|---|---|---|---|---|---|---|")
    null_rows: list[Tally] = []
    for name in ("dash", "itbs"):
        protocol = parse_protocol(name)
        worlds = {SIMULATED: WORLDS[SIMULATED], **real_worlds(data_folder(arguments.data), protocol)}
        worlds.pop("real RR, any rhythm", None)
        for number, (background, world) in enumerate(worlds.items()):
            for dip_bpm in DIPS_BPM:
                for looks_n in LOOKS_N:
                    plan = plan_looks(TRAINS_N[name], looks_n)
                    seeds = (arguments.seed, number, int(10 * dip_bpm))
                    found = tally(world, protocol, plan, dip_bpm, seeds, arguments.runs)
                    say(found.line(background, name, looks_n, dip_bpm))
                    if not dip_bpm:
                        null_rows.append(found)
    above = [row for row in null_rows if excess_p(row.coupled_n, row.runs_n) * len(null_rows) < LEVEL]
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())

"""Does the detector find the heart beats between TMS artefacts, and only those?

    python tests/study/artefact_campaign.py [--quick] [--seconds 160] [--blank-ms 8] [--bare] [--write FILE]

Every cell of the grid (protocol x amplitude x tail x time on the rail x recharge noise) is simulated on four patients
(artefact_world.py) and detected twice: with and without the pulse instants. Prints one row a cell and the worst of all;
--write puts the table into docs/detector-artefacts.md. Exit code 1 when a cell with triggers is below --floor.

Matching is one to one within 150 ms (EC57). Beats in spans on the rail are counted apart: neither asked for nor, when
found, held against the detector. Everything else counts, from second 3 to one second before the end; a false beat
counts wherever it lies, on the rail too.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from artefact_world import PATIENTS, RATE_HZ, FloatArray, Recording, Setting, patient, record
from hbc_hil.score import match_beats
from hbc_host.blanking import blanked_samples
from hbc_native import RPeakDetector

WITHIN_S = 0.15
LOOKBACK_US = 4000
FROM_S = 3.0
UNTIL_END_S = 1.0
GOAL_PCT = 99.5
NEAR_S = 0.03  # a beat this close to a pulse is "near": its QRS is under the blank or under the start of a tail
TABLE_MARK = "<!-- table: written by tests/study/artefact_campaign.py -->"

AMPLITUDES_R = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
TAILS_MS = (5.0, 10.0, 20.0, 50.0, 100.0)
RAILS_S = (0.0, 0.1, 0.3, 1.0)
RECHARGES_R = (0.0, 0.05, 0.2)
PATTERN_NAMES = ("dash", "itbs")
# (amplitude, tail, rail, recharge)
QUICK = (
    (0.5, 5.0, 0.0, 0.0),
    (2.0, 10.0, 0.0, 0.05),
    (2.0, 100.0, 0.0, 0.0),
    (5.0, 20.0, 0.3, 0.0),
    (20.0, 5.0, 0.0, 0.0),
    (20.0, 100.0, 1.0, 0.05),
    (0.5, 50.0, 0.1, 0.2),
)


@dataclass(frozen=True)
class Tally:
    """Beats of one cell under one way of detection.

    Attributes
    ----------
    hits_n, missed_n, false_n : int
    unseen_n : int
        Beats on the rail, in none of the others.
    near_ms, far_ms : float (hits,)
        Time errors of the hits within NEAR_S of a pulse, and of the others.
    """

    hits_n: int
    missed_n: int
    false_n: int
    unseen_n: int
    near_ms: FloatArray
    far_ms: FloatArray

    @property
    def se_pct(self) -> float:
        return 100.0 * self.hits_n / (self.hits_n + self.missed_n)

    @property
    def ppv_pct(self) -> float:
        return 100.0 * self.hits_n / max(1, self.hits_n + self.false_n)

    @property
    def worse_pct(self) -> float:
        return min(self.se_pct, self.ppv_pct)


def detect_with_mask(recording: Recording, blank_ms: int) -> FloatArray:
    """R-peaks in seconds as the box finds them; `blank_ms` 0 = without triggers."""
    mask = blanked_samples(recording.sample_us, recording.edges_us, blank_ms, LOOKBACK_US)
    peaks = RPeakDetector(RATE_HZ).push(recording.samples_lsb, mask)
    return np.sort((peaks["sample_idx"] + peaks["frac_q8"] / 256) / RATE_HZ)


def tally(recording: Recording, found_s: FloatArray) -> Tally:
    """Score one recording."""
    beats_s = recording.beats_s
    end_s = recording.samples_lsb.size / RATE_HZ - UNTIL_END_S
    true_i, found_i = match_beats(beats_s, found_s, WITHIN_S)
    hit = np.zeros(beats_s.size, bool)
    hit[true_i] = True
    paired = np.zeros(found_s.size, bool)
    paired[found_i] = True
    counted = (beats_s >= FROM_S) & (beats_s <= end_s)
    asked = counted & ~recording.unseen
    pairs = asked[true_i]
    error_ms = 1e3 * (found_s[found_i[pairs]] - beats_s[true_i[pairs]])
    near = _distance_s(beats_s[true_i[pairs]], np.asarray(recording.edges_us * 1e-6, np.float64)) <= NEAR_S
    return Tally(
        hits_n=int((asked & hit).sum()),
        missed_n=int((asked & ~hit).sum()),
        false_n=int((~paired & (found_s >= FROM_S) & (found_s <= end_s)).sum()),
        unseen_n=int((counted & recording.unseen).sum()),
        near_ms=error_ms[near],
        far_ms=error_ms[~near],
    )


def _distance_s(at_s: FloatArray, edges_s: FloatArray) -> FloatArray:
    after = np.clip(np.searchsorted(edges_s, at_s), 1, edges_s.size - 1)
    return np.asarray(np.minimum(np.abs(at_s - edges_s[after - 1]), np.abs(edges_s[after] - at_s)))


def pooled(tallies: Iterable[Tally]) -> Tally:
    """Add up the patients of a cell."""
    parts = list(tallies)
    return Tally(
        hits_n=sum(part.hits_n for part in parts),
        missed_n=sum(part.missed_n for part in parts),
        false_n=sum(part.false_n for part in parts),
        unseen_n=sum(part.unseen_n for part in parts),
        near_ms=np.concatenate([part.near_ms for part in parts]),
        far_ms=np.concatenate([part.far_ms for part in parts]),
    )


def cells(quick: bool, bare: bool) -> Iterator[Setting]:
    """The grid; quick = its corners and a middle."""
    if quick:
        for pattern, (amplitude_r, tail_ms, rail_s, recharge_r) in itertools.product(PATTERN_NAMES, QUICK):
            yield Setting(pattern, amplitude_r, tail_ms, rail_s, recharge_r, bare)
        return
    for pattern, amplitude_r, tail_ms, rail_s, recharge_r in itertools.product(
        PATTERN_NAMES, AMPLITUDES_R, TAILS_MS, RAILS_S, RECHARGES_R
    ):
        yield Setting(pattern, amplitude_r, tail_ms, rail_s, recharge_r, bare)


def rms(error_ms: FloatArray) -> float:
    return float(np.sqrt(np.mean(error_ms**2))) if error_ms.size else float("nan")


def line(setting: Setting, blind: Tally, seeing: Tally) -> str:
    """One cell for the terminal."""
    return (
        f"{setting.pattern} {setting.amplitude_r:4.1f} R {setting.tail_ms:3.0f} ms, rail {setting.rail_s:.1f} s, "
        f"recharge {setting.recharge_r:.2f} R | without {blind.se_pct:6.2f} {blind.ppv_pct:6.2f} | "
        f"with {seeing.se_pct:6.2f} {seeing.ppv_pct:6.2f} | on the rail {seeing.unseen_n:3d} | "
        f"rms near {rms(seeing.near_ms):4.1f} far {rms(seeing.far_ms):4.1f} ms"
    )


def table(results: list[tuple[Setting, Tally, Tally]]) -> str:
    """One row for each protocol, amplitude and tail: the worst over rail and recharge, and all of them pooled."""
    rows = [
        "| protocol | spike | tail | without: worst Se / PPV | with: worst Se / PPV | with, pooled: Se / PPV "
        "| cells at 99.5 | beats on the rail | rms near / far |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for key, group in itertools.groupby(results, lambda row: (row[0].pattern, row[0].amplitude_r, row[0].tail_ms)):
        parts = list(group)
        blind, seeing = [part[1] for part in parts], [part[2] for part in parts]
        both = pooled(seeing)
        passed_n = sum(part.worse_pct >= GOAL_PCT for part in seeing)
        on_rail_pct = 100.0 * both.unseen_n / (both.unseen_n + both.hits_n + both.missed_n)
        rows.append(
            f"| {key[0]} | {key[1]:g} R | {key[2]:g} ms "
            f"| {min(part.se_pct for part in blind):.1f} / {min(part.ppv_pct for part in blind):.1f} "
            f"| {min(part.se_pct for part in seeing):.2f} / {min(part.ppv_pct for part in seeing):.2f} "
            f"| {both.se_pct:.2f} / {both.ppv_pct:.2f} | {passed_n} of {len(parts)} | {on_rail_pct:.0f} % "
            f"| {rms(both.near_ms):.1f} / {rms(both.far_ms):.1f} ms |"
        )
    return "\n".join(rows)


def summary(results: list[tuple[Setting, Tally, Tally]]) -> str:
    """Worst and pooled figures of the whole run."""
    seeing = [part[2] for part in results]
    both, blind = pooled(seeing), pooled(part[1] for part in results)
    passed_n = sum(part.worse_pct >= GOAL_PCT for part in seeing)
    return (
        f"{passed_n} of {len(seeing)} cells reach {GOAL_PCT} % with triggers; worst Se "
        f"{min(part.se_pct for part in seeing):.2f}, worst PPV {min(part.ppv_pct for part in seeing):.2f}; pooled Se "
        f"{both.se_pct:.2f} and PPV {both.ppv_pct:.2f} of {both.hits_n + both.missed_n} beats, without triggers "
        f"{blind.se_pct:.2f} and {blind.ppv_pct:.2f}; {both.unseen_n} beats on the rail counted apart; time error rms "
        f"{rms(both.near_ms):.1f} ms within {1e3 * NEAR_S:.0f} ms of a pulse, {rms(both.far_ms):.1f} ms elsewhere."
    )


def campaign(settings: Iterable[Setting], seconds: float, blank_ms: int) -> list[tuple[Setting, Tally, Tally]]:
    """Run the cells; each result is (setting, without triggers, with triggers)."""
    patients = [patient(number, seconds) for number in range(len(PATIENTS))]
    results = []
    for setting in settings:
        recordings = [record(who, setting) for who in patients]
        blind, seeing = (
            pooled(tally(recording, detect_with_mask(recording, length_ms)) for recording in recordings)
            for length_ms in (0, blank_ms)
        )
        print(line(setting, blind, seeing), flush=True)
        results.append((setting, blind, seeing))
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="corners of the grid only, some seconds")
    parser.add_argument("--seconds", type=float, default=160.0, help="length of each recording")
    parser.add_argument("--blank-ms", type=int, default=8)
    parser.add_argument("--bare", action="store_true", help="no front end between electrodes and samples")
    parser.add_argument("--floor", type=float, default=GOAL_PCT, help="exit code 1 below this, percent")
    parser.add_argument("--write", type=Path, help="replace everything below the table mark of this file")
    options = parser.parse_args()
    results = campaign(cells(options.quick, options.bare), options.seconds, options.blank_ms)
    print(summary(results))
    if options.write:
        above, mark, _ = options.write.read_text(encoding="utf-8").partition(TABLE_MARK)
        if not mark:
            parser.error(f"{options.write} has no line {TABLE_MARK!r}: add it where the table belongs")
        text = f"{above}{mark}\n\n{summary(results)}\n\n{table(results)}\n"
        options.write.write_text(text, encoding="utf-8")
    return int(min(seeing.worse_pct for _, _, seeing in results) < options.floor)


if __name__ == "__main__":
    sys.exit(main())

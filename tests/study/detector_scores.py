"""Accuracy of the R-peak detector and of every other one installed (peers.py), in one run on annotated WFDB records.

    python tests/study/detector_scores.py FOLDER [--match 118e] [--per-record] [--slow] [--jobs 2]

As ANSI/AAMI EC57 counts: one-to-one within 150 ms, beat annotations only, ventricular flutter left out on both sides,
whole records and after the first five minutes. ``--slow`` adds the detectors that need minutes for these records,
``--per-record`` prints F1 of every record (of nstdb: every noise level) and where the reported peak lies against the
annotations. The accuracy tables of docs/detector-peers.md are made with it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hbc_hil.ecg_source import BEAT_SYMBOLS
from hbc_hil.score import outside
from hbc_host.io.wfdb_record import quiet_wfdb
from numpy.typing import NDArray
from peers import OURS, Peer, absent, installed

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
WITHIN_S = 0.15
LEARNING_S = 300.0
NOISE_DB = {"118e24": 24, "118e18": 18, "118e12": 12, "118e06": 6, "118e00": 0, "118e_6": -6}


@dataclass(frozen=True)
class Record:
    """First lead in mV, annotated beats and spans of flutter in samples."""

    name: str
    rate_hz: float
    ecg_mv: FloatArray
    beats_idx: FloatArray
    flutter_idx: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Counts:
    hits_n: int = 0
    misses_n: int = 0
    false_n: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.hits_n + other.hits_n, self.misses_n + other.misses_n, self.false_n + other.false_n)

    @property
    def errors_n(self) -> int:
        return self.misses_n + self.false_n

    @property
    def se_pct(self) -> float:
        return 100.0 * self.hits_n / max(self.hits_n + self.misses_n, 1)

    @property
    def ppv_pct(self) -> float:
        return 100.0 * self.hits_n / max(self.hits_n + self.false_n, 1)

    @property
    def f1_pct(self) -> float:
        return 200.0 * self.hits_n / max(2 * self.hits_n + self.misses_n + self.false_n, 1)


@dataclass(frozen=True)
class RecordScore:
    """One detector on one record; ``errors_ms`` are found minus annotated, of the hits."""

    record: str
    whole: Counts
    late: Counts
    errors_ms: FloatArray

    @property
    def offset_ms(self) -> float:
        return float(np.median(self.errors_ms)) if self.errors_ms.size else float("nan")


@dataclass(frozen=True)
class Gross:
    """One detector on all records: gross counts, and jitter about each record's own median offset."""

    detector: str
    records: tuple[RecordScore, ...]
    failed: tuple[str, ...] = ()

    @property
    def whole(self) -> Counts:
        return sum((score.whole for score in self.records), Counts())

    @property
    def late(self) -> Counts:
        return sum((score.late for score in self.records), Counts())

    @property
    def jitter_ms(self) -> float:
        centred = [score.errors_ms - score.offset_ms for score in self.records if score.errors_ms.size]
        return float(np.sqrt(np.mean(np.concatenate(centred) ** 2))) if centred else float("nan")


def record_paths(folder: Path, match: str = "") -> list[Path]:
    """Annotated records of a folder, sorted, without suffix."""
    stems = [header.with_suffix("") for header in sorted(folder.glob(f"{match}*.hea"))]
    return [stem for stem in stems if stem.with_suffix(".atr").exists()]


def load(path: Path) -> Record:
    with quiet_wfdb() as wfdb:
        record, notes = wfdb.rdrecord(str(path), channels=[0]), wfdb.rdann(str(path), "atr")
    symbols, at_idx = np.array(notes.symbol), np.asarray(notes.sample, dtype=np.float64)
    # An episode that is still on when the record ends lasts until there.
    ends_idx = [*at_idx[symbols == "]"], float(record.sig_len)]
    flutter_idx = tuple(zip(at_idx[symbols == "["], ends_idx, strict=False))
    beats_idx = np.unique(at_idx[np.isin(symbols, list(BEAT_SYMBOLS))])
    return Record(path.name, float(record.fs), np.nan_to_num(record.p_signal[:, 0]), beats_idx, flutter_idx)


def pair(beats: Sequence[float], found: Sequence[float], within: float) -> tuple[IntArray, IntArray]:
    """Indices of the pairs (beat, detection), as WFDB's ``bxb`` finds them.

    The earlier of the two heads of the lists takes the other one when it is near enough, unless the next of its own
    kind is nearer. hbc_hil.score.match_beats wants both to be each other's nearest: a few pairs in 10,000 fewer.
    """
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(beats) and j < len(found):
        gap = abs(found[j] - beats[i])
        beat_first = beats[i] <= found[j]
        if beat_first:
            rival = abs(beats[i + 1] - found[j]) if i + 1 < len(beats) else np.inf
        else:
            rival = abs(found[j + 1] - beats[i]) if j + 1 < len(found) else np.inf
        if gap <= within and gap <= rival:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif beat_first:
            i += 1
        else:
            j += 1
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def score(record: Record, found_idx: FloatArray) -> RecordScore:
    """Counts and time errors of detections (samples, increasing) on one record."""
    within = WITHIN_S * record.rate_hz
    true_i, found_i = pair(record.beats_idx.tolist(), found_idx.tolist(), within)
    hit = np.zeros(record.beats_idx.size, bool)
    hit[true_i] = True
    false = np.ones(found_idx.size, bool)
    false[found_i] = False
    counted = outside(record.beats_idx, record.flutter_idx)
    false &= outside(found_idx, [(start - within, end + within) for start, end in record.flutter_idx])

    def counts(from_s: float) -> Counts:
        late, late_found = record.beats_idx >= from_s * record.rate_hz, found_idx >= from_s * record.rate_hz
        return Counts(
            int((counted & hit & late).sum()), int((counted & ~hit & late).sum()), int((false & late_found).sum())
        )

    kept = counted[true_i]
    errors_ms = 1e3 / record.rate_hz * (found_idx[found_i] - record.beats_idx[true_i])[kept]
    return RecordScore(record.name, counts(0.0), counts(LEARNING_S), errors_ms)


def _score_path(peer: Peer, path: Path) -> tuple[RecordScore, str]:
    record = load(path)
    try:
        return score(record, peer.find(record.ecg_mv, record.rate_hz)), ""
    except Exception as error:  # a detector that fails on a record has found nothing in it
        return score(record, np.empty(0)), f"{record.name}: {type(error).__name__}"


def score_all(paths: Sequence[Path], peers: Iterable[Peer], jobs_n: int = 1) -> list[Gross]:
    """Score every detector on every record; records are shared out over ``jobs_n`` processes."""
    with ProcessPoolExecutor(jobs_n) as pool:
        scores = []
        for peer in peers:
            done = list(pool.map(_score_path, [peer] * len(paths), paths))
            failed = tuple(why for _, why in done if why)
            scores.append(Gross(peer.name, tuple(record_score for record_score, _ in done), failed))
    return scores


def row(gross: Gross) -> str:
    whole, late = gross.whole, gross.late
    noise = {NOISE_DB[one.record]: one.whole.f1_pct for one in gross.records if one.record in NOISE_DB}
    levels = ", ".join(f"{level_db} dB {noise[level_db]:.1f}" for level_db in sorted(noise, reverse=True))
    return (
        f"{gross.detector}: Se {whole.se_pct:.2f}, PPV {whole.ppv_pct:.2f}, F1 {whole.f1_pct:.2f}; after 5 min "
        f"Se {late.se_pct:.2f}, PPV {late.ppv_pct:.2f}, F1 {late.f1_pct:.2f}; jitter {gross.jitter_ms:.1f} ms rms"
        + (f"; {levels}" if levels else "")
        + (f"; failed on {'; '.join(gross.failed)}" if gross.failed else "")
    )


def per_record_rows(scores: Sequence[Gross]) -> Iterable[str]:
    yield "record: " + ", ".join(f"F1 of {gross.detector}" for gross in scores) + f"; offset of {scores[0].detector}"
    for first, *others in zip(*(gross.records for gross in scores), strict=True):
        figures = ", ".join(f"{one.whole.f1_pct:.2f}" for one in (first, *others))
        yield f"{first.record}: {figures}; {first.offset_ms:+.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--match", default="", help="beginning of the record names")
    parser.add_argument("--per-record", action="store_true")
    parser.add_argument("--slow", action="store_true", help="also the detectors that need minutes")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    paths = record_paths(options.folder, options.match)
    if not paths:
        sys.exit(
            f"no annotated record in {options.folder} begins with {options.match!r}; give a folder of WFDB records"
        )
    peers = [peer for peer in installed() if options.slow or not peer.slow]
    scores = score_all(paths, [OURS, *peers], options.jobs)
    beats = scores[0].whole
    print(f"{len(paths)} records, {beats.hits_n + beats.misses_n} beats")
    print("\n".join(row(gross) for gross in scores))
    if options.per_record:
        print("\n".join(per_record_rows(scores)))
    if absent():
        print(f"absent: {', '.join(absent())} (pip install -e '.[peers]')")


if __name__ == "__main__":
    main()

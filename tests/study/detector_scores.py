"""Gross accuracy of the R-peak detector, and of sleepecg in the same run, on a folder of annotated WFDB records.

    python tests/study/detector_scores.py FOLDER [--match 118e]

One-to-one matching within 150 ms (EC57 style), ventricular flutter left out on both sides, whole records and after the
first five minutes. Prints one row a detector; the accuracy table of docs/detector.md is made with it.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import sleepecg
import wfdb
from hbc_hil.score import match_beats, outside
from hbc_native import detect
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BEAT_SYMBOLS = frozenset("NLRBAaJSVrFejnE/fQ?")
WITHIN_S = 0.15
LEARNING_S = 300.0


def records(folder: Path, match: str) -> Iterator[tuple[FloatArray, float, FloatArray, list[tuple[float, float]]]]:
    """First lead in mV, its rate, annotated beats in seconds, spans of flutter in seconds."""
    for header in sorted(folder.glob(f"{match}*.hea")):
        stem = header.with_suffix("")
        if not stem.with_suffix(".atr").exists():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # wfdb's use of pandas is not ours to mend
            record, notes = wfdb.rdrecord(str(stem), channels=[0]), wfdb.rdann(str(stem), "atr")
        symbols = np.array(notes.symbol)
        at_s = notes.sample / record.fs
        flutter = list(zip(at_s[symbols == "["], at_s[symbols == "]"], strict=False))
        beats_s = np.unique(at_s[np.isin(symbols, list(BEAT_SYMBOLS))])
        yield np.nan_to_num(record.p_signal[:, 0]), float(record.fs), beats_s, flutter


def counts(true_s: FloatArray, found_s: FloatArray, from_s: float, flutter: list[tuple[float, float]]) -> FloatArray:
    """(hits, misses, false) outside flutter from a time on."""
    true_i, found_i = match_beats(true_s, found_s, WITHIN_S)
    hit_true, hit_found = np.zeros(true_s.size, bool), np.zeros(found_s.size, bool)
    hit_true[true_i], hit_found[found_i] = True, True
    counted = outside(true_s, flutter) & (true_s >= from_s)
    wide = [(start_s - WITHIN_S, end_s + WITHIN_S) for start_s, end_s in flutter]
    false = outside(found_s, wide) & (found_s >= from_s) & ~hit_found
    return np.array([(counted & hit_true).sum(), (counted & ~hit_true).sum(), false.sum()], float)


def f1_of(total: FloatArray) -> float:
    return float(200 * total[0] / (2 * total[0] + total[1] + total[2]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--match", default="", help="beginning of the record names")
    options = parser.parse_args()
    detectors: dict[str, Callable[[FloatArray, float], FloatArray]] = {
        "hbc_native": lambda ecg_mv, rate_hz: detect(ecg_mv, rate_hz) / rate_hz,
        "sleepecg": lambda ecg_mv, rate_hz: sleepecg.detect_heartbeats(ecg_mv, rate_hz) / rate_hz,
    }
    whole = {name: np.zeros(3) for name in detectors}
    late = {name: np.zeros(3) for name in detectors}
    errors_ms: dict[str, list[FloatArray]] = {name: [] for name in detectors}
    for ecg_mv, rate_hz, true_s, flutter in records(options.folder, options.match):
        for name, find in detectors.items():
            found_s = np.asarray(find(ecg_mv, rate_hz), float)
            whole[name] += counts(true_s, found_s, 0.0, flutter)
            late[name] += counts(true_s, found_s, LEARNING_S, flutter)
            true_i, found_i = match_beats(true_s, found_s, WITHIN_S)
            error_ms = 1e3 * (found_s[found_i] - true_s[true_i])
            errors_ms[name].append(error_ms - np.median(error_ms))
    for name, total in whole.items():
        hits, misses, false = total
        jitter_ms = float(np.sqrt(np.mean(np.concatenate(errors_ms[name]) ** 2)))
        print(
            f"{name}: beats {hits + misses:.0f}, Se {100 * hits / (hits + misses):.2f}, "
            f"PPV {100 * hits / (hits + false):.2f}, F1 {f1_of(total):.2f}, after 5 min {f1_of(late[name]):.2f}, "
            f"jitter {jitter_ms:.1f} ms rms"
        )


if __name__ == "__main__":
    main()

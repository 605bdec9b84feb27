"""What triggers cost that leave no artefact in the ECG: beats missed and false on real records with pulse times added.

    python tests/study/triggers_without_artefact.py ../shared/data/mitdb

The first ten minutes of each record present, at 500 Hz, against its annotations: no pulses, 10 Hz trains, iTBS.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from artefact_tally import detect_with_mask, pooled, tally
from artefact_world import RATE_HZ, Recording, pulse_edges_ns
from detector_scores import Record, load, record_paths
from hbc_hil.stimulator import PATTERNS
from scipy.signal import resample_poly

DURATION_S = 600
BLANK_MS = 8
UV_PER_MV = 1000


def with_triggers(record: Record, pattern_name: str) -> Recording:
    """The start of a record as the box would have it, and pulse times that left no trace in it."""
    end_idx = int(DURATION_S * record.rate_hz)
    ecg_mv = resample_poly(record.ecg_mv[:end_idx], RATE_HZ, round(record.rate_hz))
    samples_lsb = np.clip(np.rint(ecg_mv * UV_PER_MV), -32768, 32767).astype(np.int16)
    edges_ns, _ = pulse_edges_ns(pattern_name, DURATION_S, seed=5)
    beats_s = record.beats_idx[record.beats_idx < end_idx] / record.rate_hz
    sample_us = np.arange(samples_lsb.size) * (1_000_000 // RATE_HZ)
    return Recording(samples_lsb, sample_us, edges_ns // 1000, beats_s, np.zeros(beats_s.size, bool), 0.0)


def main() -> None:
    """Print one line for no pulses and for each pattern."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="WFDB records with annotations")
    paths = record_paths(parser.parse_args().folder)
    records = [load(path) for path in paths]
    for name, pattern_name, blank_ms in (("no pulses", "dash", 0), *((name, name, BLANK_MS) for name in PATTERNS)):
        recordings = [with_triggers(record, pattern_name) for record in records]
        total = pooled(tally(recording, detect_with_mask(recording, blank_ms)) for recording in recordings)
        asked_n = total.hits_n + total.missed_n
        print(f"{name}: {total.missed_n} of {asked_n} beats missed, {total.false_n} false, {len(paths)} records")


if __name__ == "__main__":
    main()
